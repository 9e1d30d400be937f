/**
 * The Go program of one sandbox, wasm/worker, kept alive in its Durable Object.
 * Here is the object that it finds under globalThis.kubonsaiSandboxes[id].
 */
import 'wasm_exec'
import module from './kubonsai-worker.wasm'
import texts from './kubonsai-text.wasm'
import { whole } from './body.ts'
import { startGuest, type Guest } from '../../../site/src/go.ts'
import { log } from './status.ts'
import { Socket } from './socket.ts'
import type { Rows } from './storage.ts'

/** What the runtime says of itself. */
export interface Stats { heap: number; bytes: number; records: number; streams: number; pages: number; now: number }

interface Port {
  config: string
  storage: Rows
  log(level: 'info' | 'warning' | 'error', line: string): void
  failed(message: string): void
  /** The storage does not take writes: the object must end. */
  abort(message: string): void
  timer(ms: number, wake: () => void): unknown
  cancel(timer: unknown): void
  /** Sets the one alarm, in milliseconds since 1970; 0: none is needed. */
  alarm(at: number): void
  /** Keeps by how many milliseconds the machine's clock is ahead of the wall's. */
  ahead(ms: number): void
  /** The bytes of a request's body; null when there are more than the limit. */
  body(stream: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array | null>
  /** A body that is written piece by piece; gone is called when the client has left. */
  stream(gone: () => void): { readable: ReadableStream; write(b: Uint8Array): Promise<void>; close(): void }
  fetchGuests(done: (failure: string | null) => void): void
  guest(): Guest
  // Set by the program.
  upgrade?(request: { url: string; headers: [string, string][] }, socket: Socket): void
  wake?(): void
  stats?(): Stats
  snapshot?(done: (failure: string | null, data: Uint8Array | null) => void): void
  replace?(snapshot: Uint8Array | null, done: (failure: string | null) => void): void
}

declare global {
  var kubonsaiSandboxes: Record<string, Port> | undefined
  var context: { binding: { handleRequest?(r: Request): Promise<Response> } } | undefined
  var tryCatch: ((fn: () => unknown) => { result?: unknown; error?: unknown }) | undefined
}

export interface Options {
  config: Record<string, unknown>
  rows: Rows
  alarm(at: number): void
  ahead(ms: number): void
  abort(message: string): void
}

export interface Program {
  fetch(request: Request): Promise<Response>
  wake(): void
  stats(): Stats & { memory: number }
  snapshot(): Promise<Uint8Array>
  replace(snapshot: Uint8Array | null): Promise<void>
  /** Rejects when the program has crashed. */
  ended: Promise<never>
}

let count = 0

/** Starts the program; it serves when this resolves. */
export async function start(options: Options): Promise<Program> {
  const id = `s${++count}`
  const ports = (globalThis.kubonsaiSandboxes ??= {})
  let fail!: (err: Error) => void
  const ended = new Promise<never>((_, reject) => (fail = reject))
  ended.catch(() => {})
  const port: Port = {
    config: JSON.stringify(options.config),
    storage: options.rows,
    log: (level, line) => log(level, 'program', JSON.parse(line) as Record<string, unknown>),
    failed: message => fail(new Error(message)),
    abort: options.abort,
    timer: (ms, wake) => setTimeout(wake, Math.min(ms, 0x7fffffff)),
    cancel: timer => clearTimeout(timer as ReturnType<typeof setTimeout>),
    alarm: options.alarm,
    ahead: options.ahead,
    body: whole,
    stream,
    fetchGuests: done => done(null),
    guest: () => startGuest(texts),
  }
  ports[id] = port
  // The library finds these when its packages are initialised, which is before
  // run returns; so several programs do not mix theirs up.
  const binding: NonNullable<typeof globalThis.context>['binding'] = {}
  globalThis.context = { binding }
  globalThis.tryCatch ??= fn => {
    try {
      return { result: fn() }
    } catch (error) {
      return { error }
    }
  }
  const go = new globalThis.Go()
  go.argv = ['kubonsai', id]
  go.exit = code => { if (code) fail(new Error(`the program ended with status ${code}`)) }
  const instance = await new Promise<WebAssembly.Instance>((ready, broken) => {
    const instance = new WebAssembly.Instance(module, { ...go.importObject, workers: { ready: () => ready(instance) } })
    go.run(instance).then(() => {
      delete ports[id]
      fail(new Error('the program has ended'))
    }, (err: unknown) => fail(err instanceof Error ? err : new Error(String(err))))
    ended.catch(broken)
  })
  delete globalThis.context
  const memory = instance.exports['mem'] as WebAssembly.Memory
  return {
    ended,
    async fetch(request) {
      if (request.headers.get('Upgrade')?.toLowerCase() === 'websocket') {
        const socket = new Socket()
        port.upgrade!({ url: request.url, headers: [...request.headers] as [string, string][] }, socket)
        return Promise.race([socket.response, ended])
      }
      return Promise.race([binding.handleRequest!(request), ended])
    },
    wake: () => port.wake!(),
    stats: () => ({ ...port.stats!(), memory: memory.buffer.byteLength }),
    snapshot: () => Promise.race([ended, new Promise<Uint8Array>((resolve, reject) => port.snapshot!((failure, data) => failure === null ? resolve(data!) : reject(new Error(failure))))]),
    replace: snapshot => Promise.race([ended, new Promise<void>((resolve, reject) => port.replace!(snapshot, failure => failure === null ? resolve() : reject(new Error(failure))))]),
  }
}

function stream(gone: () => void): ReturnType<Port['stream']> {
  const { readable, writable } = new IdentityTransformStream()
  const writer = writable.getWriter()
  let open = true
  writer.closed.catch(() => {
    if (open) gone()
    open = false
  })
  return {
    readable,
    write: b => writer.write(b),
    close() {
      open = false
      writer.close().catch(() => {})
    },
  }
}
