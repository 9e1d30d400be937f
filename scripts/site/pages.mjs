// Turns site/pages/*.md into static pages. The Markdown is the small part that
// these pages need: headings, paragraphs, lists, tables, emphasis, code, links,
// notes (lines that begin with "> ") and fenced blocks, whose info string is
//
//     ```sh kubonsai                                   a block that runs
//     ```yaml kubonsai file=NAME.yaml url=http://…     a file in the reader's home
//     ```text                                          shown as it is
//
// Comments are for the author and for kubonsai doctest; "kubonsai page nodes=N"
// says how many nodes the page's cluster has. Plain text directly after a block
// that runs is what it prints.
//
// A page begins with lines "key: value" up to an empty line; "sandbox: ." makes
// its cluster a hosted sandbox of the site's own origin. A translation names
// the page it translates (code: ../index.md): each {{code}} in it is that page's
// next fenced block, in which the pairs after {{words}} are replaced.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const escape = s => s.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;')

function inline(text) {
  const kept = []
  const keep = html => `\u0001${kept.push(html) - 1}\u0001`
  return escape(text.replace(/`([^`]+)`/g, (_, c) => keep(`<code>${escape(c)}</code>`)))
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>').replace(/(^|[^\w*])\*([^*\s][^*]*)\*/g, '$1<em>$2</em>')
    .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, '<a href="$2">$1</a>')
    .replace(/\u0001(\d+)\u0001/g, (_, i) => kept[i])
}

/** Comments of shell and YAML are dimmed, YAML keys marked; the text stays the text. */
function highlight(code, language) {
  return code.split('\n').map(line => {
    const comment = /(^|\s)#.*$/.exec(line)
    const head = comment && !/["'][^"']*$/.test(line.slice(0, comment.index)) ? line.slice(0, comment.index + comment[1].length) : line
    const tail = line.slice(head.length)
    let html = escape(head)
    if (language === 'yaml') html = html.replace(/^(\s*(?:- )*)([\w.\/-]+)(?=:)/, '$1<span class="k">$2</span>')
    else if (language === 'sh') html = html.replace(/(^|\| |\$\(|xargs |time )(kubectl|curl|vim|watch)(?= )/g, '$1<span class="k">$2</span>')
    return html + (tail ? `<span class="c">${escape(tail)}</span>` : '')
  }).join('\n')
}

function slug(text, used) {
  const base = text.toLowerCase().replace(/[`*]/g, '').replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '') || 's'
  let s = base
  for (let i = 2; used.has(s); i++) s = `${base}-${i}`
  used.add(s)
  return s
}

export function render(source) {
  const lines = source.split('\n')
  const meta = {}
  while (lines.length && lines[0].trim()) {
    const m = /^(\w+): (.*)$/.exec(lines.shift())
    if (m) meta[m[1]] = m[2]
  }
  const out = [], toc = [], used = new Set()
  let i = 0
  let fails = false // a comment says that a command of the next block fails
  const until = stop => {
    const part = []
    while (i < lines.length && !stop(lines[i])) part.push(lines[i++])
    return part
  }
  while (i < lines.length) {
    const line = lines[i]
    let m
    if (!line.trim()) i++
    else if ((m = /^```(\S*)\s*(.*)$/.exec(line))) {
      i++
      const code = until(l => l.startsWith('```')).join('\n')
      i++
      const words = m[2].split(/\s+/).filter(Boolean)
      const data = words.filter(w => w.includes('=')).map(w => ` data-${w.slice(0, w.indexOf('='))}="${escape(w.slice(w.indexOf('=') + 1))}"`).join('')
      const marked = words.includes('kubonsai') ? ' kubonsai' : ''
      const wrong = fails ? ' data-fails' : ''
      fails = false
      const printed = m[1] === 'text' && /<code class="language-sh kubonsai"/.test(out.at(-1) ?? '')
      out.push(`<pre${m[1] === 'text' ? ` class="text${printed ? ' printed' : ''}"` : ''}><code class="language-${m[1] || 'text'}${marked}"${data}${wrong}>${highlight(code, m[1])}</code></pre>`)
    } else if ((m = /^(#{1,3}) (.*)$/.exec(line))) {
      i++
      const id = slug(m[2], used)
      if (m[1].length === 2) toc.push([id, m[2]])
      out.push(m[1].length === 1 ? `<h1>${inline(m[2])}</h1>` : `<h${m[1].length} id="${id}"><a class="anchor" href="#${id}">${inline(m[2])}</a></h${m[1].length}>`)
    } else if (line.startsWith('> ')) {
      out.push(`<aside class="note"><p>${inline(until(l => !l.startsWith('> ')).map(l => l.slice(2)).join('\n'))}</p></aside>`)
    } else if (line.startsWith('|')) {
      const rows = until(l => !l.startsWith('|')).map(l => l.slice(1, -1).split('|').map(c => c.trim()))
      const row = (cells, tag) => `<tr>${cells.map(c => `<${tag}${tag === 'th' ? ' scope="col"' : ''}>${inline(c)}</${tag}>`).join('')}</tr>`
      out.push(`<div class="scroll"><table><thead>${row(rows[0], 'th')}</thead><tbody>${rows.slice(2).map(r => row(r, 'td')).join('')}</tbody></table></div>`)
    } else if (/^(- |\d+\. )/.test(line)) {
      const ordered = /^\d/.test(line)
      const items = until(l => !l.trim() || !/^(- |\d+\. |  )/.test(l)).reduce((all, l) => {
        if (/^(- |\d+\. )/.test(l)) all.push(l.replace(/^(- |\d+\. )/, ''))
        else all[all.length - 1] += '\n' + l.trim()
        return all
      }, [])
      out.push(`<${ordered ? 'ol' : 'ul'}>${items.map(t => `<li>${inline(t)}</li>`).join('')}</${ordered ? 'ol' : 'ul'}>`)
    } else if (line === '[[toc]]') {
      i++
      out.push('\u0002')
    } else if (line.startsWith('<!--')) {
      fails ||= /^<!-- kubonsai .*\b(fails|exit=[1-9])/.test(line)
      until(l => l.includes('-->'))
      i++
    } else if (line.startsWith('<')) out.push(until(l => !l.trim()).join('\n'))
    else out.push(`<p>${inline(until(l => !l.trim() || /^(```|#|\||> |- )/.test(l)).join('\n'))}</p>`)
  }
  const contents = `<nav class="toc" aria-label="${meta.lang === 'ja' ? '目次' : 'On this page'}"><ol>${toc.map(([id, t]) => `<li><a href="#${id}">${inline(t)}</a></li>`).join('')}</ol></nav>`
  return { meta, html: out.join('\n').replace('\u0002', () => contents) }
}

const words = {
  en: { skip: 'Skip to the text', other: '日本語', next: 'Next', foot: 'kubonsai is a simulation of Kubernetes v1.36 that runs in your browser. It is not affiliated with the Cloud Native Computing Foundation.' },
  ja: { skip: '本文へ移動', other: 'English', next: '次へ', foot: 'kubonsaiは、ブラウザーの中で動くKubernetes v1.36のシミュレーションです。Cloud Native Computing Foundationとは関係ありません。' },
}

// The pages in reading order, with their names in the header.
const order = {
  why: { en: 'Why Kubernetes', ja: 'なぜ必要か' },
  index: { en: 'ReplicaSets', ja: 'ReplicaSet' },
  scale: { en: 'Scale', ja: '増やす' },
  break: { en: 'Break', ja: '壊す' },
  sandbox: { en: 'Sandbox', ja: 'サンドボックス' },
  embed: { en: 'Embed', ja: '埋め込み方' },
  doctest: { en: 'Test', ja: 'テスト' },
}

function layout({ meta, html }, file, settings) {
  const lang = meta.lang ?? 'en', w = words[lang], up = file.includes('/') ? '../' : ''
  const own = file.replace(/^ja\//, ''), there = lang === 'ja' ? `../${own}` : `ja/${own}`
  const otherLang = lang === 'ja' ? 'en' : 'ja'
  const clean = p => p.replace(/index\.html$/, '') || './'
  const name = own.replace(/\.html$/, ''), keys = Object.keys(order)
  const link = (k, text, more = '') => `<a href="${clean(`${k}.html`)}"${more}>${text}</a>`
  const follower = keys[keys.indexOf(name) + 1]
  // Each page that is a course of its own has a cluster of its own.
  const cluster = /\bnodes=(\d+)/.exec(settings)
  return `<!doctype html>
<html lang="${lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(meta.title)}</title>
<meta name="description" content="${escape(meta.description ?? '')}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="${up}icon.svg" type="image/svg+xml">
<link rel="alternate" hreflang="${otherLang}" href="${clean(there)}">
<link rel="stylesheet" href="${up}site.css">
<script type="module" src="${up}kubonsai.js" data-nodes="${cluster?.[1] ?? 3}" data-offline="${up}sw.js"${name === 'index' || !cluster ? '' : ` data-name="${name}"`}${meta.sandbox ? ` data-sandbox="${escape(meta.sandbox)}"` : ''}></script>
</head>
<body>
<a class="skip" href="#text">${w.skip}</a>
<header class="top">
<a class="brand" href="./"><img src="${up}icon.svg" alt="" width="28" height="28">kubonsai</a>
<nav aria-label="kubonsai">${keys.map(k => link(k, order[k][lang], k === name ? ' aria-current="page"' : '')).join(' ')} <a href="${clean(there)}" lang="${otherLang}" hreflang="${otherLang}">${w.other}</a></nav>
</header>
<main id="text">
${html}
${follower ? `<p class="next">${w.next}: ${link(follower, order[follower][lang], ' rel="next"')}</p>` : ''}
</main>
<footer><p>${w.foot}</p></footer>
</body>
</html>
`
}

/** A translation with the original's fenced blocks in place. */
function translate(file, source) {
  const from = /^code: (.*)$/m.exec(source)?.[1]
  if (!from) return source
  const [text, words = ''] = source.split('\n{{words}}\n')
  const pairs = words.split('\n').filter(l => l.includes(' => ')).map(l => l.split(' => '))
  const blocks = readFileSync(path.join(path.dirname(file), from), 'utf8').match(/^(?:<!-- kubonsai [^\n]*-->\n)*```[^\n]*\n[\s\S]*?^```$/gm)
  let n = 0
  const out = text.replace(/^\{\{code\}\}$/gm, () => pairs.reduce((b, [a, z]) => b.replaceAll(new RegExp(a.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') + '(?=\n|$)', 'g'), () => z), blocks[n++]))
  if (n !== blocks.length) throw new Error(`${file} shows ${n} blocks, the page it translates has ${blocks.length}`)
  return out
}

export function build(from, to) {
  for (const entry of readdirSync(from, { recursive: true }).map(String)) {
    if (!entry.endsWith('.md')) continue
    const file = entry.replace(/\.md$/, '.html').replaceAll('\\', '/')
    mkdirSync(path.join(to, path.dirname(file)), { recursive: true })
    const source = readFileSync(path.join(from, entry), 'utf8')
    const original = /^code: (.*)$/m.exec(source)?.[1]
    const settings = /<!-- kubonsai page ([^>]*)-->/.exec(original ? readFileSync(path.join(from, path.dirname(entry), original), 'utf8') : source)?.[1] ?? ''
    writeFileSync(path.join(to, file), layout(render(translate(path.join(from, entry), source)), file, settings))
  }
}
