// awk and jq in the page: the second module, in Node and in a browser, says what
// the native binary says.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { block, edit, ended, run, shows, start, tab } from './browser.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const api = pathToFileURL(path.join(root, 'dist/site/kubonsai-api.js')).href

const script = String.raw`
kubectl create deployment web --image=nginx --replicas=2 && kubectl rollout status deploy/web >/dev/null
kubectl get pods --no-headers | awk '{ print $3 }' | sort | uniq -c
kubectl get pods -o json | jq -r '.items[].spec.containers[0].image'
kubectl get deploy web -o json | jq -c '.status.conditions | map({type, status})'
seq 3000 | awk '{ s += $1; print | "tail -1" } END { close("tail -1"); print s; system("exit 3") }'
awk 'BEGIN { for (i = 0; i < 30; i++) a[i % 7] += i; for (k in a) print k, a[k]; print strftime("%F", 0) > "day"; while ((getline l < "day") > 0) print l }'
echo '{"a":[1,2,{"b":null}]}' | jq '.a[2].b // "none", (.a | length)'
echo 5 | jq .a; echo "status $?"
awk '{print $1' /dev/null; echo "status $?"
awk 'BEGIN { while (1) print "y" }' | head -2
for i in 1 2 3; do echo $i | awk '{ printf "%d ", $1 * $1 }'; done; echo
kubectl exec deploy/web -- awk 'NR == 1' /etc/os-release
`

async function output(cluster, text) {
  const r = cluster.run(text)
  let out = ''
  for await (const chunk of r) out += chunk.text
  return { out, code: await r.exit }
}

test('the same script natively and in wasm', async () => {
  const native = execFileSync(process.env.GO ?? 'go', ['run', './sim/cmd/kubonsai', 'run', '--seed=7', '-'], { cwd: root, input: `exec 2>&1\n${script}`, encoding: 'utf8' })
  const { create } = await import(api)
  for (const worker of [false, true]) {
    const cluster = await create({ seed: 7, worker, speed: 100, start: new Date('2026-01-01T00:00:00Z') })
    const { out } = await output(cluster, `exec 2>&1\n${script}`)
    assert.equal(out, native)
    await cluster.close()
  }
})

test('a program that runs away ends, and hurts nobody', async () => {
  const { create } = await import(api)
  const cluster = await create({ speed: 100 })
  assert.deepEqual(await output(cluster, `awk 'BEGIN { x = "a"; while (1) x = x x }' 2>&1; echo $?; echo '"on"' | jq -r .`), { out: 'awk: out of memory\n2\non\n', code: 0 })
  const endless = cluster.run(`awk 'BEGIN { while (1) n++ }'`)
  await new Promise(r => setTimeout(r, 300))
  const begin = performance.now()
  endless.interrupt()
  assert.equal(await endless.exit, 130)
  assert.ok(performance.now() - begin < 1000)
  assert.equal((await output(cluster, `timeout 1 awk 'BEGIN { while (1) n++ }'; echo $?`)).out, '124\n')
  await cluster.close()
})

test('a module that cannot be had is said, and asked for again', async () => {
  const { create } = await import(api)
  const cluster = await create({ textToolsURL: 'file:///nowhere/kubonsai-text.wasm' })
  const { out, code } = await output(cluster, `echo 1 | jq . 2>&1; awk 1 /dev/null 2>/dev/null`)
  assert.match(out, /^jq: cannot load: .*nowhere/)
  assert.equal(code, 127)
  await cluster.close()
})

let site
before(async () => { site = await start() })
after(async () => { await site?.close() })

test('in the page: first offline, then there', async () => {
  const context = await site.browser.newContext({ serviceWorkers: 'block' }) // which would fetch it too
  let asked = 0
  let there = false
  await context.route('**/kubonsai-text.wasm', r => {
    asked++
    return there ? r.continue() : r.fulfill({ status: 404, body: 'no' })
  })
  const page = await tab(context, site.url)
  const first = block(page, 'kubectl get nodes')
  await edit(first, "kubectl get nodes -o json | jq -r '.items | length'")
  await run(first)
  await ended(first)
  await shows(first, /jq: cannot load: .*answered 404; put kubonsai-text\.wasm beside/)
  there = true
  await run(first)
  await ended(first)
  await shows(first, /^\d+\s*$/m)
  assert.equal(asked, 2)
  await context.close()
})
