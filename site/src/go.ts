/** A Go program as wasm_exec.js of its release starts it, and the second module, awk and jq, of which every running program has an instance. */

export interface Go {
  argv: string[]
  importObject: WebAssembly.Imports
  exit(code: number): void
  _scheduledTimeouts: Map<number, ReturnType<typeof setTimeout>>
  run(instance: WebAssembly.Instance): Promise<void>
}

/** An instance of the second module, for one program at a time; see wasm/internal/guests. */
export interface Guest {
  /** Set by the program: takes a reply, returns the program's next request. */
  step?: (reply: Uint8Array) => Uint8Array
  memory(): number
  close(): void
}

declare global {
  var kubonsaiGuests: Record<string, Guest> | undefined
  var Go: new () => Go
}

let count = 0

/** Starts an instance of the second module. It stands ready when this returns. */
export function startGuest(module: WebAssembly.Module): Guest {
  const id = `g${++count}`
  const go = new globalThis.Go()
  go.argv = ['kubonsai-text', id]
  // What the runtime says of a crash is for nobody; step tells that there was one.
  go.exit = () => {}
  go.importObject['gojs']!['runtime.wasmWrite'] = () => {}
  const instance = new WebAssembly.Instance(module, go.importObject)
  const guest: Guest = {
    memory: () => (instance.exports['mem'] as WebAssembly.Memory).buffer.byteLength,
    close() {
      guest.step = undefined
      for (const timer of go._scheduledTimeouts.values()) clearTimeout(timer)
    },
  }
  const guests = (globalThis.kubonsaiGuests ??= {})
  guests[id] = guest
  void go.run(instance).catch(() => {})
  delete guests[id]
  return guest
}
