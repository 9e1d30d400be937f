/**
 * A program in two parts: the first starts, the rest comes while it runs. The
 * build divides the module (scripts/slim/split.go); both have one memory and one
 * table of functions. Until the rest is there, its places in the table lead to
 * functions that fetch it at once and call again: whoever needs it before it has
 * come waits as long as that takes. A module that was not divided is its own
 * only part.
 */

/** Where the rest comes from. */
export interface Source {
  url: string
  /** Fetches and compiles it; fresh: past every cache. */
  load(fresh: boolean): Promise<WebAssembly.Module>
  /** The same, at once. Absent where a thread must not wait for the network. */
  now?(fresh: boolean): WebAssembly.Module
}

export interface Program {
  instance: WebAssembly.Instance
  /** Gets the rest, if it is not there. */
  complete(): Promise<void>
}

/** Makes an instance of a program's first part, or of all of it. */
export async function instantiate(module: WebAssembly.Module, imports: WebAssembly.Imports, source: Source): Promise<Program> {
  const instance = await WebAssembly.instantiate(module, imports)
  const [section] = WebAssembly.Module.customSections(module, 'rest')
  if (!section) return { instance, complete: async () => {} }
  const { name, runs } = places(new Uint8Array(section))
  const shared = { [name]: instance.exports }
  let there = false
  const join = (rest: WebAssembly.Module): void => {
    if (there) return
    void new WebAssembly.Instance(rest, shared)
    there = true
  }
  const fits = (rest: WebAssembly.Module): boolean => WebAssembly.Module.imports(rest)[0]?.module === name
  // The parts of two releases do not fit; one of them was in a cache.
  const other = (): Error => new Error(`${source.url} is of another release than the cluster’s program: reload the page`)
  if (source.now) {
    const fetchNow = (): void => {
      if (there) return
      let rest = source.now!(false)
      if (!fits(rest)) rest = source.now!(true)
      if (!fits(rest)) throw other()
      join(rest)
    }
    void new WebAssembly.Instance(new WebAssembly.Module(waiting(runs)), { '': { get: fetchNow, table: instance.exports['table']! } })
  }
  return {
    instance,
    async complete() {
      if (there) return
      let rest = await source.load(false)
      if (!fits(rest)) rest = await source.load(true)
      if (!fits(rest)) throw other()
      join(rest)
    },
  }
}

/** Reads the section "rest": under which name the rest imports, and which runs of places in the table are its own. */
function places(section: Uint8Array): { name: string; runs: [from: number, count: number][] } {
  let at = 1 + section[0]!
  const uint = (): number => {
    for (let n = 0, shift = 0; ; shift += 7) {
      const b = section[at++]!
      n |= (b & 0x7f) << shift
      if (b < 0x80) return n
    }
  }
  const name = new TextDecoder().decode(section.subarray(1, at))
  const runs: [number, number][] = []
  let next = 0
  for (let n = uint(); n > 0; n--) {
    const from = next + uint(), count = uint()
    runs.push([from, count])
    next = from + count
  }
  return { name, runs }
}

/** A module that fills places in the table with functions, each of which has the rest fetched and calls what then is in its place. */
function waiting(runs: [from: number, count: number][]): Uint8Array<ArrayBuffer> {
  const uint = (n: number): number[] => n < 0x80 ? [n] : [n & 0x7f | 0x80, ...uint(n >>> 7)]
  const int = (n: number): number[] => n < 0x40 ? [n] : [n & 0x7f | 0x80, ...int(n >> 7)]
  const text = (s: string): number[] => [s.length, ...new TextEncoder().encode(s)]
  const out: number[] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
  const section = (id: number, body: number[]): void => {
    out.push(id, ...uint(body.length))
    for (const b of body) out.push(b)
  }
  const i32 = 0x7f, i64 = 0x7e, funcref = 0x70
  const total = runs.reduce((n, [, count]) => n + count, 0)
  // The compiler's functions take a block and a return address; see scripts/slim/calls.go.
  section(1, [2, 0x60, 2, i32, i64, 1, i32, 0x60, 0, 0])
  section(2, [2, ...text(''), ...text('get'), 0, 1, ...text(''), ...text('table'), 1, funcref, 0, 0])
  section(3, [...uint(total), ...Array<number>(total).fill(0)])
  const elements = uint(runs.length), code = uint(total)
  let n = 1 // function 0 is get
  for (const [from, count] of runs) {
    elements.push(0, 0x41, ...int(from), 0x0b, ...uint(count))
    for (let place = from; place < from + count; place++) {
      elements.push(...uint(n++))
      const body = [0, 0x10, 0, 0x20, 0, 0x20, 1, 0x41, ...int(place), 0x11, 0, 0, 0x0b] // get(); place(block, address)
      code.push(body.length, ...body)
    }
  }
  section(9, elements)
  section(10, code)
  return new Uint8Array(out)
}
