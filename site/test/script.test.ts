import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripPrompts } from '../src/script.ts'

const table: [name: string, block: string, want: string][] = [
  ['plain commands stay', 'echo a\n# note\necho b', 'echo a\n# note\necho b'],
  ['output between prompts is not run', '$ kubectl get pods\nNAME  READY\nweb   1/1\n$ echo done', 'kubectl get pods\necho done'],
  ['a continued line keeps its second prompt out', "curl -X DELETE 'localhost' \\\n> -d '{}' \\\n> -H 'a: b'", "curl -X DELETE 'localhost' \\\n-d '{}' \\\n-H 'a: b'"],
  ['a redirection is no prompt', 'cat <<E\nx\nE\necho a > b', 'cat <<E\nx\nE\necho a > b'],
  ['a heredoc after a prompt belongs to the command', '$ cat <<EOF\nkind: Pod\nEOF\noutput', 'cat <<EOF\nkind: Pod\nEOF'],
  ['a loop with second prompts', '$ for i in 1 2; do\n> echo $i\n> done\n1\n2', 'for i in 1 2; do\necho $i\ndone'],
  ['user and host', 'reader@host:~/x$ ls\nfile', 'ls'],
  ['a variable is no prompt', 'POD=$(kubectl get pods)\necho $POD', 'POD=$(kubectl get pods)\necho $POD'],
  ['no-break spaces and CRLF of copied text', 'echo\u00a0a\r\necho b', 'echo a\necho b'],
]
for (const [name, block, want] of table) test(name, () => assert.equal(stripPrompts(block), want))
