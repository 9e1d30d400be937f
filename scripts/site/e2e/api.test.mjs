// The JS API on the real cluster in real browsers: what tabs see of each other.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { start } from './browser.mjs'

let site
before(async () => { site = await start() })
after(async () => { await site?.close() })

/** A tab with a cluster of the API's own, as window.c. */
async function client(context, options) {
  const page = await context.newPage()
  await page.goto(site.url + 'embed.html')
  await page.evaluate(async options => {
    const { create } = await import('/kubonsai-api.js')
    window.c = await create(options)
    window.until = async ok => {
      for (let i = 0; i < 400 && !ok(); i++) await new Promise(r => setTimeout(r, 25))
      return ok()
    }
  }, options)
  return page
}

test('two tabs hear each other', async () => {
  const context = await site.browser.newContext()
  const one = await client(context, { name: 'hear' }), two = await client(context, { name: 'hear' })
  for (const page of [one, two]) await page.evaluate(() => {
    window.heard = []
    window.off = c.on('output', o => heard.push({ id: o.id, terminal: o.terminal, stream: o.stream, text: o.text, own: !!o.run, clear: !!o.clear }))
  })
  await two.evaluate(() => c.status()) // the leader knows by now
  assert.equal(await one.evaluate(() => c.run('echo from one; echo 端 >&2', { terminal: 'a' }).exit), 0)
  assert.equal(await two.evaluate(() => c.run('clear; echo from two', { terminal: 'b', interactive: true }).exit), 0)
  const all = async page => {
    await page.evaluate(() => until(() => heard.some(h => h.text.includes('from two'))))
    return page.evaluate(() => heard)
  }
  const [first, second] = [await all(one), await all(two)]
  const say = list => list.map(h => `${h.terminal} ${h.stream} ${h.text.trim()}`)
  assert.deepEqual(say(first), ['a stdout from one', 'a stderr 端', 'b stdout from two'])
  assert.deepEqual(say(second), say(first))
  assert.deepEqual(second.map(h => h.id), first.map(h => h.id)) // both name the runs alike
  assert.notEqual(first[0].id, first[2].id)
  assert.deepEqual([first.map(h => h.own), second.map(h => h.own)], [[true, true, false], [false, false, true]])
  assert.deepEqual(first.map(h => h.clear), [false, false, true])
  // Who no longer listens hears nothing; the other still does, also after a take-over.
  await two.evaluate(() => off())
  await two.evaluate(() => c.status())
  await one.evaluate(() => c.run('echo again').exit)
  assert.ok(!(await two.evaluate(() => heard)).some(h => h.text.includes('again')))
  const three = await client(context, { name: 'hear' })
  await three.evaluate(() => {
    window.heard = []
    window.lost = 0
    c.on('output', o => heard.push(o.text))
    c.on('lost', () => lost++)
  })
  await one.close()
  await three.evaluate(() => until(() => lost > 0))
  await two.evaluate(() => c.run('echo after').exit)
  assert.ok(await three.evaluate(() => until(() => heard.some(t => t.includes('after')))))
  await context.close()
})

test('changes of every kind reach the other tab, custom resources too', async () => {
  const context = await site.browser.newContext()
  const one = await client(context, { name: 'change', nodes: 2 }), two = await client(context, { name: 'change', nodes: 2 })
  await two.evaluate(() => {
    window.seen = new Set()
    window.events = 0
    c.on('change', e => seen.add(`${e.type} ${e.object.kind} ${e.object.metadata.name}`))
    c.on('event', () => events++)
    return until(() => seen.has('ADDED Node kind-worker')) // it listens by now
  })
  const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: bonsais.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: bonsais, singular: bonsai, kind: Bonsai}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]`
  const output = await one.evaluate(async definition => (await c.run(`kubectl apply -f - <<'E'
${definition}
E
kubectl wait --for=condition=Established crd/bonsais.example.com --timeout=30s
kubectl create secret generic s; kubectl create role r --verb=get --resource=pods; kubectl create deployment web --image=nginx
kubectl create -f - <<'E'
{"apiVersion": "example.com/v1", "kind": "Bonsai", "metadata": {"name": "maple"}}
E
kubectl delete secret s`).result()), definition)
  assert.equal(output.code, 0, output.stderr)
  const want = ['ADDED CustomResourceDefinition bonsais.example.com', 'ADDED Bonsai maple', 'ADDED Secret s', 'DELETED Secret s', 'ADDED Role r', 'ADDED Deployment web', 'ADDED Node kind-worker']
  await two.evaluate(want => until(() => want.every(w => seen.has(w)) && events > 0), want)
  const seen = await two.evaluate(() => [...seen])
  assert.deepEqual(want.filter(w => !seen.includes(w)), [])
  assert.ok(seen.some(s => s.startsWith('ADDED EndpointSlice')) && seen.some(s => s.startsWith('ADDED ReplicaSet web-')))
  assert.ok(!seen.some(s => / Event /.test(s)))
  assert.ok(await two.evaluate(() => events) > 0)
  await context.close()
})
