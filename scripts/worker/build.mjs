// Builds dist/worker, what `make worker-dev` runs and `make worker-deploy`
// deploys: the Worker's script and its two modules. The site is built apart.
//
//     node scripts/worker/build.mjs [--no-check]
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildModule, buildTextTools, goroot, installed, root } from '../site/module.mjs'

const source = path.join(root, 'wasm/worker')
const out = path.join(root, 'dist/worker')
const require = createRequire(path.join(root, 'site/package.json')) // esbuild and typescript are the site's

installed(path.join(root, 'site'))
installed(source)
if (!process.argv.includes('--no-check')) {
  const tsc = spawnSync(process.execPath, [require.resolve('typescript/package.json').replace('package.json', 'bin/tsc'), '-p', source], { stdio: 'inherit' })
  if (tsc.status !== 0) process.exit(tsc.status ?? 1)
}
const { version } = JSON.parse(readFileSync(path.join(source, 'package.json'), 'utf8'))
const memory = /MEMORY_MB = (\d+)/.exec(readFileSync(path.join(source, 'src/limits.ts'), 'utf8'))[1]

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
// What lies in that folder is uploaded; the lists of names stay here.
const names = module => path.join(root, 'dist', `worker-${module}.names.txt`)
buildModule(path.join(out, 'kubonsai-worker.wasm'), './wasm/worker', { version, slim: ['-memory', memory], names: names('program') })
buildTextTools(path.join(out, 'kubonsai-text.wasm'), version, names('text'))
await require('esbuild').build({
  absWorkingDir: source, entryPoints: ['src/worker.ts'], outfile: path.join(out, 'worker.js'),
  bundle: true, format: 'esm', target: 'es2022', legalComments: 'none', logLevel: 'warning',
  alias: { wasm_exec: path.join(goroot(), 'lib/wasm/wasm_exec.js') },
  external: ['cloudflare:*', '*.wasm'],
})

// What the platform counts: all scripts and modules, compressed.
let raw = 0, gzip = 0
for (const f of ['worker.js', 'kubonsai-worker.wasm', 'kubonsai-text.wasm']) {
  const data = readFileSync(path.join(out, f))
  const z = gzipSync(data, { level: 9 }).length
  raw += data.length
  gzip += z
  console.log(f.padEnd(24), `${(data.length / 1024).toFixed(1).padStart(9)} KiB raw`, `${(z / 1024).toFixed(1).padStart(9)} KiB gzip`)
}
console.log('the Worker'.padEnd(24), `${(raw / 1024).toFixed(1).padStart(9)} KiB raw`, `${(gzip / 1024).toFixed(1).padStart(9)} KiB gzip of 10,240`)
