/**
 * The script of the worker that holds a cluster, in a browser (Worker) and in
 * Node (worker_threads). Its first message says where the module is and which
 * cluster it is for; a browser's worker takes the lock of that cluster before
 * it opens it, so that there is never a second writer. After that, every
 * message is a frame. A page that expects to need a cluster may say so before:
 * then the program is started, and rehearses, while nobody waits for it.
 */
import { directoryStorage, startEngine, type Engine, type Modules } from './engine.ts'
import type { Answer, Request } from './protocol.ts'

export interface Prepare {
  prepare: { modules: Modules; nodes: string }
}
export interface Start {
  start: { modules: Modules; lock: string | null }
}
export type FromWorker = { frame: Answer } | { failed: string } | { started: true }

interface Thread {
  post(message: FromWorker, transfer?: Transferable[]): void
  listen(fn: (message: Prepare | Start | Request) => void): void
}

async function thread(): Promise<Thread> {
  if (typeof process !== 'undefined' && process.versions?.node) {
    const { parentPort } = await import('node:worker_threads')
    if (!parentPort) throw new Error('worker.js is started by create(), not by hand')
    return { post: (m, t) => parentPort.postMessage(m, t as never), listen: fn => parentPort.on('message', fn) }
  }
  const scope = self as unknown as { postMessage(m: unknown, t?: Transferable[]): void; onmessage: ((e: MessageEvent) => void) | null }
  return { post: (m, t) => scope.postMessage(m, t), listen: fn => { scope.onmessage = e => fn(e.data) } }
}

// Messages that arrive before the listener is known must not be lost: in a
// browser the handler has to be set in the script's first run.
const early: (Prepare | Start | Request)[] = []
let take = (m: Prepare | Start | Request): void => { early.push(m) }
const inBrowser = typeof process === 'undefined' || !process.versions?.node
if (inBrowser) (self as unknown as { onmessage: (e: MessageEvent) => void }).onmessage = e => take(e.data)

const port = await thread()
let starting: Promise<Engine> | null = null
let engine: Engine | null = null // set once the cluster is ours
let wanted = false // somebody waits for the cluster
const waiting: Request[] = []

function program(modules: Modules): Promise<Engine> {
  return starting ??= startEngine({
    ...modules,
    storage: inBrowser ? undefined : directoryStorage,
    onFrame: frame => { if (engine) port.post({ frame }, frame.data ? [frame.data.buffer as ArrayBuffer] : undefined) },
  })
}

async function prepare({ modules, nodes }: Prepare['prepare']): Promise<void> {
  const ready = await program(modules)
  if (!wanted) ready.send({ id: 1, kind: 'prepare', nodes })
}

async function start({ modules, lock }: Start['start']): Promise<void> {
  wanted = true
  if (lock && inBrowser && navigator.locks) {
    await new Promise<void>((granted, refused) => {
      navigator.locks.request(lock, () => {
        granted()
        return new Promise<void>(() => {}) // held until this worker ends
      }).catch(refused)
    })
  }
  engine = await program(modules)
  engine.ended.catch(err => port.post({ failed: String((err as Error).message ?? err) }))
  port.post({ started: true })
  for (const frame of waiting.splice(0)) engine.send(frame)
}

const failed = (err: unknown): void => port.post({ failed: String((err as Error).message ?? err) })
take = message => {
  if ('prepare' in message) prepare(message.prepare).catch(() => { starting = null }) // start will say why
  else if ('start' in message && typeof message.start === 'object') start(message.start).catch(failed)
  else if (engine) {
    try {
      engine.send(message as Request)
    } catch (err) {
      failed(err)
    }
  } else waiting.push(message as Request)
}
if (!inBrowser) port.listen(m => take(m))
for (const m of early.splice(0)) take(m)
