// Runs dist/worker in miniflare: the Worker's runtime on this machine. For
// tests, which kill it; people use `make worker-dev`.
//
//     node scripts/worker/serve.mjs '{"port": 0, "persist": DIR, "bindings": {…}, "assets": DIR}'
//
// The first line that it prints is its address. Its log lines follow.
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const { Miniflare, Log, LogLevel } = createRequire(path.join(root, 'wasm/worker/package.json'))('miniflare')
const options = JSON.parse(process.argv[2] ?? '{}')
const dist = path.join(root, 'dist/worker')

const mf = new Miniflare({
  host: '127.0.0.1', port: options.port ?? 0, log: new Log(LogLevel.WARN), cf: false, verbose: false,
  modulesRoot: dist,
  modules: [
    { type: 'ESModule', path: path.join(dist, 'worker.js') },
    { type: 'CompiledWasm', path: path.join(dist, 'kubonsai-worker.wasm') },
    { type: 'CompiledWasm', path: path.join(dist, 'kubonsai-text.wasm') },
  ],
  compatibilityDate: '2026-04-01', compatibilityFlags: ['enable_request_signal'],
  durableObjects: { SANDBOX: { className: 'Sandbox', useSQLite: true }, LOBBY: { className: 'Lobby', useSQLite: true } },
  bindings: options.bindings ?? {},
  ...options.persist ? { durableObjectsPersist: options.persist } : {},
  ...options.assets ? { assets: { directory: options.assets, binding: 'ASSETS', routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: false, static_routing: { user_worker: ['/new', '/s/*', '/admin/*', '/metrics'] } } } } : {},
})
process.on('SIGTERM', () => mf.dispose().then(() => process.exit(0)))
console.log(String(await mf.ready))
