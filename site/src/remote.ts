/**
 * The way to a hosted sandbox: making one, keeping in mind which one is the
 * reader's, and a port over its WebSocket. Only what uses a sandbox loads this.
 * wasm/worker/page.go is the other end of the wire.
 */
import { Cluster, KubonsaiError, type CreateOptions, type Sandbox, type SandboxOptions } from './api.ts'
import type { Port } from './port.ts'
import { decode, encode, type Answer, type Request } from './protocol.ts'

const PROTOCOL = 'kubonsai.v1'
/** The largest message, in bytes. */
const MAX_PART = 512 << 10
/** The service's close codes: its machine is another one now; it could not read a frame; a frame was too large. */
const REPLACED = 4000, BROKEN = 1007, TOO_LARGE = 1009
/** So many attempts in a row are enough when there was never a connection. */
const ATTEMPTS = 3
/** Pauses between attempts, in milliseconds. */
const FIRST_PAUSE = 250, LONGEST_PAUSE = 30_000
/** A connection that held for less is one more failure, in milliseconds. */
const STABLE = 5000
/** After so much silence the connection is tried, in milliseconds: when something was asked, while a command or a watch goes on. */
const SILENCE = 10_000, LASTING_SILENCE = 45_000
/** A page that is out of sight for so long, and runs nothing, lets go of the sandbox, in milliseconds. */
const REST = 300_000
/** How long an answer may take, in milliseconds. */
const PATIENCE = 5000
/** The id of frames of the port's own; a Cluster counts up from 1. */
const OWN = 0x7fffffff

/** A frame as the messages that carry it: the length of its JSON, the JSON and the bytes, each part behind a byte that says whether more follow. */
export function cut(frame: Request): Uint8Array[] {
  const [json, data] = encode(frame)
  const head = new TextEncoder().encode(json)
  const whole = new Uint8Array(4 + head.length + (data?.length ?? 0))
  new DataView(whole.buffer).setUint32(0, head.length)
  whole.set(head, 4)
  if (data) whole.set(data, 4 + head.length)
  const parts: Uint8Array[] = []
  for (let at = 0; at < whole.length; at += MAX_PART) {
    const part = whole.subarray(at, at + MAX_PART)
    const message = new Uint8Array(1 + part.length)
    message[0] = at + MAX_PART < whole.length ? 1 : 0
    message.set(part, 1)
    parts.push(message)
  }
  return parts
}

/** Puts messages together to frames. */
export class Gather {
  private parts: Uint8Array[] = []

  /** The frame that this message completes; null when more follow. Throws on what is none. */
  take(message: Uint8Array): Answer | null {
    if (message.length === 0) throw new Error('an empty message')
    this.parts.push(message.subarray(1))
    if (message[0] !== 0) return null
    const whole = new Uint8Array(this.parts.reduce((n, p) => n + p.length, 0))
    let at = 0
    for (const p of this.parts.splice(0)) {
      whole.set(p, at)
      at += p.length
    }
    const end = whole.length < 4 ? -1 : 4 + new DataView(whole.buffer).getUint32(0)
    if (end < 0 || end > whole.length) throw new Error('a frame is cut off')
    return decode(new TextDecoder().decode(whole.subarray(4, end)), end < whole.length ? whole.slice(end) : null)
  }
}

/** Text as base64url without padding. */
const base64url = (text: string): string => btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

const hostName = (server: string): string => new URL(server).host

/** Why a sandbox cannot be connected to; gone: it never will be again. */
async function diagnose({ server, token }: Sandbox): Promise<{ gone: boolean; why: string }> {
  const at = hostName(server)
  let r: Response
  try {
    r = await fetch(`${server}/version`, { headers: { Authorization: `Bearer ${token}` }, cache: 'no-store', signal: AbortSignal.timeout(10_000) })
  } catch {
    return { gone: false, why: `${at} cannot be reached` }
  }
  if (r.status === 401 || r.status === 404) return { gone: true, why: `the sandbox at ${at} does not exist any more, or its token is not valid` }
  if (r.ok) return { gone: false, why: `the sandbox at ${at} answers, but takes no WebSocket: perhaps too many pages are attached to it` }
  return { gone: false, why: statusMessage(await r.text()) ?? `${at} answers with status ${r.status}` }
}

/** The message of an answer that is a Status of the API. */
function statusMessage(text: string): string | null {
  try {
    const s = JSON.parse(text) as { kind?: string; message?: string }
    return s.kind === 'Status' ? s.message ?? null : null
  } catch {
    return null
  }
}

/** The part of a browser's WebSocket that the port uses. */
export type Socket = Pick<WebSocket, 'binaryType' | 'onopen' | 'onmessage' | 'onclose' | 'send' | 'close'>

function webSocket(url: string, protocols: string[]): Socket {
  if (typeof WebSocket === 'undefined') throw new KubonsaiError('NoWebSocket', 'this runtime has no WebSocket: Node has one since version 22')
  return new WebSocket(url, protocols)
}

/**
 * A hosted sandbox. A connection that is lost is made again: at once, then after
 * growing pauses, for as long as the port lives; only when there was never one,
 * or when the sandbox is gone, the port gives up. A connection keeps the sandbox
 * awake, which costs its host: while nobody sees the page there is none.
 */
export function remotePort(sandbox: Sandbox, connect: (url: string, protocols: string[]) => Socket = webSocket): Port {
  const url = `${sandbox.server.replace(/^http/, 'ws')}/-/page`
  const protocols = [PROTOCOL, `base64url.bearer.authorization.k8s.io.${base64url(sandbox.token)}`]
  let socket: Socket | null = null
  let up = false // the socket is open
  let once = false // the sandbox has answered, now or earlier
  let closed = false
  let failures = 0
  let since = 0 // when the socket was opened
  let told = false // that there is no connection
  let waiting: Request[] = []
  const lasting = new Map<number, 'run' | 'watch'>() // what is under way, by id
  const opening = new Map<string, Request>() // what a sandbox must be told first: hello, open, the URLs
  let resting = false
  let attempt: ReturnType<typeof setTimeout> | undefined
  let pulse: ReturnType<typeof setTimeout> | undefined
  let unseen: ReturnType<typeof setTimeout> | undefined
  const page = typeof document === 'undefined' ? null : document
  const port: Port = {
    get patience() { return up ? PATIENCE : 0 }, // who is not there will not answer
    onframe: () => {},
    onlost: () => {},
    send(frame) {
      if (closed) return
      if (frame.kind === 'hello' || frame.kind === 'open' || frame.kind === 'url') opening.set(`${frame.kind} ${frame.path}`, frame)
      if (up) return transmit(frame)
      waiting.push(frame)
      if (resting && frame.kind !== 'watch') wake() // what watches shows nothing to nobody
    },
    listen() {}, // what others run is not told
    restart: () => drop(up ? 'the sandbox did not answer, so the connection to it was made anew' : 'there is no connection to the sandbox'),
    close() {
      if (closed) return
      closed = true
      clearTimeout(attempt)
      clearTimeout(unseen)
      globalThis.removeEventListener?.('online', now)
      page?.removeEventListener('visibilitychange', seen)
      leave()
    },
  }

  function transmit(frame: Request): void {
    if (frame.kind === 'run' || frame.kind === 'watch') lasting.set(frame.id, frame.kind)
    for (const part of cut(frame)) socket?.send(part as Uint8Array<ArrayBuffer>)
    if (pulse === undefined) listenFor(SILENCE)
  }

  /** After so much silence asks whether anybody is there. */
  function listenFor(ms: number): void {
    clearTimeout(pulse)
    pulse = setTimeout(() => {
      for (const part of cut({ id: OWN, kind: 'steps', script: '' })) socket?.send(part as Uint8Array<ArrayBuffer>)
      pulse = setTimeout(() => drop('the sandbox has not answered for a while'), SILENCE)
    }, ms)
  }

  function heard(): void {
    clearTimeout(pulse)
    pulse = undefined
    once = true
    told = false
    if (lasting.size > 0) listenFor(LASTING_SILENCE)
  }

  /** Forgets the present socket. */
  function leave(): void {
    const s = socket
    socket = null
    up = false
    clearTimeout(pulse)
    pulse = undefined
    if (!s) return
    s.onopen = s.onmessage = s.onclose = null
    try { s.close() } catch { /* it was never open */ }
  }

  /** The connection is lost: what ran over it is, too. */
  function drop(reason: string, how?: 'replaced'): void {
    if (closed) return
    leave()
    waiting = []
    lasting.clear()
    resting = false
    schedule()
    port.onlost(reason, false, how)
  }

  function schedule(): void {
    clearTimeout(attempt)
    attempt = setTimeout(begin, failures === 0 ? 0 : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures) * (0.75 + Math.random() / 2))
  }

  /** The network is back: no need to wait for the next attempt. */
  function now(): void {
    if (closed) return
    if (up) listenFor(0)
    else if (!socket && !resting) {
      clearTimeout(attempt)
      begin()
    }
  }
  globalThis.addEventListener?.('online', now)

  function seen(): void {
    clearTimeout(unseen)
    if (page?.hidden) unseen = setTimeout(rest, REST)
    else if (resting) wake()
  }
  page?.addEventListener('visibilitychange', seen)

  function rest(): void {
    if (!up || pulse !== undefined && lasting.size === 0 || [...lasting.values()].includes('run')) {
      unseen = setTimeout(rest, REST)
      return
    }
    resting = true
    leave()
    const watches = [...lasting.keys()]
    lasting.clear()
    for (const id of watches) port.onframe({ id, kind: 'done' })
  }

  function wake(): void {
    resting = false
    waiting.unshift(...opening.values())
    begin()
    seen()
  }

  async function failed(): Promise<void> {
    failures++
    const { gone, why } = await diagnose(sandbox)
    if (closed || socket) return
    if (gone || !once && failures >= ATTEMPTS) {
      port.close()
      port.onlost(why, true, gone ? 'gone' : undefined)
      return
    }
    if (once && !told) port.onframe({ kind: 'notice', level: 'warning', code: 'Disconnected', message: `${why}; it is tried again` })
    told = true
    schedule()
  }

  function begin(): void {
    let s: Socket
    try {
      s = socket = connect(url, protocols)
    } catch (err) {
      closed = true
      queueMicrotask(() => port.onlost(String((err as Error).message ?? err), true))
      return
    }
    s.binaryType = 'arraybuffer'
    const gather = new Gather()
    s.onopen = () => {
      up = true
      since = performance.now()
      for (const frame of waiting.splice(0)) transmit(frame)
    }
    s.onmessage = e => {
      heard()
      let frame: Answer | null
      try {
        frame = gather.take(new Uint8Array(e.data as ArrayBuffer))
      } catch (err) {
        failures++
        drop(`the sandbox has sent what cannot be read (${(err as Error).message})`)
        return
      }
      if (!frame || frame.id === OWN) return
      if (frame.kind === 'exit' || frame.kind === 'done' || frame.kind === 'error') lasting.delete(frame.id ?? 0)
      port.onframe(frame)
    }
    s.onclose = e => {
      const was = up
      leave()
      if (!was) return void failed()
      failures = performance.now() - since < STABLE ? failures + 1 : 0
      if (e.code === REPLACED) {
        drop('the sandbox was reset or replaced', 'replaced')
        port.onframe({ kind: 'notice', level: 'warning', code: 'SandboxReset', message: 'somebody has reset the sandbox, or put another state in its place' })
      } else if (!once && failures >= ATTEMPTS) {
        port.close()
        port.onlost('the connection to the sandbox ends as soon as it is made', true)
      } else drop(e.code === BROKEN || e.code === TOO_LARGE ? `the sandbox has ended the connection: ${e.reason}` : 'the connection to the hosted sandbox was lost')
    }
  }
  begin()
  seen()
  return port
}

/** The origin of a service; '' and '.' are the page's own. */
export function serviceOf(host: string | URL): string {
  try {
    return new URL(host, typeof location === 'undefined' ? undefined : location.href).origin
  } catch {
    throw new KubonsaiError('BadOption', `sandbox is ${String(host)}: it must be the address of a service that hosts sandboxes, as https://HOST`)
  }
}

/** Has a service make a sandbox. */
export async function makeSandbox(service: string, o: SandboxOptions & { nodes?: number | string; cloud?: boolean; snapshot?: Uint8Array }): Promise<Sandbox> {
  const url = new URL('/new', service)
  if (o.nodes !== undefined) url.searchParams.set('nodes', String(o.nodes))
  if (o.template) url.searchParams.set('template', o.template)
  if (o.cloud) url.searchParams.set('cloud', 'true')
  let code = o.code ?? ''
  for (let busy = 0; ;) {
    if (code) url.searchParams.set('code', code)
    let r: Response, text: string
    try {
      r = await fetch(url, { method: 'POST', headers: { Accept: 'application/json' }, body: o.snapshot as BodyInit | undefined ?? null, cache: 'no-store' })
      text = await r.text()
    } catch {
      throw new KubonsaiError('Unreachable', `no sandbox could be made: ${url.host} cannot be reached`)
    }
    let body: { kind?: string; reason?: string; message?: string; details?: { causes?: { reason?: string }[]; retryAfterSeconds?: number } } & Partial<Sandbox> = {}
    try { body = JSON.parse(text) as typeof body } catch { /* no answer of the service */ }
    if (r.ok && body.server && body.token) return { server: body.server, token: body.token, expireDays: body.expireDays }
    if (body.kind !== 'Status') throw new KubonsaiError('NoSandboxes', `${url.host} does not host sandboxes: it answers /new with status ${r.status}`)
    if (body.details?.causes?.some(c => c.reason === 'ClassCode') && o.askCode) {
      const next = (await o.askCode(code !== ''))?.trim()
      if (next) {
        code = next
        continue
      }
    }
    const pause = body.details?.retryAfterSeconds ?? 0
    if (r.status === 503 && pause > 0 && pause <= 2 && busy++ < 2) {
      await new Promise(resolve => setTimeout(resolve, pause * 1000))
      continue
    }
    throw new KubonsaiError(body.reason ?? 'Failed', `no sandbox could be made: ${body.message ?? `status ${r.status}`}`)
  }
}

interface Kept extends Sandbox { service: string }

const keyOf = (name: string): string => `kubonsai:sandbox:${name}`

/** The sandbox that this browser has under a name. */
export function remembered(name: string): Kept | null {
  try {
    const kept = JSON.parse(localStorage.getItem(keyOf(name)) ?? 'null') as Kept | null
    return kept?.server && kept.token ? kept : null
  } catch {
    return null
  }
}

export function remember(name: string, service: string, s: Sandbox): void {
  try { localStorage.setItem(keyOf(name), JSON.stringify({ ...s, service })) } catch { /* it is another one after a reload */ }
}

export function forget(name: string): void {
  try { localStorage.removeItem(keyOf(name)) } catch { /* there is none */ }
}

/** create() for hosted sandboxes. */
export async function openSandbox(o: CreateOptions): Promise<Cluster> {
  const name = o.name ?? 'default'
  if (typeof o.sandbox === 'object' && !(o.sandbox instanceof URL)) return attach(o.sandbox, o)
  const service = serviceOf(o.sandbox!)
  const open = async (): Promise<Cluster> => {
    const kept = remembered(name)
    const known = kept?.service === service
    if (known) {
      try {
        return await attach(kept, o)
      } catch (err) {
        if ((err as KubonsaiError).code !== 'Gone') throw err
        forget(name)
      }
    }
    const made = await makeSandbox(service, o)
    remember(name, service, made)
    const c = await attach(made, o)
    c.restored = false
    if (known) c.emit('notice', { level: 'warning', code: 'SandboxExpired', message: 'the sandbox that was here does not exist any more; this is a new one' })
    return c
  }
  // Two tabs that open at once get one sandbox.
  return typeof navigator !== 'undefined' && navigator.locks ? navigator.locks.request(keyOf(name), open) : open()
}

async function attach(sandbox: Sandbox, o: CreateOptions): Promise<Cluster> {
  const { server, token, expireDays } = sandbox
  const own = { server: server.replace(/\/+$/, ''), token, expireDays }
  const port = remotePort(own)
  const cluster = new Cluster(port, { kind: 'open', name: o.name ?? 'default', storage: 'sandbox' }, o.edit, own)
  try {
    await cluster.ready
  } catch (err) {
    port.close()
    throw err
  }
  return cluster
}
