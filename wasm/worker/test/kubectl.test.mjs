// The real kubectl on a hosted sandbox, and ours beside it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { root, Runtime, sleep, until } from './harness.mjs'

const runtime = new Runtime()
const kubectl = path.join(root, 'dist/real-kubectl')
before(() => {
  assert.ok(existsSync(kubectl), 'dist/real-kubectl is missing: make test-worker builds it')
  return runtime.start()
})
after(() => runtime.kill())

const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`

test('apply, get -w, exec, logs, cp, port-forward, delete', async () => {
  const s = await runtime.sandbox()
  const stop = new AbortController()
  const watched = s.kubectl('get pods -w', { signal: stop.signal })
  assert.equal(await s.run('apply -f -', { stdin: manifest }), 'deployment.apps/web created\nservice/web created\n')
  assert.equal(await s.run('apply -f -', { stdin: manifest }), 'deployment.apps/web unchanged\nservice/web unchanged\n')
  assert.match(await s.run('rollout status deployment/web'), /deployment "web" successfully rolled out\n$/)
  await sleep(500)
  stop.abort()
  const rows = (await watched).stdout.split('\n')
  assert.match(rows[0], /^NAME +READY +STATUS +RESTARTS +AGE$/)
  assert.equal(rows.filter(r => / 1\/1 +Running /.test(r)).length, 3, rows.join('\n'))
  const pod = (await s.run('get pods -o name')).split('\n')[0]
  assert.equal(await s.run(`exec ${pod} -- hostname`), pod.slice('pod/'.length) + '\n')
  assert.equal(await s.run(`exec -i ${pod} -- cat`, { stdin: 'in and out' }), 'in and out')
  assert.equal((await s.kubectl(['exec', pod, '--', 'sh', '-c', 'exit 3'])).status, 3)
  assert.equal(await s.run(`exec -i ${pod} -- sh -c wc`, { stdin: 'x'.repeat(1 << 20) }), '      0       1 1048576\n')
  assert.equal((await s.run(['exec', pod, '--', 'sh', '-c', 'seq 20000'])).split('\n').length, 20001)
  await s.run(`exec ${pod} -- curl -s -o /dev/null http://web/`)
  assert.match(await s.run('logs -l app=web --tail=-1'), /"GET \/ HTTP\/1\.1" 200/)
  const follow = new AbortController()
  const followed = s.kubectl(`logs -f ${pod}`, { signal: follow.signal })
  writeFileSync(path.join(s.home, 'page.html'), 'copied')
  await s.run(`cp page.html ${pod.slice(4)}:/usr/share/nginx/html/index.html`)
  const forward = spawn(kubectl, ['port-forward', pod, ':80'], { env: { KUBECONFIG: s.config, HOME: s.home } })
  let said = ''
  forward.stdout.on('data', d => (said += d))
  const port = await until('the port', () => /127\.0\.0\.1:(\d+) -> 80/.exec(said)?.[1])
  for (let i = 0; i < 5; i++) assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'copied')
  forward.kill()
  await sleep(500)
  follow.abort()
  assert.match((await followed).stdout, /"GET \/ HTTP\/1\.1" 200 6/)
  await s.run(`cp ${pod.slice(4)}:/usr/share/nginx/html/index.html back.html`)
  assert.equal(readFileSync(path.join(s.home, 'back.html'), 'utf8'), 'copied')
  assert.match(await s.run('delete deployment/web service/web'), /deployment.apps "web" deleted.*\nservice "web" deleted/)
  await until('no pods', async () => (await s.kubectl('get pods')).stderr === 'No resources found in default namespace.\n')
})

test('run -it style attach, debug, wait, drain, top, explain', async () => {
  const s = await runtime.sandbox('?nodes=3')
  assert.equal(await s.run(['run', 'once', '--image=busybox', '--rm', '-i', '--restart=Never', '--quiet', '--', 'echo', 'hi']), 'hi\n')
  await s.run('apply -f -', { stdin: manifest })
  await s.run('wait --for=condition=Available deployment/web --timeout=60s')
  const node = (await s.run('get nodes -o name')).split('\n')[1].slice('node/'.length)
  assert.match(await s.run(`drain ${node} --ignore-daemonsets`), new RegExp(`node/${node} drained\n$`))
  assert.match(await s.run('explain deployment.spec.replicas'), /FIELD: replicas <integer>/)
  assert.match(await s.run('top nodes'), /CPU\(cores\)/)
  assert.equal(await s.run('auth whoami -o jsonpath={.status.userInfo.username}'), 'kubernetes-admin')
  assert.match(await s.run('api-resources'), /deployments +deploy +apps\/v1 +true +Deployment/)
})

// What ours prints in a page of the sandbox and what the real one prints from
// outside must be the same to the letter. The lines are the parity table's core:
// every verb that reads, every output format.
test('ours and the real one print the same', async () => {
  const s = await runtime.sandbox('?nodes=2')
  await s.run('apply -f -', { stdin: manifest })
  await s.run('rollout status deployment/web')
  const page = await s.page()
  const lines = [
    'get nodes', 'get nodes -o wide', 'get all', 'get pods -o wide', 'get pods -o name', 'get pods -A', 'get deploy web -o yaml', 'get deploy web -o json',
    'get svc web -o jsonpath={.spec.ports[0].port}', 'get pods --sort-by=.metadata.name', 'get pods -l app=web --show-labels', 'get pods --field-selector status.phase=Running',
    'get deploy,rs,svc', 'get pods -o custom-columns=N:.metadata.name,P:.status.phase', 'get pods nope', 'get nope', 'get ns -o json', 'get events --sort-by=.lastTimestamp',
    'get pods -o go-template={{range.items}}{{.metadata.name}}{{"\\n"}}{{end}}', 'get endpointslices', 'get clusterroles', 'get cm kube-root-ca.crt -o yaml', 'get --raw /version',
    'describe deploy web', 'describe svc web', 'describe node', 'describe pods', 'describe pods nope', 'describe ns default',
    'rollout status deploy/web', 'rollout history deploy/web', 'rollout history deploy/web --revision=1',
    'logs deploy/web', 'logs nope', 'explain pods.spec', 'explain deploy --recursive', 'explain pods.nope', 'api-resources', 'api-versions', 'version',
    'auth can-i get pods', 'auth can-i create pods --as=x', 'auth whoami', 'top nodes', 'top pods', 'cluster-info',
    'apply --dry-run=server -o yaml -f m.yaml', 'diff -f m.yaml', 'create cm x --dry-run=client -o yaml', 'create deploy x --image=y --dry-run=server', 'scale deploy web --replicas=3 --dry-run=server',
    'label pods nope a=b', 'delete pod nope', 'create cm kube-root-ca.crt', 'patch deploy web -p {}', 'annotate deploy web k=v --dry-run=server', 'wait --for=condition=Available deploy/web',
    'get deploy web --show-managed-fields -o yaml', 'get pods -o wide --no-headers', 'get deploy web -o jsonpath-as-json={.spec}', 'get deploy web -o kyaml',
  ]
  await page.ask({ kind: 'write', path: 'm.yaml' }, Buffer.from(manifest))
  await s.kubeconfig().then(() => writeFileSync(path.join(s.home, 'm.yaml'), manifest))
  s.config = undefined
  await s.run('version')
  writeFileSync(path.join(s.home, 'm.yaml'), manifest)
  const server = (await s.run('config view --minify -o jsonpath={.clusters[0].cluster.server}'))
  const quote = a => `'${a.replaceAll("'", "'\\''")}'`
  const differ = []
  for (const line of lines) {
    const args = line.split(' ')
    const same = async () => {
      const real = await s.kubectl(args)
      const ours = await page.run(`kubectl ${args.map(quote).join(' ')}`)
      real.stdout = real.stdout.replaceAll(server, 'https://127.0.0.1:6443')
      for (const r of [real, ours]) { // ages go on between the two
        for (const f of ['stdout', 'stderr']) r[f] = r[f].replace(/\b(\d+h)?(\d+m)?\d+s\b/g, 'AGE').replace(/AGE +/g, 'AGE ').replace(/resourceVersion: "\d+"/g, 'RV')
      }
      const a = `${real.status}\n${real.stdout}\n${real.stderr}`.split('\n'), b = `${ours.status}\n${ours.stdout}\n${ours.stderr}`.split('\n')
      const at = a.findIndex((l, i) => l !== b[i])
      return at < 0 && a.length === b.length ? null : { line, real: a.slice(at, at + 3), ours: b.slice(at, at + 3) }
    }
    let d = await same()
    if (d) d = await same()
    if (d) differ.push(d)
  }
  assert.ok(!differ.length, JSON.stringify(differ, null, 1))
})
