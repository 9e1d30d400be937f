/**
 * What a code block asks to be run. Documentation shows commands as they look
 * in a terminal: with prompts, and often with output between them.
 */

/**
 * The commands of a code block. When lines begin with a prompt ("$ "), only
 * those are commands, with their continuations; the rest is output that the
 * author shows. Without prompts everything is run as it stands, except that a
 * "> " after a line that ends in a backslash is the shell's second prompt.
 */
export function stripPrompts(text: string): string {
  const lines = text.replace(/\r\n?/g, '\n').replace(/\u00a0/g, ' ').split('\n')
  const prompt = /^\s*(?:[\w.-]+@[\w.-]+[: ][^$#\n]*)?\$ /
  const prompted = lines.some(l => prompt.test(l))
  const out: string[] = []
  let heredoc: string | null = null
  let continued = false
  for (const line of lines) {
    let l = line
    if (heredoc !== null) {
      if (prompted || continued) l = l.replace(/^> ?/, '')
      out.push(l)
      if (l.trim() === heredoc) {
        heredoc = null
        continued = false
      }
      continue
    }
    if (prompted && prompt.test(l)) l = l.replace(prompt, '')
    else if (continued) l = l.replace(/^\s*> /, '')
    else if (prompted && /^> /.test(l) && out.length > 0) l = l.slice(2)
    else if (prompted) continue
    out.push(l)
    continued = /\\$/.test(l)
    const here = /<<-?\s*(['"]?)(\w+)\1/.exec(l.replace(/<<</g, '   '))
    if (here) heredoc = here[2] ?? null
  }
  return out.join('\n')
}
