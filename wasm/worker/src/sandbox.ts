/**
 * A sandbox is one Durable Object: the Go program of wasm/worker, its rows, its
 * alarm and its end. Requests come from the router, which has seen to it that
 * they may.
 */
import { DurableObject } from 'cloudflare:workers'
import { whole } from './body.ts'
import type { Env } from './env.ts'
import type { Report } from './lobby.ts'
import { limit, programLimits } from './limits.ts'
import { start, type Program } from './program.ts'
import { crossOrigin, json, log, status, unauthorized } from './status.ts'
import { Rows } from './storage.ts'

const DAY = 86_400_000
const TOUCH = 600_000 // how exactly it is kept when the sandbox was last used, in milliseconds
const REPORT = 60_000 // how often the lobby is told of a sandbox in use
const CRASHES = 3 // so many programs that soon ended by themselves are enough
const SOON = 60_000
const REST = 600_000 // after which it is tried again
const BOOTS = 10 // so many starts that never came to an end are enough

/** What a sandbox is made with. */
export interface Creation {
  id: string
  seed: number
  nodes: string
  cloud: boolean
  template: string // manifests
  snapshot: Uint8Array | null
}

/** The sandbox's own row. */
interface Self extends Record<string, SqlStorageValue> { id: string; seed: number; nodes: string; cloud: number; template: string; created: number; used: number; ahead: number; crashes: number; crashed: number; boots: number }

/** The header in which the router says who asks: the owner, or somebody with a token of the cluster's own. */
export const OWNER = 'X-Kubonsai-Owner'

export class Sandbox extends DurableObject<Env> {
  private readonly sql = this.ctx.storage.sql
  private self: Self | null = null
  private program: Program | null = null
  private failure = ''
  private due = 0 // the program's next alarm
  private counts = { requests: 0, failures: 0, wakes: 0, bootMs: 0 }
  private reported = 0

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    void ctx.blockConcurrencyWhile(async () => {
      if (!this.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'self'").toArray().length) return // nothing, not even a table, for those that do not exist
      this.self = this.sql.exec<Self>('SELECT * FROM self').toArray()[0] ?? null
      if (!this.self) return
      const { crashes, crashed, boots } = this.self
      if (boots >= BOOTS || crashes >= CRASHES && Date.now() - crashed < REST) {
        this.failure = "the sandbox's program has ended by itself again and again: reset it, or put a snapshot in its place"
        return
      }
      await this.boot()
    })
  }

  /** Starts the program. What it cannot do with the rows is told to whoever asks; the rows stay. */
  private async boot(): Promise<void> {
    const self = this.self!
    const begin = Date.now()
    this.failure = ''
    this.sql.exec('UPDATE self SET boots = boots + 1') // what ends the whole isolate must count, too
    try {
      const program = await start({
        config: { ...programLimits(this.env), seed: self.seed, nodes: self.nodes, cloud: !!self.cloud, start: self.created, template: self.template, visited: self.used, ahead: self.ahead },
        rows: new Rows(this.ctx.storage),
        alarm: at => {
          this.due = at
          this.setAlarm()
        },
        ahead: ms => this.sql.exec('UPDATE self SET ahead = ?', ms),
        abort: message => {
          log('error', 'abort', { id: self.id, message })
          this.ctx.abort(message)
        },
      })
      this.program = program
      program.ended.catch((err: Error) => {
        if (this.program !== program) return
        log('error', 'crash', { id: self.id, message: err.message })
        const now = Date.now()
        this.sql.exec('UPDATE self SET crashes = ?, crashed = ?', now - begin < SOON ? self.crashes + 1 : 1, now)
        // The next request starts it anew, from the rows.
        void this.ctx.storage.sync().then(() => this.ctx.abort(err.message))
      })
    } catch (err) {
      this.failure = `the sandbox could not be started: ${(err as Error).message}`
      log('error', 'boot', { id: self.id, message: (err as Error).message })
      return
    }
    this.sql.exec('UPDATE self SET boots = 0')
    // Date.now() stands while the program computes; waiting for a write makes it go on.
    await this.ctx.storage.sync()
    this.counts.wakes++
    this.counts.bootMs = Date.now() - begin
    log('info', 'wake', { id: self.id, ms: this.counts.bootMs, bytes: this.program!.stats().bytes })
  }

  /** How long the sandbox lives unused, in milliseconds. */
  private get life(): number {
    return limit(this.env, 'EXPIRE_DAYS') * DAY
  }

  private setAlarm(): void {
    if (!this.self) return
    const expiry = this.self.used + this.life
    void this.ctx.storage.setAlarm(this.due ? Math.min(this.due, expiry) : expiry)
  }

  /** Makes the sandbox; an error says why it could not be, and nothing is left of it. */
  async create(c: Creation): Promise<{ error: string } | { bootMs: number }> {
    if (this.self) return { error: 'it exists' }
    const now = Date.now()
    this.sql.exec('CREATE TABLE self (id TEXT, seed INTEGER, nodes TEXT, cloud INTEGER, template TEXT, created INTEGER, used INTEGER, ahead INTEGER, crashes INTEGER, crashed INTEGER, boots INTEGER)')
    this.sql.exec('INSERT INTO self VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)', c.id, c.seed, c.nodes, c.cloud ? 1 : 0, c.template, now, now)
    this.self = this.sql.exec<Self>('SELECT * FROM self').one()
    try {
      await this.boot()
      if (this.failure) throw new Error(this.failure)
      if (c.snapshot) await this.program!.replace(c.snapshot)
    } catch (err) {
      await this.vanish()
      return { error: (err as Error).message }
    }
    this.setAlarm()
    log('info', 'create', { id: c.id, nodes: c.nodes, snapshot: c.snapshot?.length ?? 0 })
    this.tell(true)
    return { bootMs: this.counts.bootMs }
  }

  /** Ends the sandbox and forgets all of it. */
  async destroy(why: 'expired' | 'owner' | 'admin'): Promise<void> {
    const id = this.self?.id
    await this.vanish()
    if (!id) return
    log('info', 'remove', { id, why })
    await this.lobby.removed(id, why)
  }

  private async vanish(): Promise<void> {
    this.self = null
    const running = this.program
    this.program = null
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
    // What is connected ends with the object; the answer to this request leaves first.
    if (running) setTimeout(() => this.ctx.abort('the sandbox was removed'), 50)
  }

  private get lobby(): DurableObjectStub<import('./lobby.ts').Lobby> {
    return this.env.LOBBY.get(this.env.LOBBY.idFromName('lobby'))
  }

  /** Tells the lobby how things are, now and then. */
  private tell(now = false): void {
    if (!this.self || !this.program || !now && Date.now() - this.reported < REPORT) return
    this.reported = Date.now()
    const { memory, bytes, streams } = this.program.stats()
    const report: Report = { used: this.self.used, memory, bytes, streams, ...this.counts }
    this.counts = { requests: 0, failures: 0, wakes: 0, bootMs: this.counts.bootMs }
    this.ctx.waitUntil(this.lobby.report(this.self.id, report).catch(err => log('warning', 'report', { message: String(err) })))
  }

  private touch(): void {
    const now = Date.now()
    if (!this.self || now - this.self.used < Math.min(TOUCH, this.life / 50)) return
    this.self.used = now
    this.sql.exec('UPDATE self SET used = ?', now)
    this.setAlarm()
  }

  override async alarm(): Promise<void> {
    if (!this.self) return
    if (Date.now() >= this.self.used + this.life) return this.destroy('expired')
    this.due = 0
    this.setAlarm() // for the expiry; the program says when it wants another
    this.program?.wake()
    this.tell()
  }

  override async fetch(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname
    const owner = request.headers.get(OWNER) === 'yes'
    if (!this.self) return owner ? status(404, 'this sandbox does not exist any more: make another one at /new') : unauthorized()
    if (path.startsWith('/-/') && !owner) return unauthorized()
    this.touch()
    this.counts.requests++
    try {
      const answer = await this.serve(request, path)
      if (answer.status >= 500) this.counts.failures++
      return answer
    } catch (err) {
      this.counts.failures++
      return status(500, (err as Error).message)
    } finally {
      this.tell()
    }
  }

  private async serve(request: Request, path: string): Promise<Response> {
    switch (path) {
      case '/-/':
        if (request.method !== 'DELETE') return status(405, 'a sandbox can be deleted here')
        await this.destroy('owner')
        return json({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' })
      case '/-/snapshot':
        if (request.method === 'PUT') return this.restore(request)
        if (request.method !== 'GET') return status(405, 'a snapshot is read with GET and put in place with PUT')
        if (!this.program) return status(500, this.failure)
        return new Response(await this.program.snapshot(), { headers: { 'Content-Type': 'application/json', 'Content-Disposition': 'attachment; filename="kubonsai.json"', ...crossOrigin } })
      case '/-/reset':
        if (request.method !== 'POST') return status(405, 'a sandbox is reset with POST')
        return this.replace(null)
    }
    if (!this.program) return status(500, this.failure)
    return this.program.fetch(request)
  }

  private async restore(request: Request): Promise<Response> {
    const most = limit(this.env, 'MAX_BYTES')
    const data = await whole(request.body, most)
    return data ? this.replace(data) : status(413, `the snapshot is larger than the limit of ${most} bytes`)
  }

  private async replace(snapshot: Uint8Array | null): Promise<Response> {
    if (!this.program) {
      // It cannot be started as it is: what is kept gives way.
      new Rows(this.ctx.storage).clear()
      this.sql.exec('UPDATE self SET crashes = 0, boots = 0')
      this.self!.crashes = 0
      await this.boot()
      if (!this.program) return status(500, this.failure)
    }
    try {
      await this.program!.replace(snapshot)
    } catch (err) {
      return status(400, (err as Error).message)
    }
    return json({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' })
  }
}
