/**
 * <kube-view>: a live picture of the cluster, made of watches alone: the nodes
 * with the pods on them, and the ReplicaSets and Deployments that want them.
 * State is said in words; colours only repeat it.
 */
import type { Cluster, KubeObject, WatchEvent } from './api.ts'
import { strings } from './i18n.ts'
import { onCluster } from './page.ts'
import { h } from './snippet.ts'
import css from './view.css'

interface Pod extends KubeObject {
  spec: { nodeName?: string }
  status: { phase?: string; reason?: string; conditions?: { type: string; status: string }[]; containerStatuses?: { ready: boolean; restartCount: number; state: Record<string, { reason?: string; exitCode?: number } | undefined> }[] }
}
interface Scaled extends KubeObject { spec: { replicas?: number }; status: { replicas?: number; readyReplicas?: number } }

/** The word that kubectl get pods shows under STATUS. */
export function podStatus(p: Pod): string {
  if (p.metadata.deletionTimestamp) return 'Terminating'
  let word = p.status.reason ?? p.status.phase ?? 'Pending'
  for (const c of p.status.containerStatuses ?? []) {
    if (c.state['waiting']?.reason) word = c.state['waiting'].reason
    else if (c.state['terminated']) word = c.state['terminated'].reason ?? `ExitCode:${c.state['terminated'].exitCode}`
  }
  return word
}

function mood(p: Pod, word: string): string {
  if (word === 'Running') return p.status.conditions?.some(c => c.type === 'Ready' && c.status === 'True') ? 'ok' : 'wait'
  if (word === 'Terminating') return 'gone'
  if (/^(Pending|ContainerCreating|PodInitializing)$/.test(word)) return 'wait'
  if (/^(Succeeded|Completed)$/.test(word)) return 'gone'
  return 'bad'
}

export class KubeView extends HTMLElement {
  private readonly pods = new Map<string, Pod>()
  private readonly nodes = new Map<string, KubeObject>()
  private readonly scaled = new Map<string, Scaled>()
  private stop: AbortController | null = null
  private unlisten: (() => void) | null = null
  private scheduled = false
  private readonly chips = new Map<string, HTMLElement>()

  connectedCallback(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' })
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(css)
    root.adoptedStyleSheets = [sheet]
    this.setAttribute('role', 'region')
    this.setAttribute('aria-label', strings(this).viewOf)
    this.draw()
    this.unlisten = onCluster(c => {
      this.follow(c)
      c.on('lost', () => this.follow(c))
    })
  }

  disconnectedCallback(): void {
    this.unlisten?.()
    this.stop?.abort()
  }

  private follow(c: Cluster): void {
    this.stop?.abort()
    const stop = (this.stop = new AbortController())
    for (const m of [this.pods, this.nodes, this.scaled]) m.clear()
    const list = async <T extends KubeObject>(path: string, into: Map<string, T>): Promise<void> => {
      // A watch ends when another cluster becomes the current one, and fails while there is none.
      while (!stop.signal.aborted) {
        const mine = new Set<string>()
        try {
          for await (const e of c.watch<T>(path, { signal: stop.signal })) mine.add(this.take(e, into))
        } catch { /* tried again below */ }
        if (stop.signal.aborted) return
        for (const key of mine) into.delete(key)
        this.soon()
        await new Promise(resolve => setTimeout(resolve, 1000))
      }
    }
    void list('/api/v1/nodes', this.nodes)
    void list<Pod>('/api/v1/namespaces/default/pods', this.pods)
    void list<Scaled>('/apis/apps/v1/namespaces/default/replicasets', this.scaled)
    void list<Scaled>('/apis/apps/v1/namespaces/default/deployments', this.scaled)
    this.soon()
  }

  private take<T extends KubeObject>(e: WatchEvent<T>, into: Map<string, T>): string {
    if (e.type === 'BOOKMARK' || e.type === 'ERROR') return ''
    const key = `${e.object.kind}/${e.object.metadata.uid ?? e.object.metadata.name}`
    if (e.type === 'DELETED') into.delete(key)
    else into.set(key, e.object)
    this.soon()
    return key
  }

  private soon(): void {
    if (this.scheduled) return
    this.scheduled = true
    setTimeout(() => {
      this.scheduled = false
      this.draw()
    }, 40)
  }

  private draw(): void {
    const t = strings(this)
    const root = this.shadowRoot!
    const owners = [...this.scaled.values()].sort((a, b) => a.kind.localeCompare(b.kind) || a.metadata.name.localeCompare(b.metadata.name))
      .filter(o => o.kind !== 'ReplicaSet' || (o.spec.replicas ?? 0) > 0 || (o.status.replicas ?? 0) > 0 || !o.metadata.ownerReferences)
    const sets = h('ul', { class: 'sets', 'aria-label': `${t.replicaSets}, ${t.deployments}` })
    for (const o of owners) {
      const want = o.spec.replicas ?? 1, ready = o.status.readyReplicas ?? 0
      sets.append(h('li', { class: ready === want ? 'ok' : 'wait' }, h('span', { class: 'kind' }, o.kind), h('strong', {}, o.metadata.name), h('span', {}, `${ready}/${want} ${t.ready}`)))
    }
    const byNode = new Map<string, Pod[]>()
    for (const n of this.nodes.values()) byNode.set(n.metadata.name, [])
    for (const p of this.pods.values()) {
      const node = p.spec.nodeName ?? ''
      byNode.set(node, [...(byNode.get(node) ?? []), p])
    }
    const machines = h('div', { class: 'nodes' })
    for (const [name, pods] of [...byNode].sort(([a], [b]) => a.localeCompare(b))) {
      pods.sort((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') || a.metadata.name.localeCompare(b.metadata.name))
      const list = h('ul', { 'aria-label': `${t.pods}: ${name || t.unscheduled}` })
      for (const p of pods.slice(0, 300)) list.append(this.chip(p))
      machines.append(h('section', { class: name ? 'node' : 'node loose' }, h('h3', {}, name || t.unscheduled, h('small', {}, ` ${t.countPods(pods.length)}`)), list))
    }
    if (this.pods.size === 0) machines.append(h('p', {}, t.noPods))
    for (const uid of this.chips.keys()) if (![...this.pods.values()].some(p => p.metadata.uid === uid)) this.chips.delete(uid)
    root.replaceChildren(sets, machines)
  }

  /** One element per pod, kept between drawings, so that a change of colour can be seen to happen. */
  private chip(p: Pod): HTMLElement {
    const uid = p.metadata.uid ?? p.metadata.name
    let chip = this.chips.get(uid)
    if (!chip) this.chips.set(uid, (chip = h('li', {}, h('span', { class: 'name' }), h('span', { class: 'word' }))))
    const word = podStatus(p)
    const restarts = (p.status.containerStatuses ?? []).reduce((n, c) => n + c.restartCount, 0)
    chip.className = mood(p, word)
    chip.firstElementChild!.textContent = p.metadata.name
    chip.lastElementChild!.textContent = word + (restarts ? ` ↻${restarts}` : '')
    chip.title = `${p.metadata.name}: ${word}`
    return chip
  }
}

customElements.define('kube-view', KubeView)
