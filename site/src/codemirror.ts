/** The parts of CodeMirror 6 that the editor uses; a chunk of its own. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, defaultHighlightStyle, HighlightStyle, indentUnit, syntaxHighlighting } from '@codemirror/language'
import { EditorState } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'

const dark = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: '#8ab8ff' },
  { tag: [tags.string, tags.content], color: '#9fe0bd' },
  { tag: [tags.number, tags.bool, tags.null], color: '#f2cf66' },
  { tag: tags.comment, color: '#9fb0c3', fontStyle: 'italic' },
  { tag: tags.keyword, color: '#e0a6ff' },
])

export function editor(parent: HTMLElement, root: ShadowRoot, text: string, label: string): EditorView {
  const isDark = getComputedStyle(parent).getPropertyValue('--kb-scheme').trim() === 'dark'
  return new EditorView({
    parent, root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(), history(), drawSelection(), highlightActiveLine(), bracketMatching(), indentUnit.of('  '), yaml(),
        EditorState.tabSize.of(2),
        syntaxHighlighting(isDark ? dark : defaultHighlightStyle, { fallback: true }),
        keymap.of([...defaultKeymap.filter(k => k.key !== 'Escape'), ...historyKeymap, indentWithTab]),
        EditorView.contentAttributes.of({ 'aria-label': label }),
        EditorView.theme({
          '&': { height: '100%', fontSize: '0.86rem' },
          '.cm-scroller': { fontFamily: 'ui-monospace, "SF Mono", Menlo, Consolas, monospace', lineHeight: '1.55' },
          '.cm-gutters': { background: 'transparent', border: '0', color: 'var(--dim)' },
          '.cm-activeLine': { background: 'color-mix(in srgb, var(--accent) 10%, transparent)' },
          '.cm-activeLineGutter': { background: 'transparent' },
          '&.cm-focused': { outline: 'none' },
        }, { dark: isDark }),
      ],
    }),
  })
}
