// What a browser does to a page: a full disk, damaged or newer records, no
// storage at all, no network, scripts from another origin.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { serve } from '../serve.mjs'
import { block, complete, dock, edit, shows, siteDir, start, tab, text } from './browser.mjs'

let site
before(async () => { site = await start() })
after(async () => { await site?.close() })

/** Waits for a notice in the pane at the bottom. */
async function told(page, what) {
  const notices = dock(page).locator('.notices')
  for (let i = 0; i < 600; i++) {
    const now = await notices.innerText().catch(() => '')
    if (what.test(now)) return now
    await page.waitForTimeout(50)
  }
  assert.match(await notices.innerText(), what)
}
const state = page => dock(page).locator('.word').innerText()

/** Runs fn on the saved records of the page's cluster, as an IndexedDB transaction. */
const records = (page, fn, argument) => page.evaluate(([fn, argument]) => new Promise((resolve, reject) => {
  const open = indexedDB.open('kubonsai:default')
  open.onerror = () => reject(open.error)
  open.onsuccess = () => {
    const db = open.result
    const txn = db.transaction(['records', 'quarantine'], 'readwrite')
    let answer
    txn.oncomplete = () => { db.close(); resolve(answer) }
    txn.onabort = () => reject(txn.error)
    new Function('records', 'quarantine', 'argument', 'done', fn)(txn.objectStore('records'), txn.objectStore('quarantine'), argument, v => { answer = v })
  }
}), [fn, argument])

/** A page with a namespace "kept" in its saved cluster, and nobody using it. */
async function saved(context) {
  const page = await tab(context, site.url)
  const s = block(page, 'kubectl get nodes')
  await edit(s, 'kubectl create namespace kept; kubectl create namespace other')
  await complete(s)
  await page.goto(site.url + 'icon.svg')
  return page
}
async function back(page) {
  await page.goto(site.url)
  await page.waitForSelector('kube-snippet', { state: 'attached' })
  const s = block(page, 'kubectl get nodes')
  await edit(s, 'kubectl get namespace kept other')
  return complete(s)
}

test('a full disk is told, nothing is corrupted, and the simulation goes on', async () => {
  const context = await site.browser.newContext()
  const page = await tab(context, site.url)
  const cdp = await context.newCDPSession(page)
  // Before the first use: Chromium remembers for a while how much room there is.
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: new URL(site.url).origin, quotaSize: 5_000_000 })
  const s = block(page, 'kubectl get nodes')
  await edit(s, 'kubectl create namespace before')
  await complete(s)
  await edit(s, 'head -c 5000000 /dev/urandom > big; kubectl create namespace during; kubectl get namespace before during')
  const { output } = await complete(s)
  assert.match(output, /before +Active[\s\S]*during +Active/)
  await told(page, /no room left for this site.*not saved/)
  assert.match(await state(page), /not saved/)
  // Room is made elsewhere too: what the browser gives back of its own files, and when, is its affair.
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: new URL(site.url).origin, quotaSize: 500_000_000 })
  await edit(s, 'rm big; kubectl create namespace after; kubectl get namespace before during after')
  assert.match((await complete(s)).output, /after +Active/)
  await told(page, /saved again/)
  await page.reload()
  await page.waitForSelector('kube-snippet', { state: 'attached' })
  await edit(s, 'kubectl get namespace before during after')
  assert.match((await complete(s)).output, /after +Active[\s\S]*before +Active[\s\S]*during +Active|before +Active[\s\S]*during +Active[\s\S]*after +Active/)
  await context.close()
})

test('a damaged record is set aside and told; the rest is loaded', async () => {
  const context = await site.browser.newContext()
  const page = await saved(context)
  await records(page, `records.get(argument).onsuccess = e => { const v = e.target.result; v[v.length - 3] ^= 1; records.put(v, argument) }`, 'object/namespaces//other')
  const { output } = await back(page)
  assert.match(output, /kept +Active/)
  assert.match(output, /namespaces "other" not found/)
  await told(page, /1 saved records? (was|were) set aside.*namespaces\/\/other.*checksum/)
  const aside = await records(page, `quarantine.getAll().onsuccess = e => done(e.target.result.map(r => ({ key: r.key, size: r.value.length })))`)
  assert.deepEqual(aside.map(r => r.key), ['object/namespaces//other'])
  assert.ok(aside[0].size > 100)
  await context.close()
})

for (const [name, change, message] of [
  ['a cluster of a newer version', `records.get('meta').onsuccess = e => { const v = e.target.result; v[3] = 9; records.put(v, 'meta') }`, /set aside.*newer version/s],
  ['a cluster without its main record', `records.delete('meta')`, /set aside and a new one was started.*meta/s],
  ['a cluster that is all damaged', `records.openCursor().onsuccess = e => { const c = e.target.result; if (c) { c.value.fill(7); c.update(c.value); c.continue() } }`, /set aside/],
]) test(`${name} is set aside whole, told, and a new one starts`, async () => {
  const context = await site.browser.newContext()
  const page = await saved(context)
  const before = await records(page, `records.count().onsuccess = e => done(e.target.result)`)
  await records(page, change)
  assert.match((await back(page)).output, /namespaces "kept" not found/)
  await told(page, message)
  const aside = await records(page, `quarantine.count().onsuccess = e => done(e.target.result)`)
  assert.ok(aside >= before - 1 && aside > 10, `${aside} of ${before} are kept`)
  // The new cluster is kept in turn.
  const s = block(page, 'kubectl get nodes')
  await edit(s, 'kubectl create namespace kept')
  await complete(s)
  await page.goto(site.url + 'icon.svg')
  assert.match((await back(page)).output, /kept +Active/)
  await context.close()
})

for (const [name, script] of [
  ['refuses', `IDBFactory.prototype.open = () => { throw new DOMException('A mutation operation was attempted on a database that did not allow mutations.', 'InvalidStateError') }`],
  ['is not there', `Object.defineProperty(globalThis, 'indexedDB', { value: undefined })`],
]) test(`where IndexedDB ${name}, the cluster lives in memory, and the reader is told`, async () => {
  const context = await site.browser.newContext()
  await context.route('**/kubonsai-worker.js', async r => {
    const answer = await r.fetch()
    await r.fulfill({ response: answer, body: `${script};\n${await answer.text()}` })
  })
  const page = await tab(context, site.url)
  const s = block(page, 'kubectl get nodes')
  assert.match((await complete(s)).output, /control-plane/)
  await told(page, /this cluster is not kept/)
  assert.match(await state(page), /not kept/)
  // Two tabs share it all the same, and Reset works.
  const two = await tab(context, site.url)
  await edit(s, 'kubectl create namespace shared')
  await complete(s)
  const b = block(two, 'kubectl get nodes')
  await edit(b, 'kubectl get namespace shared')
  assert.match((await complete(b)).output, /shared +Active/)
  await dock(page).getByRole('button', { name: 'Reset cluster' }).click()
  const dialog = page.getByRole('dialog', { name: 'Reset cluster' })
  await dialog.getByRole('button', { name: 'Reset cluster' }).click()
  await dialog.waitFor({ state: 'detached' })
  await edit(s, 'kubectl get namespace shared')
  assert.match((await complete(s)).output, /not found/)
  await context.close()
})

test('offline after the first visit', async () => {
  const context = await site.browser.newContext()
  const page = await tab(context, site.url)
  await page.evaluate(() => navigator.serviceWorker.ready)
  for (let i = 0; i < 200 && !await page.evaluate(async () => { // what this page had loaded is kept
    const all = await Promise.all((await caches.keys()).map(async k => (await (await caches.open(k)).keys()).map(r => new URL(r.url).pathname)))
    return ['/', '/site.css', '/kubonsai.wasm', '/kubonsai-rest.wasm'].every(f => all.flat().includes(f))
  }); i++) await page.waitForTimeout(50)
  await page.goto('about:blank')
  await site.offline(true) // the server, too: nothing may come from the network
  await context.setOffline(true)
  try {
    await page.goto(site.url)
    await page.waitForSelector('kube-snippet', { state: 'attached' })
    assert.equal(await page.evaluate(() => document.styleSheets.length > 0 && document.styleSheets[0].cssRules.length > 0), true)
    assert.match((await complete(block(page, 'kubectl get nodes'))).output, /control-plane/)
    // The parts that are loaded late are there, too: of the program, and of the page.
    const s = block(page, 'kubectl get nodes')
    await edit(s, 'kubectl auth can-i --list')
    assert.match((await complete(s)).output, /Non-Resource URLs/)
    await dock(page).getByRole('button', { name: 'Terminals' }).click()
    await page.locator('kube-terminal').first().waitFor()
    await dock(page).getByRole('button', { name: 'Cluster', exact: true }).click()
    await dock(page).locator('kube-view').waitFor()
  } finally {
    await site.offline(false)
  }
  await context.close()
})

test('scripts and module from another origin, with nothing but CORS', async () => {
  const cdn = await serve(siteDir, 0, { 'access-control-allow-origin': '*' })
  const html = `<!doctype html><html lang="en"><body><pre><code class="language-bash">kubectl get nodes</code></pre><script type="module" src="${cdn.url}kubonsai.js" data-languages="bash"></script></body></html>`
  const page = createServer((req, res) => req.url === '/' ? res.writeHead(200, { 'content-type': 'text/html' }).end(html) : res.writeHead(404).end())
  await new Promise(resolve => page.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${page.address().port}/`
  const context = await site.browser.newContext()
  try {
    const one = await tab(context, url)
    const s = one.locator('kube-snippet')
    assert.match((await complete(s)).output, /control-plane/)
    await edit(s, 'kubectl create namespace kept')
    await complete(s)
    await one.reload()
    await one.waitForSelector('kube-snippet', { state: 'attached' })
    await shows(s, 'namespace/kept created')
    await edit(s, 'kubectl get namespace kept')
    assert.match((await complete(s)).output, /kept +Active/)
    await dock(one).getByRole('button', { name: 'Terminals' }).click()
    await one.locator('kube-terminal').first().waitFor()
    assert.deepEqual(one.faults.filter(f => !/favicon/.test(f)), [])
    assert.doesNotMatch(await text(s), /could not/)
  } finally {
    await context.close()
    page.close()
    await cdn.close()
  }
})
