/**
 * What a code block asks to be run. Documentation shows commands as they look
 * in a terminal: with prompts, and often with output between them.
 * site/test/fixtures/prompts.json is the table of what is understood.
 */

/** A command of a block, and what the block shows beneath it. */
export interface Shown {
  run: string
  shows: string
}

/**
 * The prompts that are known: of each the pattern, and which lines of a block
 * are prompts of the same shell as the first one. "sure" ones are prompts
 * wherever a line begins with them; the others only if the first command of the
 * block does, because such a line may be output or a command as well.
 */
const kinds: { pattern: RegExp; sure?: boolean; host?: number }[] = [
  { pattern: /^(?:\([\w.-]+\) )*\[?([\w.-]+@[\w.-]+)(?:[: ][^$#%>❯\n]*)?[$#%❯](?: |$)/, sure: true, host: 1 },
  { pattern: /^(?:\([\w.-]+\) )*\$(?: |$)/, sure: true },
  { pattern: /^(?:[\w.-]+):(?:[~/][^\s$#%]*)(?: [\w-]+)?[$%](?: |$)/, sure: true },
  { pattern: /^[\w.-]+:\S* [\w.-]+\$(?: |$)/, sure: true },
  { pattern: /^(?:bash|sh|zsh)-\d[\d.]*[$#%](?: |$)/, sure: true },
  { pattern: /^(?:[~/][^\s❯]*(?: [\w./-]+)?|[\w.-]+)? ?❯(?: |$)/, sure: true },
  { pattern: /^➜(?:  \S+| ~\S*)?(?: git:\([^)]*\))?(?: ✗)?(?: +|$)/, sure: true },
  { pattern: /^PS(?: [A-Z]:\\[^>\n]*| [/~][^>\n]*)?> ?/, sure: true },
  { pattern: /^[A-Z]:\\[^>\n]*> ?/, sure: true },
  { pattern: /^[~/][^\s$%]* [$%](?: |$)/, sure: true },
  { pattern: /^λ(?: |$)/, sure: true },
  { pattern: /^[a-z][\w.-]* \$(?: |$)/ },
  { pattern: /^[/~][^\s#]* #(?: |$)/ },
  { pattern: /^% / },
  { pattern: /^> (?=\S+\s+\S|[a-z][\w-]*\s*$)/ },
]
const root = /^# (?=(?:sudo|kubectl|kubeadm|k|docker|crictl|helm|kind|minikube|git|curl|wget|cat|ls|cd|echo|export|systemctl|journalctl|apt|apt-get|yum|dnf|ssh|vi|vim|nano|mkdir|cp|mv|rm|ps|openssl|etcdctl)(?: |$))/
const consoles = new Set(['console', 'shell-session', 'shellsession', 'bash-session', 'terminal'])

// What shells begin a continued line with: "> ", zsh's "quote> ", PowerShell's ">> ".
const second = /^(?:(?:[a-z]+ ?)*>|>>)(?: |$)/
const names = /^(?:(?:quote|dquote|bquote|heredoc|for|while|until|select|repeat|if|then|else|elif|case|do|pipe|cmdand|cmdor|cmdsubst|function|subsh|cursh|braceparam|mathsubst|array) ?)*>{1,2}(?: |$)/

/** What a shell that has read text still waits for; '' when the command is whole. */
function open(text: string): '' | 'more' | 'heredoc' {
  const heredocs: { end: string; tabs: boolean }[] = []
  const closers: string[] = [] // of what is open: ")", "}", "done", "fi", "esac", "))"
  let begins = true // the next word is a command's name
  let joined = false // the last word joins the next command
  let i = 0
  const word = (): string => {
    let w = ''
    while (i < text.length && !/[\s;&|<>()]/.test(text[i]!)) {
      const c = text[i]!
      if (c === '\\') {
        if (i + 1 >= text.length) return '\0'
        w += text.slice(i, i += 2)
      } else if (c === "'" || (c === '$' && text[i + 1] === "'")) {
        const ansi = c === '$'
        let j = i + (ansi ? 2 : 1)
        while (j < text.length && text[j] !== "'") j += ansi && text[j] === '\\' ? 2 : 1
        if (j >= text.length) return '\0'
        w += text.slice(i, i = j + 1)
      } else if (c === '"' || c === '`') {
        const j = quoted(i + 1, c)
        if (j < 0) return '\0'
        w += text.slice(i, i = j)
      } else if (c === '$' && /[({]/.test(text[i + 1] ?? '')) {
        const j = nested(i + 1)
        if (j < 0) return '\0'
        w += text.slice(i, i = j)
      } else {
        w += c
        i++
      }
    }
    return w
  }
  // The place after the quote that ends what begins at from, or -1.
  const quoted = (from: number, end: string): number => {
    for (let j = from; j < text.length; j++) {
      if (text[j] === '\\') j++
      else if (text[j] === end) return j + 1
      else if (end === '"' && text[j] === '$' && /[({]/.test(text[j + 1] ?? '')) {
        const k = nested(j + 1)
        if (k < 0) return -1
        j = k - 1
      }
    }
    return -1
  }
  // The place after the bracket that closes the one at from, or -1.
  const nested = (from: number): number => {
    const close = text[from] === '(' ? ')' : '}'
    let depth = 0
    for (let j = from; j < text.length; j++) {
      const c = text[j]!
      if (c === '\\') j++
      else if (c === "'" || c === '"') {
        const k = c === "'" ? text.indexOf("'", j + 1) + 1 : quoted(j + 1, '"')
        if (k <= 0) return -1
        j = k - 1
      } else if (c === text[from]) depth++
      else if (c === close && --depth === 0) return j + 1
    }
    return -1
  }
  while (i < text.length) {
    const c = text[i]!
    if (c === '\n') {
      i++
      for (const h of heredocs.splice(0)) {
        let ended = false
        while (i <= text.length && !ended) {
          const to = (text.indexOf('\n', i) + 1 || text.length + 1) - 1
          const line = text.slice(i, to)
          ended = (h.tabs ? line.replace(/^\t+/, '') : line) === h.end
          i = to + 1
        }
        if (!ended) return 'heredoc'
      }
      begins = true
    } else if (c === ' ' || c === '\t') i++
    else if (c === '\\' && text[i + 1] === '\n') i += 2
    else if (c === '#') i = (text.indexOf('\n', i) + 1 || text.length + 1) - 1
    else if (text.startsWith('<<<', i)) i += 3
    else if (text.startsWith('<<', i)) {
      i += 2
      const tabs = text[i] === '-'
      if (tabs) i++
      while (text[i] === ' ') i++
      const w = word()
      if (w === '\0') return 'more'
      heredocs.push({ end: w.replace(/['"\\]/g, ''), tabs })
    } else if (c === '<' || c === '>') i += text[i + 1] === '>' || text[i + 1] === '&' ? 2 : 1
    else if (text.startsWith('((', i) && begins) {
      const j = nested(i)
      if (j < 0) return 'more'
      i = j
      begins = joined = false
    } else if (c === '(') {
      closers.push(')')
      begins = true
      joined = false
      i++
    } else if (c === ')') {
      if (closers.at(-1) === ')') closers.pop()
      begins = true // what follows may be a function's body or a case's commands
      joined = false
      i++
    } else if (c === ';' || c === '&' || c === '|') {
      const double = text[i + 1] === c || (c === '|' && text[i + 1] === '&')
      joined = c === '|' || (c === '&' && double)
      i += double ? 2 : 1
      begins = true
    } else {
      const w = word()
      if (w === '\0') return 'more'
      joined = false
      if (!begins) continue
      begins = false
      switch (w) {
        case 'for': case 'while': case 'until': case 'select': closers.push('done'); begins = w === 'while' || w === 'until'; break
        case 'if': closers.push('fi'); begins = true; break
        case 'case': closers.push('esac'); break
        case '{': closers.push('}'); begins = true; break
        case 'do': case 'then': case 'else': case 'elif': case '!': case 'time': begins = true; break
        case 'done': case 'fi': case 'esac': case '}': if (closers.at(-1) === w) closers.pop(); break
        case 'function': joined = true
      }
    }
  }
  if (heredocs.length > 0) return 'heredoc'
  return closers.length > 0 || joined || /(?:^|[^\\])(?:\\\\)*\\$/.test(text) ? 'more' : ''
}

/** Text as its author wrote it: no line ends, spaces or marks that only copying brought along. */
const clean = (text: string): string => text.replace(/\r\n?/g, '\n').replace(/\u00a0/g, ' ').replace(/[\u200b\ufeff]/g, '').replace(/\n+$/, '')

/**
 * The commands of a code block. When lines begin with a prompt, only those are
 * commands, with their continuations; the rest is what the author shows as
 * output. Without prompts the block is one command as it stands, except that
 * second prompts ("> ") of continued lines go.
 */
export function readBlock(text: string, language = ''): Shown[] {
  const all = clean(text).split('\n')
  const indent = Math.min(...all.filter(l => l.trim()).map(l => /^[ \t]*/.exec(l)![0].length))
  const lines = Number.isFinite(indent) ? all.map(l => l.slice(indent)) : all
  const first = firstPrompt(lines, language.toLowerCase())
  if (!first) {
    const run = plain(all)
    return run.trim() ? [{ run, shows: '' }] : []
  }
  const found: Shown[] = []
  let waits = ''
  for (const line of lines.slice(first.at)) {
    const last = found.at(-1)
    const prompt = first.match(line)
    if (waits && (waits === 'heredoc' || prompt === 0 || names.test(line))) {
      last!.run += '\n' + line.replace(names, '')
      waits = open(last!.run)
    } else if (prompt > 0) {
      const run = line.slice(prompt).trimStart()
      if (!run) continue
      found.push({ run, shows: '' })
      waits = open(run)
    } else if (last) last.shows += line + '\n'
  }
  for (const f of found) f.shows = f.shows.replace(/\s+$/, '').replace(/^\n+/, '')
  return found
}

/** The commands of a code block as one script; see readBlock. */
export function stripPrompts(text: string, language = ''): string {
  return readBlock(text, language).map(s => s.run).join('\n')
}

/** What a paste into a terminal stands for: without the prompts, if it has any. Its line ends are "\n". */
export function pasted(data: string): string {
  const text = data.replace(/\r\n?/g, '\n')
  const stripped = stripPrompts(text)
  return stripped && stripped !== clean(text) ? stripped + (text.endsWith('\n') ? '\n' : '') : text
}

/** Where the first prompt is, and how long the prompts of its shell are (0: none). */
function firstPrompt(lines: string[], language: string): { at: number; match: (line: string) => number } | null {
  let before = ''
  let sure = false // only those may still come
  for (const [at, line] of lines.entries()) {
    if (!before || !open(before)) {
      before = ''
      for (const k of kinds) {
        const m = k.pattern.exec(line)
        if (!m || !(k.sure || !sure) || (m[0].length === line.length && !lines[at + 1])) continue
        const host = k.host ? m[k.host]!.replace(/^.*@/, '') : ''
        return { at, match: l => {
          const n = k.pattern.exec(l)
          return n && (!k.host || n[k.host]!.endsWith('@' + host)) ? n[0].length : 0
        } }
      }
      if (!sure && consoles.has(language) && root.test(line) && lines.every(l => !l.startsWith('# ') || root.test(l))) return { at, match: l => root.exec(l)?.[0].length ?? 0 }
    }
    if (line.trim() && !line.startsWith('#')) sure = true
    before += (before ? '\n' : '') + line
  }
  return null
}

/** A block without prompts. */
function plain(lines: string[]): string {
  let done = ''
  let now = '' // the command that is open
  let strip = false
  for (const [at, line] of lines.entries()) {
    const waits = now ? open(now) : ''
    if (!waits) {
      done += now && now + '\n'
      now = line
      strip = false
      continue
    }
    // In a heredoc only if its end has one too.
    if (!strip) strip = second.test(line) && (waits === 'more' || ends(now, lines.slice(at)))
    now += '\n' + (strip ? line.replace(second, '') : line)
  }
  return done + now
}

/** Whether a heredoc that is open ends only when second prompts go. */
const ends = (command: string, lines: string[]): boolean =>
  open(`${command}\n${lines.join('\n')}`) === 'heredoc' && lines.some((_, n) => open(`${command}\n${lines.slice(0, n + 1).map(l => l.replace(second, '')).join('\n')}`) !== 'heredoc')
