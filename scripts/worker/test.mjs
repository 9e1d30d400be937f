// Tests of the Worker in its runtime on this machine, with the real kubectl.
//
//     node scripts/worker/test.mjs [PATTERN]     needs dist/worker and dist/real-kubectl: make test-worker
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { root } from '../site/module.mjs'

const tests = readdirSync(path.join(root, 'wasm/worker/test')).filter(f => f.endsWith('.test.mjs') && f.includes(process.argv[2] ?? '')).sort()
// Each file has runtimes of its own and mostly waits; two at a time.
const r = spawnSync(process.execPath, ['--test', '--test-concurrency=2', '--test-timeout=900000', ...tests.map(f => path.join(root, 'wasm/worker/test', f))], { stdio: 'inherit', cwd: root })
process.exit(r.status ?? 1)
