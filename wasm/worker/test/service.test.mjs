// The service: making sandboxes, who may reach them, limits, the trainer's side.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { again, Runtime, sleep, temporary, until } from './harness.mjs'

const runtime = new Runtime({ bindings: { MAX_STREAMS: 3, MAX_PODS: 20, MAX_OBJECTS: 220, MAX_NODES: 3, MAX_REQUEST_BYTES: 100_000, MAX_BYTES: 3_000_000, MAX_LOG_BYTES: 10_000, MAX_FILE_BYTES: 100_000 } })
before(() => runtime.start())
after(() => runtime.kill())

test('a sandbox is made with one request, and its kubeconfig is the answer', async () => {
  const r = await again(`${runtime.url}/new`)
  assert.equal(r.status, 201)
  assert.match(r.headers.get('content-type'), /yaml/)
  const text = await r.text()
  assert.match(text, /^kind: Config$/m)
  assert.match(text, /server: http:\/\/127\.0\.0\.1:\d+\/s\/[a-z2-7]{38}/)
})

test('two sandboxes know nothing of each other', async () => {
  const [a, b] = await Promise.all([runtime.sandbox(), runtime.sandbox()])
  await a.json('/api/v1/namespaces/default/configmaps', { method: 'POST', body: { metadata: { name: 'mine' } } })
  assert.equal((await a.fetch('/api/v1/namespaces/default/configmaps/mine')).status, 200)
  assert.equal((await b.fetch('/api/v1/namespaces/default/configmaps/mine')).status, 404)
})

test('without the right token nothing is told, not even whether there is a sandbox', async () => {
  const [a, b] = await Promise.all([runtime.sandbox(), runtime.sandbox()])
  const gone = await runtime.sandbox()
  assert.equal((await gone.fetch('/-/', { method: 'DELETE' })).status, 200)
  const jwt = 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln'
  const asked = {}
  for (const [what, id, token] of [
    ['no token', a.id, ''], ['another sandbox’s token', a.id, b.token], ['an invented token', a.id, 'x'.repeat(50)],
    ['an invented token of the cluster’s kind', a.id, jwt], ['an invented id', 'a'.repeat(38), a.token], ['an invented id and no token', 'a'.repeat(38), ''],
    ['an id with one letter changed', (a.id[0] === 'a' ? 'b' : 'a') + a.id.slice(1), a.token], ['a removed sandbox and no token', gone.id, ''],
    ['a removed sandbox and a token of the cluster’s kind', gone.id, jwt], ['no id', '', a.token], ['a strange id', '..%2fnew', a.token],
  ]) {
    for (const path of ['/version', '/api/v1/nodes', '/-/snapshot', '/healthz', '/api/v1/namespaces/default/pods/x/exec?command=sh']) {
      const r = await again(`${runtime.url}/s/${id}${path}`, { headers: token ? { Authorization: `Bearer ${token}` } : {} })
      const headers = Object.fromEntries([...r.headers].filter(([k]) => k !== 'date'))
      asked[`${what} ${path}`] = JSON.stringify([r.status, await r.text(), headers])
    }
  }
  const answers = new Set(Object.values(asked))
  assert.equal(answers.size, 1, JSON.stringify(asked, null, 1))
  assert.match([...answers][0], /^\[401,.*Unauthorized/)
  // Whoever has the token of a removed one may know.
  const r = await again(gone.server.replace(/~.*/, '') + '/version', { headers: { Authorization: `Bearer ${gone.token}` } })
  assert.equal(r.status, 404)
})

test('tokens of service accounts work, as far as RBAC lets them', async () => {
  const s = await runtime.sandbox()
  const { status: { token } } = await s.json('/api/v1/namespaces/default/serviceaccounts/default/token', { method: 'POST', body: {} })
  const as = (path, init = {}) => again(`${runtime.url}/s/${s.id}${path}`, { ...init, headers: { Authorization: `Bearer ${token}` } })
  const denied = await as('/api/v1/namespaces/default/pods')
  assert.equal(denied.status, 403)
  assert.match((await denied.json()).message, /User "system:serviceaccount:default:default" cannot list resource "pods"/)
  await s.json('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', { method: 'POST', body: { metadata: { name: 'v' }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }, subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }] } })
  assert.equal((await as('/api/v1/namespaces/default/pods')).status, 200)
  assert.equal((await as('/-/snapshot')).status, 401)
})

test('every limit has a clear answer', async () => {
  const s = await runtime.sandbox()
  const refused = async (code, message, answer) => {
    const r = await answer
    const body = await r.json()
    assert.equal(r.status, code, JSON.stringify(body))
    assert.equal(body.kind, 'Status')
    assert.match(body.message, message)
    return r
  }
  await refused(403, /limited to 3 nodes/, again(`${runtime.url}/new?nodes=4`))
  await refused(403, /limited to 3 nodes/, again(`${runtime.url}/new?nodes=1/1Gi,1/1Gi,1/1Gi,1/1Gi`))
  await refused(400, /nodes is "many"/, again(`${runtime.url}/new?nodes=many`))
  await refused(400, /nodes/, again(`${runtime.url}/new?nodes=0`))
  await refused(404, /no template "x"/, again(`${runtime.url}/new?template=x`))
  await refused(413, /limit is 100000/, s.fetch('/api/v1/namespaces/default/configmaps', { method: 'POST', body: { metadata: { name: 'big' }, data: { x: 'x'.repeat(120_000) } } }))
  await refused(413, /larger than the limit of 3000000 bytes/, again(`${runtime.url}/new`, { method: 'POST', body: 'x'.repeat(3_000_001) }))
  await refused(400, /not a snapshot/, again(`${runtime.url}/new`, { method: 'POST', body: '{}' }))

  await s.json('/apis/apps/v1/namespaces/default/deployments', { method: 'POST', body: { metadata: { name: 'many' }, spec: { replicas: 30, selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'nginx' }] } } } } })
  await until('20 pods', async () => (await s.json('/api/v1/pods')).items.length === 20)
  await refused(403, /the sandbox is limited to 20 pods, and has 20/, s.fetch('/api/v1/namespaces/default/pods', { method: 'POST', body: { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'nginx' }] } } }))
  const made = []
  for (let i = 0; i < 220; i++) {
    const r = await s.fetch('/api/v1/namespaces/default/configmaps', { method: 'POST', body: { metadata: { name: `c${i}` } } })
    made.push(r.status)
    if (r.status !== 201) {
      await refused(403, /the sandbox is limited to 220 objects/, r)
      break
    }
    await r.arrayBuffer()
  }
  assert.equal(made.at(-1), 403)

  const open = []
  for (let i = 0; i < 3; i++) {
    const stop = new AbortController()
    open.push(stop)
    const r = await s.fetch('/api/v1/pods?watch=1', { signal: stop.signal })
    assert.equal(r.status, 200)
  }
  const r = await refused(429, /limited to 3 watches, followed logs and other streams at once/, s.fetch('/api/v1/pods?watch=1'))
  assert.equal(r.headers.get('retry-after'), '5')
  for (const stop of open) stop.abort()
  // A client's leaving is noticed at the latest when something is written to it.
  await until('a stream is free', async () => {
    await s.json('/api/v1/namespaces/default/pods/' + (await s.json('/api/v1/namespaces/default/pods')).items[0].metadata.name, { method: 'PATCH', body: { metadata: { annotations: { t: String(Math.random()) } } }, headers: { 'Content-Type': 'application/merge-patch+json' } })
    const stop = new AbortController()
    const r = await s.fetch('/api/v1/pods?watch=1', { signal: stop.signal })
    stop.abort()
    return r.status === 200
  })
})

test('what is kept, logged and written is bounded', async () => {
  const s = await runtime.sandbox()
  const page = await s.page()
  let r = await page.run('kubectl run loud --image=busybox --restart=Never -- seq 100000; kubectl wait --for=jsonpath={.status.phase}=Succeeded pod/loud; kubectl logs loud | wc -c')
  assert.ok(Number(r.stdout.trim().split('\n').at(-1)) <= 11_000, r.stdout + r.stderr)
  r = await page.run('kubectl run w --image=busybox -- sleep 1000; kubectl wait --for=condition=Ready pod/w; kubectl exec w -- sh -c "yes x | head -c 300000 > /big"')
  assert.match(r.stdout + r.stderr, /o space left on device/)
  for (let i = 0; ; i++) {
    const r = await s.fetch('/api/v1/namespaces/default/configmaps', { method: 'POST', body: { metadata: { name: `c${i}` }, data: { x: `${i}`.repeat(30_000) } } })
    const body = await r.json()
    if (r.status === 201) continue
    assert.match(body.message, /the sandbox's storage is full: delete something first/)
    assert.ok(i > 10, `full after ${i}`)
    break
  }
  assert.equal((await s.fetch('/api/v1/namespaces/default/configmaps/c0', { method: 'DELETE' })).status, 200)
})

test('creations are counted per address, and a class code may be asked for', async () => {
  const strict = await new Runtime({ bindings: { CREATE_PER_HOUR: 2, CLASS_CODE: 'kyoto' } }).start()
  try {
    for (const [query, message] of [['', /class code is needed/], ['?code=nara', /not valid/]]) {
      const r = await again(`${strict.url}/new${query}`)
      assert.equal(r.status, 403)
      assert.match((await r.json()).message, message)
    }
    assert.equal((await again(`${strict.url}/new?code=kyoto`)).status, 201)
    assert.equal((await again(`${strict.url}/new`, { headers: { 'X-Class-Code': 'kyoto' } })).status, 201)
    const r = await again(`${strict.url}/new?code=kyoto`)
    assert.equal(r.status, 429)
    assert.ok(Number(r.headers.get('retry-after')) > 3000)
    assert.match((await r.json()).message, /has made 2 sandboxes within an hour/)
    assert.match(await (await strict.admin('/metrics')).text(), /kubonsai_creations_refused_total\{reason="code"\} 2\n/)
  } finally {
    await strict.kill()
  }
})

test('the trainer lists, helps, removes and reads figures; nobody else does', async () => {
  const s = await runtime.sandbox('?nodes=2')
  await s.json('/api/v1/nodes')
  for (const path of ['/admin/sandboxes', `/admin/sandboxes/${s.id}`, '/metrics']) {
    for (const headers of [{}, { Authorization: 'Bearer wrong' }, { Authorization: `Bearer ${s.token}` }]) {
      assert.equal((await again(runtime.url + path, { headers })).status, 401)
    }
  }
  const { sandboxes } = await (await runtime.admin('/admin/sandboxes')).json()
  const mine = sandboxes.find(e => e.id === s.id)
  assert.equal(mine.nodes, '2')
  assert.ok(mine.bytes > 1000 && mine.memory > 1 << 20, JSON.stringify(mine))
  assert.match(await (await runtime.admin(`/admin/sandboxes/${s.id}/kubeconfig`)).text(), new RegExp(s.token))
  assert.equal((await runtime.admin(`/admin/sandboxes/${s.id}`, { method: 'DELETE' })).status, 200)
  assert.equal((await runtime.admin(`/admin/sandboxes/${s.id}`, { method: 'DELETE' })).status, 404)
  assert.equal((await s.fetch('/api/v1/nodes')).status, 404)
  const metrics = await (await runtime.admin('/metrics')).text()
  assert.match(metrics, /^kubonsai_sandboxes_removed_total\{reason="admin"\} 1$/m)
  assert.match(metrics, /^kubonsai_wake_milliseconds_count [1-9]/m)
  assert.match(metrics, /^kubonsai_requests_total \d/m)
})

test('a snapshot goes out and in, here and into another sandbox', async () => {
  const a = await runtime.sandbox()
  await a.json('/api/v1/namespaces/default/configmaps', { method: 'POST', body: { metadata: { name: 'kept' }, data: { k: 'v' } } })
  const snapshot = new Uint8Array(await (await a.fetch('/-/snapshot')).arrayBuffer())
  assert.ok(JSON.parse(new TextDecoder().decode(snapshot)).records)
  const b = await runtime.sandbox('', { method: 'POST', body: snapshot })
  assert.equal((await b.json('/api/v1/namespaces/default/configmaps/kept')).data.k, 'v')
  await a.json('/api/v1/namespaces/default/configmaps/kept', { method: 'DELETE' })
  assert.equal((await a.fetch('/-/snapshot', { method: 'PUT', body: '{"kubonsai":1}' })).status, 400)
  assert.equal((await a.fetch('/api/v1/namespaces/default/configmaps/kept')).status, 404)
  assert.equal((await a.fetch('/-/snapshot', { method: 'PUT', body: snapshot })).status, 200)
  assert.equal((await a.json('/api/v1/namespaces/default/configmaps/kept')).data.k, 'v')
  assert.equal((await a.fetch('/-/reset', { method: 'POST' })).status, 200)
  assert.equal((await a.fetch('/api/v1/namespaces/default/configmaps/kept')).status, 404)
  assert.equal((await a.json('/api/v1/nodes')).items.length, 1)
})

test('a template is what a sandbox begins with, and what it is reset to', async () => {
  const assets = temporary()
  mkdirSync(path.join(assets, 'templates'))
  writeFileSync(path.join(assets, 'templates/shop.yaml'), 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: prices, namespace: shop}\n')
  writeFileSync(path.join(assets, 'templates/broken.yaml'), 'apiVersion: v1\nkind: Nothing\nmetadata: {name: x}\n')
  writeFileSync(path.join(assets, 'index.html'), 'the site')
  const site = await new Runtime({ assets }).start()
  try {
    assert.equal(await (await again(`${site.url}/`)).text(), 'the site')
    const s = await site.sandbox('?template=shop')
    const prices = '/api/v1/namespaces/shop/configmaps/prices'
    assert.equal((await s.fetch(prices)).status, 200)
    await s.json(prices, { method: 'DELETE' })
    assert.equal((await s.fetch('/-/reset', { method: 'POST' })).status, 200)
    assert.equal((await s.fetch(prices)).status, 200)
    const r = await again(`${site.url}/new?template=broken`)
    assert.equal(r.status, 400)
    assert.match((await r.json()).message, /the template could not be applied: .*no matches for kind "Nothing"/s)
    assert.equal((await (await site.admin('/admin/sandboxes')).json()).sandboxes.length, 1)
  } finally {
    await site.kill()
  }
})

test('a page attaches, runs commands, and sees what others do', async () => {
  const s = await runtime.sandbox()
  const [one, two] = await Promise.all([s.page(), s.page()])
  let r = await one.run('echo hello > f; kubectl create configmap c --from-file=f; cat f | awk \'{print $1 "!"}\'')
  assert.equal(r.stdout, 'configmap/c created\nhello!\n')
  r = await two.run('kubectl get cm c -o jsonpath={.data.f}')
  assert.equal(r.stdout, 'hello\n')
  await assert.rejects(two.ask({ kind: 'speed', speed: 10 }), { code: 'Shared' })
  const loop = one.start('while true; do echo y; done')
  await until('output', () => loop.out.stdout.length > 1000)
  await loop.stop()
  assert.equal((await loop.done).status, 130)
  const many = await s.page()
  await assert.rejects(s.page(), /429/)
  for (const p of [one, two, many]) p.socket.close()
})

test('unused sandboxes expire, by alarm', async () => {
  const brief = await new Runtime({ bindings: { EXPIRE_DAYS: 8 / 86400 } }).start()
  try {
    const s = await brief.sandbox()
    await sleep(4000)
    await s.json('/api/v1/nodes') // in use: it goes on
    await sleep(5500)
    assert.equal(brief.events('remove').length, 0)
    await until('the end', () => brief.events('remove').some(e => e.id === s.id && e.why === 'expired'), 30_000)
    assert.equal((await s.fetch('/api/v1/nodes')).status, 404)
    assert.deepEqual((await (await brief.admin('/admin/sandboxes')).json()).sandboxes, [])
  } finally {
    await brief.kill()
  }
})

test('a sandbox that has the right id and is asked by another method says so', async () => {
  const s = await runtime.sandbox()
  assert.equal((await s.fetch('/-/snapshot', { method: 'PATCH', body: '' })).status, 405)
  assert.equal((await s.fetch('/nothing')).status, 404)
})
