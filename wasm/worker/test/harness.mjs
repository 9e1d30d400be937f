// What the tests of the Worker have in common: a runtime that can be killed,
// sandboxes, and the ways to reach them.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import WebSocket from 'ws'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')
export const sleep = ms => new Promise(r => setTimeout(r, ms))

/** A directory that is gone when the process ends. */
export function temporary() {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'kubonsai-worker-'))
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A Worker runtime in a process group of its own. */
export class Runtime {
  /** Everything that it has printed. */
  log = ''

  constructor(options = {}) {
    this.options = { persist: temporary(), ...options, bindings: { ADMIN_TOKEN: 'trainer', CREATE_PER_HOUR: 1000, ...options.bindings } }
  }

  async start() {
    this.child = spawn(process.execPath, [path.join(root, 'scripts/worker/serve.mjs'), JSON.stringify(this.options)], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const kill = () => this.kill()
    process.once('exit', kill)
    this.child.once('exit', () => process.off('exit', kill))
    let address = ''
    await new Promise((resolve, reject) => {
      this.child.stdout.on('data', d => {
        this.log += d
        address += d
        if (address.includes('\n')) resolve()
      })
      this.child.stderr.on('data', d => (this.log += d))
      this.child.once('exit', code => reject(new Error(`the runtime ended with ${code}: ${this.log}`)))
    })
    this.url = address.split('\n')[0].replace(/\/$/, '')
    this.options.port = Number(new URL(this.url).port)
    return this
  }

  /** Ends it as a power cut does. */
  kill() {
    try {
      process.kill(-this.child.pid, 'SIGKILL')
    } catch { /* it is gone */ }
    return new Promise(r => this.child.exitCode !== null || this.child.signalCode ? r() : this.child.once('exit', r))
  }

  /** Structured log lines of one kind. */
  events(event) {
    return this.log.split('\n').flatMap(line => {
      try {
        const e = JSON.parse(line)
        return e.event === event ? [e] : []
      } catch {
        return []
      }
    })
  }

  /** Makes a sandbox. */
  async sandbox(query = '', init = {}) {
    const r = await again(`${this.url}/new${query}`, { ...init, headers: { Accept: 'application/json', ...init.headers } })
    const body = await r.json()
    assert.equal(r.status, 201, JSON.stringify(body))
    return new Sandbox(this, body)
  }

  admin(path, init = {}) {
    return again(this.url + path, { ...init, headers: { Authorization: 'Bearer trainer' } })
  }
}

/** A connection that the server has closed after an unread body is tried anew. */
export const again = (url, init = {}) => fetch(url, init).catch(err => init.signal?.aborted ? Promise.reject(err) : fetch(url, init))

export class Sandbox {
  constructor(runtime, { id, server, token }) {
    Object.assign(this, { runtime, id, server, token })
  }

  /** One request to its API. */
  fetch(path, init = {}) {
    const body = init.body === undefined || typeof init.body === 'string' || init.body instanceof Uint8Array ? init.body : JSON.stringify(init.body)
    return again(this.server + path, { ...init, body, headers: { Authorization: `Bearer ${this.token}`, ...body === undefined ? {} : { 'Content-Type': 'application/json' }, ...init.headers } })
  }

  async json(path, init) {
    const r = await this.fetch(path, init)
    const body = await r.json()
    if (!r.ok) throw Object.assign(new Error(`${r.status}: ${body.message}`), { status: r.status, body })
    return body
  }

  /** The real kubectl; stdin is text. */
  async kubectl(args, { stdin = '', timeout = 60_000, signal } = {}) {
    this.config ??= await this.kubeconfig()
    return new Promise(resolve => {
      const p = execFile(path.join(root, 'dist/real-kubectl'), Array.isArray(args) ? args : args.split(' '),
        { env: { PATH: process.env.PATH, HOME: this.home, KUBECONFIG: this.config }, cwd: this.home, timeout, signal, maxBuffer: 1 << 26 },
        (err, stdout, stderr) => resolve({ stdout, stderr, status: err ? err.code ?? 1 : 0 }))
      p.stdin.on('error', () => {})
      p.stdin.end(stdin)
    })
  }

  /** The same, and it must succeed. */
  async run(args, options) {
    const { stdout, stderr, status } = await this.kubectl(args, options)
    assert.equal(status, 0, `kubectl ${args}: ${stderr}`)
    return stdout
  }

  async kubeconfig() {
    this.home = temporary()
    const file = path.join(this.home, 'kubeconfig')
    writeFileSync(file, await (await this.fetch('/-/kubeconfig')).text())
    return file
  }

  /** Attaches as a page does. */
  async page() {
    const protocols = ['kubonsai.v1', 'base64url.bearer.authorization.k8s.io.' + Buffer.from(this.token).toString('base64url')]
    const socket = new WebSocket(this.server.replace(/^http/, 'ws') + '/-/page', protocols)
    socket.binaryType = 'arraybuffer'
    await new Promise((resolve, reject) => {
      socket.onopen = resolve
      socket.onerror = e => reject(new Error(`the page was refused: ${e.message}`))
    })
    const page = new Page(socket)
    await page.ask({ kind: 'hello', protocol: 1 })
    await page.ask({ kind: 'open', name: 'test', storage: 'sandbox' })
    return page
  }
}

/** The page's end of the socket; see wasm/worker/page.go. */
export class Page {
  id = 0
  waiting = new Map()
  whole = []

  constructor(socket) {
    this.socket = socket
    this.closed = new Promise(r => (socket.onclose = r))
    socket.onmessage = e => {
      const part = Buffer.from(e.data)
      this.whole.push(part.subarray(1))
      if (part[0]) return
      const whole = Buffer.concat(this.whole)
      this.whole = []
      const n = 4 + whole.readUInt32BE(0)
      const frame = { ...JSON.parse(whole.subarray(4, n)), data: whole.subarray(n) }
      this.waiting.get(frame.id)?.(frame)
    }
  }

  send(frame, data = Buffer.alloc(0)) {
    const head = Buffer.from(JSON.stringify(frame))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(head.length)
    this.socket.send(Buffer.concat([Buffer.from([0]), length, head, data]))
  }

  ask(frame, data) {
    const id = ++this.id
    return new Promise((resolve, reject) => {
      this.waiting.set(id, f => {
        this.waiting.delete(id)
        if (f.kind === 'error') reject(Object.assign(new Error(f.message), { code: f.code }))
        else resolve(f)
      })
      this.send({ id, ...frame }, data)
    })
  }

  /** Runs a script in terminal 1 to its end. */
  run(script) {
    return this.start(script).done
  }

  start(script) {
    const id = ++this.id
    const out = { stdout: '', stderr: '', status: -1 }
    const done = new Promise((resolve, reject) => {
      this.waiting.set(id, f => {
        if (f.kind === 'output') {
          out[f.stream === 2 ? 'stderr' : 'stdout'] += f.data
          this.send({ id: ++this.id, kind: 'ack', run: id, bytes: f.data.length })
        } else if (f.kind === 'exit' || f.kind === 'error') {
          this.waiting.delete(id)
          if (f.kind === 'error') reject(new Error(f.message))
          else resolve({ ...out, status: f.status ?? 0 })
        }
      })
    })
    this.send({ id, kind: 'run', terminal: '1', script, columns: 80, rows: 24 })
    return { id, out, done, stop: () => this.ask({ kind: 'interrupt', run: id }) }
  }
}

/** Asks until the answer is right, or time is up. */
export async function until(what, fn, timeout = 60_000) {
  const end = Date.now() + timeout
  for (let last; ;) {
    try {
      const v = await fn()
      if (v) return v
      last = v
    } catch (err) {
      last = err
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${timeout} ms (${last?.message ?? last})`)
    await sleep(100)
  }
}

/** The lines of a streamed body, as JSON, as they come. */
export async function * events(response) {
  let rest = ''
  const text = new TextDecoder()
  for await (const chunk of response.body) {
    rest += text.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop()
    for (const line of lines) if (line) yield JSON.parse(line)
  }
}

export const pods = '/api/v1/namespaces/default/pods'
export const deployments = '/apis/apps/v1/namespaces/default/deployments'
export const configmaps = '/api/v1/namespaces/default/configmaps'
export const deployment = (name, replicas, image = 'nginx:1.27') => ({
  metadata: { name },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image }] } } },
})
export const pod = (name, ...args) => ({ metadata: { name }, spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'busybox', args }] } })
