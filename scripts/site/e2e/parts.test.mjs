// The program in two parts, in the page: what the first part can alone, and what
// a reader sees who needs the rest before it has come.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import path from 'node:path'
import { block, complete, edit, shows, siteDir, start, tab } from './browser.mjs'

let site
before(async () => { site = await start() })
after(async () => { await site?.close() })

/**
 * A page whose rest is kept back: what fetches it in the background (fetch) gets
 * an answer from later(), who cannot wait (xhr) from now().
 */
async function open(later, now) {
  const context = await site.browser.newContext({ serviceWorkers: 'block' }) // which would fetch it too
  const asked = { later: 0, now: 0 }
  await context.route('**/kubonsai-rest.wasm*', r => {
    if (r.request().resourceType() === 'xhr') {
      asked.now++
      return now(r)
    }
    asked.later++
    return later(r)
  })
  const page = await tab(context, site.url)
  const s = block(page, 'kubectl get nodes')
  return {
    asked, close: () => context.close(),
    async does(script) {
      await edit(s, script)
      return (await complete(s)).output
    },
    shows: async (script, what) => {
      await edit(s, script)
      await s.getByRole('button', { name: 'Run' }).click()
      await shows(s, what)
    },
  }
}
const never = () => {}
const rest = readFileSync(path.join(siteDir, 'kubonsai-rest.wasm'))
const wasm = body => ({ status: 200, contentType: 'application/wasm', body })
/** A rest that the page's first part does not go with: another name to import from. */
const other = (() => {
  const name = WebAssembly.Module.imports(new WebAssembly.Module(rest))[0].module
  const text = rest.toString('latin1').replaceAll(name, '0'.repeat(name.length))
  return Buffer.from(text, 'latin1')
})()

/** Something that is not done every day. */
const rare = 'kubectl auth can-i --list --as=system:serviceaccount:default:default | head -1; kubectl drain nothing; kubectl kustomize nowhere'
const done = /^Resources +Non-Resource URLs.*\n.*nodes "nothing" not found\nerror: must build at directory: not a valid directory/s

test('the first part does alone what readers do every day', async () => {
  const page = await open(never, r => r.abort())
  assert.match(await page.does('kubectl get nodes'), /control-plane/)
  assert.match(await page.does('kubectl create deployment web --image=nginx:1.27 --replicas=2 && kubectl rollout status deployment/web && kubectl get pods'), /2 of 2 updated|successfully rolled out[^]*web-.*1\/1 +Running/)
  assert.match(await page.does('kubectl expose deployment web --port=80 && kubectl describe service web && kubectl logs deployment/web | tail -1'), /Endpoints: +10\./)
  assert.match(await page.does('kubectl get pod nothing; kubectl delete deployment,service web'), /"nothing" not found[^]*deleted/)
  assert.deepEqual(page.asked, { later: 1, now: 0 })
  await page.close()
})

test('who needs the rest before it has come gets it at once', async () => {
  const page = await open(never, r => r.continue())
  assert.match(await page.does(rare), done)
  assert.equal(page.asked.now, 1)
  assert.match(await page.does(rare), done)
  assert.equal(page.asked.now, 1)
  await page.close()
})

test('when the rest has come, nobody waits', async () => {
  const page = await open(r => r.continue(), r => r.abort())
  assert.match(await page.does('kubectl get nodes'), /control-plane/)
  assert.match(await page.does('sleep 5'), /^$/)
  assert.match(await page.does(rare), done)
  assert.deepEqual(page.asked, { later: 1, now: 0 })
  await page.close()
})

for (const late of [false, true]) test(`the rest of another release, from a cache, is fetched anew${late ? ', at once' : ''}`, async () => {
  let n = 0
  const answer = r => r.fulfill(wasm(n++ ? rest : other))
  const page = late ? await open(never, answer) : await open(answer, r => r.abort())
  assert.match(await page.does('kubectl get nodes'), /control-plane/)
  assert.match(await page.does('sleep 5'), /^$/)
  assert.match(await page.does(rare), done)
  assert.equal(n, 2)
  await page.close()
})

test('a rest that cannot be had is said, and the cluster goes on', async () => {
  const context = await open(r => r.abort(), r => r.fulfill({ status: 404, body: 'no' }))
  assert.match(await context.does('kubectl create namespace kept'), /created/)
  await context.shows(rare, /the rest of the cluster’s program could not be fetched: .* answered 404; put kubonsai-rest\.wasm beside/)
  assert.match(await context.does('kubectl get namespace kept'), /kept +Active/)
  await context.close()
  const mixed = await open(r => r.abort(), r => r.fulfill(wasm(other)))
  await mixed.shows(rare, /of another release than the cluster’s program: reload the page/)
  await mixed.close()
})
