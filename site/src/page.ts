/**
 * What kubonsai.js loads when it is first needed: one cluster for the page, the
 * running of snippets, the files that the page brings, and keeping what was
 * shown. It uses the cluster only through api.ts.
 */
import { create, KubonsaiError, prepare as prepareCluster, stripPrompts, type Cluster, type CreateOptions, type Run } from './api.ts'
import type { Snippet } from './snippet.ts'
import { h } from './snippet.ts'
import { Screen } from './screen.ts'
import { strings } from './i18n.ts'

export interface Settings {
  name: string
  seed?: number | undefined
  nodes?: string | undefined
  cloud?: boolean | undefined
  speed?: number | undefined
  wasm?: string | undefined
  rest?: string | undefined
  textTools?: string | undefined
  sandbox?: string | undefined
  template?: string | undefined
  code?: string | undefined
  upload?: string | undefined
  dock: boolean
  preload: boolean
  offline?: string | undefined
}

/** A block under way. */
export interface Running {
  stop(): void
}

/** What is kept of a block. */
interface Shown { parts: { title: string; output: string }[]; status: number | null; text?: string }

/** How many characters of a command's output are kept over a reload. */
const KEEP = 24_000
/** How many characters may wait to be drawn before the command is held back. */
const AHEAD = 64_000
const stateDir = '/var/lib/kubonsai/page'

export let settings: Settings = { name: 'default', dock: true, preload: true }
let opening: Promise<Cluster> | null = null
let current: Cluster | null = null // what opening has become
let prepared: Promise<void> | null = null
let gone = false // the cluster that was shown does not exist any more
const listeners = new Set<(c: Cluster) => void>()

export function begin(s: Settings): void {
  settings = s
  if (s.offline) offline(s.offline)
  if (service() !== undefined) void import('./sandbox.ts')
  void import('./dock.ts').then(dock => dock.begin(s.dock)).catch(() => {})
}

/** Registers the site's service worker, and tells it what this page has loaded before. */
function offline(url: string): void {
  void navigator.serviceWorker?.register(url).then(async () => {
    const { active } = await navigator.serviceWorker.ready
    const loaded = performance.getEntriesByType('resource').map(e => e.name)
    active?.postMessage({ kubonsai: [location.href.replace(/#.*/, ''), ...loaded] })
  }).catch(err => console.warn(`kubonsai: this page will not work offline: ${String(err)}`))
}

/** Tells fn of the page's cluster, now or when there is one. */
export function onCluster(fn: (c: Cluster) => void): () => void {
  listeners.add(fn)
  if (opening) void opening.then(c => listeners.has(fn) && fn(c)).catch(() => {})
  return () => listeners.delete(fn)
}

/** The service that hosts sandboxes for this page; undefined: there is none. */
export const service = (): string | undefined => settings.sandbox ?? settings.upload

const placeKey = (): string => `kubonsai:place:${settings.name}`

/** Where the reader wants the page's cluster: what the author wrote, until they move it. */
export function hosted(): boolean {
  if (service() === undefined) return false
  let place: string | null = null
  try { place = localStorage.getItem(placeKey()) } catch { /* no storage */ }
  return place ? place === 'sandbox' : settings.sandbox !== undefined
}

/** Moves the page, in all tabs, to another place. */
export function moveTo(place: 'browser' | 'sandbox'): void {
  localStorage.setItem(placeKey(), place)
  location.reload()
}

/** Calls fn when another tab has moved the page. */
export function onMoved(fn: () => void): void {
  addEventListener('storage', e => { if (e.key === placeKey()) fn() })
}

/** How the browser's own cluster is made. */
export const localOptions = (): CreateOptions => ({
  name: settings.name, seed: settings.seed, nodes: settings.nodes, cloud: settings.cloud, speed: settings.speed,
  wasmURL: settings.wasm, restURL: settings.rest, textToolsURL: settings.textTools,
  edit: async (name, text) => (await import('./editor.ts')).openEditor(name, text),
})

/** The page's cluster; booted, restored or attached to on the first call. */
export function cluster(): Promise<Cluster> {
  if (current?.sandbox && current.isClosed) { // it is gone: another one takes its place
    opening = current = null
    gone = true
  }
  if (opening) return opening
  const started = service() === undefined ? create(localOptions()) : import('./sandbox.ts').then(s => s.open())
  opening = started
  started.then(c => {
    if (gone) forget()
    gone = false
    current = c
    try { localStorage.setItem(`kubonsai:used:${settings.name}`, '1') } catch { /* no storage */ }
    c.on('lost', ({ reset }) => {
      if (!reset) return
      for (const s of snippets()) s.ended()
      forget()
      void prepare(c)
    })
    for (const fn of listeners) fn(c)
  }, () => { opening = null })
  return started
}

/** The cluster is another one: nothing that is shown was done there. */
function forget(): void {
  for (const s of snippets()) {
    if (s.running) continue // it waits for the new one
    screens.delete(s)
    s.log.replaceChildren()
    s.log.hidden = true
    s.say('', '')
  }
  prepared = null
}

/**
 * Brings the program nearer: fetched at once, started when the reader can see a
 * Run button. There is no cluster before the reader asks for one.
 */
export function preload(): void {
  const connection = (navigator as { connection?: { saveData?: boolean } }).connection
  if (connection?.saveData || opening || hosted()) return
  let link: HTMLLinkElement | undefined
  const observer = new IntersectionObserver(seen => {
    if (!seen.some(e => e.isIntersecting)) {
      // Into the browser's cache, without a byte passing through this thread.
      const url = settings.wasm ?? new URL('kubonsai.wasm', import.meta.url).href
      link ??= document.head.appendChild(Object.assign(document.createElement('link'), { rel: 'prefetch', as: 'fetch', href: url, crossOrigin: 'anonymous' }))
      return
    }
    observer.disconnect()
    if (!opening) prepareCluster({ wasmURL: settings.wasm, restURL: settings.rest, textToolsURL: settings.textTools, nodes: settings.nodes })
  })
  for (const s of snippets()) observer.observe(s)
}

/** Starts the cluster because the reader is about to use it. */
export function warm(): void { void cluster().then(prepare).catch(() => {}) }

/** Shows a reader who comes back what was shown. */
export async function resume(): Promise<void> { await prepare(await cluster()) }

const snippets = (): Snippet[] => [...document.querySelectorAll<Snippet>('kube-snippet')]
const screens = new WeakMap<Snippet, { screen: Screen; shown: Shown }>()

/** A block's name among all blocks of this page; two equal ones count. */
function nameOf(s: Snippet): string {
  const same = snippets().filter(o => o.key === s.key)
  const page = location.pathname.replace(/index\.html$/, '').replace(/[^\w-]+/g, '_')
  return `${page}-${s.key}-${same.indexOf(s)}`
}

/** Writes the page's files into the reader's home, and shows what was kept of this page. */
function prepare(c: Cluster): Promise<void> {
  prepared ??= (async () => {
    await Promise.all(snippets().filter(s => s.block.kind === 'file').map(s => prepareFile(c, s)))
    let names: Set<string>
    try {
      names = new Set((await c.files.list(stateDir)).map(e => e.name))
    } catch {
      return
    }
    for (const s of snippets()) {
      const name = nameOf(s) + '.json'
      if (!names.has(name) || s.running || screens.has(s)) continue
      try {
        restoreShown(s, JSON.parse(await c.files.read(`${stateDir}/${name}`)) as Shown)
      } catch { /* nothing was kept of it */ }
    }
  })()
  return prepared
}

function restoreShown(s: Snippet, shown: Shown): void {
  if (shown.text !== undefined && shown.text !== s.block.text) s.text = shown.text
  if (shown.parts.length === 0) return
  s.log.hidden = false
  s.log.replaceChildren()
  for (const part of shown.parts) {
    const screen = section(s, part.title)
    screen.write(part.output)
    screen.flush()
    screens.set(s, { screen, shown })
  }
  const t = strings(s.block.box)
  if (shown.status === null) s.say(t.interrupted, '')
  else status(s, shown.status)
}

async function prepareFile(c: Cluster, s: Snippet): Promise<void> {
  const file = s.block.file!
  const origin = `${stateDir}/files/${file.replaceAll('/', '__')}`
  const content = s.block.text + '\n'
  const read = (path: string): Promise<string | null> => c.files.read(path).catch(() => null)
  const [there, from] = await Promise.all([read(file), read(origin)])
  // A file that the reader has changed stays theirs; an unchanged one follows its page.
  if (there === null || (there === from && there !== content)) {
    await Promise.all([c.files.write(file, content), c.files.write(origin, content)])
  } else if (there !== content) s.text = there.replace(/\n$/, '')
  if (s.block.url) await c.url(s.block.url, s.text + '\n')
}

/** A file block was edited in place. */
export async function saveFile(s: Snippet): Promise<void> {
  const c = await cluster()
  await prepare(c)
  const text = s.text.replace(/\n*$/, '\n')
  await c.files.write(s.block.file!, text)
  if (s.block.url) await c.url(s.block.url, text)
  s.say(strings(s.block.box).saved, 'ok')
}

let touchTimer = 0
/** The text of a block was changed; keep it, soon. */
export function touched(s: Snippet): void {
  if (s.block.kind === 'file' || !opening) return
  clearTimeout(touchTimer)
  touchTimer = window.setTimeout(() => void keep(s).catch(() => {}), 400)
}

async function keep(s: Snippet): Promise<void> {
  const shown: Shown = screens.get(s)?.shown ?? { parts: [], status: 0 }
  if (s.edited) shown.text = s.text
  else delete shown.text
  if (s.log.hidden) shown.parts = []
  const c = await cluster()
  const path = `${stateDir}/${nameOf(s)}.json`
  if (shown.parts.length === 0 && shown.text === undefined) await c.files.remove(path).catch(() => {})
  else await c.files.write(path, JSON.stringify(shown))
}

/** Commands that programs changed files with show in the page's file blocks. */
async function refreshFiles(c: Cluster): Promise<void> {
  for (const s of snippets()) {
    if (s.block.kind !== 'file' || s.matches(':focus-within')) continue
    const text = await c.files.read(s.block.file!).catch(() => null)
    if (text === null) continue
    const plain = text.replace(/\n$/, '')
    if (plain !== s.text) s.text = plain
    if (s.block.url) await c.url(s.block.url, text)
  }
}

function section(s: Snippet, title: string): Screen {
  const t = strings(s.block.box)
  const lines = h('section', {})
  if (title) lines.append(h('h4', {}, title))
  const body = h('div', {})
  body.style.display = 'contents'
  lines.append(body)
  s.log.append(lines)
  return new Screen(body, s.log, t.dropped)
}

function status(s: Snippet, code: number): void {
  const t = strings(s.block.box)
  const stopped = code === 130 || code === 137 // Ctrl-C, or killed
  s.say(code === 0 ? `✓ ${t.exit} 0` : stopped ? `■ ${t.stopped} (${code})` : `✗ ${t.exit} ${code}`, code === 0 ? 'ok' : stopped ? '' : 'bad')
}

/** How many characters fit beside each other in the output. */
function columnsOf(s: Snippet): number {
  const probe = h('span', {}, '0'.repeat(40))
  s.log.append(probe)
  const width = probe.getBoundingClientRect().width / 40 || 7.5
  probe.remove()
  return Math.max(40, Math.min(200, Math.floor((s.log.clientWidth - 30) / width)))
}

/** Runs a block: its commands in order, those that never end beside the others. */
export async function run(s: Snippet, early: () => boolean = () => false): Promise<void> {
  let stopped = false
  let halt!: () => void
  const halted = new Promise<void>(resolve => { halt = resolve })
  const live = new Set<Run>()
  const running: Running = {
    stop() {
      stopped = true
      halt()
      for (const r of live) r.stop()
    },
  }
  let c: Cluster
  try {
    c = await cluster()
    await prepare(c)
  } catch (err) {
    s.fail(err)
    return
  }
  if (early()) return
  const t = strings(s.block.box)
  s.began(running)
  s.say(t.running, 'busy')
  s.log.hidden = false
  s.log.replaceChildren()
  const shown: Shown = { parts: [], status: null }
  let code = 0
  let timer = 0
  const save = (): void => {
    clearTimeout(timer)
    timer = window.setTimeout(() => void keep(s).catch(() => {}), 600)
  }
  const one = async (script: string, title: string, beside: boolean): Promise<number> => {
    const screen = section(s, title)
    const part = { title, output: '' }
    shown.parts.push(part)
    screens.set(s, { screen, shown })
    const r = c.run(script, { terminal: s.chosen || '1', columns: columnsOf(s), rows: 24, beside })
    live.add(r)
    try {
      for await (const chunk of r) {
        if (chunk.clear) {
          screen.clear()
          part.output = ''
        }
        part.output = (part.output + chunk.text).slice(-KEEP)
        screen.write(chunk.text, chunk.stream === 'stderr')
        if (screen.waiting > AHEAD) await Promise.race([screen.drawn(), halted])
        save()
      }
      const code = await r.exit
      await Promise.race([screen.drawn(), halted])
      return code
    } catch (err) {
      if (!(err instanceof KubonsaiError)) throw err
      screen.write(`\n${err.message}\n`, true)
      part.output += `\n${err.message}\n`
      stopped = true
      return 255
    } finally {
      live.delete(r)
    }
  }
  try {
    const script = stripPrompts(s.text, s.block.language)
    const { steps } = await Promise.race([c.steps(script), halted.then(() => ({ steps: [] }))])
    // Neighbouring commands that end by themselves are one script, comments and all.
    const groups: { text: string; endless: boolean }[] = []
    const encoded = new TextEncoder().encode(script)
    const part = (from: number, to: number): string => new TextDecoder().decode(encoded.slice(from, to))
    let from = 0
    for (const step of steps) {
      if (!step.endless) continue
      if (steps.some(o => o.start >= from && o.end <= step.start)) groups.push({ text: part(from, step.start), endless: false })
      groups.push({ text: step.text, endless: true })
      from = step.end
    }
    if (from < encoded.length && (groups.length === 0 || steps.some(o => o.start >= from))) groups.push({ text: part(from, encoded.length), endless: false })
    const beside: Promise<number>[] = []
    for (const [i, g] of groups.entries()) {
      if (stopped) break
      if (g.endless) {
        const last = i === groups.length - 1
        const task = one(g.text, groups.length > 1 ? `$ ${g.text}${last ? '' : ` (${t.keepsRunning})`}` : '', true)
        beside.push(task)
        if (!last) await Promise.race([task, new Promise(r => setTimeout(r, 150))]) // let it begin
      } else code = await one(g.text, beside.length > 0 ? '$' : '', false)
    }
    if (beside.length > 0) {
      const codes = await Promise.all(beside)
      if (groups.at(-1)?.endless) code = codes.at(-1)!
    }
    if (stopped && code === 0) code = 130
  } catch (err) {
    s.fail(err)
    return
  }
  s.ended()
  clearTimeout(timer)
  shown.status = code
  screens.set(s, { screen: screens.get(s)?.screen ?? section(s, ''), shown })
  status(s, code)
  if (!shown.parts.some(p => p.title || p.output)) s.log.hidden = true
  s.dispatchEvent(new CustomEvent('kubonsai-exit', { bubbles: true, detail: { code } }))
  await keep(s).catch(() => {})
  await refreshFiles(c).catch(() => {})
}
