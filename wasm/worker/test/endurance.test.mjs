// What a sandbox lives through: evictions, neighbours that misbehave, and
// many who watch.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configmaps, deployment, deployments, events, pod, pods, Runtime, sleep, until } from './harness.mjs'

test('an idle sandbox is evicted, its alarm wakes it, and its time has gone on', async () => {
  const runtime = await new Runtime().start()
  try {
    const s = await runtime.sandbox()
    await s.json(pods, { method: 'POST', body: pod('nap', 'sleep', '45') })
    await until('it runs', async () => (await s.json(`${pods}/nap`)).status.phase === 'Running')
    const wakes = () => runtime.events('wake').length
    assert.equal(wakes(), 1)
    // The runtime evicts what has had nothing to do for ten seconds; the nap's
    // end is waited for by an alarm, which starts the program again.
    await until('the alarm', () => wakes() === 2, 90_000)
    const p = await until('the end of the nap', async () => {
      const p = await s.json(`${pods}/nap`)
      return p.status.phase === 'Succeeded' && p
    })
    const { startedAt, finishedAt } = p.status.containerStatuses[0].state.terminated
    const slept = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000
    assert.ok(slept === 45 || slept === 46, `it slept for ${slept} s`)
    // Nothing is left to be done; whoever asks after a while finds that it was evicted.
    for (const idle of [14_000, 25_000, 40_000]) {
      if (wakes() > 2) break
      await sleep(idle)
      const r = await s.json('/api/v1/nodes')
      assert.equal(r.items[0].status.conditions.find(c => c.type === 'Ready').status, 'True')
    }
    assert.ok(wakes() > 2, 'an idle sandbox was kept in memory')
  } finally {
    await runtime.kill()
  }
})

test('what was due during a long sleep is caught up with in slices, each in its order', async () => {
  const runtime = await new Runtime().start()
  try {
    const a = await runtime.sandbox()
    const page = await a.page()
    await page.run('kubectl create deployment web --image=nginx --replicas=2; kubectl create cronjob tick --image=busybox --schedule="* * * * *" -- date; kubectl rollout status deployment/web')
    page.socket.close()
    const snapshot = JSON.parse(await (await a.fetch('/-/snapshot')).text())
    // The same cluster, put away two days ago.
    const meta = snapshot.records.meta
    const back = t => typeof t === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(t) ? new Date(Date.parse(t) - 2 * 86_400_000).toISOString().replace('.000Z', 'Z') : t
    const shift = v => Array.isArray(v) ? v.map(shift) : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, shift(x)])) : back(v)
    snapshot.records = Object.fromEntries(Object.entries(snapshot.records).map(([k, v]) => [k, k.startsWith('files/') ? v : shift(v)]))
    assert.notEqual(snapshot.records.meta.now, meta.now)
    const b = await runtime.sandbox('', { method: 'POST', body: JSON.stringify(snapshot) })
    const other = await runtime.sandbox()
    let slowest = 0
    const caught = until('the present', async () => {
      const { status } = await b.json('/apis/batch/v1/namespaces/default/cronjobs/tick')
      return Date.now() - Date.parse(status.lastScheduleTime ?? 0) < 120_000
    }, 150_000)
    let on = true
    const neighbour = (async () => {
      while (on) {
        const begin = Date.now()
        await other.json('/api/v1/nodes')
        slowest = Math.max(slowest, Date.now() - begin)
        await sleep(50)
      }
    })()
    await caught
    on = false
    await neighbour
    const jobs = (await b.json('/apis/batch/v1/namespaces/default/jobs')).items
    assert.ok(jobs.length <= 5, `${jobs.length} jobs are left`)
    assert.equal((await b.json(`${deployments}/web`)).status.readyReplicas, 2)
    assert.deepEqual(runtime.events('crash'), [])
  } finally {
    await runtime.kill()
  }
})

test('twenty watches each see every change of a rollout', async () => {
  const runtime = await new Runtime().start()
  try {
    const s = await runtime.sandbox()
    const stop = new AbortController()
    const seen = Array.from({ length: 20 }, () => [])
    const watches = seen.map(async list => {
      const r = await s.fetch(`${pods}?watch=1`, { signal: stop.signal })
      try {
        for await (const e of events(r)) list.push(`${e.type} ${e.object.metadata.name} ${e.object.metadata.resourceVersion}`)
      } catch (err) {
        if (!stop.signal.aborted) throw err
      }
    })
    await sleep(300)
    await s.json(deployments, { method: 'POST', body: deployment('web', 10) })
    await until('10 ready', async () => (await s.json(`${deployments}/web`)).status.readyReplicas === 10)
    await s.json(`${deployments}/web`, { method: 'PATCH', body: { spec: { template: { metadata: { annotations: { again: 'yes' } } } } }, headers: { 'Content-Type': 'application/merge-patch+json' } })
    await until('rolled out', async () => {
      const { status } = await s.json(`${deployments}/web`)
      return status.observedGeneration === 2 && status.updatedReplicas === 10 && status.availableReplicas === 10 && status.replicas === 10
    })
    await until('quiet', async () => {
      const n = seen[0].length
      await sleep(1500)
      return seen[0].length === n && (await s.json(pods)).items.length === 10
    })
    await sleep(500)
    stop.abort()
    await Promise.all(watches)
    for (const list of seen) assert.deepEqual(list, seen[0])
    assert.equal(seen[0].filter(e => e.startsWith('ADDED')).length, 20)
    assert.equal(seen[0].filter(e => e.startsWith('DELETED')).length, 10)
  } finally {
    await runtime.kill()
  }
})

test('an endless loop in one sandbox leaves the others responsive', async () => {
  const runtime = await new Runtime().start()
  try {
    const [bad, good] = await Promise.all([runtime.sandbox(), runtime.sandbox()])
    const page = await bad.page()
    page.start('while :; do :; done')
    await bad.json(pods, { method: 'POST', body: pod('busy', 'sh', '-c', 'while :; do :; done') })
    await sleep(2000)
    const times = []
    for (let i = 0; i < 40; i++) {
      const begin = performance.now()
      await good.json(configmaps, { method: 'POST', body: { metadata: { name: `c${i}` } } })
      times.push(performance.now() - begin)
    }
    times.sort((a, b) => a - b)
    assert.ok(times[20] < 500, `the neighbour's median write took ${times[20]} ms`)
    const other = await bad.page() // and its owner can still do something about it
    assert.match((await other.run('kubectl delete pod busy --now')).stdout, /pod "busy" deleted/)
    page.socket.close()
    await sleep(300)
    assert.equal((await other.run('echo fine')).stdout, 'fine\n')
  } finally {
    await runtime.kill()
  }
})

test('a sandbox that outgrows its memory ends alone, and can be reset', async () => {
  const runtime = await new Runtime({ bindings: { MAX_OBJECTS: 1e6, MAX_BYTES: 1e9 } }).start()
  try {
    const [big, good] = await Promise.all([runtime.sandbox(), runtime.sandbox()])
    await good.json(configmaps, { method: 'POST', body: { metadata: { name: 'kept' } } })
    let failed = 0
    for (let i = 0; i < 400 && !failed; i++) {
      const r = await big.fetch(configmaps, { method: 'POST', body: { metadata: { name: `c${i}` }, data: { x: `${i % 10}`.repeat(1_000_000) } } }).catch(() => ({ status: 599, arrayBuffer() {} }))
      await r.arrayBuffer()
      if (r.status >= 500) failed = i
    }
    assert.ok(failed > 20, `it failed after ${failed} MB`)
    assert.equal((await good.fetch(`${configmaps}/kept`)).status, 200)
    assert.ok(runtime.events('crash').some(e => e.id === big.id))
    assert.ok(runtime.events('crash').every(e => e.id === big.id))
    const r = await until('its owner resets it', async () => {
      const r = await big.fetch('/-/reset', { method: 'POST' })
      return r.ok && r
    })
    assert.equal(r.status, 200)
    assert.deepEqual((await big.json(configmaps)).items.map(c => c.metadata.name), ['kube-root-ca.crt'])
    assert.equal((await good.fetch(`${configmaps}/kept`)).status, 200)
  } finally {
    await runtime.kill()
  }
})
