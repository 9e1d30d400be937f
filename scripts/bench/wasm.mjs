// The core's figures in wasm under Node, without the page.
//
//     node scripts/bench/wasm.mjs [mode]
//
// Each line is JSON: name, value, unit. CPU is that of the thread that runs
// the module (the compiler's and V8's helper threads are not the simulation's).
// mode is "speed" (the default) or "memory", which boots one cluster with 1,000
// Ready pods in a fresh module and prints how large the module's memory is.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import * as nodefs from 'node:fs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const dir = mkdtempSync(path.join(os.tmpdir(), 'kubonsai-bench-'))
const wasm = process.env.KUBONSAI_BENCH_WASM ?? path.join(dir, 'bench.wasm')
try {
  if (!process.env.KUBONSAI_BENCH_WASM) {
    execFileSync('go', ['build', '-ldflags', '-s -w', '-o', wasm, './scripts/bench/wasm'], { cwd: root, env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' }, stdio: 'inherit' })
  }
  const goroot = execFileSync('go', ['env', 'GOROOT'], { cwd: root }).toString().trim()
  globalThis.fs = nodefs
  globalThis.path = path
  globalThis.require = createRequire(import.meta.url)
  globalThis.benchCPU = () => {
    try {
      return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[0]) / 1e6 // the main thread's
    } catch {
      return process.cpuUsage().user / 1e3
    }
  }
  globalThis.require(path.join(goroot, 'lib/wasm/wasm_exec.js'))
  const go = new globalThis.Go()
  go.argv = ['bench', ...process.argv.slice(2)]
  go.env = { ...(process.env.GOGC ? { GOGC: process.env.GOGC } : {}) }
  const bytes = readFileSync(wasm)
  const at = performance.now()
  const { instance } = await WebAssembly.instantiate(bytes, go.importObject)
  const compiled = performance.now() - at
  go.exit = code => { process.exitCode = code }
  await go.run(instance)
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  console.log(JSON.stringify({ name: 'compile (wall)', value: compiled, unit: 'ms' }))
  console.log(JSON.stringify({ name: 'module memory', value: instance.exports.mem.buffer.byteLength / 1e6, unit: 'MB' }))
  process.exit(process.exitCode ?? 0) // a timer of Go's runtime may still be pending
} catch (err) {
  console.error(err)
  process.exit(1)
}
