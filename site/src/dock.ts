/**
 * <kube-dock>: the pane at the bottom of a page, with two terminals beside each
 * other, the picture of the cluster, where the cluster lives if the reader may
 * choose, and the cluster's controls: speed, pause, step, reset, language. Closed
 * it is one line.
 */
import type { Cluster, State } from './api.ts'
import css from './dock.css'
import { strings } from './i18n.ts'
import { cluster, hosted as wantsHosted, onCluster, service } from './page.ts'
import { h } from './snippet.ts'

const speeds = [0.5, 1, 2, 5, 10, 50, 100]
const panels = ['terminals', 'cluster', 'sandbox'] as const
type Panel = '' | (typeof panels)[number]

class Dock extends HTMLElement {
  private panel: Panel = ''
  private c: Cluster | null = null
  private state: State | null = null
  private readonly root: ShadowRoot
  private body = h('div', { class: 'body', hidden: true })
  private clock = h('time', {})
  private word = h('span', { class: 'word', role: 'status' })
  private notices = h('div', { class: 'notices', role: 'alert' })
  private buttons: Record<string, HTMLButtonElement> = {}
  private speed = h('select', {})
  private pace = h('label', {}, this.speed)
  private ticking = 0
  private apart = false // the hosted cluster cannot be reached

  constructor() {
    super()
    this.root = this.attachShadow({ mode: 'open' })
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(css)
    this.root.adoptedStyleSheets = [sheet]
  }

  connectedCallback(): void {
    this.draw()
    onCluster(c => {
      if (this.c === c) return
      this.c = c
      this.apart = false
      this.take(c.last)
      c.on('state', s => this.take(s))
      const say = async (code: string, message: string, level: string): Promise<void> =>
        this.notice(c.sandbox ? (await import('./sandbox.ts')).notice(code, message) : message, level)
      c.on('notice', n => {
        if (n.code === 'Disconnected' || n.code === 'Gone') this.apart = true
        this.paint()
        void say(n.code, n.message, n.level)
      })
      c.on('lost', ({ reason, reset }) => {
        this.apart = false
        if (!reset) void say('Reconnected', reason, 'warning')
        void c.status().then(s => this.take(s)).catch(() => {})
      })
    })
  }

  private draw(): void {
    const t = strings()
    this.setAttribute('role', 'region')
    this.setAttribute('aria-label', t.pane)
    const b = (key: string, label: string, click: () => void): HTMLButtonElement => (this.buttons[key] = h('button', { type: 'button', click }, label))
    this.speed.replaceChildren(...speeds.map(s => h('option', { value: String(s) }, `${s}×`)))
    this.speed.setAttribute('aria-label', t.speed)
    this.speed.title = t.speed
    this.speed.value = String(this.state?.speed ?? 1)
    this.speed.onchange = () => void this.with(c => c.setSpeed(Number(this.speed.value)))
    this.clock.title = t.time
    const other = document.querySelector<HTMLLinkElement>('link[rel="alternate"][hreflang]:not([hreflang="x-default"])')
    const language = other
      ? h('a', { href: other.href, hreflang: other.hreflang, lang: other.hreflang }, t.language)
      : h('button', { type: 'button', click: () => this.otherLanguage() }, t.language)
    const bar = h('div', { class: 'bar', role: 'toolbar', 'aria-label': t.pane },
      b('terminals', t.terminals, () => this.show('terminals')), b('cluster', t.cluster, () => this.show('cluster')),
      b('sandbox', t.sandbox, () => this.show('sandbox')), this.word, this.clock, this.pace,
      b('pause', t.pause, () => void this.with(c => this.state?.paused ? c.resume() : c.pause())),
      b('step', t.step, () => void this.with(c => c.step())),
      b('reset', t.reset, () => void this.reset()), language)
    this.buttons['sandbox']!.hidden = service() === undefined
    this.root.replaceChildren(this.notices, this.body, bar)
    this.mark()
    this.paint()
  }

  private otherLanguage(): void {
    const ja = strings() === strings(h('i', { lang: 'ja' }))
    try { localStorage.setItem('kubonsai:lang', ja ? 'en' : 'ja') } catch { /* no storage */ }
    location.reload()
  }

  private async with(fn: (c: Cluster) => Promise<State>): Promise<void> {
    try { this.take(await fn(await cluster())) } catch (err) { this.notice(String((err as Error).message ?? err), 'error') }
  }

  private take(s: State): void {
    this.state = s
    this.paint()
  }

  private paint(): void {
    const t = strings(), s = this.state, hosted = this.c ? !!this.c.sandbox : wantsHosted()
    this.word.textContent = !s ? t.off : `${s.busy ? t.busy : t.idle} · ${!s.saved ? t.notSaved : hosted ? t.hosted : s.storage === 'memory' ? t.notKept : t.kept}`
    if (this.apart) this.word.textContent = t.apart
    this.word.className = `word ${s?.busy && !this.apart ? 'busy' : ''} ${this.apart || s && !s.saved ? 'bad' : ''}`
    // The time of a sandbox is everybody's.
    this.pace.hidden = this.buttons['pause']!.hidden = hosted
    if (s) this.speed.value = String(s.speed)
    this.buttons['pause']!.textContent = s?.paused ? t.resume : t.pause
    this.buttons['pause']!.setAttribute('aria-pressed', String(s?.paused ?? false))
    this.buttons['step']!.hidden = hosted || !s?.paused
    clearTimeout(this.ticking)
    const tick = (): void => {
      if (!this.c || !this.isConnected) return
      const now = this.c.last.now
      this.clock.dateTime = now.toISOString()
      this.clock.textContent = now.toISOString().slice(11, 19) + 'Z'
      // The clock is the page's own decoration: it rests with the page.
      if (!this.state?.paused && !document.hidden) this.ticking = window.setTimeout(tick, 1000)
    }
    if (s) tick()
  }

  private show(panel: Panel): void {
    this.panel = this.panel === panel ? '' : panel
    this.mark()
    this.body.hidden = this.panel === ''
    this.body.className = `body ${this.panel}`
    if (this.panel === '') {
      for (const e of this.body.children) (e as HTMLElement).hidden = true
      this.space()
      return
    }
    if (panel !== 'sandbox') void cluster().catch(err => this.notice(String((err as Error).message ?? err), 'error'))
    const load = panel === 'terminals' ? import('./terminal.ts') : panel === 'cluster' ? import('./view.ts') : import('./sandbox.ts')
    void load.then(() => {
      if (panel === 'terminals' && !this.body.querySelector('kube-terminal')) {
        for (const name of ['1', '2']) this.body.append(h('div', { class: 'pane', 'data-panel': 'terminals' }, make('kube-terminal', name)))
      }
      for (const [name, tag] of [['cluster', 'kube-view'], ['sandbox', 'kube-sandbox']] as const) {
        if (panel === name && !this.body.querySelector(tag)) this.body.append(h('div', { class: 'pane', 'data-panel': name }, make(tag, '')))
      }
      for (const e of this.body.children) (e as HTMLElement).hidden = (e as HTMLElement).dataset['panel'] !== this.panel
      if (this.panel === 'terminals') this.body.querySelector<HTMLElement>('kube-terminal')?.focus()
      this.space()
    }).catch(err => this.notice(String((err as Error).message ?? err), 'error'))
  }

  private mark(): void {
    for (const p of panels) this.buttons[p]?.setAttribute('aria-expanded', String(this.panel === p))
  }

  /** Leaves room at the end of the page, so that nothing is covered for good. */
  private space(): void { document.body.style.paddingBottom = `${Math.ceil(this.getBoundingClientRect().height) + 16}px` }

  private notice(text: string, level: string): void {
    const t = strings()
    const n = h('p', { class: level }, h('span', {}, text), h('button', { type: 'button', click: () => n.remove() }, t.dismiss))
    this.notices.append(n)
    while (this.notices.children.length > 3) this.notices.firstElementChild!.remove()
    if (level !== 'error') setTimeout(() => n.remove(), 15_000)
  }

  private reset(): Promise<void> {
    const t = strings()
    return new Promise(resolve => {
      const dialog = h('dialog', { 'aria-label': t.reset })
      const end = (): void => {
        dialog.close()
        dialog.remove()
        this.buttons['reset']?.focus()
        resolve()
      }
      const yes = h('button', { type: 'button', class: 'danger', click: () => {
        yes.disabled = true
        void cluster().then(c => c.reset()).catch(err => this.notice(String((err as Error).message ?? err), 'error')).then(end)
      } }, t.reset)
      const no = h('button', { type: 'button', click: end }, t.cancel)
      dialog.append(h('p', {}, this.c?.sandbox ? t.resetHosted : t.resetAsk), h('div', { class: 'row' }, yes, no))
      dialog.addEventListener('cancel', e => {
        e.preventDefault()
        end()
      })
      this.root.append(dialog)
      dialog.showModal()
      no.focus()
    })
  }
}

function make(tag: string, name: string): HTMLElement {
  const e = document.createElement(tag)
  if (name) e.setAttribute('name', name)
  return e
}

/** Puts the pane on the page, and loads the elements that the page has itself. */
export function begin(dock: boolean): void {
  if (!customElements.get('kube-dock')) customElements.define('kube-dock', Dock)
  if (document.querySelector('kube-terminal')) void import('./terminal.ts')
  if (document.querySelector('kube-view')) void import('./view.ts')
  if (dock && !document.querySelector('kube-dock')) document.body.append(document.createElement('kube-dock'))
}
