/** The bytes of a request's body, within bounds. */

/** So much of a body that is too large is read all the same: a client that is answered before it has sent everything may see a broken connection instead of the answer. */
const PATIENCE = 32 << 20

/** The whole body; null when there are more than limit bytes (0: no limit). */
export async function whole(stream: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = []
  let size = 0
  if (stream) {
    for (const reader = stream.getReader(); ;) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.length
      if (!limit || size <= limit) parts.push(value)
      else {
        parts.length = 0
        if (size > limit + PATIENCE) {
          void reader.cancel()
          return null
        }
      }
    }
  }
  if (limit && size > limit) return null
  const out = new Uint8Array(size)
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}
