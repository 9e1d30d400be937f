// The JS API in Node, on the wasm build with the test cluster (-tags fake):
// the engine, the storages, the flow of output, Stop. KUBONSAI_API names the
// bundle under test.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'

const { create, KubonsaiError } = await import(process.env.KUBONSAI_API)
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

test('errors say what to do', async () => {
  await assert.rejects(create({ storage: 'indexeddb', worker: false }), /storage: 'memory'/)
  await assert.rejects(create({ storage: 'tape' }), /unknown storage "tape": use/)
  await assert.rejects(create({ wasmURL: 'file:///nowhere.wasm' }), /nowhere\.wasm/)
  const c = await create()
  await assert.rejects(c.fetch('nodes'), /must begin with a slash/)
  await assert.rejects(c.fetch('/api/v1/nodes?watch=1'), /use watch\(path\)/)
  await assert.rejects(c.setSpeed(1000), /not between/)
  await c.close()
})
