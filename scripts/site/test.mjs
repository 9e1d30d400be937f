// Tests of the web side without a browser: TypeScript units, and the JS API in
// Node on the wasm build with the test cluster.
//
//     node scripts/site/test.mjs
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const out = path.join(root, 'dist/test')
mkdirSync(out, { recursive: true })
const build = spawnSync(process.execPath, [path.join(root, 'scripts/site/build.mjs'), '--fake', '--no-compress', '--out', path.join(out, 'site')], { stdio: ['ignore', 'ignore', 'inherit'] })
if (build.status !== 0) process.exit(build.status ?? 1)
const esbuild = createRequire(path.join(root, 'site/package.json'))('esbuild')
const units = readdirSync(path.join(root, 'site/test')).filter(f => f.endsWith('.test.ts'))
await esbuild.build({ absWorkingDir: root, entryPoints: units.map(f => `site/test/${f}`), outdir: out, bundle: true, platform: 'node', format: 'esm', outExtension: { '.js': '.mjs' }, logLevel: 'warning' })
const files = [...units.map(f => path.join(out, f.replace(/\.ts$/, '.mjs'))), path.join(root, 'site/test/api.test.mjs')]
const r = spawnSync(process.execPath, ['--test', '--test-timeout=60000', ...files], { stdio: 'inherit', env: { ...process.env, KUBONSAI_API: path.join(out, 'site/kubonsai-api.js') } })
process.exit(r.status ?? 1)
