// Tests of the Worker in its runtime on this machine, with the real kubectl.
//
//     node scripts/worker/test.mjs [PATTERN]
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { root } from '../site/module.mjs'

const node = (...args) => {
  const r = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root })
  if (r.status !== 0) process.exit(r.status ?? 1)
}
if (!process.env.KUBONSAI_BUILT) node('scripts/worker/build.mjs')
const kubectl = path.join(root, 'dist/real-kubectl')
if (!existsSync(kubectl)) {
  const r = spawnSync('make', ['dist/real-kubectl'], { stdio: 'inherit', cwd: root })
  if (r.status !== 0) process.exit(r.status ?? 1)
}
const tests = readdirSync(path.join(root, 'wasm/worker/test')).filter(f => f.endsWith('.test.mjs') && f.includes(process.argv[2] ?? '')).sort()
// Each file has runtimes of its own and mostly waits; two at a time.
node('--test', '--test-concurrency=2', '--test-timeout=900000', ...tests.map(f => path.join(root, 'wasm/worker/test', f)))
