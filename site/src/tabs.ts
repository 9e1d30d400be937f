/**
 * All tabs of one origin share one cluster by name. One of them leads: it holds
 * the Web Lock of the cluster and the worker; the others send their frames to
 * it over a BroadcastChannel. When the leader closes, the browser gives the
 * lock to the next tab, which starts the cluster from its saved state. The
 * worker holds a lock of its own while it lives, so that even in the moment of
 * a take-over there is only one writer.
 */
import { dropSpare, NEARBY, type Port } from './port.ts'
import type { Answer, Request } from './protocol.ts'

type Note =
  | { type: 'frame'; from: string; frame: Request }
  | { type: 'answer'; to: string; frame: Answer }
  | { type: 'leader'; id: string; reason: string }
  | { type: 'who'; from: string }
  | { type: 'listen'; from: string; wanted: boolean }
  | { type: 'lost'; reason: string; final: boolean }

/** Reports whether this place can share a cluster between tabs. */
export const canShare = (): boolean => typeof BroadcastChannel !== 'undefined' && typeof navigator !== 'undefined' && !!navigator.locks

export const writerLock = (name: string): string => `kubonsai:${name}:writer`

export function sharedPort(name: string, make: () => Port): Port {
  const id = Math.random().toString(36).slice(2) + Date.now().toString(36)
  const channel = new BroadcastChannel(`kubonsai:${name}`)
  const leaving = new AbortController()
  let leader: string | null = null // the id of the tab that leads, ours when we do
  let local: Port | null = null
  let opened: Request[] = [] // our hello and open, to be said again to a new leader
  let waiting: Request[] = []
  let listening = false
  let closed = false
  let release: (() => void) | null = null

  // The leader's books: its program knows one space of ids, each tab has its own.
  let next = 0
  const routes = new Map<number, { tab: string; id: number; lasting: boolean; terminal?: string }>()
  const ids = new Map<string, number>() // `${tab} ${id}` of runs and watches → the program's id
  const tabs = new Set<string>()
  const listeners = new Set<string>() // tabs that want the output of the others' runs
  let open: Answer | null = null // the program's answer to open

  const port: Port = {
    patience: NEARBY,
    onframe: () => {},
    onlost: () => {},
    send(frame) {
      if (closed) return
      if (frame.kind === 'hello' || frame.kind === 'open') opened = [...opened.filter(f => f.kind !== frame.kind), frame]
      if (frame.kind === 'close' && leader !== id) { // only we leave, the cluster stays with its tab
        port.onframe({ id: frame.id, kind: 'reply' })
        return
      }
      if (leader === null) waiting.push(frame)
      else if (leader === id) accept(id, frame)
      else tell({ type: 'frame', from: id, frame })
    },
    listen(wanted) {
      listening = wanted
      if (leader === id) hear(id, wanted)
      else if (leader !== null) tell({ type: 'listen', from: id, wanted })
    },
    restart(reason) {
      if (local) local.restart(reason)
      else port.onlost(reason, false) // the leader's tab watches over its program
    },
    close() {
      if (closed) return
      closed = true
      local?.close()
      leaving.abort()
      release?.()
      channel.close()
    },
  }

  function tell(note: Note): void { if (!closed) channel.postMessage(note) }

  /** Notes whether a tab wants the output of the others' runs. Leader only. */
  function hear(tab: string, wanted: boolean): void {
    if (wanted) listeners.add(tab)
    else listeners.delete(tab)
    if (tab !== id && !tabs.has(tab)) follow(tab)
  }

  /** Gives a tab's frame to the program. Leader only. */
  function accept(tab: string, frame: Request): void {
    if (!local) return
    if (tab !== id && !tabs.has(tab)) follow(tab)
    if (frame.kind === 'open' && open) { // open already: tell how it is
      frame = { id: frame.id, kind: 'status' }
    }
    const mine = ++next
    const lasting = frame.kind === 'run' || frame.kind === 'watch'
    routes.set(mine, { tab, id: frame.id, lasting, terminal: frame.kind === 'run' ? frame.terminal : undefined })
    if (lasting) ids.set(`${tab} ${frame.id}`, mine)
    const out: Request = { ...frame, id: mine }
    if (frame.run !== undefined) out.run = ids.get(`${tab} ${frame.run}`) ?? 1e9
    if (frame.watch !== undefined) out.watch = ids.get(`${tab} ${frame.watch}`) ?? 1e9
    if (frame.kind === 'ack') routes.delete(mine)
    local.send(out)
  }

  /** Waits for a tab to go away, then ends what it left running. */
  function follow(tab: string): void {
    tabs.add(tab)
    navigator.locks.request(`kubonsai:${name}:tab:${tab}`, { signal: leaving.signal }, () => {
      tabs.delete(tab)
      listeners.delete(tab)
      for (const [mine, route] of routes) {
        if (route.tab !== tab) continue
        if (route.lasting) local?.send({ id: ++next, kind: 'interrupt', run: mine }), local?.send({ id: ++next, kind: 'stop', watch: mine })
        routes.delete(mine)
        ids.delete(`${tab} ${route.id}`)
      }
    }).catch(() => {})
  }

  /** Sends the program's frame to the tab it is for. Leader only. */
  function deliver(frame: Answer): void {
    if (frame.id === undefined) {
      port.onframe(frame)
      tell({ type: 'answer', to: '*', frame })
      return
    }
    const route = routes.get(frame.id)
    if (!route) return
    const last = frame.kind === 'reply' || frame.kind === 'error' || frame.kind === 'exit' || frame.kind === 'done'
    if (last) {
      routes.delete(frame.id)
      ids.delete(`${route.tab} ${route.id}`)
    }
    if (frame.kind === 'reply' && frame.storage !== undefined && !open) open = frame
    if (route.terminal !== undefined && frame.kind !== 'edit') {
      // The program's own id names the run for everybody.
      const heard: Answer = { kind: frame.kind, run: frame.id, terminal: route.terminal, stream: frame.stream, data: frame.data, status: frame.status }
      for (const tab of listeners) if (tab !== route.tab) pass(tab, heard)
    }
    pass(route.tab, route.terminal === undefined ? { ...frame, id: route.id } : { ...frame, id: route.id, run: frame.id })
  }

  function pass(tab: string, frame: Answer): void {
    if (tab === id) port.onframe(frame)
    else tell({ type: 'answer', to: tab, frame })
  }

  function forget(): void {
    routes.clear()
    ids.clear()
    open = null
  }

  function lead(): void {
    const took = leader !== null && leader !== id
    leader = id
    local = make()
    local.onframe = deliver
    local.onlost = (reason, final) => {
      forget()
      tell({ type: 'lost', reason, final })
      port.onlost(reason, final)
    }
    tell({ type: 'leader', id, reason: took ? 'the tab that ran the cluster was closed' : '' })
    if (listening) listeners.add(id)
    if (took) port.onlost('the tab that ran the cluster was closed', false)
    for (const frame of waiting.splice(0)) accept(id, frame)
  }

  channel.onmessage = (e: MessageEvent<Note>) => {
    const note = e.data
    if (closed) return
    switch (note.type) {
      case 'frame':
        if (local) accept(note.from, note.frame)
        break
      case 'answer':
        if (leader !== id && (note.to === id || note.to === '*')) port.onframe(note.frame)
        break
      case 'listen':
        if (leader === id) hear(note.from, note.wanted)
        break
      case 'who':
        if (leader === id) tell({ type: 'leader', id, reason: '' })
        break
      case 'lost':
        if (leader !== id) port.onlost(note.reason, note.final)
        break
      case 'leader': {
        if (leader === note.id || leader === id) break
        const changed = leader !== null
        leader = note.id
        if (listening) tell({ type: 'listen', from: id, wanted: true })
        if (changed) port.onlost(note.reason, false)
        for (const frame of waiting.splice(0)) tell({ type: 'frame', from: id, frame })
        break
      }
    }
  }

  const hold = (): Promise<void> => new Promise(resolve => { release = resolve })
  void (async () => {
    // This lock says that this tab lives; the leader waits for it to be free.
    void navigator.locks.request(`kubonsai:${name}:tab:${id}`, { signal: leaving.signal }, () => new Promise<void>(resolve => {
      leaving.signal.addEventListener('abort', () => resolve())
    })).catch(() => {})
    const key = `kubonsai:${name}:leader`
    let led = false
    await navigator.locks.request(key, { ifAvailable: true }, lock => {
      if (!lock || closed) return
      led = true
      lead()
      return hold()
    })
    if (led || closed) return
    dropSpare()
    tell({ type: 'who', from: id })
    await navigator.locks.request(key, { signal: leaving.signal }, () => {
      if (closed) return
      lead()
      return hold()
    })
  })().catch(() => {})
  return port
}
