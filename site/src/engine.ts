/**
 * Starts the wasm program in the thread that calls this: a browser's worker, a
 * Node worker thread, or the caller's own thread. It is the JavaScript half of
 * wasm/browser/main.go: frames in and out, one timer, a yield to the thread's
 * message queue, and storages for Node. It knows nothing of pages or clusters.
 */
import { startGuest, type Guest } from './go.ts'
import { instantiate, type Source } from './parts.ts'
import { decode, encode, type Answer, type Request } from './protocol.ts'
// wasm_exec.js of the Go release that built the module; the build copies it from GOROOT.
import './vendor/wasm_exec.js'

interface Storage {
  load(): Promise<[string, Uint8Array][]>
  append(batch: [string, Uint8Array | null][]): Promise<void>
  quarantine(keys: string[]): Promise<void>
  clear(): Promise<void>
  close(): Promise<void>
}

/** The object that the program finds under globalThis.kubonsaiHosts[id]. */
interface Host {
  post(head: string, data: Uint8Array | null): void
  ready(): void
  ended(): void
  yield(wake: () => void): void
  timer(ms: number, wake: () => void): unknown
  cancel(timer: unknown): void
  storage(kind: string): Storage | null
  /** The next request that has come; null when there is none. */
  take(): [head: string, data: Uint8Array | null] | null
  /** Set by the program: there is something to take. */
  wake?: () => void
  /** Gets the second module; done is told why not, or null. */
  fetchGuests(done: (failure: string | null) => void): void
  guest(): Guest
}

declare global {
  var kubonsaiHosts: Record<string, Host> | undefined
}

export interface Engine {
  send(frame: Request): void
  /** Settles when the program has ended; rejects when it crashed. */
  ended: Promise<void>
}

/** The parts of a release that are wasm. */
export interface Modules {
  /** The cluster's program: the compiled module, or where it is. */
  program: WebAssembly.Module | string
  /** Where its rest is, which is fetched when the program has started. */
  rest: string
  /** Where the module with awk and jq is. */
  textTools: string
}

export interface EngineOptions extends Modules {
  onFrame(frame: Answer): void
  onProgress?(loaded: number, total: number): void
  /** Makes storages of kind "file:…"; Node only. */
  storage?: (kind: string) => Storage | null
}

let count = 0
const isNode = typeof process !== 'undefined' && !!process.versions?.node

/** Fetches and compiles a module; in Node from a file when the URL says so. */
async function compile(url: string, what: string, parameter: string, init?: RequestInit): Promise<WebAssembly.Module> {
  if (isNode && !/^https?:/.test(url)) {
    const { readFile } = await import('node:fs/promises')
    const { fileURLToPath } = await import('node:url')
    return WebAssembly.compile(new Uint8Array(await readFile(url.startsWith('file:') ? fileURLToPath(url) : url)))
  }
  let response: Response
  try {
    response = await fetch(url, init)
  } catch (err) {
    throw unreachable(url, what, parameter, err)
  }
  if (!response.ok) throw refused(url, what, parameter, response.status)
  if ((response.headers.get('content-type') ?? '').startsWith('application/wasm')) {
    return WebAssembly.compileStreaming(response)
  }
  // A host that does not know the type: slower, but it works.
  return WebAssembly.compile(await response.arrayBuffer())
}

const unreachable = (url: string, what: string, parameter: string, err: unknown): Error =>
  new Error(`${what} could not be fetched from ${url} (${String(err)}): check the connection and the parameter ${parameter}`)
const refused = (url: string, what: string, parameter: string, status: number): Error =>
  new Error(`${what} could not be fetched: ${url} answered ${status}; put ${url.replace(/.*\/|[?#].*/g, '')} beside kubonsai.js or set ${parameter}`)

/** The rest of the program, as a worker of a browser gets it: in the background, or at once. */
function restFrom(url: string): Source {
  const what = 'the rest of the cluster’s program', parameter = 'restURL'
  return {
    url,
    load: fresh => compile(url, what, parameter, { ...(fresh && { cache: 'reload' as const }), priority: 'low' } as RequestInit),
    now(fresh) {
      const request = new XMLHttpRequest()
      request.open('GET', fresh ? `${url}?${Date.now()}` : url, false)
      request.responseType = 'arraybuffer'
      try {
        request.send()
      } catch (err) {
        throw unreachable(url, what, parameter, err)
      }
      if (request.status >= 300) throw refused(url, what, parameter, request.status)
      return new WebAssembly.Module(request.response as ArrayBuffer)
    },
  }
}

/** Starts the program; resolves when it takes frames. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const module = options.program instanceof WebAssembly.Module ? options.program : await compile(options.program, 'the cluster’s program', 'wasmURL')
  const id = `h${++count}`
  const hosts = (globalThis.kubonsaiHosts ??= {})
  let ready!: () => void
  let finish!: () => void
  const started = new Promise<void>(resolve => (ready = resolve))
  const finished = new Promise<void>(resolve => (finish = resolve))
  let texts: WebAssembly.Module | null = null
  const channel = isNode ? null : new MessageChannel()
  const inbox: [string, Uint8Array | null][] = []
  // While the program has yielded, what comes waits for it: requests are taken
  // together, before its next slice of work, instead of one slice each.
  let yielded: (() => void) | null = null
  const goOn = (): void => {
    const wake = yielded
    yielded = null
    wake?.()
  }
  if (channel) channel.port1.onmessage = goOn
  let fetchRest = (): void => {}
  const host: Host = {
    post(head, data) {
      const frame = decode(head, data)
      options.onFrame(frame)
      if (frame.kind === 'exit') fetchRest()
    },
    ready,
    ended: finish,
    yield(wake) {
      yielded = wake
      if (channel) channel.port2.postMessage(0)
      else setImmediate(goOn)
    },
    timer: (ms, wake) => setTimeout(wake, Math.min(ms, 0x7fffffff)),
    cancel: timer => clearTimeout(timer as ReturnType<typeof setTimeout>),
    storage: kind => options.storage?.(kind) ?? null,
    take: () => inbox.shift() ?? null,
    fetchGuests(done) {
      compile(options.textTools, 'the module with awk and jq', 'textToolsURL').then(m => {
        texts = m
        done(null)
      }, err => done(String((err as Error).message ?? err)))
    },
    guest: () => startGuest(texts!),
  }
  hosts[id] = host
  const go = new globalThis.Go()
  go.argv = ['kubonsai', id]
  // Only a worker may wait for the network in the middle of a computation.
  const patient = !isNode && typeof document === 'undefined'
  const source = restFrom(options.rest)
  const { instance, complete } = await instantiate(module, go.importObject, patient ? source : { url: source.url, load: source.load })
  if (!patient) await complete()
  let exited = false
  const run = go.run(instance).then(() => {
    exited = true
    for (const timer of go._scheduledTimeouts.values()) clearTimeout(timer) // Go leaves its stopped timers behind
    delete hosts[id]
    channel?.port1.close()
  })
  const crashed = run.then(() => { throw new Error('the cluster’s program ended by itself: reload the page, the cluster goes on from its saved state') })
  crashed.catch(() => {})
  await Promise.race([started, crashed])
  if (patient) {
    // The rest is not to get into the way of the first answer. Whoever needs it
    // will try again, and say why it cannot be had.
    const soon = setTimeout(() => fetchRest(), 2000)
    fetchRest = () => {
      clearTimeout(soon)
      fetchRest = () => {}
      complete().catch(() => {})
    }
  }
  return {
    send(frame) {
      if (exited || !host.wake) throw new Error('the cluster’s program has ended')
      inbox.push(encode(frame))
      if (!yielded) host.wake()
    },
    ended: Promise.race([finished, crashed]),
  }
}

/** A storage in a directory of Node's file system: one file that is replaced as a whole, so that a crash leaves the old or the new state. */
export function directoryStorage(kind: string): Storage {
  const modules = async () => ({ fs: await import('node:fs/promises'), path: await import('node:path') })
  const dir = kind.slice('file:'.length)
  let records = new Map<string, Uint8Array>()
  const write = async (next: Map<string, Uint8Array>) => {
    const { fs, path } = await modules()
    const live = path.join(dir, 'records.bin')
    const parts: Uint8Array[] = []
    const text = new TextEncoder()
    for (const [key, value] of next) {
      const name = text.encode(key)
      const head = new DataView(new ArrayBuffer(8))
      head.setUint32(0, name.length)
      head.setUint32(4, value.length)
      parts.push(new Uint8Array(head.buffer), name, value)
    }
    await fs.mkdir(dir, { recursive: true })
    const file = await fs.open(live + '.new', 'w')
    await file.writeFile(Buffer.concat(parts))
    await file.sync()
    await file.close()
    await fs.rename(live + '.new', live)
    records = next
  }
  return {
    async load() {
      const { fs, path } = await modules()
      records = new Map()
      let bytes: Buffer
      try {
        bytes = await fs.readFile(path.join(dir, 'records.bin'))
      } catch (err) {
        if ((err as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw err
      }
      for (let at = 0; at + 8 <= bytes.length;) {
        const n = bytes.readUInt32BE(at), m = bytes.readUInt32BE(at + 4)
        const key = bytes.toString('utf8', at + 8, at + 8 + n)
        records.set(key, Uint8Array.from(bytes.subarray(at + 8 + n, at + 8 + n + m)))
        at += 8 + n + m
      }
      return [...records]
    },
    async append(batch) {
      const next = new Map(records)
      for (const [key, value] of batch) {
        if (value === null) next.delete(key)
        else next.set(key, Uint8Array.from(value))
      }
      await write(next)
    },
    async quarantine(keys) {
      const { fs, path } = await modules()
      await fs.copyFile(path.join(dir, 'records.bin'), path.join(dir, `quarantine-${Date.now()}.bin`))
      const next = new Map(records)
      for (const key of keys) next.delete(key)
      await write(next)
    },
    async clear() { await write(new Map()) },
    async close() {},
  }
}
