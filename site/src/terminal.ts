/**
 * <kube-terminal name="1">: a terminal of the cluster, drawn by xterm.js. Its
 * shell is the one that blocks run in under the same name.
 */
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import xtermCSS from '@xterm/xterm/css/xterm.css'
import type { Cluster, Run } from './api.ts'
import { strings } from './i18n.ts'
import { LineEditor } from './line.ts'
import { cluster, onCluster } from './page.ts'
import { pasted } from './script.ts'

const KEEP = 40_000
const verbs = 'annotate api-resources api-versions apply autoscale cluster-info config create delete describe edit exec explain expose get label logs patch proxy rollout run scale set version wait'.split(' ')
const tools = 'kubectl cat clear cp curl cut date diff echo env find grep head jobs kill ls mkdir mv nano printf pwd rm sed seq sleep sort tail tee time touch tr uniq vi vim watch wc xargs'.split(' ')
const kinds: Record<string, string> = { pods: '/api/v1/namespaces/default/pods', pod: '/api/v1/namespaces/default/pods', po: '/api/v1/namespaces/default/pods', replicasets: '/apis/apps/v1/namespaces/default/replicasets', replicaset: '/apis/apps/v1/namespaces/default/replicasets', rs: '/apis/apps/v1/namespaces/default/replicasets', deployments: '/apis/apps/v1/namespaces/default/deployments', deployment: '/apis/apps/v1/namespaces/default/deployments', deploy: '/apis/apps/v1/namespaces/default/deployments', nodes: '/api/v1/nodes', node: '/api/v1/nodes', no: '/api/v1/nodes', namespaces: '/api/v1/namespaces', ns: '/api/v1/namespaces', events: '', hpa: '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers', configmaps: '/api/v1/namespaces/default/configmaps', cm: '/api/v1/namespaces/default/configmaps', services: '/api/v1/namespaces/default/services', svc: '/api/v1/namespaces/default/services' }

const css = `:host{display:block;height:100%;min-height:8rem;background:#101720;padding:.3rem .2rem .3rem .6rem;border-radius:8px}
:host(:focus-within){outline:3px solid #8ab8ff;outline-offset:-1px}.box{height:100%;width:100%}.xterm-viewport{background:transparent!important}`

export class KubeTerminal extends HTMLElement {
  private term: Terminal | null = null
  private fit: FitAddon | null = null
  private editor!: LineEditor
  private c: Cluster | null = null
  private current: Run | null = null
  private typed = '' // lines of a command that is not complete yet
  private ready = false // the shell waits for a line
  private ahead = '' // what a paste brought after its first line
  private cwd = '/home/reader'
  private shown = ''
  private observer: ResizeObserver | null = null
  private unlisten: (() => void) | null = null
  private saving = 0

  get name(): string { return this.getAttribute('name') ?? '1' }

  connectedCallback(): void {
    if (this.term) return
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' })
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(xtermCSS + css)
    root.adoptedStyleSheets = [sheet]
    const box = document.createElement('div')
    box.className = 'box'
    root.replaceChildren(box)
    const t = strings(this)
    const term = (this.term = new Terminal({
      fontSize: 13, fontFamily: 'ui-monospace, "SF Mono", Menlo, Consolas, "Noto Sans Mono CJK JP", monospace', lineHeight: 1.2, scrollback: 3000,
      screenReaderMode: true, cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      theme: { background: '#101720', foreground: '#e4ebf3', cursor: '#8ab8ff', selectionBackground: '#35506f', black: '#5c6b7d', red: '#ff9d94', green: '#7bdba2', yellow: '#f2cf66', blue: '#8ab8ff', magenta: '#e0a6ff', cyan: '#79dbe6' },
    }))
    this.fit = new FitAddon()
    term.loadAddon(this.fit)
    term.open(box)
    if (term.textarea) term.textarea.setAttribute('aria-label', `${t.terminal} ${this.name}`)
    // Tab leaves the terminal only with Shift, or with Escape before it.
    let leaving = false
    term.attachCustomKeyEventHandler(e => {
      if (e.type !== 'keydown') return true
      if (e.key === 'Tab' && (e.shiftKey || leaving)) return false
      if ((e.ctrlKey || e.metaKey) && e.key === 'c' && term.hasSelection()) return false
      if ((e.ctrlKey || e.metaKey) && e.key === 'v') return false
      leaving = e.key === 'Escape'
      return true
    })
    this.editor = new LineEditor({
      write: text => this.put(text),
      columns: () => term.cols,
      line: text => void this.line(text),
      interrupt: () => {
        this.typed = this.ahead = ''
        if (this.current) this.current.interrupt()
        else this.prompt()
      },
      endOfFile: () => this.current?.end(),
      clear: () => term.write('\x1b[2J\x1b[3J\x1b[H'),
      complete: before => this.complete(before),
    })
    term.onData(data => this.input(data))
    term.onResize(({ cols, rows }) => this.current?.resize(cols, rows))
    this.observer = new ResizeObserver(() => this.size())
    this.observer.observe(this)
    this.size()
    this.put(`\x1b[2m${t.hello}\x1b[0m\r\n`)
    this.unlisten = onCluster(c => void this.join(c))
    void cluster().catch(err => this.put(`\x1b[31m${String((err as Error).message ?? err)}\x1b[0m\r\n`))
  }

  disconnectedCallback(): void {
    this.unlisten?.()
    this.observer?.disconnect()
    this.current?.stop()
    this.term?.dispose()
    this.term = null
  }

  override focus(): void { this.term?.focus() }

  /** Keys come one by one, a paste in one piece: its lines are for the shell, each when it asks for one. */
  private input(data: string): void {
    if (this.current || data.length < 3 || data.startsWith('\x1b')) return this.editor.input(data)
    this.ahead += this.typed || this.editor.text ? data.replace(/\r\n?/g, '\n') : pasted(data)
    if (this.ready) this.feed()
  }

  private feed(): void {
    if (!this.ahead) return
    const end = this.ahead.indexOf('\n') + 1 || this.ahead.length
    const line = this.ahead.slice(0, end)
    this.ahead = this.ahead.slice(end)
    this.editor.input(line.replace('\n', '\r'))
  }

  /** Asks for a line of a command. */
  private ask(prompt: string): void {
    this.ready = true
    this.editor.begin(prompt)
    this.feed()
  }

  private size(): void {
    if (this.clientWidth > 0 && this.clientHeight > 0) {
      try { this.fit?.fit() } catch { /* not shown yet */ }
    }
  }

  private put(text: string): void {
    this.term?.write(text)
    this.shown = (this.shown + text).slice(-KEEP)
  }

  private async join(c: Cluster): Promise<void> {
    if (this.c === c) return
    const first = !this.c
    this.c = c
    c.on('lost', ({ reset }) => {
      if (!reset) return
      this.term?.reset()
      this.shown = ''
      this.cwd = '/home/reader'
      this.prompt()
    })
    try {
      const kept = JSON.parse(await c.files.read(this.path)) as { shown: string; history: string[]; dir: string }
      this.editor.history = kept.history
      this.cwd = kept.dir
      if (kept.shown) {
        this.term?.reset()
        this.put(kept.shown)
      }
    } catch { /* nothing kept */ }
    if (first) this.prompt()
  }

  private get path(): string { return `/var/lib/kubonsai/page/terminal-${this.name}.json` }

  private save(): void {
    clearTimeout(this.saving)
    this.saving = window.setTimeout(() => {
      void this.c?.files.write(this.path, JSON.stringify({ shown: this.shown, history: this.editor.history, dir: this.cwd })).catch(() => {})
    }, 500)
  }

  private prompt(): void {
    this.save()
    const dir = this.cwd === '/home/reader' ? '~' : this.cwd.replace(/^\/home\/reader\//, '~/')
    this.ask(`\x1b[32mreader@kubonsai\x1b[0m:\x1b[34m${dir}\x1b[0m$ `)
  }

  private async line(text: string): Promise<void> {
    if (this.current) { // for the program that runs
      this.current.write(text + '\n')
      this.editor.begin('', false)
      return
    }
    if (!this.c) return
    this.ready = false
    this.typed += (this.typed ? '\n' : '') + text
    if (!this.typed.trim()) {
      this.typed = ''
      return this.prompt()
    }
    try {
      const c = await cluster() // another one, if the last is gone
      const { complete } = await c.steps(this.typed)
      if (!complete) return this.ask('> ')
      const script = this.typed
      this.typed = ''
      if (script.trim() === 'clear') {
        this.term?.write('\x1b[2J\x1b[3J\x1b[H')
        this.shown = ''
        return this.prompt()
      }
      const run = (this.current = c.run(script, { terminal: this.name, interactive: true, columns: this.term?.cols, rows: this.term?.rows }))
      this.editor.begin('', false)
      for await (const chunk of run) {
        if (chunk.clear) {
          this.term?.write('\x1b[2J\x1b[3J\x1b[H')
          this.shown = ''
        }
        const text = chunk.text.replace(/\r?\n/g, '\r\n')
        this.shown = (this.shown + text).slice(-KEEP)
        await new Promise<void>(resolve => this.term ? this.term.write(text, resolve) : resolve())
      }
      await run.exit
      this.cwd = run.dir
    } catch (err) {
      this.put(`\x1b[31m${String((err as Error).message ?? err)}\x1b[0m\r\n`)
    }
    this.current = null
    if (this.shown && !this.shown.endsWith('\n')) this.put('\r\n')
    this.prompt()
  }

  private async complete(before: string): Promise<{ words: string[]; start: number }> {
    const c = this.c
    if (!c) return { words: [], start: before.length }
    const command = before.split(/[|;&]\s*/).at(-1)!.trimStart()
    const words = command.split(/\s+/)
    const last = words.at(-1) ?? ''
    const start = before.length - last.length
    if (words.length === 1) return { words: tools, start }
    if (words[0] === 'kubectl' && words.length === 2) return { words: verbs, start }
    if (words[0] === 'kubectl' && !last.startsWith('-')) {
      const rest = words.slice(2, -1).filter(w => !w.startsWith('-'))
      const verb = words[1]
      const kind = rest[0] ?? (/^(exec|logs)$/.test(verb ?? '') ? 'pods' : undefined)
      if (!kind && /^(get|describe|delete|edit|scale|label|annotate|explain|patch)$/.test(verb ?? '')) {
        const found = Object.keys(kinds)
        if (found.some(k => k.startsWith(last))) return { words: found, start }
      }
      const list = kind ? kinds[kind] : undefined
      if (list && words.at(-2) !== '-f') {
        const body = await (await c.fetch(list)).json() as { items?: { metadata: { name: string } }[] }
        return { words: (body.items ?? []).map(i => i.metadata.name), start }
      }
    }
    return c.complete(this.name, before)
  }
}

customElements.define('kube-terminal', KubeTerminal)
