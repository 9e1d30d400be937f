/**
 * kubonsai-api.js: a Kubernetes cluster in a page, a worker or Node.
 *
 *     import { create } from './kubonsai-api.js'
 *     const cluster = await create()
 *     const run = cluster.run('kubectl get nodes')
 *     for await (const { text } of run) console.log(text)
 *     console.log('exit status', await run.exit)
 *
 * Everything the page's own elements do goes through this interface.
 */
import type { Modules } from './engine.ts'
import { inlinePort, here, prepareWorker, workerPort, type Port } from './port.ts'
import { PROTOCOL, type Answer, type Entry, type Fields, type Request, type RequestKind, type Step } from './protocol.ts'
import { canShare, sharedPort, writerLock } from './tabs.ts'

export type { Entry, Step } from './protocol.ts'
export { stripPrompts } from './script.ts'

/** How a cluster is made. Every field may be left out. */
export interface CreateOptions {
  /** Clusters of one origin with the same name are the same cluster, in every tab. Default "default". */
  name?: string
  /**
   * Where the cluster is kept: `'indexeddb'` (default in a browser; survives a
   * reload, shared by all tabs), `'memory'` (default in Node), or
   * `'file:DIRECTORY'` (Node).
   */
  storage?: 'indexeddb' | 'memory' | `file:${string}`
  /** The same seed and the same commands give the same history. Used when the storage is empty. */
  seed?: number
  /**
   * The nodes of a new cluster: how many there are, the first being the control
   * plane (0: no cluster, until `kind create cluster` or `minikube start`), or
   * the capacity of each as CPU/MEMORY, `'2/4Gi,4/8Gi,4/8Gi'`. Default 1.
   */
  nodes?: number | string
  /** Whether a new cluster has a cloud that gives services of type LoadBalancer an address. Default: no, as kind. */
  cloud?: boolean
  /** Virtual seconds per second, 0.5 to 100. Default 1. */
  speed?: number
  /** The virtual time at which a new cluster begins. Default: now. */
  start?: Date
  /** Where kubonsai.wasm is. Default: beside this script. */
  wasmURL?: string | URL
  /** The compiled module, when the caller has it already; wins over wasmURL. */
  wasmModule?: WebAssembly.Module
  /** Where kubonsai-rest.wasm is, the rest of the program, which is fetched when it has started. Default: beside kubonsai.wasm. */
  restURL?: string | URL
  /** Where kubonsai-text.wasm is, which is fetched when awk or jq is first used. Default: beside kubonsai.wasm. */
  textToolsURL?: string | URL
  /**
   * `true` (default in a browser): in a worker of its own. `false` (default in
   * Node): in the caller's thread. A string or URL: where kubonsai-worker.js is.
   */
  worker?: boolean | string | URL
  /** Opens an editor for kubectl edit, vi, vim and nano; resolves with the new text, or null to give up. */
  edit?: (name: string, text: string) => Promise<string | null>
  /**
   * A cluster that a server hosts, instead of one in this thread or browser; no
   * wasm is loaded. The address of the service (`'https://HOST'`, `''` for the
   * page's own): the sandbox that this browser has there under name, or a new
   * one, with nodes, cloud and template. Or one that is known. Its time is the
   * wall's, so speed and start do not apply; storage, seed, the worker and the
   * modules are the service's. Needs WebSocket: a browser, or Node 22.
   */
  sandbox?: string | URL | Sandbox
  /** The class code that the service may ask for. */
  code?: SandboxOptions['code']
  /** Asks for the class code when the service wants another one. */
  askCode?: SandboxOptions['askCode']
  /** Manifests of the service, by name, that a new sandbox begins with. */
  template?: SandboxOptions['template']
}

/** A hosted sandbox. Whoever has the token has the sandbox. */
export interface Sandbox {
  /** The address of its API server. */
  server: string
  /** The bearer token. */
  token: string
  /** Days without use after which the service deletes it. */
  expireDays?: number
}

/** How a service is asked for a sandbox. */
export interface SandboxOptions {
  code?: string
  /** Asks a person for the class code; wrong: the one that was given is not right. null gives up. */
  askCode?: (wrong: boolean) => Promise<string | null>
  template?: string
}

/** One piece of output. */
export interface Chunk {
  stream: 'stdout' | 'stderr'
  data: Uint8Array
  /** data as text; a character cut in two by chunks comes with the second one. */
  text: string
  /** A program emptied the screen before this chunk. */
  clear?: boolean
}

/** How a script is run. */
export interface RunOptions {
  /** The terminal whose shell runs the script: variables and the working directory stay with it. Default "main". */
  terminal?: string
  /** Aborting is Ctrl-C. */
  signal?: AbortSignal
  /** The terminal's size in characters. Default 80 × 24. */
  columns?: number
  rows?: number
  /** A person types into it: programs see a terminal, and input can be written. */
  interactive?: boolean
  /**
   * Beside whatever the terminal's shell does, with a copy of its variables:
   * for commands that go on and on, such as a watch, while others follow.
   */
  beside?: boolean
  /** Opens an editor for this run; default: that of the cluster. */
  edit?: (name: string, text: string) => Promise<string | null>
  /** Called when a program of an interactive run waits for something to be typed: once, until write(). */
  ask?: () => void
}

/**
 * A script under way. Iterate over it for the output as it comes; a run that
 * nobody iterates over goes on all the same.
 */
export interface Run extends AsyncIterable<Chunk> {
  /** The exit status. Rejects only when the cluster itself was lost. */
  readonly exit: Promise<number>
  readonly terminal: string
  /** The shell's working directory, once the run has ended. */
  readonly dir: string
  /** Ctrl-C; what does not end by it at once is killed. */
  stop(): void
  /** Ctrl-C, once. */
  interrupt(): void
  /** What a person types. */
  write(input: string | Uint8Array): void
  /** Ctrl-D. */
  end(): void
  resize(columns: number, rows: number): void
  /** Everything that was printed (the last 4 MiB of it), once the run has ended. */
  result(): Promise<{ stdout: string; stderr: string; code: number }>
}

/** One change that a watch saw. */
export interface WatchEvent<T = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: T
}

/** The part that every Kubernetes object has. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; uid?: string; resourceVersion?: string; creationTimestamp?: string; deletionTimestamp?: string; labels?: Record<string, string>; ownerReferences?: { kind: string; name: string; uid: string; controller?: boolean }[]; [key: string]: unknown }
  [key: string]: unknown
}

/** How the cluster's time goes. */
export interface State {
  /** Virtual now. */
  now: Date
  speed: number
  paused: boolean
  /** A script is under way. */
  busy: boolean
  storage: string
  /** What has been done is kept. */
  saved: boolean
}

/** What on() can listen to. */
export interface Events {
  /**
   * An object of the cluster came, changed or went, of whatever kind but Event;
   * custom resources too. What is there already is told to the first listener,
   * as ADDED.
   */
  change: WatchEvent
  /** A Kubernetes Event was recorded. */
  event: WatchEvent
  /**
   * A run printed something: whoever started it, in this tab or another one.
   * id names the run among all runs of the cluster, as long as its program
   * lives; run is there when this Cluster started it. Of a hosted sandbox only
   * what this Cluster runs is told.
   */
  output: Chunk & { id: number; terminal: string; run?: Run }
  /** Speed, pause, or whether everything is saved. */
  state: State
  /** Something the reader should know, such as a storage that is full; what came before anyone listened is told to the first listener. */
  notice: { level: 'info' | 'warning' | 'error'; code: string; message: string }
  /** The cluster was started anew from its saved state (its tab was closed, its program ended) or was reset; runs and watches are gone. */
  lost: { reason: string; reset: boolean }
}

export interface Files {
  /** A file's text. Names without a leading slash are in the reader's home. */
  read(path: string): Promise<string>
  readBytes(path: string): Promise<Uint8Array>
  /** Writes a file, and makes its directories. */
  write(path: string, content: string | Uint8Array): Promise<void>
  list(path?: string): Promise<Entry[]>
  /** Removes a file or a directory with all that is in it. */
  remove(path: string): Promise<void>
}

/** An error of the cluster's program; code says which. */
export class KubonsaiError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'KubonsaiError'
    this.code = code
  }
}

const isNode = typeof process !== 'undefined' && !!process.versions?.node
const utf8 = new TextEncoder()

function modulesOf(o: CreateOptions): Modules {
  const base = isNode ? undefined : location.href
  const program = new URL(o.wasmURL ?? here('kubonsai.wasm'), base).href
  const at = (url: string | URL | undefined, name: string): string => url ? new URL(url, base).href : new URL(name, program).href
  return { program: o.wasmModule ?? program, rest: at(o.restURL, 'kubonsai-rest.wasm'), textTools: at(o.textToolsURL, 'kubonsai-text.wasm') }
}
const workerOf = (o: CreateOptions): boolean | string => o.worker instanceof URL ? o.worker.href : o.worker ?? !isNode

/**
 * Gets ready for a create() with the same options that will probably follow:
 * starts the program in a worker, fetched and compiled, and touches no storage.
 * The first answer then comes in a fraction of the time.
 */
export function prepare(options: Pick<CreateOptions, 'wasmURL' | 'restURL' | 'textToolsURL' | 'worker' | 'nodes'> = {}): void {
  const worker = workerOf(options)
  if (worker !== false) prepareWorker({ modules: modulesOf(options), worker, nodes: String(options.nodes ?? 1) })
}

/** Boots a cluster, or opens the one that the storage holds. */
export async function create(options: CreateOptions = {}): Promise<Cluster> {
  checkOptions(options)
  if (options.sandbox !== undefined) return (await import('./remote.ts')).openSandbox(options)
  const name = options.name ?? 'default'
  let storage = options.storage ?? (isNode ? 'memory' : 'indexeddb')
  const modules = modulesOf(options)
  const worker = workerOf(options)
  const share = storage === 'indexeddb' && worker !== false
  let warning = ''
  if (storage === 'indexeddb' && !isNode && !canShare()) {
    // Without locks two tabs could write at once: better to forget than to corrupt.
    storage = 'memory'
    warning = 'this page is not served over https (or this browser is old), so the cluster is not kept and not shared between tabs'
  }
  const make = (lock: string | null): Port => worker === false ? inlinePort({ modules, worker, lock: null }) : workerPort({ modules, worker, lock })
  const port = share && storage === 'indexeddb' ? sharedPort(name, () => make(writerLock(name))) : make(null)
  const open: Omit<Request, 'id'> = { kind: 'open', name, storage }
  if (options.seed !== undefined) open.seed = options.seed
  if (options.nodes !== undefined) open.nodes = String(options.nodes)
  if (options.cloud !== undefined) open.cloud = options.cloud
  if (options.speed !== undefined) open.speed = options.speed
  open.start = (options.start ?? new Date()).getTime()
  const cluster = new Cluster(port, open, options.edit)
  try {
    await cluster.ready
  } catch (err) {
    port.close()
    throw err
  }
  if (warning) cluster.emit('notice', { level: 'warning', code: 'NotKept', message: warning })
  return cluster
}

function checkOptions(o: { seed?: number; nodes?: number | string; speed?: number; start?: Date; name?: string }): void {
  const bad = (field: string, value: unknown, must: string): void => { throw new KubonsaiError('BadOption', `${field} is ${String(value)}: it must be ${must}, or left out`) }
  if (typeof o.nodes === 'number' && !(Number.isInteger(o.nodes) && o.nodes >= 0 && o.nodes <= 10_000)) bad('nodes', o.nodes, 'a whole number from 0 to 10000')
  if (o.seed !== undefined && !(Number.isSafeInteger(o.seed) && o.seed >= 0)) bad('seed', o.seed, 'a whole number, 0 or greater')
  if (o.speed !== undefined && !(o.speed >= 0.5 && o.speed <= 100)) bad('speed', o.speed, 'a number from 0.5 to 100')
  if (o.start !== undefined && Number.isNaN(o.start.getTime())) bad('start', o.start, 'a valid Date')
  if (o.name === '') bad('name', "''", 'a name')
}

type Handler = { resolve: (f: Answer) => void; reject: (e: Error) => void; kind: RequestKind }

/** An open cluster; made by create(). */
export class Cluster {
  /** Files in the reader's home, which commands see. */
  readonly files: Files
  /** The hosted sandbox that this cluster is; null for one of this browser or process. */
  readonly sandbox: Sandbox | null
  /** @internal */ readonly ready: Promise<void>
  private readonly port: Port
  private readonly openFrame: Omit<Request, 'id'>
  private readonly editor: CreateOptions['edit']
  private id = 0
  private closed: Error | null = null
  private readonly pending = new Map<number, Handler>()
  private readonly runs = new Map<number, RunImpl>()
  private readonly watches = new Map<number, (f: Answer | Error) => void>()
  private readonly listeners = new Map<keyof Events, Set<(e: never) => void>>()
  private readonly urls = new Map<string, Uint8Array>()
  private readonly followed: { change: AbortController | null; event: AbortController | null } = { change: null, event: null }
  /** Notices from before anyone listened, such as what the storage had to say when it was opened. */
  private readonly unheard: Events['notice'][] = []
  /** Decoders of the output of other clients' runs. */
  private readonly heard = new Map<number, { stdout: TextDecoder; stderr: TextDecoder; clear: boolean }>()
  private state: State = { now: new Date(0), speed: 1, paused: false, busy: false, storage: '', saved: true }
  private stateAt = 0
  private current: Promise<void>

  /** @internal */
  constructor(port: Port, open: Omit<Request, 'id'>, editor: CreateOptions['edit'], sandbox: Sandbox | null = null) {
    this.sandbox = sandbox
    this.port = port
    this.openFrame = open
    this.editor = editor
    port.onframe = f => this.take(f)
    port.onlost = (reason, final, how) => this.lose(reason, final, how)
    this.current = this.ready = this.begin()
    this.files = {
      read: async path => new TextDecoder().decode(await this.files.readBytes(path)),
      readBytes: async path => (await this.ask('read', { path })).data ?? new Uint8Array(),
      write: async (path, content) => void await this.ask('write', { path, data: bytes(content) }),
      list: async (path = '~') => (await this.ask('list', { path })).entries ?? [],
      remove: async path => void await this.ask('remove', { path }),
    }
  }

  /** Was the cluster found in the storage, rather than booted? */
  restored = false

  /** The cluster was closed, or is lost for good: create() gives another one. */
  get isClosed(): boolean { return this.closed !== null }

  /** Runs a shell script in a terminal of the cluster. */
  run(script: string, options: RunOptions = {}): Run {
    this.check()
    const run = new RunImpl(this, ++this.id, options)
    this.runs.set(run.id, run)
    this.current.then(() => {
      if (!this.runs.has(run.id)) return
      this.port.send({ id: run.id, kind: 'run', terminal: run.terminal, script, columns: options.columns ?? 80, rows: options.rows ?? 24, interactive: options.interactive ?? false, beside: options.beside ?? false })
    }, err => run.fail(err as Error))
    return run
  }

  /** Asks the REST API, as the path of a URL: `fetch('/api/v1/nodes')`. */
  async fetch(path: string, init: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array | object } = {}): Promise<Response> {
    const fields: Fields = { path, method: init.method ?? 'GET', headers: init.headers ?? {} }
    if (init.body !== undefined) fields.data = bytes(typeof init.body === 'string' || init.body instanceof Uint8Array ? init.body : JSON.stringify(init.body))
    const f = await this.ask('fetch', fields)
    const status = f.status ?? 200
    const bodyless = status === 204 || status === 304
    const headers: Record<string, string> = {}
    for (const [k, v] of Object.entries(f.headers ?? {})) if (/^[\x20-\x7e]*$/.test(v)) headers[k] = v
    return new Response(bodyless ? null : (f.data ?? new Uint8Array()) as BodyInit, { status, headers })
  }

  /**
   * Watches a list, as in `watch('/api/v1/namespaces/default/pods')`: first
   * what is there, as ADDED, then every change. Ends when the cluster is reset
   * or lost; watch again then.
   */
  watch<T = KubeObject>(path: string, options: { signal?: AbortSignal } = {}): AsyncIterable<WatchEvent<T>> {
    this.check()
    const self = this
    return {
      async *[Symbol.asyncIterator]() {
        await self.current
        const id = ++self.id
        const queue: Answer[] = []
        let wake: (() => void) | null = null
        let failed: Error | null = null
        let done = false
        const stop = (): void => {
          if (done) return
          done = true
          if (self.watches.delete(id) && !self.closed) self.ask('stop', { watch: id }).catch(() => {})
          wake?.()
        }
        self.watches.set(id, f => {
          if (f instanceof Error) failed = f
          else if (f.kind === 'error') failed = new KubonsaiError(f.code ?? 'Failed', f.message ?? '')
          else if (f.kind === 'change') queue.push(f)
          if (failed || (!(f instanceof Error) && f.kind === 'done')) {
            done = true
            self.watches.delete(id)
          }
          wake?.()
        })
        options.signal?.addEventListener('abort', stop, { once: true })
        if (options.signal?.aborted) return stop()
        self.port.send({ id, kind: 'watch', path })
        try {
          for (;;) {
            const f = queue.shift()
            if (f) {
              const text = new TextDecoder().decode(f.data)
              for (const line of text.split('\n')) if (line) yield JSON.parse(line) as WatchEvent<T>
              continue
            }
            if (failed) throw failed
            if (done) return
            await new Promise<void>(resolve => { wake = resolve })
            wake = null
          }
        } finally {
          stop()
        }
      },
    }
  }

  /** What programs in the cluster get when they fetch this URL (`kubectl apply -f https://…`, curl). */
  async url(address: string, content: string | Uint8Array): Promise<void> {
    const data = bytes(content)
    this.urls.set(address, data.slice())
    await this.ask('url', { path: address, data })
  }

  /** How a script falls into commands, and which of them never end by themselves. complete: false when lines are missing. */
  async steps(script: string): Promise<{ steps: Step[]; complete: boolean }> {
    const f = await this.ask('steps', { script })
    return { steps: f.steps ?? [], complete: f.ok ?? false }
  }

  /** What the last word of a line could become, for a terminal's Tab key; start is where the word begins. */
  async complete(terminal: string, line: string): Promise<{ words: string[]; start: number }> {
    const f = await this.ask('complete', { terminal, script: line })
    const at = f.column ?? 0
    return { words: f.words ?? [], start: new TextDecoder().decode(utf8.encode(line).slice(0, at)).length }
  }

  /** The whole cluster as bytes; restore() takes them, here or elsewhere. */
  async snapshot(): Promise<Uint8Array> { return (await this.ask('snapshot', {})).data ?? new Uint8Array() }

  /** Replaces the cluster by a snapshot. Runs and watches end. */
  async restore(snapshot: Uint8Array): Promise<void> {
    this.note(await this.ask('restore', { data: snapshot.slice() }))
    await this.again()
    this.emit('lost', { reason: 'the cluster was restored from a snapshot', reset: true })
  }

  /**
   * Has a service make a hosted sandbox that begins as this cluster is now;
   * `create({ sandbox })` attaches to it. The way back is `restore()` with the
   * sandbox's `snapshot()`.
   */
  async upload(service: string | URL, options: Pick<SandboxOptions, 'code' | 'askCode'> = {}): Promise<Sandbox> {
    const { makeSandbox, serviceOf } = await import('./remote.ts')
    return makeSandbox(serviceOf(service), { ...options, snapshot: await this.snapshot() })
  }

  /** The kubeconfig of a hosted sandbox, for the real kubectl. */
  async kubeconfig(): Promise<string> {
    if (!this.sandbox) throw new KubonsaiError('NotHosted', 'this cluster is no hosted sandbox, so nothing outside can reach it: upload() makes one of it')
    const { server, token } = this.sandbox
    const r = await fetch(`${server}/-/kubeconfig`, { headers: { Authorization: `Bearer ${token}` }, cache: 'no-store' })
    if (!r.ok) throw new KubonsaiError('Failed', `the kubeconfig could not be fetched: ${server} answers with status ${r.status}`)
    return r.text()
  }

  /** Deletes everything and boots a new cluster. Runs and watches end. */
  async reset(options: { seed?: number; nodes?: number | string } = {}): Promise<void> {
    checkOptions(options)
    const { nodes, ...rest } = options
    this.note(await this.ask('reset', nodes === undefined ? rest : { ...rest, nodes: String(nodes) }))
    await this.again()
    this.emit('lost', { reason: 'the cluster was reset', reset: true })
  }

  /** Sets how many virtual seconds pass per second: 0.5 to 100. */
  async setSpeed(speed: number): Promise<State> { return this.note(await this.ask('speed', { speed })) }
  async pause(): Promise<State> { return this.note(await this.ask('pause', { paused: true })) }
  async resume(): Promise<State> { return this.note(await this.ask('pause', { paused: false })) }
  /** Goes to the next thing that is due and stops there; for a paused cluster. */
  async step(): Promise<State> { return this.note(await this.ask('step', {})) }
  /** How the cluster is now, from the cluster itself. */
  async status(): Promise<State> { return this.note(await this.ask('status', {})) }
  /** How the cluster was last known to be; now is reckoned from there. */
  get last(): State {
    const passed = this.state.paused ? 0 : (performance.now() - this.stateAt) * this.state.speed
    return { ...this.state, now: new Date(this.state.now.getTime() + passed) }
  }

  /** Listens; returns what ends the listening. */
  on<K extends keyof Events>(event: K, fn: (e: Events[K]) => void): () => void {
    let set = this.listeners.get(event)
    if (!set) this.listeners.set(event, (set = new Set()))
    set.add(fn as (e: never) => void)
    if (event === 'notice') queueMicrotask(() => { for (const n of this.unheard.splice(0)) this.emit('notice', n) })
    if (event === 'change' || event === 'event') this.follow(event)
    if (event === 'output') this.port.listen(true)
    return () => {
      set.delete(fn as (e: never) => void)
      if (set.size > 0) return
      if (event === 'change' || event === 'event') this.unfollow(event)
      if (event === 'output') this.port.listen(false)
    }
  }

  /** Saves and ends the cluster's program (in a page: leaves it to the other tabs). */
  async close(): Promise<void> {
    if (this.closed) return
    this.unfollow('change')
    this.unfollow('event')
    const done = this.ask('close', {}).catch(() => {})
    await Promise.race([done, new Promise<void>(resolve => setTimeout(resolve, 3000))])
    this.closed = new KubonsaiError('Closed', 'this cluster was closed: call create() for another')
    this.port.close()
    for (const run of this.runs.values()) run.fail(this.closed)
    for (const w of [...this.watches.values()]) w(this.closed)
  }

  /** @internal */
  emit<K extends keyof Events>(event: K, value: Events[K]): void {
    if (event === 'notice' && !this.listeners.get('notice')?.size && this.unheard.length < 10) this.unheard.push(value as Events['notice'])
    for (const fn of this.listeners.get(event) ?? []) (fn as (e: Events[K]) => void)(value)
  }

  /** @internal */ send(frame: Request): void { void this.current.then(() => this.port.send(frame), () => {}) }
  /** @internal */ nextID(): number { return ++this.id }
  /** @internal */ restart(reason: string): void { this.port.restart(reason) }
  /** @internal */ get patience(): number { return this.port.patience }
  /** @internal */ ended(id: number): void { this.runs.delete(id) }

  private check(): void { if (this.closed) throw this.closed }

  private async begin(): Promise<void> {
    await this.request('hello', { protocol: PROTOCOL })
    const { kind: _, ...fields } = this.openFrame
    const f = await this.request('open', fields)
    this.restored = f.restored ?? false
    this.note(f)
    for (const [path, data] of this.urls) await this.request('url', { path, data: data.slice() })
  }

  private async again(): Promise<void> {
    for (const [path, data] of this.urls) await this.request('url', { path, data: data.slice() })
  }

  private async ask(kind: RequestKind, fields: Fields): Promise<Answer> {
    this.check()
    await this.current
    return this.request(kind, fields)
  }

  private request(kind: RequestKind, fields: Fields): Promise<Answer> {
    this.check()
    const id = ++this.id
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject, kind })
      this.port.send({ ...fields, id, kind })
    })
  }

  private take(f: Answer): void {
    const id = f.id ?? 0
    const waiting = this.pending.get(id)
    if (waiting && (f.kind === 'reply' || f.kind === 'error')) {
      this.pending.delete(id)
      if (f.kind === 'reply') waiting.resolve(f)
      else waiting.reject(new KubonsaiError(f.code ?? 'Failed', f.message ?? ''))
      return
    }
    const watch = this.watches.get(id)
    if (watch) return watch(f)
    const run = this.runs.get(id)
    if (run) return run.take(f)
    if (f.id === undefined && f.run !== undefined) return this.hear(f.run, f)
    if (f.kind === 'state') this.emit('state', this.note(f))
    if (f.kind === 'notice') this.emit('notice', { level: f.level ?? 'info', code: f.code ?? '', message: f.message ?? '' })
  }

  private note(f: Answer): State {
    if (f.now !== undefined) {
      this.state = { now: new Date(f.now), speed: f.speed ?? 1, paused: f.paused ?? false, busy: f.busy ?? false, storage: f.storage ?? '', saved: f.saved ?? false }
      this.stateAt = performance.now()
    }
    return this.last
  }

  private lose(reason: string, final: boolean, how?: 'gone' | 'replaced'): void {
    const goesOn = this.sandbox ? 'the cluster goes on' : 'the cluster goes on from its last saved state'
    const err = new KubonsaiError(how === 'gone' ? 'Gone' : 'Lost', final ? reason : `${reason}; ${goesOn}: run the command again`)
    const { runs, watches, pending } = { runs: [...this.runs.values()], watches: [...this.watches.values()], pending: [...this.pending.values()] }
    this.pending.clear()
    this.heard.clear()
    for (const p of pending) p.reject(err)
    for (const r of runs) r.fail(err)
    this.watches.clear()
    for (const w of watches) w(err)
    if (final) {
      this.closed = err
      this.emit('notice', { level: 'error', code: err.code, message: reason })
      return
    }
    const again = (this.current = this.begin())
    again.then(() => this.emit('lost', { reason, reset: how === 'replaced' }), (e: Error) => {
      // Unless that is told already, or tried once more.
      if (!this.closed && this.current === again) this.emit('notice', { level: 'error', code: 'Lost', message: e.message })
    })
  }

  /** Takes what a run of another client prints. */
  private hear(id: number, f: Answer): void {
    let from = this.heard.get(id)
    if (!from) this.heard.set(id, (from = { stdout: new TextDecoder(), stderr: new TextDecoder(), clear: false }))
    if (f.kind === 'clear') from.clear = true
    else if (f.kind === 'output') {
      const data = f.data ?? new Uint8Array()
      const stream = f.stream === 2 ? 'stderr' : 'stdout'
      const chunk: Chunk = { stream, data, text: from[stream].decode(data, { stream: true }) }
      if (from.clear) chunk.clear = true
      from.clear = false
      this.emit('output', { ...chunk, id, terminal: f.terminal ?? '' })
    } else this.heard.delete(id) // exit, error
  }

  private unfollow(what: 'change' | 'event'): void {
    this.followed[what]?.abort()
    this.followed[what] = null
  }

  /** Watches what change or event tells of, as long as anyone listens. */
  private follow(what: 'change' | 'event'): void {
    if (this.followed[what]) return
    const { signal } = (this.followed[what] = new AbortController())
    const watched = new Set<string>()
    const keep = async (path: string): Promise<void> => {
      if (watched.has(path)) return
      watched.add(path)
      while (!signal.aborted) {
        try {
          for await (const e of this.watch(path, { signal })) {
            this.emit(what, e)
            if (path.endsWith('/customresourcedefinitions')) discover()
          }
        } catch (err) {
          if (this.closed || (err as KubonsaiError).code === 'WatchFailed') break // it is not served any more
        }
        if (!signal.aborted) await new Promise(r => setTimeout(r, 300))
      }
      watched.delete(path)
    }
    if (what === 'event') return void keep('/api/v1/events')
    let soon = false
    const discover = (): void => {
      if (soon) return
      soon = true
      setTimeout(() => {
        soon = false
        this.watchable().then(paths => { for (const path of paths) void keep(path) }, () => {})
      }, 20)
    }
    discover()
    // What is served may be another selection after a restore or a reset.
    const again = this.on('lost', discover)
    signal.addEventListener('abort', again)
  }

  /** The paths of all lists that can be watched, each resource in its first version. */
  private async watchable(): Promise<string[]> {
    interface Group { name: string; preferredVersion: { groupVersion: string }; versions: { groupVersion: string }[] }
    const get = async <T>(path: string): Promise<T> => (await this.fetch(path)).json() as Promise<T>
    const { groups = [] } = await get<{ groups?: Group[] }>('/apis')
    const paths = new Map<string, string>()
    for (const [group, base] of [['', '/api/v1'], ...groups.flatMap(g => [g.preferredVersion, ...g.versions].map(v => [g.name, `/apis/${v.groupVersion}`]))] as [string, string][]) {
      const { resources = [] } = await get<{ resources?: { name: string; verbs: string[] }[] }>(base)
      for (const r of resources) {
        if (!r.verbs.includes('watch') || r.name.includes('/') || r.name === 'events' || paths.has(`${group}/${r.name}`)) continue
        paths.set(`${group}/${r.name}`, `${base}/${r.name}`)
      }
    }
    return [...paths.values()]
  }

  /** @internal */
  async openEditor(run: RunImpl, f: Answer, edit: CreateOptions['edit']): Promise<void> {
    const open = edit ?? this.editor
    let text: string | null = null
    try {
      text = open ? await open(f.name ?? '', f.text ?? '') : null
    } catch { /* an editor that fails gives up */ }
    if (this.runs.has(run.id)) await this.ask('edited', { run: run.id, edit: f.edit ?? 0, text: text ?? '', ok: text !== null }).catch(() => {})
  }
}

/** At most this much output is kept for a run that nobody iterates over. */
const KEEP = 4 << 20

class RunImpl implements Run {
  readonly exit: Promise<number>
  readonly terminal: string
  dir = '/home/reader'
  private readonly decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() }
  private queue: Chunk[] = []
  private kept: Chunk[] = []
  private keptSize = 0
  private reading = false
  private wake: (() => void) | null = null
  private done = false
  private failed: Error | null = null
  private clear = false
  private settle!: { resolve: (code: number) => void; reject: (e: Error) => void }
  private readonly cluster: Cluster
  readonly id: number
  private readonly options: RunOptions

  constructor(cluster: Cluster, id: number, options: RunOptions) {
    this.cluster = cluster
    this.id = id
    this.options = options
    this.terminal = options.terminal ?? 'main'
    this.exit = new Promise((resolve, reject) => { this.settle = { resolve, reject } })
    this.exit.catch(() => {})
    if (options.signal?.aborted) queueMicrotask(() => this.stop())
    options.signal?.addEventListener('abort', () => this.stop(), { once: true })
  }

  take(f: Answer): void {
    switch (f.kind) {
      case 'output': {
        const data = f.data ?? new Uint8Array()
        const stream = f.stream === 2 ? 'stderr' : 'stdout'
        const chunk: Chunk = { stream, data, text: this.decoders[stream].decode(data, { stream: true }) }
        if (this.clear) chunk.clear = true
        this.clear = false
        this.keep(chunk)
        this.cluster.emit('output', { ...chunk, id: f.run ?? this.id, terminal: this.terminal, run: this })
        if (this.reading) {
          this.queue.push(chunk)
          this.wake?.()
        } else this.ack(data.length)
        return
      }
      case 'clear':
        this.clear = true
        return
      case 'ask':
        this.options.ask?.()
        return
      case 'edit':
        void this.cluster.openEditor(this, f, this.options.edit)
        return
      case 'exit':
        this.dir = f.path ?? this.dir
        this.finish()
        this.settle.resolve(f.status ?? 0)
        return
      case 'error':
        this.fail(new KubonsaiError(f.code ?? 'Failed', f.message ?? ''))
        return
    }
  }

  fail(err: Error): void {
    if (this.done) return
    this.failed = err
    this.finish()
    this.settle.reject(err)
  }

  private finish(): void {
    this.done = true
    this.cluster.ended(this.id)
    this.wake?.()
  }

  private keep(chunk: Chunk): void {
    this.kept.push(chunk)
    this.keptSize += chunk.data.length
    while (this.keptSize > KEEP && this.kept.length > 1) this.keptSize -= this.kept.shift()!.data.length
  }

  private ack(n: number): void {
    if (!this.done && n > 0) this.cluster.send({ id: this.cluster.nextID(), kind: 'ack', run: this.id, bytes: n })
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Chunk> {
    if (!this.reading) {
      // What came before anyone listened was acknowledged already.
      this.reading = true
      for (const chunk of [...this.kept]) yield chunk
    }
    let unacked = 0
    for (;;) {
      const chunk = this.queue.shift()
      if (chunk) {
        yield chunk
        unacked += chunk.data.length
        if (unacked > 16384 || this.queue.length === 0) {
          this.ack(unacked)
          unacked = 0
        }
        continue
      }
      if (this.failed) throw this.failed
      if (this.done) return
      await new Promise<void>(resolve => { this.wake = resolve })
      this.wake = null
    }
  }

  interrupt(): void { this.tell('interrupt') }

  stop(): void {
    if (this.done) return
    this.tell('interrupt')
    setTimeout(() => this.tell('kill'), 60)
    // A program that does not even answer is stuck in a loop that cannot be
    // interrupted: it is ended, and the cluster comes back as it was saved.
    let answered = false
    const restart = (): void => { if (!this.done) this.cluster.restart('a command could not be stopped, so the cluster’s program was ended') }
    this.cluster.status().then(() => { answered = true }, () => { answered = true })
    const { patience } = this.cluster
    setTimeout(() => { if (!answered) restart() }, patience)
    setTimeout(restart, 2300 + patience)
  }

  write(input: string | Uint8Array): void { this.tell('stdin', { data: bytes(input) }) }
  end(): void { this.tell('stdin', { eof: true }) }
  resize(columns: number, rows: number): void { this.tell('resize', { columns, rows }) }

  async result(): Promise<{ stdout: string; stderr: string; code: number }> {
    const code = await this.exit
    const all = (stream: string): string => this.kept.filter(c => c.stream === stream).map(c => c.text).join('')
    return { stdout: all('stdout'), stderr: all('stderr'), code }
  }

  private tell(kind: RequestKind, fields: Fields = {}): void {
    if (!this.done) this.cluster.send({ ...fields, id: this.cluster.nextID(), kind, run: this.id })
  }
}

function bytes(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? utf8.encode(content) : content.slice()
}
