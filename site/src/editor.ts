/**
 * The editor that kubectl edit, vi, vim and nano open: a dialog with CodeMirror
 * (loaded on first use) or, where that cannot be had, a plain text field.
 */
import { h } from './snippet.ts'
import { strings } from './i18n.ts'
import css from './editor.css'

let queue: Promise<unknown> = Promise.resolve()

/** Opens an editor; resolves with the text, or null when the reader gave up. One at a time. */
export function openEditor(name: string, text: string): Promise<string | null> {
  const mine = queue.then(() => show(name, text))
  queue = mine.catch(() => {})
  return mine
}

async function show(name: string, text: string): Promise<string | null> {
  const t = strings()
  const host = h('div', {})
  const root = host.attachShadow({ mode: 'open' })
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(css)
  root.adoptedStyleSheets = [sheet]
  const title = name.replace(/^.*\//, '')
  const holder = h('div', { class: 'holder' })
  const dialog = h('dialog', { 'aria-label': `${t.editorFor} ${title}` },
    h('header', {}, h('h2', {}, `${t.editorFor} `, h('code', {}, title)), h('p', {}, t.editorHelp)), holder)
  const before = document.activeElement as HTMLElement | null
  root.append(dialog)
  document.body.append(host)
  let read: () => string
  let focus: () => void
  let finish!: (text: string | null) => void
  const result = new Promise<string | null>(resolve => { finish = resolve })
  const save = (): void => finish(read())
  dialog.append(h('footer', {},
    h('button', { type: 'button', class: 'save', click: save }, t.save),
    h('button', { type: 'button', click: () => finish(null) }, t.giveUp)))
  dialog.addEventListener('cancel', e => {
    e.preventDefault()
    finish(null)
  })
  dialog.addEventListener('keydown', e => {
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 's') {
      e.preventDefault()
      save()
    }
    e.stopPropagation()
  })
  try {
    const cm = await import('./codemirror.ts')
    const view = cm.editor(holder, root, text, `${t.editorFor} ${title}`)
    read = () => view.state.doc.toString()
    focus = () => view.focus()
  } catch {
    const area = h('textarea', { spellcheck: 'false', 'aria-label': `${t.editorFor} ${title}` })
    area.value = text
    holder.append(area)
    read = () => area.value
    focus = () => area.focus()
  }
  dialog.showModal()
  focus()
  const edited = await result
  dialog.close()
  host.remove()
  before?.focus()
  return edited
}
