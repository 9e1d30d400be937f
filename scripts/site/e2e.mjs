// Runs the end-to-end tests of dist/site in Chromium:
//
//     node scripts/site/e2e.mjs [PATTERN]
//
// PATTERN is a part of the names of the tests to run. Screenshots are left in
// dist/e2e.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromiumPath } from './e2e/browser.mjs'

const dir = path.join(path.dirname(fileURLToPath(import.meta.url)), 'e2e')
chromiumPath() // once, before the tests run
const files = readdirSync(dir).filter(f => f.endsWith('.test.mjs')).map(f => path.join(dir, f))
const pattern = process.argv[2] ? [`--test-name-pattern=${process.argv[2]}`] : []
const r = spawnSync(process.execPath, ['--test', '--test-concurrency=1', '--test-timeout=900000', ...pattern, ...files], { stdio: 'inherit' })
process.exit(r.status ?? 1)
