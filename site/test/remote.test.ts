import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { create, KubonsaiError } from '../src/api.ts'
import type { Answer, Request } from '../src/protocol.ts'
import { cut, Gather, makeSandbox, remotePort, serviceOf, type Socket } from '../src/remote.ts'

const sandbox = { server: 'https://host.example/s/abc', token: 'a~b?' }

/** A socket whose other end is the test. */
class Fake implements Socket {
  static all: Fake[] = []
  binaryType: BinaryType = 'blob'
  onopen: Socket['onopen'] = null
  onmessage: Socket['onmessage'] = null
  onclose: Socket['onclose'] = null
  closed = false
  readonly sent: Request[] = []
  readonly url: string
  readonly protocols: string[]

  constructor(url: string, protocols: string[]) {
    this.url = url
    this.protocols = protocols
    Fake.all.push(this)
  }

  static get last(): Fake { return Fake.all.at(-1)! }
  send(data: unknown): void {
    const message = data as Uint8Array // these tests send small ones
    const end = 5 + new DataView(message.buffer).getUint32(1)
    this.sent.push(JSON.parse(new TextDecoder().decode(message.subarray(5, end))) as Request)
  }
  close(): void { this.closed = true }
  open(): void { this.onopen?.call(this as never, {} as Event) }
  say(frame: Answer): void { for (const m of cut(frame as never)) this.onmessage?.call(this as never, { data: m.buffer } as MessageEvent) }
  end(code: number): void { this.onclose?.call(this as never, { code } as CloseEvent) }
  get kinds(): string[] { return this.sent.map(f => f.kind) }
}

function port() {
  Fake.all = []
  const p = remotePort(sandbox, (url, protocols) => new Fake(url, protocols))
  const frames: Answer[] = [], lost: [string, boolean, string?][] = []
  p.onframe = f => frames.push(f)
  p.onlost = (...what) => lost.push(what)
  return { p, frames, lost }
}
const fetches = (answer: () => Response | Promise<Response>) => mock.method(globalThis, 'fetch', async () => answer())
const settle = async () => { for (let i = 0; i < 20; i++) await Promise.resolve() }
const timers = () => mock.timers.enable({ apis: ['setTimeout'] })
const tidy = () => {
  mock.timers.reset()
  mock.restoreAll()
}

test('frames of any size are cut up and put together again', () => {
  for (const size of [-1, 0, 1, 511 << 10, 512 << 10, (512 << 10) + 1, 3 << 20]) {
    const frame: Answer = { id: 7, kind: 'output', message: '盆栽\u0000', ...(size > 0 ? { data: new Uint8Array(size).map((_, i) => i * 7) } : {}) }
    const parts = cut(frame as never)
    assert.ok(parts.every(p => p.length <= (512 << 10) + 1))
    const gather = new Gather()
    for (let round = 0; round < 2; round++) {
      const came = parts.map(p => gather.take(p))
      assert.ok(came.slice(0, -1).every(f => f === null))
      assert.deepEqual(came.at(-1), frame)
    }
  }
})

test('a message is what wasm/worker/page.go reads', () => {
  assert.deepEqual(cut({ id: 1, kind: 'stdin', run: 2, data: Uint8Array.of(9, 8) }), [
    Uint8Array.from([0, 0, 0, 0, 31, ...new TextEncoder().encode('{"id":1,"kind":"stdin","run":2}'), 9, 8]),
  ])
})

test('what is no frame is refused', () => {
  for (const bytes of [[], [0], [0, 0, 0, 0], [0, 0, 0, 0, 9, 123, 125], [0, 255, 255, 255, 255], [0, 0, 0, 0, 2, 123, 125]]) {
    assert.throws(() => new Gather().take(Uint8Array.from(bytes)), `${bytes}`)
  }
})

test('it asks with the token, waits for the connection, and passes frames on', () => {
  timers()
  const { p, frames } = port()
  assert.equal(Fake.last.url, 'wss://host.example/s/abc/-/page')
  assert.deepEqual(Fake.last.protocols, ['kubonsai.v1', 'base64url.bearer.authorization.k8s.io.YX5iPw'])
  p.send({ id: 1, kind: 'hello', protocol: 1 })
  assert.deepEqual(Fake.last.kinds, [])
  Fake.last.open()
  assert.deepEqual(Fake.last.kinds, ['hello'])
  Fake.last.say({ id: 1, kind: 'reply' })
  assert.deepEqual(frames, [{ id: 1, kind: 'reply' }])
  p.close()
  assert.ok(Fake.last.closed)
  tidy()
})

test('a lost connection is made again; what was under way is given up', async () => {
  timers()
  fetches(() => { throw new Error('no network') })
  const { p, frames, lost } = port()
  Fake.last.open()
  Fake.last.say({ kind: 'state' })
  Fake.last.end(1006)
  assert.deepEqual(lost, [['the connection to the hosted sandbox was lost', false, undefined]])
  p.send({ id: 2, kind: 'hello' })
  mock.timers.tick(1000)
  assert.equal(Fake.all.length, 2)
  for (let i = 0; i < 5; i++) { // it cannot be reached for a while
    Fake.last.end(1006)
    await settle()
    const n = Fake.all.length
    mock.timers.tick(30_000 * 1.25)
    assert.equal(Fake.all.length, n + 1)
  }
  assert.deepEqual(frames.map(f => f.code ?? f.kind), ['state', 'Disconnected'])
  assert.equal(lost.length, 1)
  assert.equal(p.patience, 0)
  p.restart('a command could not be stopped') // the reader does not wait for it
  assert.deepEqual(lost[1], ['there is no connection to the sandbox', false, undefined])
  mock.timers.tick(30_000 * 1.25)
  p.send({ id: 3, kind: 'hello' })
  Fake.last.open()
  assert.deepEqual(Fake.last.kinds, ['hello'])
  p.close()
  tidy()
})

test('a sandbox that is gone is told apart from one that cannot be reached', async () => {
  for (const [status, how] of [[401, 'gone'], [404, 'gone'], [500, undefined]] as const) {
    timers()
    fetches(() => new Response('{"kind":"Status","message":"it is so"}', { status }))
    const { lost } = port()
    for (let i = 0; i < 3 && lost.length === 0; i++) {
      Fake.last.end(1006)
      await settle()
      mock.timers.tick(30_000)
    }
    assert.equal(lost.length, 1)
    assert.deepEqual(lost[0]!.slice(1), [true, how])
    if (!how) assert.equal(lost[0]![0], 'it is so')
    tidy()
  }
})

test('a service that ends every connection at once is given up', () => {
  timers()
  const { lost } = port()
  for (let i = 0; i < 10 && !lost.at(-1)?.[1]; i++) {
    Fake.last.open()
    Fake.last.end(1011)
    mock.timers.tick(30_000)
  }
  assert.equal(Fake.all.length, 3)
  tidy()
})

test('a reset by somebody else is told', () => {
  timers()
  const { p, lost, frames } = port()
  Fake.last.open()
  Fake.last.end(4000)
  assert.deepEqual(lost.map(l => l.slice(1)), [[false, 'replaced']])
  assert.equal(frames.at(-1)!.code, 'SandboxReset')
  p.close()
  tidy()
})

test('a connection that has died is noticed', () => {
  timers()
  const { p, lost } = port()
  Fake.last.open()
  p.send({ id: 1, kind: 'run', terminal: '1', script: 'sleep 1000' })
  Fake.last.say({ id: 1, kind: 'output' })
  mock.timers.tick(45_000)
  assert.deepEqual(Fake.last.kinds, ['run', 'steps'])
  Fake.last.say({ id: Fake.last.sent.at(-1)!.id, kind: 'reply' })
  mock.timers.tick(45_000) // it is asked again, and there is no answer
  assert.equal(lost.length, 0)
  mock.timers.tick(10_000)
  assert.equal(lost.length, 1)
  p.close()
  tidy()
})

test('a page that nobody sees lets the sandbox sleep', () => {
  timers()
  const page = Object.assign(new EventTarget(), { hidden: false })
  Object.assign(globalThis, { document: page })
  const see = (hidden: boolean): void => {
    page.hidden = hidden
    page.dispatchEvent(new Event('visibilitychange'))
  }
  const { p, frames, lost } = port()
  delete (globalThis as { document?: unknown }).document
  const one = Fake.last
  one.open()
  p.send({ id: 1, kind: 'hello' })
  p.send({ id: 2, kind: 'open', name: 'x' })
  p.send({ id: 3, kind: 'run', terminal: '1', script: 'x' })
  p.send({ id: 4, kind: 'watch', path: '/api/v1/pods' })
  one.say({ id: 2, kind: 'reply' })
  see(true)
  mock.timers.tick(40_000)
  one.say({ id: 3, kind: 'output' }) // a command goes on
  for (let i = 0; i < 8; i++) {
    mock.timers.tick(40_000)
    one.say({ id: 3, kind: 'output' })
  }
  assert.ok(!one.closed)
  one.say({ id: 3, kind: 'exit' })
  for (let i = 0; i < 8 && !one.closed; i++) {
    mock.timers.tick(40_000)
    if (!one.closed) one.say({ kind: 'state' })
  }
  assert.ok(one.closed)
  assert.deepEqual(frames.at(-1), { id: 4, kind: 'done' })
  p.send({ id: 5, kind: 'watch', path: '/api/v1/pods' })
  mock.timers.tick(1_000_000)
  assert.equal(Fake.all.length, 1)
  see(false)
  Fake.last.open()
  assert.deepEqual(Fake.last.kinds, ['hello', 'open', 'watch'])
  assert.equal(lost.length, 0)
  p.close()
  tidy()
})

test('how a service answers /new', async () => {
  const status = (reason: string, details = {}): string => JSON.stringify({ kind: 'Status', reason, message: 'why', details })
  const asked: string[] = []
  const make = (code: number, body: string, o = {}) => {
    const m = fetches(() => new Response(body, { status: code }))
    return makeSandbox('https://host.example', { nodes: 3, template: 't', cloud: true, ...o }).finally(() => {
      asked.push(String(m.mock.calls.at(-1)!.arguments[0]))
      tidy()
    })
  }
  const made = { server: 'https://host.example/s/x', token: 't', expireDays: 7 }
  assert.deepEqual(await make(201, JSON.stringify({ id: 'x', ...made })), made)
  assert.equal(asked[0], 'https://host.example/new?nodes=3&template=t&cloud=true')
  for (const [code, body, want] of [[429, status('TooManyRequests'), 'TooManyRequests'], [413, status('RequestEntityTooLarge'), 'RequestEntityTooLarge'], [200, '<!doctype html>', 'NoSandboxes'], [404, 'not found', 'NoSandboxes'], [405, '', 'NoSandboxes']] as const) {
    await assert.rejects(make(code, body), (err: KubonsaiError) => err.code === want, `${code}`)
  }
  // The class code is asked for as long as it is wrong, or until the reader gives up.
  const needs = status('Forbidden', { causes: [{ reason: 'ClassCode' }] })
  await assert.rejects(make(403, needs), { code: 'Forbidden' })
  const asks: boolean[] = []
  await assert.rejects(make(403, needs, { askCode: async (wrong: boolean) => asks.push(wrong) < 3 ? '盆栽' : null }), { code: 'Forbidden' })
  assert.deepEqual(asks, [false, true, true])
  assert.ok(asked.at(-1)!.includes(`code=${encodeURIComponent('盆栽')}`))
  await assert.rejects(make(403, status('Forbidden'), { askCode: async () => 'x' }), { code: 'Forbidden' })
})

test('addresses of services', async () => {
  assert.equal(serviceOf('https://host.example/some/where'), 'https://host.example')
  assert.throws(() => serviceOf('.'), { code: 'BadOption' }) // Node has no origin
  await assert.rejects(create({ sandbox: 'nonsense' }), { code: 'BadOption' })
})
