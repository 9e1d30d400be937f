/**
 * Who may do what. A sandbox's id carries a tag that only this service can make,
 * so an invented id is refused before anything is looked up; its token is made
 * of the id and the service's key, so it needs no place to be kept.
 */

const utf8 = new TextEncoder()
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567' // base32, RFC 4648, in small letters

function base32(bytes: Uint8Array): string {
  let out = '', bits = 0, value = 0
  for (const b of bytes) {
    value = value << 8 | b
    bits += 8
    while (bits >= 5) {
      out += alphabet[value >>> (bits -= 5) & 31]
      value &= (1 << bits) - 1
    }
  }
  return bits ? out + alphabet[value << 5 - bits & 31] : out
}

/** Compares in a time that does not depend on where the texts differ. */
export async function equal(a: string, b: string): Promise<boolean> {
  const [x, y] = await Promise.all([a, b].map(async s => new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(s)))))
  return crypto.subtle.timingSafeEqual(x!, y!)
}

/** The service's key, 32 random bytes; the lobby keeps it. */
export class Keys {
  private readonly key: CryptoKey

  private constructor(key: CryptoKey) {
    this.key = key
  }

  static async from(secret: Uint8Array): Promise<Keys> {
    return new Keys(await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']))
  }

  private async mac(purpose: string, text: string, length: number): Promise<string> {
    return base32(new Uint8Array(await crypto.subtle.sign('HMAC', this.key, utf8.encode(`${purpose}\0${text}`)))).slice(0, length)
  }

  /** A new id: 130 random bits and a tag of 60. */
  async newID(): Promise<string> {
    const name = base32(crypto.getRandomValues(new Uint8Array(17))).slice(0, 26)
    return name + await this.mac('id', name, 12)
  }

  async knows(id: string): Promise<boolean> {
    return /^[a-z2-7]{38}$/.test(id) && equal(id.slice(26), await this.mac('id', id.slice(0, 26), 12))
  }

  /** The token of a sandbox's owner. */
  token(id: string): Promise<string> {
    return this.mac('token', id, 50)
  }
}

/** The bearer token of a request. A page cannot set headers on a WebSocket: it sends the token as a subprotocol, as to a real API server. */
export function bearer(request: Request): string {
  const header = request.headers.get('Authorization') ?? ''
  if (/^bearer /i.test(header)) return header.slice(7).trim()
  for (const p of (request.headers.get('Sec-WebSocket-Protocol') ?? '').split(',')) {
    const encoded = p.trim().match(/^base64url\.bearer\.authorization\.k8s\.io\.([\w-]+)$/)?.[1]
    if (encoded) {
      try {
        return atob(encoded.replaceAll('-', '+').replaceAll('_', '/'))
      } catch {
        return ''
      }
    }
  }
  return ''
}
