// The table of blocks with prompts; cmd/kubonsai's doctest reads the same one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pasted, readBlock, stripPrompts } from '../src/script.ts'
import fixture from './fixtures/prompts.json' with { type: 'json' }

interface Case { name: string; language?: string; block: string; steps: { run: string; shows?: string }[] }

for (const c of fixture.cases as Case[]) {
  test(c.name, () => {
    assert.deepEqual(readBlock(c.block, c.language), c.steps.map(s => ({ run: s.run, shows: s.shows ?? '' })))
    assert.equal(stripPrompts(c.block, c.language), c.steps.map(s => s.run).join('\n'))
  })
}

test('what is made of any text is stable', () => {
  for (const c of fixture.cases as Case[]) for (const s of c.steps) assert.equal(stripPrompts(s.run, 'sh'), s.run, c.name)
})

test('a paste', () => {
  assert.equal(pasted('$ kubectl get pods'), 'kubectl get pods')
  assert.equal(pasted('$ echo a\r\na\r\n$ echo b\r'), 'echo a\necho b\n')
  assert.equal(pasted('echo  a\rkubectl apply -f - <<E\rkind: Pod\r\rE\r\r'), 'echo  a\nkubectl apply -f - <<E\nkind: Pod\n\nE\n\n')
  assert.equal(pasted('  indented: yaml\r'), '  indented: yaml\n')
})
