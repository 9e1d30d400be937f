// How a wasm module is built, for the page (build.mjs) and for the Worker
// (scripts/worker/build.mjs).
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
export const go = process.env.GO ?? 'go'
export const goroot = () => execFileSync(go, ['env', 'GOROOT'], { encoding: 'utf8' }).trim()

const module = 'github.com/kubonsai/kubonsai'
/**
 * Where inlining does not pay: in our own code it makes a module a tenth bigger
 * and no run faster. In a page, where every byte is fetched, the same goes for
 * libraries that are at work for a moment only.
 */
const cold = [`${module}/...`]
export const browserCold = [...cold, 'mvdan.cc/sh/v3/...', 'github.com/spf13/pflag', 'github.com/hack-pad/...',
  'go.yaml.in/...', 'sigs.k8s.io/...', 'k8s.io/...', 'archive/...', 'context', 'encoding/...', 'flag', 'io/...', 'log', 'net/...', 'os', 'path/...', 'regexp/syntax', 'text/...']

/** Builds a program into file, without inlining in the given packages; slim are more options for scripts/slim, names is where it says whose the numbers are. */
export function buildModule(file, program, { version, cold: without = cold, tags = [], slim = [], names = `${file}.names.txt` }) {
  execFileSync(go, ['build', '-trimpath', '-ldflags', `-s -w -X main.version=${version}`, ...(tags.length ? ['-tags', tags.join()] : []), ...without.map(p => `-gcflags=${p}=-l`), '-o', file, program],
    { cwd: root, stdio: 'inherit', env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' } })
  // Tables for stack traces and roundabout code go: a third of the module. What
  // the numbers in stack traces stand for is in a file that no page loads.
  execFileSync(go, ['run', './scripts/slim', '-names', names, ...slim, file, file], { cwd: root, stdio: 'inherit' })
}

/**
 * Divides a module that buildModule made, in two: what a page begins with stays
 * in file, the rest goes to another one. observed is the module's twin that
 * notes its calls, and dir has the scripts that run it.
 */
export function divideModule(file, rest, observed, dir) {
  const calls = execFileSync(process.execPath, [path.join(root, 'scripts/site/observe.mjs'), dir, observed], { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 24 })
  writeFileSync(`${observed}.calls`, calls)
  execFileSync(go, ['run', './scripts/slim', '-v', '-calls', `${observed}.calls`, '-rest', rest, file, file], { cwd: root, stdio: 'inherit' })
  for (const f of [observed, `${observed}.calls`]) rmSync(f)
}

/** Builds awk and jq. A program that wants more memory than this ends; it would take its host with it. */
export const buildTextTools = (file, version, names) => buildModule(file, './wasm/texttool', { version, slim: ['-memory', '256'], names })

/** Has npm install what the folder of the repository names, if it has not. */
export function installed(dir) {
  const stamp = path.join(dir, 'node_modules/.package-lock.json')
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(path.join(dir, 'package-lock.json')).mtimeMs) return
  console.log(`${path.relative(root, dir)}: npm ci`)
  const r = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'], { cwd: dir, stdio: 'inherit' })
  if (r.status !== 0) {
    console.error(`${path.relative(root, dir)}: npm ci failed: Node 20.3 or later with npm and access to the npm registry is needed`)
    process.exit(1)
  }
}
