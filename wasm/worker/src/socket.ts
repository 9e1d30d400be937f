/** A WebSocket that the Go program accepts or refuses; see wasm/worker/socket.go and page.go. */

export class Socket {
  onmessage: ((data: Uint8Array, text: boolean) => void) | null = null
  onclose: (() => void) | null = null
  /** The answer to the request for the upgrade. */
  readonly response: Promise<Response>
  private answer!: (r: Response) => void
  private end: WebSocket | null = null

  constructor() {
    this.response = new Promise(resolve => (this.answer = resolve))
  }

  accept(protocol: string): void {
    const { 0: client, 1: server } = new WebSocketPair()
    this.end = server
    server.binaryType = 'arraybuffer'
    server.accept()
    const utf8 = new TextEncoder()
    server.addEventListener('message', e => {
      const text = typeof e.data === 'string'
      this.onmessage?.(text ? utf8.encode(e.data as string) : new Uint8Array(e.data as ArrayBuffer), text)
    })
    const gone = (): void => {
      this.end = null
      this.onclose?.()
    }
    server.addEventListener('close', e => {
      try {
        server.close(e.code === 1005 || e.code === 1006 ? 1000 : e.code, e.reason)
      } catch { /* it is closed */ }
      gone()
    })
    server.addEventListener('error', gone)
    this.answer(new Response(null, { status: 101, webSocket: client, headers: protocol ? { 'Sec-WebSocket-Protocol': protocol } : {} }))
  }

  reject(status: number, headers: [string, string][], body: Uint8Array | null): void {
    this.answer(new Response(body, { status: status || 400, headers }))
  }

  send(data: Uint8Array | string): void {
    try {
      this.end?.send(data)
    } catch {
      this.end = null
      this.onclose?.()
    }
  }

  close(code: number, reason: string): void {
    try {
      this.end?.close(code, reason.slice(0, 120))
    } catch { /* it is closed */ }
    this.end = null
  }
}
