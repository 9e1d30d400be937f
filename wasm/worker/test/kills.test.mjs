// The runtime is killed, again and again, in the middle of writes and rollouts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configmaps, deployment, deployments, pods, Runtime, sleep, until } from './harness.mjs'

/** A random number generator with a seed, so that a failure can be repeated. */
function random(seed) {
  return () => (seed = Math.imul(seed ^ seed >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0, (seed >>> 0) / 2 ** 32)
}

test('50 kills in the middle of rollouts: no acknowledged write is lost, and the rollout ends', async () => {
  const seed = Number(process.env.SEED ?? 1)
  const chance = random(seed)
  const runtime = await new Runtime().start()
  try {
    const s = await runtime.sandbox()
    await s.json(deployments, { method: 'POST', body: deployment('web', 3) })
    const acknowledged = new Map()
    let count = 0
    for (let kill = 0; kill < 50; kill++) {
      // Writers go on until the moment of the kill; some of their requests never return.
      let on = true
      const writers = [0, 1].map(async w => {
        while (on) {
          const name = `c${++count}`
          const init = count % 7 === 0
            ? [`${deployments}/web`, { method: 'PATCH', body: { spec: { template: { spec: { containers: [{ name: 'c', image: `nginx:1.${count % 9 + 20}` }] } } } }, headers: { 'Content-Type': 'application/strategic-merge-patch+json' } }]
            : [configmaps, { method: 'POST', body: { metadata: { name }, data: { writer: String(w), kill: String(kill) } } }]
          try {
            const r = await s.fetch(...init)
            const body = await r.json()
            if (r.status === 201 && body.kind === 'ConfigMap') acknowledged.set(name, body.metadata.resourceVersion)
          } catch {
            if (on) await sleep(5)
          }
        }
      })
      await sleep(20 + chance() * 250)
      on = false
      await runtime.kill()
      await Promise.all(writers)
      await runtime.start()
      const { items } = await until('an answer', () => s.json(configmaps))
      const there = new Map(items.map(c => [c.metadata.name, c.metadata.resourceVersion]))
      for (const [name, version] of acknowledged) assert.equal(there.get(name), version, `seed ${seed}, kill ${kill}: ${name} was acknowledged and is lost`)
      if (acknowledged.size > 300) {
        assert.equal((await s.fetch(`${configmaps}?labelSelector=`, { method: 'DELETE' })).status, 200)
        acknowledged.clear()
      }
    }
    assert.ok(count > 100, `only ${count} writes`)
    const done = await until('the end of the rollout', async () => {
      const d = await s.json(`${deployments}/web`)
      return d.status.updatedReplicas === 3 && d.status.availableReplicas === 3 && d.status.observedGeneration === d.metadata.generation && d
    })
    const { items } = await until('3 pods', async () => {
      const list = await s.json(pods)
      return list.items.filter(p => !p.metadata.deletionTimestamp).length === 3 && list
    })
    for (const p of items) if (!p.metadata.deletionTimestamp) assert.equal(p.spec.containers[0].image, done.spec.template.spec.containers[0].image)
    assert.deepEqual(runtime.events('crash'), [])
  } finally {
    await runtime.kill()
  }
})
