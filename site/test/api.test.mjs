// The JS API in Node, on the wasm build with the test cluster (-tags fake):
// the engine, the storages, the flow of output, Stop. KUBONSAI_API names the
// bundle under test.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'

const { create, prepare, KubonsaiError } = await import(process.env.KUBONSAI_API)
const cases = [['in this thread', false], ['in a worker', true]]

for (const [where, worker] of cases) {
  test(`${where}: output, exit status, bytes`, async () => {
    const c = await create({ worker })
    const run = c.run('echo a\nwarn b\nexit 3')
    const chunks = []
    for await (const chunk of run) chunks.push(`${chunk.stream} ${chunk.text}`)
    assert.deepEqual(chunks, ['stdout a\n', 'stderr b\n'])
    assert.equal(await run.exit, 3)
    assert.deepEqual(await c.run('echo x').result(), { stdout: 'x\n', stderr: '', code: 0 })
    await c.files.write('bin', Uint8Array.from({ length: 256 }, (_, i) => i))
    assert.equal((await c.files.readBytes('bin'))[255], 255)
    await c.close()
    assert.throws(() => c.run('echo'), /call create\(\)/)
  })

  test(`${where}: Stop ends an endless loop within 200 ms`, async () => {
    const c = await create({ worker })
    for (const script of ['while true; do :; done', 'yes', 'sleep 1000', 'watch']) {
      const stop = new AbortController()
      const run = c.run(script, { signal: stop.signal })
      void (async () => { for await (const _ of run) { /* a page that shows it all */ } })()
      await new Promise(r => setTimeout(r, 150))
      const begin = performance.now()
      stop.abort()
      assert.equal(await run.exit, 130)
      assert.ok(performance.now() - begin < 200, `${script} took ${performance.now() - begin} ms`)
    }
    await c.close()
  })

  test(`${where}: a reader that does not read holds a flood back`, async () => {
    const c = await create({ worker })
    const run = c.run('yes')
    const reader = run[Symbol.asyncIterator]()
    await reader.next()
    await new Promise(r => setTimeout(r, 300))
    run.stop()
    let n = 0
    for (let r = await reader.next(); !r.done; r = await reader.next()) n += r.value.data.length
    assert.ok(n < 4 << 20, `${n} bytes were sent to a reader that did not read`)
    await c.close()
  })

  test(`${where}: input, editor, snapshot, time`, async () => {
    const c = await create({ worker, start: new Date('2030-01-01T00:00:00Z'), speed: 100, edit: async (name, text) => `${name} was ${text}` })
    const run = c.run('read\nedit file', { interactive: true })
    run.write('hello\n')
    assert.equal((await run.result()).stdout, 'got hello\nedited true: file was old text\n')
    const begin = performance.now()
    await c.run('sleep 20').exit
    assert.ok(performance.now() - begin < 2000)
    assert.equal((await c.status()).now.getUTCFullYear(), 2030)
    await c.pause()
    const before = (await c.status()).now.getTime()
    await new Promise(r => setTimeout(r, 50))
    assert.equal((await c.status()).now.getTime(), before)
    await c.files.write('a', '1')
    const snapshot = await c.snapshot()
    await c.reset()
    await assert.rejects(c.files.read('a'), { code: 'NotFound' })
    await c.restore(snapshot)
    assert.equal(await c.files.read('a'), '1')
    await assert.rejects(c.restore(new TextEncoder().encode('junk')), KubonsaiError)
    assert.equal(await c.files.read('a'), '1')
    await c.close()
  })
}

for (const [where, worker] of cases) {
  test(`${where}: changes of every kind, and of those that come later`, async () => {
    const c = await create({ worker })
    const seen = []
    const off = c.on('change', e => seen.push(`${e.type} ${e.object.kind}`))
    const events = []
    c.on('event', e => events.push(e.object.metadata.name))
    const until = async ok => { for (let i = 0; i < 200 && !ok(); i++) await new Promise(r => setTimeout(r, 10)) }
    await until(() => seen.length >= 2 && events.length >= 1)
    assert.deepEqual(seen.sort(), ['ADDED CustomResourceDefinition', 'ADDED Node'])
    assert.deepEqual(events, ['fake-event'])
    await c.run('define').exit
    await until(() => seen.includes('ADDED Widget'))
    assert.ok(seen.includes('ADDED Widget'), String(seen))
    off()
    await c.close()
  })

  test(`${where}: the rest of the manual`, async () => {
    const notices = []
    const c = await create({ worker, name: 'manual', seed: 7, nodes: 2, speed: 2 })
    assert.equal(c.restored, false)
    // output of every run, with its terminal and id
    const heard = []
    const off = c.on('output', o => heard.push([o.terminal, o.stream, o.text, typeof o.id, o.run?.terminal]))
    await c.run('echo a', { terminal: 'one' }).exit
    await c.run('warn b', { terminal: 'two', beside: true }).exit
    off()
    await c.run('echo unheard').exit
    assert.deepEqual(heard, [['one', 'stdout', 'a\n', 'number', 'one'], ['two', 'stderr', 'b\n', 'number', 'two']])
    // a run's own calls
    const watching = c.run('watch')
    await new Promise(r => setTimeout(r, 50))
    watching.interrupt()
    assert.equal(await watching.exit, 130)
    const reading = c.run('read\nsize', { interactive: true, columns: 90, rows: 20 })
    reading.resize(100, 30)
    reading.end()
    assert.equal((await reading.result()).stdout, 'got 100 × 30\n')
    assert.equal(reading.dir, '/home/reader')
    const cleared = []
    for await (const chunk of c.run('echo a\nclear\necho b')) cleared.push([chunk.text, chunk.clear ?? false])
    assert.deepEqual(cleared.at(-1), ['b\n', true])
    // files and URLs
    await c.files.write('dir/a', 'A')
    assert.deepEqual((await c.files.list('dir')).map(e => e.name), ['a'])
    await c.files.remove('dir')
    await assert.rejects(c.files.read('dir/a'), /write\(\) makes one/)
    await c.url('https://example.com/x.yaml', 'x: 1\n')
    assert.equal((await c.run('curl https://example.com/x.yaml').result()).stdout, 'x: 1\n')
    assert.equal(await c.run('curl https://example.com/y.yaml').exit, 6)
    // what a terminal asks
    assert.deepEqual((await c.steps('echo a\nsleep 9 & kubectl get pods -w')).complete, true)
    assert.equal((await c.steps('for i in 1')).complete, false)
    await c.files.write('apple', '')
    assert.deepEqual(await c.complete('main', 'cat ap'), { words: ['apple'], start: 4 })
    // time
    const states = []
    c.on('state', s => states.push(s))
    assert.equal((await c.setSpeed(50)).speed, 50)
    assert.equal((await c.pause()).paused, true)
    const run = c.run('sleep 1')
    await new Promise(r => setTimeout(r, 30))
    await c.step()
    assert.equal(await run.exit, 0)
    assert.equal((await c.resume()).paused, false)
    assert.equal(c.last.speed, 50)
    assert.ok(states.some(s => s.busy) && states.some(s => !s.busy))
    // watch, its signal, and what reset does to it
    const stop = new AbortController()
    for await (const e of c.watch('/api/v1/nodes', { signal: stop.signal })) {
      assert.equal(e.object.metadata.name, 'fake-worker')
      stop.abort()
    }
    const reset = []
    c.on('lost', l => reset.push(l))
    c.on('notice', n => notices.push(n))
    const broken = c.run('sleep 1000')
    await c.reset({ seed: 8 })
    await assert.rejects(broken.exit, /run it again/)
    assert.deepEqual(reset.map(l => l.reset), [true])
    assert.equal((await c.run('curl https://example.com/x.yaml').result()).stdout, 'x: 1\n')
    assert.deepEqual(notices, [])
    await c.close()
    await c.close()
    await assert.rejects(c.status(), /call create\(\)/)
    assert.throws(() => c.watch('/api/v1/nodes'), /call create\(\)/)
  })
}

test('a directory keeps the cluster; damage is set aside and told', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'kubonsai-'))
  let c = await create({ storage: `file:${dir}` })
  await c.run('echo').exit
  await c.files.write('a', 'kept')
  await c.close()
  c = await create({ storage: `file:${dir}` })
  assert.equal(c.restored, true)
  assert.equal(await c.files.read('a'), 'kept')
  await c.close()
  const file = path.join(dir, 'records.bin')
  const bytes = readFileSync(file)
  bytes[bytes.length - 1] ^= 1
  writeFileSync(file, bytes)
  await assert.rejects(create({ storage: `file:${dir}` }), /set aside/)
  assert.ok(readdirSync(dir).some(f => f.startsWith('quarantine-')))
  assert.ok(existsSync(file))
})

test('a prepared worker is the one that is used', async () => {
  prepare({ worker: true, nodes: 2 })
  prepare({ worker: true, nodes: 2 }) // twice is once
  await new Promise(r => setTimeout(r, 300))
  const c = await create({ worker: true, nodes: 2 })
  assert.deepEqual(await c.run('echo a').result(), { stdout: 'a\n', stderr: '', code: 0 })
  assert.equal(c.restored, false)
  const other = await create({ worker: true })
  assert.equal(await other.run('echo b').exit, 0)
  await c.close()
  await other.close()
})

test('errors say what to do', async () => {
  await assert.rejects(create({ storage: 'indexeddb', worker: false }), /storage: 'memory'/)
  await assert.rejects(create({ storage: 'tape' }), /unknown storage "tape": use/)
  await assert.rejects(create({ wasmURL: 'file:///nowhere.wasm' }), /nowhere\.wasm/)
  for (const [field, value] of [['nodes', -1], ['nodes', 1.5], ['nodes', 1e6], ['seed', -1], ['speed', 0], ['speed', NaN], ['start', new Date(NaN)], ['name', '']]) {
    await assert.rejects(create({ [field]: value }), e => e.code === 'BadOption' && e.message.startsWith(`${field} is `))
  }
  const c = await create()
  await assert.rejects(c.reset({ nodes: -1 }), /whole number from 0/)
  await assert.rejects((async () => { for await (const _ of c.watch('/api/v1/nothing')) break })(), /fetch\('\/apis'\)/)
  await assert.rejects(c.fetch('nodes'), /must begin with a slash/)
  await assert.rejects(c.fetch('/api/v1/nodes?watch=1'), /use watch\(path\)/)
  await assert.rejects(c.setSpeed(1000), /not between/)
  await c.close()
})
