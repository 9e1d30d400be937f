/**
 * kubonsai.js: the one script that a page includes. It finds the marked code
 * blocks (blocks.ts), puts a bar with Run, Edit and Copy below each, and loads
 * everything else when it is first needed. Without it, and when anything goes
 * wrong, the page reads as an ordinary page.
 *
 *     <script type="module" src="kubonsai.js" data-languages="bash,sh,yaml"></script>
 *
 * Attributes: data-languages and data-selector (which blocks, see blocks.ts),
 * data-name (which cluster; pages of one origin with the same name share it),
 * data-nodes ("3", "0" for none, or "2/4Gi,4/8Gi" for the CPU and memory of
 * each), data-seed and data-cloud="on" (of a new cluster; a cloud gives
 * services of type LoadBalancer an address), data-speed, data-wasm,
 * data-rest and data-text-tools (where kubonsai.wasm, kubonsai-rest.wasm and
 * kubonsai-text.wasm are),
 * data-sandbox="https://HOST" (the cluster is a hosted sandbox of that service;
 * "." is the page's own origin; with data-template and data-code), data-upload
 * (the reader may move the browser's cluster to that service),
 * data-dock="off" (no pane at the bottom),
 * data-preload="off" (nothing is fetched before the first Run),
 * data-offline="sw.js" (the site's service worker, so that its pages work
 * offline after the first visit).
 */
import { findBlocks, markingOf, type Block } from './blocks.ts'
import { Snippet } from './snippet.ts'

const script = document.querySelector<HTMLScriptElement>(`script[type="module"][src*="kubonsai.js"]`)
const marking = markingOf(script)

/** Where an attribute of the script says that a file is. */
function place(attribute: string): string | undefined {
  const url = script?.dataset[attribute]
  return url ? new URL(url, location.href).href : undefined
}

/** What the attributes of the script ask for. */
export const settings = {
  name: script?.dataset['name'] ?? 'default',
  seed: script?.dataset['seed'] ? Number(script.dataset['seed']) : undefined,
  nodes: script?.dataset['nodes'] || undefined,
  cloud: script?.dataset['cloud'] === 'on' || undefined,
  speed: script?.dataset['speed'] ? Number(script.dataset['speed']) : undefined,
  wasm: place('wasm'),
  rest: place('rest'),
  textTools: place('textTools'),
  sandbox: script?.dataset['sandbox'],
  template: script?.dataset['template'],
  code: script?.dataset['code'],
  upload: script?.dataset['upload'],
  dock: script?.dataset['dock'] !== 'off',
  preload: script?.dataset['preload'] !== 'off',
  offline: script?.dataset['offline'],
}

/** What a page may have beside blocks. */
const elements = ['kube-terminal', 'kube-view', 'kube-sandbox']

let loading: Promise<typeof import('./page.ts')> | null = null

/** Loads the rest of the page's program, once. */
export function load(): Promise<typeof import('./page.ts')> {
  loading ??= import('./page.ts').then(page => {
    page.begin(settings)
    return page
  }).catch(err => {
    loading = null
    throw new Error(`kubonsai could not load its program (${String(err)}): check the connection and reload the page`)
  })
  return loading
}

if (!customElements.get('kube-snippet')) customElements.define('kube-snippet', Snippet)
for (const name of elements) if (document.querySelector(name)) void load()

function upgrade(root: ParentNode): void {
  for (const block of findBlocks(root, marking)) attach(block)
}

function attach(block: Block): void {
  block.box.setAttribute('data-kb-taken', '')
  const snippet = document.createElement('kube-snippet') as Snippet
  snippet.attach(block, load)
  block.box.after(snippet)
}

// React takes a page over after it is shown: blocks that are touched before
// that would be put back. Docusaurus says when it is done.
function settled(): boolean {
  return !document.querySelector('#__docusaurus') || document.documentElement.hasAttribute('data-has-hydrated')
}

function start(): void {
  if (!settled()) {
    setTimeout(start, 50)
    return
  }
  upgrade(document)
  // Sites that change pages without loading them bring new blocks.
  let soon = 0
  new MutationObserver(changes => {
    if (soon || !changes.some(c => [...c.addedNodes].some(n => n instanceof HTMLElement && !n.matches('kube-snippet, kube-dock') && (n.matches('pre') || n.querySelector('pre'))))) return
    soon = window.setTimeout(() => {
      soon = 0
      upgrade(document)
    }, 50)
  }).observe(document.body, { childList: true, subtree: true })

  if (!document.querySelector(`kube-snippet, ${elements.join()}`)) return
  const idle = window.requestIdleCallback ?? ((fn: () => void) => setTimeout(fn, 200))
  if (settings.preload) idle(() => {
    let used = false
    try { used = localStorage.getItem(`kubonsai:used:${settings.name}`) !== null } catch { /* no storage */ }
    void load().then(page => used ? page.resume() : page.preload()).catch(() => {})
  }, { timeout: 3000 })
}

if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start)
else start()

export { upgrade }
