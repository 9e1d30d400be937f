// Runs a module with its rest, or one that notes its calls:
//
//     node parts.mjs GOROOT first.wasm rest.wasm
//     node parts.mjs GOROOT observed.wasm > calls
import fs, { readFileSync } from 'node:fs'
import path from 'node:path'

const [goroot, first, rest] = process.argv.slice(2)
globalThis.fs = rest ? fs : { ...fs, writeSync: (_, b) => b.length, write: (_, b, at, n, to, done) => done(null, n) } // its output is not wanted
await import(path.join(goroot, 'lib/wasm/wasm_exec.js'))
const go = new Go()
const { instance } = await WebAssembly.instantiate(readFileSync(first), go.importObject)
if (rest) {
  const module = new WebAssembly.Module(readFileSync(rest))
  const { module: name } = WebAssembly.Module.imports(module)[0]
  new WebAssembly.Instance(module, { [name]: instance.exports })
}
await go.run(instance)
for (const [name, value] of rest ? [] : Object.entries(instance.exports)) if (/^c\d+$/.test(name) && value.value) console.log(name.slice(1))
process.exit(0) // timers that Go has left
