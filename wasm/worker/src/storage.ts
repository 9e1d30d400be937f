/**
 * A sandbox's rows in its Durable Object's SQLite, for wasm/worker/storage.go:
 * every record is a row, or several, as a row holds 2 MB at most. All calls are
 * synchronous; what is sent afterwards waits until they are on disk.
 */

const PART = 1 << 20

export class Rows {
  private readonly storage: DurableObjectStorage

  constructor(storage: DurableObjectStorage) {
    this.storage = storage
    storage.sql.exec('CREATE TABLE IF NOT EXISTS records (key TEXT, part INTEGER, value BLOB, PRIMARY KEY (key, part)) WITHOUT ROWID')
    storage.sql.exec('CREATE TABLE IF NOT EXISTS quarantine (key TEXT, part INTEGER, value BLOB)')
  }

  load(): [string, Uint8Array][] {
    const out: [string, Uint8Array][] = []
    for (const row of this.storage.sql.exec<{ key: string; part: number; value: ArrayBuffer }>('SELECT key, part, value FROM records ORDER BY key, part')) {
      const value = new Uint8Array(row.value)
      const last = out.at(-1)
      if (row.part === 0 || !last) {
        out.push([row.key, value])
        continue
      }
      const whole = new Uint8Array(last[1].length + value.length)
      whole.set(last[1])
      whole.set(value, last[1].length)
      last[1] = whole
    }
    return out
  }

  /** All of the batch or nothing. */
  append(batch: [string, Uint8Array | null][]): void {
    this.storage.transactionSync(() => {
      for (const [key, value] of batch) {
        const parts = value ? Math.max(1, Math.ceil(value.length / PART)) : 0
        for (let part = 0; part < parts; part++) {
          this.storage.sql.exec('INSERT OR REPLACE INTO records VALUES (?, ?, ?)', key, part, value!.subarray(part * PART, (part + 1) * PART))
        }
        this.storage.sql.exec('DELETE FROM records WHERE key = ? AND part >= ?', key, parts)
      }
    })
  }

  quarantine(keys: string[]): void {
    this.storage.transactionSync(() => {
      for (const key of keys) {
        this.storage.sql.exec('INSERT INTO quarantine SELECT * FROM records WHERE key = ?', key)
        this.storage.sql.exec('DELETE FROM records WHERE key = ?', key)
      }
    })
  }

  clear(): void {
    this.storage.sql.exec('DELETE FROM records')
  }

  get empty(): boolean {
    return !this.storage.sql.exec('SELECT 1 FROM records LIMIT 1').toArray().length
  }
}
