// Pages on hosted sandboxes, against the Worker in the platform's own runtime.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { Runtime } from '../../../wasm/worker/test/harness.mjs'
import { block, complete, dock, edit, ended, root, run, shots, shows, siteDir, start, stop, tab } from './browser.mjs'

let site, service
before(async () => {
  if (!existsSync(path.join(root, 'dist/worker/worker.js'))) {
    const r = spawnSync(process.execPath, [path.join(root, 'scripts/worker/build.mjs')], { stdio: 'inherit' })
    assert.equal(r.status, 0, 'the Worker could not be built')
  }
  site = await start()
  service = await new Runtime({ assets: siteDir }).start()
})
after(async () => {
  await site?.close()
  await service?.kill()
})

const fresh = (options = {}) => site.browser.newContext({ viewport: { width: 1200, height: 900 }, ...options })
const hostedPage = () => `${service.url}/sandbox`
const first = page => block(page, 'kubectl create deployment web')
const place = page => page.locator('main kube-sandbox')
const kept = (page, name = 'sandbox') => page.evaluate(n => JSON.parse(localStorage.getItem(`kubonsai:sandbox:${n}`)), name)
const api = (sandbox, what, init) => fetch(sandbox.server + what, { ...init, headers: { Authorization: `Bearer ${sandbox.token}` } })
const names = async (sandbox, what) => (await (await api(sandbox, what)).json()).items.map(i => i.metadata.name)
const noticed = (page, words) => dock(page).getByRole('alert').getByText(words).waitFor({ timeout: 40_000 })
const until = async (what, ok) => {
  for (const begin = Date.now(); ;) {
    const now = await what()
    if (ok(now)) return now
    assert.ok(Date.now() - begin < 30_000, `still ${JSON.stringify(now)}`)
    await new Promise(r => setTimeout(r, 100))
  }
}
/** No error but those that a test is about. */
const clean = (page, but = /^$/) => assert.deepEqual(page.faults.filter(f => !but.test(f)), [])
/** A page of the static site whose script has other attributes. */
async function authored(context, attributes) {
  const html = readFileSync(path.join(siteDir, 'index.html'), 'utf8').replace('data-offline="sw.js"', attributes)
  await context.grantPermissions(['local-network-access']) // Chromium does not know that such a page is of this machine
  await context.route(site.url, route => route.fulfill({ contentType: 'text/html', body: html }))
  return tab(context, site.url)
}

test('a block runs on the sandbox, tabs share it, a reload keeps it, and no module is loaded', async () => {
  const context = await fresh({ serviceWorkers: 'block' })
  const loaded = []
  context.on('request', r => loaded.push(r.url()))
  const page = await tab(context, hostedPage())
  assert.match((await complete(first(page))).output, /successfully rolled out/)
  await place(page).getByText(/hosted sandbox at 127\.0\.0\.1:\d+\. It is deleted after 7 days/).waitFor()
  const sandbox = await kept(page)
  assert.deepEqual(await names(sandbox, '/apis/apps/v1/namespaces/default/deployments'), ['web'])
  // Another tab, and a watch in it.
  const other = await tab(context, hostedPage())
  const watch = block(other, 'kubectl scale deployment web')
  await edit(watch, 'kubectl get pods --watch')
  await run(watch)
  await shows(watch, /web-\S+ +1\/1/)
  assert.deepEqual(await kept(other), sandbox)
  await complete(block(page, 'kubectl scale deployment web'))
  await until(async () => new Set((await shows(watch, 'web-')).match(/web-\S+/g)).size, n => n === 4)
  const begin = Date.now()
  await stop(watch)
  assert.match((await ended(watch)).status, /stopped \(130\)/)
  assert.ok(Date.now() - begin < 3000)
  // The terminal of the page is in the same cluster.
  await page.locator('main kube-terminal').click()
  await page.keyboard.type('kubectl get deployment web\n')
  await until(() => page.locator('main kube-terminal .xterm-rows').innerText(), text => /web\s+4\/4/.test(text.replaceAll('\u00a0', ' ')))
  // The controls of time are gone, the word says where it is.
  await dock(page).getByText(/hosted sandbox$/).waitFor()
  assert.equal(await dock(page).getByRole('combobox', { name: 'Speed' }).isVisible(), false)
  assert.equal(await dock(page).getByRole('button', { name: 'Pause' }).isVisible(), false)
  await page.reload()
  await shows(first(page), /successfully rolled out/)
  assert.deepEqual(await kept(page), sandbox)
  await edit(first(page), 'kubectl get deployment web; kubectl get pods | jq -R .; awk "BEGIN { print 6*7 }"')
  assert.match((await complete(first(page))).output, /web +4\/4[\s\S]*"web-[\s\S]*42/)
  assert.deepEqual(loaded.filter(u => /\.wasm|kubonsai-worker/.test(u)), [])
  clean(page)
  clean(other)
  await context.close()
})

test('kubectl reaches it, by the dialog and by the API', async () => {
  const context = await fresh({ acceptDownloads: true })
  const page = await tab(context, hostedPage())
  await complete(first(page))
  const open = place(page).getByRole('button', { name: 'Use with kubectl' })
  await open.click()
  const dialog = page.getByRole('dialog', { name: 'Use with kubectl' })
  const sandbox = await kept(page)
  assert.match(await dialog.locator('pre').textContent(), new RegExp(`Bearer ${sandbox.token}`))
  const [file] = await Promise.all([page.waitForEvent('download'), dialog.getByRole('link', { name: 'Download kubeconfig' }).click()])
  const text = readFileSync(await file.path(), 'utf8')
  assert.equal(file.suggestedFilename(), 'kubeconfig')
  assert.ok(text.includes(sandbox.server) && text.includes(sandbox.token))
  await page.screenshot({ path: path.join(shots, 'sandbox-kubectl.png') })
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  assert.ok(await open.evaluate(e => e.getRootNode().activeElement === e), 'the focus returns')
  // What the command of the dialog does.
  const answer = await api(sandbox, '/-/kubeconfig')
  assert.equal(await answer.text(), text)
  const told = await page.evaluate(async url => {
    const { create, KubonsaiError } = await import('./kubonsai-api.js')
    const a = await create({ sandbox: '', name: 'mine', nodes: 2, template: 'web-and-service' })
    const b = await create({ sandbox: a.sandbox })
    await a.files.write('note', 'hello')
    const code = p => p.then(() => 'none', e => e instanceof KubonsaiError ? e.code : String(e))
    const told = {
      nodes: (await b.run('kubectl get nodes -o name').result()).stdout,
      note: await b.files.read('note'),
      web: (await b.run('kubectl rollout status deploy/web').result()).code,
      restored: [a.restored, b.restored],
      kubeconfig: await b.kubeconfig() === await a.kubeconfig(),
      errors: await Promise.all([a.setSpeed(10), a.pause(), create({ sandbox: { ...a.sandbox, token: 'x' } }), create({ sandbox: '', name: 'no', template: 'nope' }), create({ sandbox: '', name: 'no', nodes: 99 }), create({ sandbox: 'http://127.0.0.1:1' })].map(code)),
      big: (await a.files.write('big', new Uint8Array(1_500_000).map((_, i) => i)), (await b.files.readBytes('big')).every((v, i) => v === i % 256)),
    }
    // Somebody resets it: everybody is told, and goes on.
    const lost = new Promise(resolve => b.on('lost', resolve))
    await a.reset()
    told.lost = (await lost).reset
    told.after = await code(b.files.read('note'))
    await a.close()
    await b.close()
    return told
  }, service.url)
  assert.deepEqual({ ...told, kubeconfig: true }, {
    nodes: 'node/kind-control-plane\nnode/kind-worker\n', note: 'hello', web: 0, restored: [false, true], kubeconfig: true,
    errors: ['Shared', 'Shared', 'Gone', 'NotFound', 'Forbidden', 'Unreachable'], big: true, lost: true, after: 'NotFound',
  })
  assert.ok(told.kubeconfig)
  clean(page, /status of 40[134]|ERR_CONNECTION_REFUSED|ERR_UNSAFE_PORT|WebSocket connection/)
  await context.close()
})

test('a cluster of the browser moves to a sandbox and back', async () => {
  const context = await fresh()
  const page = await authored(context, `data-upload="${service.url}"`)
  const s = block(page, 'kubectl get nodes')
  await edit(s, 'kubectl create deployment moved --image=nginx --replicas=2; kubectl rollout status deployment moved; echo mine > note')
  await complete(s)
  // Its time is ahead of the wall's.
  await dock(page).getByRole('combobox', { name: 'Speed' }).selectOption('100')
  await page.waitForTimeout(3000)
  await dock(page).getByRole('button', { name: 'Sandbox' }).click()
  const panel = dock(page).locator('kube-sandbox')
  await panel.getByText('This cluster lives in this browser.').waitFor()
  await page.screenshot({ path: path.join(shots, 'sandbox-move.png') })
  const other = await tab(context, site.url)
  const theirs = block(other, 'kubectl get nodes')
  await complete(theirs) // which of the two texts it runs is decided by which is there first
  await edit(theirs, 'kubectl create deployment moved --image=nginx; kubectl rollout status deployment moved')
  assert.match((await complete(theirs)).output, /already exists/)
  await Promise.all([other.waitForEvent('load'), page.waitForEvent('load'), panel.getByRole('button', { name: 'Move to a hosted sandbox' }).click()])
  for (const p of [page, other]) await dock(p).getByText(/hosted sandbox$/).waitFor()
  await shows(s, /already exists[\s\S]*successfully rolled out/) // what was shown is shown
  await other.close()
  const sandbox = await kept(page, 'default')
  assert.equal((await names(sandbox, '/api/v1/namespaces/default/pods')).length, 2)
  await edit(s, 'kubectl scale deployment moved --replicas=3; kubectl rollout status deployment moved; cat note; echo hosted >> note')
  assert.match((await complete(s)).output, /successfully rolled out[\s\S]*mine/)
  // Back, with what was done there.
  await dock(page).getByRole('button', { name: 'Sandbox' }).click()
  await panel.getByRole('button', { name: 'Bring back' }).click()
  const dialog = page.getByRole('dialog', { name: 'Bring back' })
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await dialog.waitFor({ state: 'detached' })
  await panel.getByRole('button', { name: 'Bring back' }).click()
  await Promise.all([page.waitForEvent('load'), dialog.getByRole('button', { name: 'Bring back' }).click()])
  await dock(page).getByText(/kept in this browser$/).waitFor()
  await shows(s, 'successfully rolled out')
  await edit(s, 'kubectl get deployment moved; cat note')
  assert.match((await complete(s)).output, /moved +3\/3[\s\S]*mine\s+hosted/)
  // The sandbox goes on by itself; the browser's cluster is another one now.
  await edit(s, 'kubectl delete deployment moved')
  await complete(s)
  assert.deepEqual(await names(sandbox, '/apis/apps/v1/namespaces/default/deployments'), ['moved'])
  // Moved again, to a sandbox that is then deleted: the browser's cluster is as it was.
  await dock(page).getByRole('button', { name: 'Sandbox' }).click()
  await Promise.all([page.waitForEvent('load'), panel.getByRole('button', { name: 'Move to a hosted sandbox' }).click()])
  await dock(page).getByText(/hosted sandbox$/).waitFor()
  const again = await kept(page, 'default')
  assert.notEqual(again.server, sandbox.server)
  await api(again, '/-/', { method: 'DELETE' })
  await page.reload()
  await noticed(page, /as it was before the move/)
  await dock(page).getByText(/kept in this browser$/).waitFor()
  await shows(s, '"moved" deleted')
  await edit(s, 'kubectl get deployments; cat note')
  assert.match((await complete(s)).output, /No resources found[\s\S]*mine\s+hosted/)
  await page.reload()
  await dock(page).getByText(/kept in this browser$/).waitFor()
  clean(page, /status of 404|WebSocket connection/)
  await context.close()
})

test('a sandbox that was deleted gives way to another one', async () => {
  const context = await fresh()
  const page = await tab(context, hostedPage())
  await complete(first(page))
  const one = await kept(page)
  // While the page is open.
  assert.equal((await api(one, '/-/', { method: 'DELETE' })).status, 200)
  await noticed(page, /does not exist any more/)
  await edit(first(page), 'kubectl get deployments; kubectl create deployment second --image=nginx')
  assert.match((await complete(first(page))).output, /No resources found[\s\S]*second created/)
  const two = await kept(page)
  assert.notEqual(two.server, one.server)
  await noticed(page, /This is a new one/)
  // While it is closed.
  await api(two, '/-/', { method: 'DELETE' })
  await page.reload()
  await noticed(page, /This is a new one/)
  assert.match((await complete(first(page))).output, /rolled out|second created|No resources|created/)
  clean(page, /status of 404|WebSocket connection/)
  await context.close()
})

test('the connection is lost in the middle of a command', async () => {
  const context = await fresh()
  const page = await tab(context, hostedPage())
  await complete(first(page))
  const s = block(page, 'kubectl scale deployment web')
  await edit(s, 'echo begun; sleep 1000')
  await run(s)
  await shows(s, 'begun')
  await service.kill()
  assert.match((await ended(s, 10_000)).output, /connection to the hosted sandbox was lost; the cluster goes on: run the command again/)
  await dock(page).getByText('not connected to the sandbox').waitFor()
  await noticed(page, /it is tried again/)
  await page.screenshot({ path: path.join(shots, 'sandbox-apart.png') })
  // A command that is begun now waits for the connection, unless it is stopped.
  await run(s)
  await page.waitForTimeout(300)
  await stop(s)
  assert.match((await ended(s, 2000)).status, /stopped \(130\)/)
  await edit(s, 'kubectl get deployment web')
  await run(s)
  await service.start()
  assert.match((await ended(s)).output, /web +2\/2/)
  await noticed(page, /is back/)
  await dock(page).getByText(/hosted sandbox$/).waitFor()
  clean(page, /WebSocket connection|ERR_CONNECTION|status of 50/)
  await context.close()
})

test('a class code is asked for', async () => {
  const school = await new Runtime({ assets: siteDir, bindings: { CLASS_CODE: '盆栽 7' } }).start()
  try {
    const context = await fresh()
    const page = await tab(context, `${school.url}/sandbox`)
    const dialog = page.getByRole('dialog', { name: 'Class code' })
    const field = dialog.getByRole('textbox', { name: 'Class code' })
    await dialog.waitFor()
    assert.ok(await field.evaluate(e => e.getRootNode().activeElement === e), 'the field has the focus')
    await page.screenshot({ path: path.join(shots, 'sandbox-code.png') })
    // Given up: it is said, and asked again with the next command.
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await run(first(page))
    await field.fill('wrong')
    await page.keyboard.press('Enter')
    await dialog.getByText('That code is not right.').waitFor()
    await field.fill('盆栽 7')
    await page.keyboard.press('Enter')
    assert.match((await ended(first(page))).output, /successfully rolled out/)
    await page.reload()
    await shows(first(page), /successfully rolled out/)
    assert.equal(await dialog.count(), 0)
    clean(page, /status of 403/)
    await context.close()
  } finally {
    await school.kill()
  }
})

test('a host that has no sandboxes is told apart, and the page works', async () => {
  const context = await fresh()
  const page = await tab(context, `${site.url}sandbox.html`)
  await place(page).getByText(/does not host sandboxes, so this page uses a cluster in your browser/).waitFor()
  assert.match((await complete(first(page))).output, /successfully rolled out/)
  await dock(page).getByText(/kept in this browser$/).waitFor()
  assert.equal(await place(page).getByRole('button').count(), 0)
  clean(page, /\/new\?/)
  await context.close()
})

test('it looks right: light, dark, phone, Japanese', async () => {
  for (const [name, options, where] of [
    ['light', {}, ''], ['dark', { colorScheme: 'dark' }, ''],
    ['phone-ja', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }, 'ja/'],
    ['phone-dark', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme: 'dark' }, ''],
  ]) {
    const context = await fresh(options)
    const page = await tab(context, `${service.url}/${where}sandbox`)
    await complete(first(page))
    await dock(page).getByRole('button', { name: /^(Sandbox|サンドボックス)$/ }).click()
    await dock(page).locator('kube-sandbox').waitFor()
    await page.waitForTimeout(500)
    await page.evaluate(() => scrollTo({ top: 0, behavior: 'instant' }))
    await page.screenshot({ path: path.join(shots, `sandbox-${name}.png`) })
    await dock(page).getByRole('button', { name: /^(Use with kubectl|kubectlで使う)$/ }).click()
    await page.getByRole('dialog').waitFor()
    await page.screenshot({ path: path.join(shots, `sandbox-${name}-kubectl.png`) })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(wide <= 0, `${name}: the page is ${wide} px too wide`)
    clean(page)
    await context.close()
  }
})
