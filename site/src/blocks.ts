/**
 * Finds the code blocks of a page that should run. It knows how Hugo (chroma),
 * MkDocs (pymdownx, codehilite), Docusaurus (prism), mdBook and plain HTML mark
 * a block's language, and reads its text as it was written.
 *
 * A block is marked when it, or anything around it, has the class "kubonsai" or
 * the attribute data-kubonsai (whose value "off", like the class "no-kubonsai",
 * means the opposite); or when its language is one of those that the script's
 * attribute data-languages lists; or when the script's data-selector matches it.
 * A marked block in a shell language is a snippet; a marked block that names a
 * file (data-file, a title, or a first line "# name.yaml") is a file.
 */
export interface Block {
  /** The element whose text is the code. */
  code: HTMLElement
  /** The outermost element that belongs to the block; ours goes after it. */
  box: HTMLElement
  kind: 'snippet' | 'file'
  language: string
  text: string
  /** For a file: its name, and the URL under which commands find it, if any. */
  file?: string
  url?: string
}

export interface Marking {
  languages: Set<string>
  selector: string
}

const shells = new Set(['sh', 'bash', 'shell', 'zsh', 'console', 'shell-session', 'shellsession', 'terminal', 'kubectl', 'bash-session'])
const fileName = /^\s*(?:#|\/\/|<!--)\s*((?:[\w.~-]+\/)*[\w.-]+\.(?:ya?ml|json|sh|txt|conf|toml|env))\s*(?:-->)?\s*$/i
const boxes = '.highlight, .codehilite, .highlighttable, .theme-code-block, .code-block, [class*="codeBlockContainer"], [class*="expressive-code"], div[class*="language-"], figure.highlight'

/** The marking that a script element asks for. */
export function markingOf(script: HTMLScriptElement | null): Marking {
  const languages = new Set((script?.dataset['languages'] ?? '').toLowerCase().split(/[\s,]+/).filter(Boolean))
  return { languages, selector: script?.dataset['selector'] ?? '' }
}

/** What the choice of blocks looks at; see site/test/fixtures/blocks.json. */
export interface Candidate {
  language: string
  text: string
  /** Whether the block, or something around it, is marked. */
  mark?: '' | 'on' | 'inherited' | 'off' | undefined
  /** The page names the block's language, or selects the block. */
  asked?: boolean | undefined
  /** The page names languages at all. */
  some?: boolean | undefined
  attribute?: string | undefined
  title?: string | undefined
}

/** What a block is, and a file's name. `kubonsai doctest` chooses by the same rules. */
export function choose(c: Candidate): { kind: '' | Block['kind']; file: string } {
  const on = c.mark === 'on' || c.mark === 'inherited', data = /^(ya?ml|json)$/.test(c.language), shell = shells.has(c.language)
  const title = c.title && /^[\w./-]+\.\w+$/.test(c.title) ? c.title : ''
  const file = c.attribute || (shell ? '' : title || fileName.exec(c.text.split('\n', 1)[0] ?? '')?.[1] || '')
  if (c.mark === 'off') return { kind: '', file: '' }
  if (file && (on || c.asked || (c.some && data))) return { kind: 'file', file }
  return { kind: !data && (c.mark === 'on' || (on && shell) || c.asked) ? 'snippet' : '', file: '' }
}

/** Every block below root that is marked and not yet taken. */
export function findBlocks(root: ParentNode, marking: Marking): Block[] {
  const found: Block[] = []
  for (const pre of root.querySelectorAll<HTMLElement>('pre')) {
    if (pre.closest('[data-kb-taken], kube-snippet, td.linenos, td.lntd:first-child:not(:only-child)')) continue
    const code = pre.querySelector<HTMLElement>('code') ?? pre
    const language = languageOf(code, pre)
    const off = pre.closest<HTMLElement>('[data-kubonsai="off"], .no-kubonsai')
    const on = pre.closest<HTMLElement>('.kubonsai, [data-kubonsai]:not([data-kubonsai="off"])') ?? (code.matches('.kubonsai, [data-kubonsai]') ? code : null)
    if (off && !(on && off.contains(on) && off !== on)) continue
    const mark = on ? on.matches('pre, code, ' + boxes) ? 'on' : 'inherited' : ''
    const asked = Boolean(marking.selector && (pre.matches(marking.selector) || code.matches(marking.selector))) || marking.languages.has(language)
    const text = textOf(code)
    const box = boxOf(pre)
    const data = (name: string): string | undefined => [code, pre, box].map(e => e.dataset[name]).find(v => v !== undefined)
    const { kind, file } = choose({ language, text, mark, asked, some: marking.languages.size > 0, attribute: data('file'), title: titleOf(box) })
    if (kind === 'file') found.push({ code, box, kind, language, text, file, url: data('url') })
    else if (kind) found.push({ code, box, kind, language, text })
  }
  return found
}

function languageOf(code: HTMLElement, pre: HTMLElement): string {
  for (let e: HTMLElement | null = code, depth = 0; e && depth < 5; e = e.parentElement, depth++) {
    const named = e.dataset['lang'] ?? e.dataset['language'] ?? [...e.classList].map(c => /^(?:language|lang|highlight-source)-([\w+-]+)$/.exec(c)?.[1]).find(Boolean)
    if (named) return named.toLowerCase()
    if (e !== code && e !== pre && !e.matches(boxes + ', td, tr, tbody, table, div')) break
  }
  return ''
}

function boxOf(pre: HTMLElement): HTMLElement {
  let box = pre
  for (let e = pre.parentElement, depth = 0; e && depth < 7; e = e.parentElement, depth++) if (e.matches(boxes)) box = e
  return box
}

function titleOf(box: HTMLElement): string | undefined {
  return box.querySelector('[class*="codeBlockTitle"], .filename, .code-title, figcaption')?.textContent?.trim()
}

/** The text of a block as its author wrote it. */
export function textOf(code: HTMLElement): string {
  const copy = code.cloneNode(true) as HTMLElement
  // Line numbers, copy buttons and mdBook's hidden lines are not the author's text.
  for (const e of copy.querySelectorAll('button, .buttons, .lineno, .linenos, .ln, .lnt, .line-number, [data-line-number]:empty')) e.remove()
  // Docusaurus ends its lines with <br>, some themes make each line a block.
  for (const br of copy.querySelectorAll('br')) br.replaceWith('\n')
  return (copy.textContent ?? '').replace(/\r\n?/g, '\n').replace(/\u200b/g, '').replace(/\n+$/, '')
}
