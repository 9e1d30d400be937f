import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers, decode, encode, type Answer, type Request } from '../src/protocol.ts'

test('a frame comes through the wire as it was', () => {
  let seed = 1
  const random = (n: number): number => (seed = (seed * 48271) % 2147483647) % n
  const text = (): string => Array.from({ length: random(20) }, () => String.fromCodePoint(random(0xd7ff) + 1)).join('')
  for (let i = 0; i < 2000; i++) {
    const frame: Answer = { id: random(1e6) + 1, kind: answers[random(answers.length)]!, message: text(), status: random(600), words: [text(), text()] }
    if (random(2)) frame.data = Uint8Array.from({ length: random(50) }, () => random(256))
    const [head, data] = encode(frame)
    assert.deepEqual(decode(head, data), frame)
  }
})

test('bytes are never in the JSON', () => {
  const [head, data] = encode({ id: 1, kind: 'stdin', run: 2, data: Uint8Array.of(0, 255) } satisfies Request)
  assert.equal(head, '{"id":1,"kind":"stdin","run":2}')
  assert.deepEqual(data, Uint8Array.of(0, 255))
})

test('what is not a frame is refused', () => {
  for (const head of ['', '[]', 'null', '1', '{"kind":"dance"}', '{}', '{"kind":1}']) assert.throws(() => decode(head), head)
})
