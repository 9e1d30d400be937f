/**
 * The lobby is one Durable Object: it keeps the service's key, knows which
 * sandboxes there are, counts who makes them, and gathers the trainer's figures.
 * No request of a sandbox passes through it.
 */
import { DurableObject } from 'cloudflare:workers'
import type { Env } from './env.ts'
import { limit } from './limits.ts'

const HOUR = 3_600_000

/** What a sandbox tells of itself; the counts are since its last report. */
export interface Report {
  used: number // milliseconds since 1970
  requests: number
  failures: number
  wakes: number
  bootMs: number // of the last wake
  memory: number // of the wasm module, in bytes
  bytes: number // kept
  streams: number
}

export interface Entry extends Report { id: string; created: number; nodes: string; template: string }

export type Admission = { ok: true } | { ok: false; code: 429 | 503; message: string; retryAfter: number }

/** Upper bounds of the histogram of wake times, in milliseconds. */
const buckets = [25, 50, 100, 250, 500, 1000, 2500]

export class Lobby extends DurableObject<Env> {
  private readonly sql = this.ctx.storage.sql

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.sql.exec('CREATE TABLE IF NOT EXISTS secret (value BLOB)')
    this.sql.exec(`CREATE TABLE IF NOT EXISTS sandboxes (id TEXT PRIMARY KEY, created INTEGER, nodes TEXT, template TEXT, used INTEGER,
      requests INTEGER DEFAULT 0, failures INTEGER DEFAULT 0, wakes INTEGER DEFAULT 0, bootMs REAL DEFAULT 0, memory INTEGER DEFAULT 0, bytes INTEGER DEFAULT 0, streams INTEGER DEFAULT 0)`)
    this.sql.exec('CREATE TABLE IF NOT EXISTS creations (address TEXT, at INTEGER)')
    this.sql.exec('CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value REAL)')
  }

  /** The service's key: made once, never told. */
  secret(): Uint8Array {
    const row = this.sql.exec<{ value: ArrayBuffer }>('SELECT value FROM secret').toArray()[0]
    if (row) return new Uint8Array(row.value)
    const secret = crypto.getRandomValues(new Uint8Array(32))
    this.sql.exec('INSERT INTO secret VALUES (?)', secret)
    return secret
  }

  private add(name: string, n = 1): void {
    this.sql.exec('INSERT INTO totals VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value', name, n)
  }

  /** May this address (a digest of it) have another sandbox? Counts it if so. */
  admit(id: string, address: string, nodes: string, template: string): Admission {
    const now = Date.now()
    this.sql.exec('DELETE FROM creations WHERE at <= ?', now - HOUR)
    const mine = this.sql.exec<{ n: number; first: number }>('SELECT count(*) AS n, coalesce(min(at), 0) AS first FROM creations WHERE address = ?', address).one()
    const perHour = limit(this.env, 'CREATE_PER_HOUR')
    if (mine.n >= perHour) {
      this.add('refused_rate')
      return { ok: false, code: 429, message: `this address has made ${mine.n} sandboxes within an hour, which is the limit`, retryAfter: Math.max(1, Math.ceil((mine.first + HOUR - now) / 1000)) }
    }
    const most = limit(this.env, 'MAX_SANDBOXES')
    if (this.sql.exec<{ n: number }>('SELECT count(*) AS n FROM sandboxes').one().n >= most) {
      this.add('refused_full')
      return { ok: false, code: 503, message: `there are ${most} sandboxes, which is the limit: try again later`, retryAfter: 600 }
    }
    this.sql.exec('INSERT INTO creations VALUES (?, ?)', address, now)
    this.sql.exec('INSERT INTO sandboxes (id, created, nodes, template, used) VALUES (?, ?, ?, ?, ?)', id, now, nodes, template, now)
    this.add('created')
    return { ok: true }
  }

  /** A creation was refused before it came to that. */
  refused(why: 'code'): void {
    this.add(`refused_${why}`)
  }

  removed(id: string, why: 'failed' | 'expired' | 'owner' | 'admin'): void {
    if (this.sql.exec('DELETE FROM sandboxes WHERE id = ?', id).rowsWritten) this.add(`removed_${why}`)
  }

  report(id: string, r: Report): void {
    this.sql.exec('UPDATE sandboxes SET used = ?, requests = requests + ?, failures = failures + ?, wakes = wakes + ?, bootMs = ?, memory = ?, bytes = ?, streams = ? WHERE id = ?',
      r.used, r.requests, r.failures, r.wakes, r.bootMs, r.memory, r.bytes, r.streams, id)
    this.add('requests', r.requests)
    this.add('failures', r.failures)
    if (r.wakes) {
      this.add('wakes', r.wakes)
      this.add('wake_ms', r.bootMs)
      for (const b of buckets) if (r.bootMs <= b) this.add(`wake_le_${b}`)
    }
  }

  list(): Entry[] {
    return this.sql.exec<Record<string, SqlStorageValue>>('SELECT * FROM sandboxes ORDER BY used DESC').toArray() as unknown as Entry[]
  }

  has(id: string): boolean {
    return this.sql.exec('SELECT 1 FROM sandboxes WHERE id = ?', id).toArray().length > 0
  }

  /** In the text format of Prometheus. */
  metrics(): string {
    const totals = new Map(this.sql.exec<{ name: string; value: number }>('SELECT * FROM totals').toArray().map(t => [t.name, t.value]))
    const now = Date.now()
    const s = this.sql.exec<{ n: number; active: number; bytes: number; memory: number; largest: number }>(
      'SELECT count(*) AS n, coalesce(sum(used > ?), 0) AS active, coalesce(sum(bytes), 0) AS bytes, coalesce(sum(CASE WHEN used > ? THEN memory ELSE 0 END), 0) AS memory, coalesce(max(memory), 0) AS largest FROM sandboxes', now - 300_000, now - 300_000).one()
    const out: string[] = []
    const metric = (name: string, type: string, help: string, samples: [labels: string, value: number][]): void => {
      out.push(`# HELP kubonsai_${name} ${help}`, `# TYPE kubonsai_${name} ${type}`, ...samples.map(([labels, value]) => `kubonsai_${name}${labels} ${value}`))
    }
    const total = (name: string): number => totals.get(name) ?? 0
    metric('sandboxes', 'gauge', 'Sandboxes that exist.', [['', s.n]])
    metric('sandboxes_active', 'gauge', 'Sandboxes used within five minutes.', [['', s.active]])
    metric('sandboxes_created_total', 'counter', 'Sandboxes made.', [['', total('created')]])
    metric('creations_refused_total', 'counter', 'Creations refused.', (['rate', 'full', 'code'] as const).map(r => [`{reason="${r}"}`, total(`refused_${r}`)]))
    metric('sandboxes_removed_total', 'counter', 'Sandboxes removed.', (['expired', 'owner', 'admin', 'failed'] as const).map(r => [`{reason="${r}"}`, total(`removed_${r}`)]))
    metric('requests_total', 'counter', 'Requests to sandboxes.', [['', total('requests')]])
    metric('request_failures_total', 'counter', 'Requests answered with a 5xx.', [['', total('failures')]])
    metric('stored_bytes', 'gauge', 'What the sandboxes keep.', [['', s.bytes]])
    metric('wasm_memory_bytes', 'gauge', 'Memory of the modules of the active sandboxes, when last told.', [['', s.memory]])
    metric('wasm_memory_bytes_max', 'gauge', 'The largest module.', [['', s.largest]])
    metric('wake_milliseconds', 'histogram', 'From the start of the program to its first request.', [
      ...buckets.map((b): [string, number] => [`_bucket{le="${b}"}`, total(`wake_le_${b}`)]),
      ['_bucket{le="+Inf"}', total('wakes')], ['_sum', total('wake_ms')], ['_count', total('wakes')],
    ])
    return out.join('\n') + '\n'
  }
}
