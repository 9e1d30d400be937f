// Prints what hosted sandboxes weigh and cost, as lines of name, value and
// budget parted by tabs, for scripts/bench/run.
//
//     node scripts/worker/bench.mjs      needs dist/worker: make worker
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { Runtime, until } from '../../wasm/worker/test/harness.mjs'
import { root } from '../site/module.mjs'

const print = (name, value, budget = '') => console.log([name, value, budget].join('\t'))
const files = ['worker.js', 'kubonsai-worker.wasm', 'kubonsai-text.wasm'].map(f => readFileSync(path.join(root, 'dist/worker', f)))
const mb = n => `${(n / 1e6).toFixed(2)} MB`
print('the Worker, raw', mb(files.reduce((n, f) => n + f.length, 0)))
print('the Worker, gzip', mb(files.reduce((n, f) => n + gzipSync(f, { level: 9 }).length, 0)), '10 MB, the platform’s')

const runtime = await new Runtime({ bindings: { MAX_NODES: 12, MAX_PODS: 2000, MAX_OBJECTS: 10_000 } }).start()
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const web = replicas => ({ metadata: { name: 'web' }, spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'nginx' }] } } } })
const memory = async id => (await (await runtime.admin('/admin/sandboxes')).json()).sandboxes.find(s => s.id === id).memory
const share = n => `${Math.floor(128 * 2 ** 20 / n)}`
try {
  const kinds = []
  for (const pods of [0, 100, 1000]) {
    const s = await runtime.sandbox('?nodes=12')
    if (pods) {
      await s.json(deployments, { method: 'POST', body: web(pods) })
      await until(`${pods} pods`, async () => (await s.json(`${deployments}/web`)).status.readyReplicas === pods, 300_000)
    }
    kinds.push([pods, s])
  }
  // A new runtime compiles the module first; the one that follows it finds it compiled.
  await runtime.kill()
  await runtime.start()
  await (await runtime.sandbox()).json('/api/v1/nodes')
  for (const [pods, s] of kinds) {
    const begin = performance.now()
    await s.json('/api/v1/namespaces/default')
    const first = performance.now() - begin
    const ms = runtime.events('wake').findLast(e => e.id === s.id).ms
    print(`sandbox with ${pods} pods: boot`, `${ms} ms`)
    print(`sandbox with ${pods} pods: first answer`, `${first.toFixed(0)} ms`)
    const bytes = await memory(s.id)
    print(`sandbox with ${pods} pods: wasm memory`, mb(bytes), pods === 1000 ? '100 MB' : '')
    if (pods < 1000) print(`sandboxes with ${pods} pods in an isolate of 128 MB`, share(bytes))
  }
  const s = kinds[1][1]
  for (const [what, ask] of [
    ['get', () => s.json('/api/v1/namespaces/default/pods?limit=1')],
    ['apply', i => s.json(`/api/v1/namespaces/default/configmaps/c${i % 50}?fieldManager=bench&force=true`, { method: 'PATCH', body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c${i % 50}` }, data: { n: String(i) } }, headers: { 'Content-Type': 'application/apply-patch+yaml' } })],
  ]) {
    const times = []
    for (let i = 0; i < 300; i++) {
      const begin = performance.now()
      await ask(i)
      times.push(performance.now() - begin)
    }
    times.sort((a, b) => a - b)
    print(`${what}, 100 pods: p50`, `${times[150].toFixed(1)} ms`)
    print(`${what}, 100 pods: p99`, `${times[297].toFixed(1)} ms`)
  }
} finally {
  await runtime.kill()
}
