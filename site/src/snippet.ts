/**
 * <kube-snippet>: the bar below a marked code block, and what its commands
 * print. It is light until Run is pressed; then page.ts gives it a cluster. The
 * author's block stays in the document untouched; while its text differs from
 * what the author wrote, an editor of ours stands in its place.
 */
import type { Block } from './blocks.ts'
import type { Running } from './page.ts'
import css from './snippet.css'
import { strings, type Strings } from './i18n.ts'

type Load = () => Promise<typeof import('./page.ts')>

let sheet: CSSStyleSheet | null = null

/** Makes an element: h('button', { class: 'run', type: 'button' }, 'Run'). */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Record<string, string | boolean | ((e: Event) => void)> = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag)
  for (const [k, v] of Object.entries(attributes)) {
    if (typeof v === 'function') e.addEventListener(k, v)
    else if (v === true) e.setAttribute(k, '')
    else if (v !== false) e.setAttribute(k, v)
  }
  e.append(...children)
  return e
}

let count = 0

export class Snippet extends HTMLElement {
  block!: Block
  /** What names this block among the page's: survives a reload as long as the author does not change it. */
  key = ''
  status: HTMLElement
  log: HTMLElement
  running: Running | null = null
  private load!: Load
  private readonly n = ++count
  private readonly shadow: ShadowRoot
  private t: Strings
  private area: HTMLTextAreaElement | null = null
  private readonly bar: HTMLElement
  private runButton!: HTMLButtonElement
  private editButton!: HTMLButtonElement
  private originalButton!: HTMLButtonElement
  private terminal: HTMLSelectElement | null = null

  constructor() {
    super()
    this.shadow = this.attachShadow({ mode: 'open' })
    if (!sheet) {
      sheet = new CSSStyleSheet()
      sheet.replaceSync(css)
    }
    this.shadow.adoptedStyleSheets = [sheet]
    this.t = strings()
    this.bar = h('div', { class: 'bar', role: 'group' })
    this.status = h('span', { class: 'status', role: 'status' })
    this.log = h('div', { class: 'out', role: 'log', tabindex: '0', hidden: true })
  }

  attach(block: Block, load: Load): void {
    this.block = block
    this.load = load
    this.t = strings(block.box)
    let hash = 5381
    for (const c of block.text) hash = ((hash * 33) ^ c.codePointAt(0)!) >>> 0
    this.key = hash.toString(36)
    this.draw()
  }

  /** The text that Run runs, or that the file holds. */
  get text(): string { return this.area ? this.area.value : this.block.text }

  /** Puts another text in the block's place; the author's own brings the block back. */
  set text(value: string) {
    if (value === this.block.text) {
      this.original()
      return
    }
    if (!this.area) this.open()
    this.area!.value = value
    this.fit()
  }

  get edited(): boolean { return this.area !== null && this.area.value !== this.block.text }

  /** Which terminal the reader chose; '' is any that is free. */
  get chosen(): string { return this.terminal?.value ?? '' }

  private draw(): void {
    const { t, block } = this
    const button = (name: string, label: string, click: () => void): HTMLButtonElement => h('button', { type: 'button', class: name, click }, label)
    this.runButton = button('run', block.kind === 'file' ? t.save : t.run, () => this.press())
    this.runButton.addEventListener('pointerenter', () => void this.load().then(p => p.warm()).catch(() => {}), { once: true })
    this.editButton = button('quiet', t.edit, () => this.area ? this.done() : this.edit())
    this.originalButton = button('quiet', t.original, () => this.reset())
    const copy = button('quiet', t.copy, () => {
      void navigator.clipboard?.writeText(this.text).then(() => {
        copy.textContent = t.copied
        setTimeout(() => { copy.textContent = t.copy }, 1500)
      }).catch(() => {})
    })
    this.originalButton.hidden = true
    const first = block.text.split('\n').find(l => l.trim() && !l.trim().startsWith('#')) ?? ''
    this.bar.setAttribute('aria-label', block.kind === 'file' ? `${t.file} ${block.file}` : `${t.run}: ${first.slice(0, 60)}`)
    this.log.setAttribute('aria-label', `${t.output}: ${first.slice(0, 60)}`)
    if (block.kind === 'file') {
      this.runButton.hidden = true
      this.bar.append(h('span', { class: 'file' }, block.file!), this.runButton, this.editButton, this.originalButton, copy, this.status)
    } else {
      const pick = (this.terminal = h('select', { class: 'quiet', 'aria-label': t.terminal, title: t.terminal }))
      pick.append(h('option', { value: '' }, `${t.terminal}: 1`), h('option', { value: '2' }, `${t.terminal}: 2`))
      this.bar.append(this.runButton, this.editButton, this.originalButton, copy, pick, this.status)
    }
    this.shadow.append(this.bar, this.log)
  }

  private async press(): Promise<void> {
    if (this.running) {
      this.running.stop()
      return
    }
    let stopped = false
    try {
      if (this.block.kind === 'file') {
        await (await this.load()).saveFile(this)
        return
      }
      // Stop works from the first moment on, even before there is a cluster.
      this.began({ stop: () => {
        stopped = true
        this.ended()
        this.say(this.t.stopped, '')
      } })
      this.say(this.t.starting, 'busy')
      await (await this.load()).run(this, () => stopped)
    } catch (err) {
      this.fail(err)
    } finally {
      // Whether it runs is said by page.ts: the next run may be under way already.
      if (this.block.kind === 'snippet') this.dataset['runs'] = String(Number(this.dataset['runs'] ?? 0) + 1)
    }
  }

  /** Shows that the cluster is not to be had; the author's text stays. */
  fail(err: unknown): void {
    this.log.hidden = false
    this.ended()
    this.log.replaceChildren(h('p', { class: 'failed', role: 'alert' }, `${this.t.failed} (${err instanceof Error ? err.message : String(err)})`))
    this.say('', '')
  }

  /** The state of the run, in words. */
  say(text: string, kind: '' | 'busy' | 'ok' | 'bad'): void {
    this.status.textContent = text
    this.status.className = `status ${kind}`
  }

  began(running: Running): void {
    this.running = running
    this.runButton.textContent = this.t.stop
    this.runButton.classList.add('stop')
    this.dataset['state'] = 'running'
  }

  ended(): void {
    this.running = null
    delete this.dataset['state']
    this.runButton.textContent = this.t.run
    this.runButton.classList.remove('stop')
  }

  edit(): void {
    if (!this.area) this.open()
    this.area!.focus()
  }

  private open(): void {
    const style = getComputedStyle(this.block.code)
    const area = (this.area = h('textarea', { spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', 'aria-label': `${this.t.source} ${this.n}`, rows: '1' }))
    area.value = this.block.text
    area.style.font = style.font
    area.addEventListener('input', () => {
      this.fit()
      this.touched()
    })
    area.addEventListener('keydown', e => {
      if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
        e.preventDefault()
        if (!this.running) void this.press()
      } else if (e.key === 'Escape') {
        this.done()
        this.editButton.focus()
      }
    })
    area.addEventListener('change', () => this.block.kind === 'file' && this.edited && void this.press())
    this.block.box.setAttribute('data-kb-hidden', '')
    this.block.box.style.setProperty('display', 'none', 'important')
    this.bar.before(area)
    this.editButton.textContent = this.t.editing
    this.fit()
    this.touched()
  }

  private fit(): void {
    if (!this.area) return
    this.area.rows = this.area.value.split('\n').length
  }

  private touched(): void {
    this.originalButton.hidden = !this.edited
    if (this.block.kind === 'file') {
      this.runButton.hidden = !this.edited
      if (this.edited) this.say(this.t.unsaved, '')
    }
    void this.load().then(p => p.touched(this)).catch(() => {})
  }

  private done(): void {
    if (this.edited) this.area?.blur()
    else this.original()
  }

  private original(): void {
    this.area?.remove()
    this.area = null
    this.block.box.removeAttribute('data-kb-hidden')
    this.block.box.style.removeProperty('display')
    this.editButton.textContent = this.t.edit
    this.originalButton.hidden = true
    if (this.block.kind === 'file') this.runButton.hidden = true
  }

  /** Back to what the author wrote, and nothing shown. */
  reset(): void {
    this.original()
    this.say('', '')
    this.log.hidden = true
    this.log.replaceChildren()
    void this.load().then(p => this.block.kind === 'file' ? p.saveFile(this) : p.touched(this)).catch(err => this.fail(err))
  }
}
