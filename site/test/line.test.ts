import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LineEditor } from '../src/line.ts'

function desk(words: string[] = [], start = 0) {
  const log: string[] = []
  const editor = new LineEditor({
    write: () => {}, columns: () => 20, clear: () => log.push('clear'),
    line: text => { log.push(`line ${text}`); editor.begin('$ ') },
    interrupt: () => { log.push('interrupt'); editor.begin('$ ') }, endOfFile: () => log.push('eof'),
    complete: async () => ({ words, start }),
  })
  editor.begin('$ ')
  return { editor, log }
}
const keys: [name: string, typed: string, want: string[]][] = [
  ['a line', 'echo a\r', ['line echo a']],
  ['two pasted lines', 'a\rb\r', ['line a', 'line b']],
  ['backspace', 'abc\x7f\x7fx\r', ['line ax']],
  ['left and insert', 'ac\x1b[Db\r', ['line abc']],
  ['home, end, delete', 'xab\x1b[H\x1b[3~\x1b[Fc\r', ['line abc']],
  ['word left and kill', 'kubectl get pods\x1bb\x0bnodes\r', ['line kubectl get nodes']],
  ['Ctrl-W', 'one two\x17three\r', ['line one three']],
  ['Ctrl-U', 'one two\x15three\r', ['line three']],
  ['history', 'a\rb\r\x1b[A\x1b[A\r', ['line a', 'line b', 'line a']],
  ['history and back to the draft', 'a\rdraft\x1b[A\x1b[B\r', ['line a', 'line draft']],
  ['Ctrl-C', 'abc\x03', ['interrupt']],
  ['Ctrl-D on an empty line only', 'a\x04\x7f\x04', ['eof']],
  ['Ctrl-L', '\x0c', ['clear']],
  ['wide characters', 'echo 日本\x7f語\r', ['line echo 日語']],
  ['unknown keys do nothing', '\x1b[15~a\x1bO\x00b\r', ['line ab']],
]
for (const [name, typed, want] of keys) {
  test(name, () => {
    const { editor, log } = desk()
    editor.input(typed)
    assert.deepEqual(log, want)
  })
}
test('Tab completes what is common, then the rest', async () => {
  const { editor, log } = desk(['replicaset-a.yaml', 'replicaset-b.yaml'], 4)
  editor.input('cat rep\t')
  await new Promise(r => setTimeout(r))
  assert.equal(editor.text, 'cat replicaset-')
  editor.input('a\t')
  editor.input('\r') // typed while the answer is under way
  await new Promise(r => setTimeout(r))
  assert.deepEqual(log, ['line cat replicaset-a.yaml '])
})
test('what a program prints before a line stays when the line ends', () => {
  let screen = ''
  const editor = new LineEditor({ write: text => { screen += text }, columns: () => 40, clear: () => {}, line: () => {}, interrupt: () => {}, endOfFile: () => {}, complete: async () => ({ words: [], start: 0 }) })
  editor.begin('', false)
  screen += '/ # '
  editor.behind('/ # ')
  editor.input('ls\r')
  assert.equal(screen.split('\x1b[J').at(-1), '/ # ls\r\x1b[6C\r\n')
})
