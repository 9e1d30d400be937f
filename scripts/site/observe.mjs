// Learns which functions a page needs first: runs what readers do every day on
// a module that notes its calls (scripts/slim/split.go) and prints their numbers.
//
//     node scripts/site/observe.mjs DIR observed.wasm > calls.txt
//
// DIR has kubonsai-api.js. What is not met here is in the rest of the program,
// which a page fetches a moment later.
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './module.mjs'

createRequire(path.join(root, 'site/package.json'))('fake-indexeddb/auto')
const [dir, file] = process.argv.slice(2)
const instances = []
const instantiate = WebAssembly.instantiate
WebAssembly.instantiate = async (...args) => {
  const made = await instantiate(...args)
  instances.push(made.instance ?? made)
  return made
}
// The order of Go's maps is random; here it is the same in every build, another
// one in every cluster.
let chance = 0
crypto.getRandomValues = array => array.fill(chance)
const load = name => import(pathToFileURL(path.resolve(dir, name)).href)
const { create } = await load('kubonsai-api.js')
const wasmModule = await WebAssembly.compile(readFileSync(file))
const start = new Date('2026-01-01T00:00:00Z')

/** How long a command may go on in the cluster's time, in milliseconds: a watch would never end. */
const patience = 90_000

/** Does what one reader does, in a cluster of its own, from event to event. */
async function read(name, nodes, blocks) {
  chance++
  const options = { name, nodes, storage: 'indexeddb', worker: false, wasmModule, seed: 1, start }
  let cluster = await create(options)
  const watches = new AbortController()
  const watched = ['pods', 'nodes', 'events'].map(async kind => {
    for await (const _ of cluster.watch(`/api/v1/${kind}`, { signal: watches.signal }));
  })
  for (const { language, file, url, text } of blocks) {
    if (file) {
      await cluster.files.write(file, text)
      if (url) await cluster.url(url, text)
      continue
    }
    if (language !== 'sh') continue
    await cluster.steps(text)
    await cluster.pause()
    const { now } = await cluster.status()
    const run = cluster.run(text, { interactive: true })
    let ended = false, idle = 0, before = now
    const end = run.exit.then(() => { ended = true })
    while (!ended) {
      const state = await cluster.step()
      idle = state.now > before ? 0 : idle + 1
      before = state.now
      if (state.now - now > patience || idle > 100) run.stop() // a watch, or a server that waits
    }
    await end
    await cluster.resume()
  }
  // At the pace of the clock, what pages do beside running blocks: a shell in a
  // terminal, completion, a watch beside, Stop, files, the clock's speed.
  await cluster.setSpeed(10)
  const shell = cluster.run('sh', { interactive: true })
  shell.write('ls\nkubectl get pods\nnothing\nexit 3\n')
  await shell.exit
  await cluster.complete('main', 'kubectl get po')
  const beside = cluster.run('while sleep 0.1; do kubectl get pods; done', { beside: true })
  setTimeout(() => beside.stop(), 100)
  await beside.exit
  await cluster.files.list()
  for (const name of ['pod.yaml', 'nothing']) await cluster.files.read(name).catch(() => {}) // is not there
  watches.abort()
  await Promise.allSettled(watched)
  const cut = cluster.run('sleep 100') // the page is closed in the middle, and opened again
  cut.exit.catch(() => {})
  await cluster.status()
  await cluster.close()
  cluster = await create(options)
  await cluster.run('kubectl get pods').exit
  await cluster.close()
}

/** The fenced blocks of a page that a reader can use. */
function blocksOf(page) {
  const blocks = []
  for (const [, language, attributes, text] of readFileSync(page, 'utf8').matchAll(/^```(\w+) kubonsai(.*)\n([^]*?)^```$/gm)) {
    const of = name => new RegExp(`\\b${name}=(\\S+)`).exec(attributes)?.[1]
    blocks.push({ language, text, file: of('file'), url: of('url') })
  }
  return blocks
}

/** A worker that a page starts before its reader runs anything. */
async function prepare() {
  const { startEngine } = await load(readdirSync(dir).find(f => /^kubonsai-engine-.*\.js$/.test(f)))
  let answered
  const answer = new Promise(resolve => { answered = resolve })
  const engine = await startEngine({ program: wasmModule, rest: '', textTools: '', onFrame: answered })
  engine.send({ id: 1, kind: 'prepare', nodes: '1' })
  await answer
}

await prepare()
const everyday = readFileSync(path.join(root, 'scripts/site/everyday.sh'), 'utf8').split(/^$/m).map(text => ({ language: 'sh', text }))
for (const nodes of [1, 3, 2]) await read(`everyday ${nodes}`, nodes, everyday)
for (const page of ['index', 'scale', 'break']) await read(page, page === 'index' ? 1 : 3, blocksOf(path.join(root, `site/pages/${page}.md`)))

const called = new Set()
for (const { exports } of instances) {
  for (const [name, value] of Object.entries(exports)) if (/^c\d+$/.test(name) && value.value) called.add(Number(name.slice(1)))
}
if (!called.size) throw new Error(`${file} notes no calls`)
process.stdout.write([...called].sort((a, b) => a - b).join('\n') + '\n')
process.exit(0)
