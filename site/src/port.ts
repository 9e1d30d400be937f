/**
 * A port is one client's way to a cluster: frames go in, frames come out. Here
 * are the two local ones, a worker and the caller's own thread; tabs.ts makes
 * one that several tabs share, remote.ts one to a hosted sandbox.
 */
import type { Modules } from './engine.ts'
import type { Answer, Request } from './protocol.ts'
import type { FromWorker } from './worker.ts'

export interface Port {
  send(frame: Request): void
  onframe: (frame: Answer) => void
  /**
   * What was under way is gone and the cluster goes on from its saved state;
   * the port opens it again by itself. final: nothing will come any more. how:
   * the state is another one, or there is none any more.
   */
  onlost: (reason: string, final: boolean, how?: 'gone' | 'replaced') => void
  /** How long an answer may take before the program counts as stuck, in milliseconds. */
  readonly patience: number
  /**
   * Says whether the output of other clients' runs is wanted. It comes as
   * frames of kind output, clear and exit with a run and a terminal, but no id.
   */
  listen(wanted: boolean): void
  /** Ends the cluster's program at once and starts it again from its saved state. */
  restart(reason: string): void
  close(): void
}

export interface PortOptions {
  modules: Modules
  worker: boolean | string
  lock: string | null
}

/** Where this release's files are: beside this script. */
export const here = (name: string): string => new URL(name, import.meta.url).href

/** The patience with a program on this machine, in milliseconds. */
export const NEARBY = 700

const isNode = typeof process !== 'undefined' && !!process.versions?.node

interface AnyWorker {
  postMessage(message: unknown, transfer?: Transferable[]): void
  terminate(): void
}

async function spawn(url: string, onmessage: (m: FromWorker) => void, onerror: (text: string) => void): Promise<AnyWorker> {
  if (isNode) {
    const { Worker: Thread } = await import('node:worker_threads')
    const thread = new Thread(new URL(url))
    thread.on('message', onmessage)
    thread.on('error', err => onerror(String((err as Error).message ?? err)))
    return { postMessage: (m, t) => thread.postMessage(m, t as never), terminate: () => void thread.terminate() }
  }
  // A worker must come from the page's own origin; one from elsewhere is
  // imported by a small local script.
  const local = new URL(url, location.href).origin === location.origin
  const from = local ? url : URL.createObjectURL(new Blob([`import ${JSON.stringify(url)}`], { type: 'text/javascript' }))
  const worker = new Worker(from, { type: 'module', name: 'kubonsai' })
  worker.onmessage = e => onmessage(e.data as FromWorker)
  worker.onerror = e => onerror(e.message || `the worker ${url} could not be started: check that the file is there and that the page's Content-Security-Policy allows worker-src`)
  return worker
}

/** A worker whose program is started and waits for its cluster. */
interface Spare { key: string; worker: Promise<AnyWorker>; onmessage: (m: FromWorker) => void; onerror: (text: string) => void }
let spare: Spare | null = null
const keyOf = ({ modules: m, worker }: Pick<PortOptions, 'modules' | 'worker'>): string => [worker, typeof m.program === 'string' ? m.program : 'module', m.rest, m.textTools].join(' ')
const workerURL = (worker: boolean | string): string => typeof worker === 'string' ? worker : here('kubonsai-worker.js')

/** Starts the program of a cluster that will soon be wanted, in a worker. */
export function prepareWorker(options: Pick<PortOptions, 'modules' | 'worker'> & { nodes: string }): void {
  if (spare) return
  const worker = spawn(workerURL(options.worker), m => mine.onmessage(m), text => mine.onerror(text))
  const mine: Spare = { key: keyOf(options), worker, onmessage: () => {}, onerror: () => {} }
  spare = mine
  worker.then(w => w.postMessage({ prepare: { modules: options.modules, nodes: options.nodes } }), () => { if (spare === mine) spare = null })
}

/** Ends a worker that is not needed after all. */
export function dropSpare(): void {
  void spare?.worker.then(w => w.terminate(), () => {})
  spare = null
}

/** A worker, the one that waits if there is one. */
function hire(options: PortOptions, onmessage: (m: FromWorker) => void, onerror: (text: string) => void): Promise<AnyWorker> {
  if (spare?.key !== keyOf(options)) return spawn(workerURL(options.worker), onmessage, onerror)
  const { worker } = Object.assign(spare, { onmessage, onerror })
  spare = null
  return worker
}

/** A cluster in a worker of this page or process. */
export function workerPort(options: PortOptions): Port {
  let worker: AnyWorker | null = null
  let generation = 0
  let closed = false
  let failures = 0
  let queue: Request[] = []
  const port: Port = {
    patience: NEARBY,
    onframe: () => {},
    onlost: () => {},
    send(frame) {
      if (closed) return
      if (worker) worker.postMessage(frame)
      else queue.push(frame)
    },
    listen() {}, // nobody else uses this program
    restart(reason) {
      if (closed) return
      worker?.terminate()
      worker = null
      queue = []
      begin()
      port.onlost(reason, false)
    },
    close() {
      closed = true
      worker?.terminate()
      worker = null
    },
  }
  function begin(): void {
    const mine = ++generation
    const failed = (text: string): void => {
      if (mine !== generation || closed) return
      if (++failures > 2) {
        closed = true
        worker?.terminate()
        port.onlost(text, true)
      } else if (failures === 1 && !up) {
        closed = true
        port.onlost(text, true)
      } else port.restart(text)
    }
    let up = false
    hire(options, m => {
      if (mine !== generation || closed) return
      if ('frame' in m) port.onframe(m.frame)
      else if ('failed' in m) failed(m.failed)
      else {
        up = true
        failures = 0
      }
    }, failed).then(w => {
      if (mine !== generation || closed) return w.terminate()
      worker = w
      w.postMessage({ start: { modules: options.modules, lock: options.lock } })
      for (const frame of queue.splice(0)) w.postMessage(frame)
    }, err => failed(String((err as Error).message ?? err)))
  }
  begin()
  return port
}

/** A cluster in the caller's own thread; for Node, and for pages that bring a worker of their own. */
export function inlinePort(options: PortOptions): Port {
  let send: ((frame: Request) => void) | null = null
  let closed = false
  const queue: Request[] = []
  const port: Port = {
    patience: NEARBY,
    onframe: () => {},
    onlost: () => {},
    send(frame) {
      if (closed) return
      if (send) send(frame)
      else queue.push(frame)
    },
    listen() {}, // nobody else uses this program
    restart: reason => port.onlost(`${reason}; a cluster in the caller's own thread cannot be started again: close it and create it anew`, true),
    close() { closed = true },
  }
  // Frames come in turns of their own: a caller's code never runs inside the
  // program, and a flood of output cannot keep timers and other events away.
  let inbox: Answer[] = []
  const deliver = (): void => {
    const frames = inbox
    inbox = []
    for (const frame of frames) if (!closed) port.onframe(frame)
  }
  const channel = isNode ? null : new MessageChannel()
  if (channel) channel.port1.onmessage = deliver
  const take = (frame: Answer): void => {
    if (inbox.push(frame) > 1) return
    if (channel) channel.port2.postMessage(0)
    else setImmediate(deliver)
  }
  const fail = (err: unknown): void => { if (!closed) port.onlost(String((err as Error).message ?? err), true) }
  import('./engine.ts').then(async ({ startEngine, directoryStorage }) => {
    const engine = await startEngine({
      ...options.modules,
      storage: isNode ? directoryStorage : undefined,
      onFrame: take,
    })
    send = frame => engine.send(frame)
    for (const frame of queue.splice(0)) send(frame)
    engine.ended.catch(fail)
  }).catch(fail)
  return port
}
