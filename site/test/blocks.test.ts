import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choose, type Candidate } from '../src/blocks.ts'
import table from './fixtures/blocks.json'

for (const { name, kind, file, ...c } of table.cases) {
  test(`choose: ${name}`, () => assert.deepEqual(choose(c as Candidate), { kind, file: file ?? '' }))
}
