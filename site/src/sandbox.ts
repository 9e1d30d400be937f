/**
 * Hosted sandboxes in a page: opening the page's cluster where it lives, and
 * <kube-sandbox>, which says where that is and lets the reader move it, or use
 * it with their own kubectl. Only pages with data-sandbox or data-upload load it.
 */
import { create, KubonsaiError, type Cluster } from './api.ts'
import { japanese, strings } from './i18n.ts'
import { cluster, hosted, localOptions, moveTo, onCluster, onMoved, service, settings } from './page.ts'
import { forget, remember, remembered, serviceOf } from './remote.ts'
import css from './sandbox.css'
import { h } from './snippet.ts'

/** HOST and DAYS are put in. */
const en = {
  region: 'Where the cluster lives', none: 'The cluster is a sandbox of your own at HOST. It is made when you first use it.',
  at: 'This cluster is a hosted sandbox at HOST.', expires: ' It is deleted after DAYS days without use.',
  here: 'This cluster lives in this browser.', notHosted: 'HOST does not host sandboxes, so this page uses a cluster in your browser. All of the page works; only your own kubectl cannot reach it.',
  kubectl: 'Use with kubectl', kubectlHelp: 'With this file, kubectl on your machine talks to the same cluster. Whoever has the file or the command has the sandbox.',
  download: 'Download kubeconfig', command: 'Commands for your shell',
  move: 'Move to a hosted sandbox', moveHelp: 'Moved to HOST, the whole cluster with its files goes on without this page, and your own kubectl can reach it. What this browser has stays as it is now.',
  back: 'Bring back into this browser', backAsk: 'Put the sandbox’s cluster in the place of the one in this browser, and go on here? The sandbox itself stays until it has not been used for days.',
  working: 'moving the cluster', code: 'Class code', codeAsk: 'HOST gives sandboxes to those who know its class code.', codeWrong: 'That code is not right.', ok: 'OK',
  SandboxExpired: 'The sandbox that was here does not exist any more. This is a new one.',
  MovedGone: 'The hosted sandbox does not exist any more. This is the cluster of this browser, as it was before the move.',
  Gone: 'The hosted sandbox does not exist any more. The next command begins with another one.',
  Disconnected: 'The connection to the hosted sandbox is lost; it is tried again.',
  Reconnected: 'The connection to the hosted sandbox was lost and is back. Commands that were under way have ended.',
  SandboxReset: 'The sandbox was reset, or another state was put in its place.',
}
type Strings = typeof en
const ja: Strings = {
  region: 'クラスターの場所', none: 'クラスターは、HOSTにあるあなた専用のサンドボックスです。最初に使うときに作られます。',
  at: 'このクラスターは、HOSTにあるホスト型サンドボックスです。', expires: 'DAYS日間使わないと削除されます。',
  here: 'このクラスターは、このブラウザーの中にあります。', notHosted: 'HOSTはサンドボックスをホストしていないため、このページはブラウザーの中のクラスターを使います。ページはすべて動きますが、手元のkubectlからは届きません。',
  kubectl: 'kubectlで使う', kubectlHelp: 'このファイルがあれば、手元のkubectlから同じクラスターを操作できます。ファイルかコマンドを知っている人は、誰でもこのサンドボックスを使えます。',
  download: 'kubeconfigをダウンロード', command: 'シェルで実行するコマンド',
  move: 'ホスト型サンドボックスへ移す', moveHelp: 'HOSTへ移すと、クラスターはファイルごとそこへ送られ、ページを閉じても動き続け、手元のkubectlからも使えます。このブラウザーの中のものは、今のまま残ります。',
  back: 'このブラウザーへ戻す', backAsk: 'このブラウザーの中のクラスターを、サンドボックスのクラスターで置き換え、ここで続けますか?サンドボックスそのものは、しばらく使われなくなるまで残ります。',
  working: 'クラスターを移しています', code: 'クラスコード', codeAsk: 'HOSTでサンドボックスを作るには、クラスコードが必要です。', codeWrong: 'クラスコードが違います。', ok: 'OK',
  SandboxExpired: '前のサンドボックスはもうありません。これは新しいサンドボックスです。',
  MovedGone: 'ホスト型サンドボックスはもうありません。これは、移す前の、このブラウザーのクラスターです。',
  Gone: 'ホスト型サンドボックスはもうありません。次のコマンドから別のサンドボックスになります。',
  Disconnected: 'ホスト型サンドボックスとの接続が切れました。再接続を試みています。',
  Reconnected: 'ホスト型サンドボックスとの接続が切れ、再びつながりました。実行中だったコマンドは終了しました。',
  SandboxReset: 'サンドボックスがリセットされたか、別の状態に置き換えられました。',
}

const texts = (element?: Element | null): Strings => japanese(element) ? ja : en
const host = (): string => new URL(serviceOf(service()!)).host
const fill = (text: string, days = 0): string => text.replace('HOST', host()).replace('DAYS', String(days))

/** What the reader is told of a notice of a hosted cluster. */
export const notice = (code: string, message: string): string => code in en ? texts()[code as keyof Strings] : message

/** The service turned out to be none. */
let notHosted = false

/** Opens the page's cluster where the reader has it. */
export async function open(): Promise<Cluster> {
  const local = localOptions()
  if (!hosted()) return create(local)
  if (settings.sandbox === undefined) { // moved there by the reader
    const kept = remembered(settings.name)
    if (kept) {
      try {
        return await create({ ...local, sandbox: kept })
      } catch (err) {
        if ((err as KubonsaiError).code !== 'Gone') throw err
      }
    }
    return instead('MovedGone')
  }
  try {
    return await create({ ...local, sandbox: settings.sandbox, template: settings.template, code: settings.code, askCode })
  } catch (err) {
    if ((err as KubonsaiError).code !== 'NoSandboxes') throw err
    notHosted = true
    return instead('notHosted')
  }
}

/** The browser's own cluster in the place of a sandbox that is not to be had. */
async function instead(why: 'MovedGone' | 'notHosted'): Promise<Cluster> {
  if (why === 'MovedGone') forget(settings.name)
  const c = await create(localOptions())
  c.emit('notice', { level: 'warning', code: why, message: fill(texts()[why]) })
  return c
}

const sheet = new CSSStyleSheet()
sheet.replaceSync(css)

/** A dialog on the page; it is closed with a value, or with null. */
function ask<T>(label: string, draw: (close: (value: T | null) => void) => Node[]): Promise<T | null> {
  return new Promise(resolve => {
    const before = focused()
    const box = h('div', { lang: japanese() ? 'ja' : 'en' })
    const root = box.attachShadow({ mode: 'open' })
    root.adoptedStyleSheets = [sheet]
    const close = (value: T | null): void => {
      dialog.close()
      box.remove()
      before?.focus()
      resolve(value)
    }
    const dialog = h('dialog', { 'aria-label': label })
    dialog.append(h('h2', {}, label), ...draw(close))
    dialog.addEventListener('cancel', e => {
      e.preventDefault()
      close(null)
    })
    root.append(dialog)
    document.body.append(box)
    dialog.showModal()
  })
}

/** What has the focus, however deep. */
function focused(): HTMLElement | null {
  let e = document.activeElement
  while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement
  return e as HTMLElement | null
}

const button = (label: string, click: () => void, kind = ''): HTMLButtonElement => h('button', { type: 'button', class: kind, click }, label)

/** Asks the reader for the class code. */
function askCode(wrong: boolean): Promise<string | null> {
  const t = texts()
  return ask<string>(t.code, close => {
    const input = h('input', { type: 'text', id: 'code', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', autofocus: true, 'aria-describedby': 'why', 'aria-invalid': String(wrong) })
    return [h('form', { method: 'dialog', submit: e => {
      e.preventDefault()
      if (input.value.trim()) close(input.value.trim())
    } },
    h('p', { id: 'why' }, wrong ? t.codeWrong : fill(t.codeAsk)), h('label', { for: 'code' }, t.code), input,
    h('div', { class: 'row' }, h('button', { type: 'submit', class: 'main' }, t.ok), button(strings().cancel, () => close(null))))]
  })
}

/** Shows how kubectl reaches the sandbox. */
async function showKubectl(c: Cluster): Promise<void> {
  const t = texts()
  const { server, token } = c.sandbox!
  const file = URL.createObjectURL(new Blob([await c.kubeconfig()], { type: 'application/yaml' }))
  const command = `curl -sH 'Authorization: Bearer ${token}' ${server}/-/kubeconfig > kubeconfig\nexport KUBECONFIG=$PWD/kubeconfig\nkubectl get nodes`
  await ask<never>(t.kubectl, close => {
    const copy = button(strings().copy, () => void navigator.clipboard?.writeText(command).then(() => { copy.textContent = strings().copied }).catch(() => {}), 'main')
    return [h('p', {}, t.kubectlHelp), h('pre', { tabindex: '0', role: 'region', 'aria-label': t.command }, command),
      h('div', { class: 'row' }, copy, h('a', { href: file, download: 'kubeconfig' }, t.download), button(strings().close, () => close(null)))]
  })
  URL.revokeObjectURL(file)
}

/** Puts the browser's cluster into a sandbox, and the page with it. */
async function move(c: Cluster): Promise<void> {
  const at = serviceOf(service()!)
  remember(settings.name, at, await c.upload(at, { code: settings.code, askCode }))
  moveTo('sandbox')
}

/** Puts the sandbox's cluster into the browser, and the page with it. */
async function bringBack(c: Cluster): Promise<void> {
  const snapshot = await c.snapshot()
  const local = await create(localOptions())
  try {
    await local.restore(snapshot)
  } finally {
    await local.close()
  }
  moveTo('browser')
}

export class KubeSandbox extends HTMLElement {
  private c: Cluster | null = null
  private said = h('p', { role: 'status' })
  private help = h('p', { class: 'dim' })
  private row = h('div', { class: 'row' })
  private unlisten: (() => void) | null = null

  connectedCallback(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' })
    root.adoptedStyleSheets = [sheet]
    root.replaceChildren(this.said, this.help, this.row)
    this.setAttribute('role', 'region')
    this.setAttribute('aria-label', texts(this).region)
    this.hidden = service() === undefined
    if (this.hidden) return
    this.draw()
    this.unlisten = onCluster(c => {
      this.c = c
      this.draw()
    })
  }

  disconnectedCallback(): void { this.unlisten?.() }

  private draw(): void {
    const t = texts(this), sandbox = this.c?.sandbox
    const days = sandbox?.expireDays
    this.said.textContent = fill(sandbox ? t.at + (days ? t.expires : '') : notHosted ? t.notHosted : hosted() ? t.none : t.here, days)
    this.said.className = this.help.textContent = ''
    this.row.replaceChildren()
    if (sandbox) {
      this.row.append(
        button(t.kubectl, () => void showKubectl(this.c!).catch(err => this.fail(err)), 'main'),
        button(t.back, () => void ask<boolean>(t.back, close => [h('p', {}, t.backAsk), h('div', { class: 'row' },
          button(t.back, () => close(true), 'main'), button(strings(this).cancel, () => close(null)))])
          .then(yes => { if (yes) void this.work(bringBack) })))
    } else if (!notHosted && !hosted()) {
      this.help.textContent = fill(t.moveHelp)
      this.row.append(button(t.move, () => void this.work(move), 'main'))
    }
  }

  /** Moves the cluster; the page is loaded anew when it is done. */
  private async work(what: (c: Cluster) => Promise<void>): Promise<void> {
    for (const b of this.row.querySelectorAll('button')) b.disabled = true
    this.said.textContent = `${texts(this).working} …`
    try {
      await what(this.c ?? await cluster())
    } catch (err) {
      this.draw()
      this.fail(err)
      this.row.querySelector('button')?.focus()
    }
  }

  private fail(err: unknown): void {
    this.said.textContent = String((err as Error).message ?? err)
    this.said.className = 'bad'
  }
}

if (!customElements.get('kube-sandbox')) customElements.define('kube-sandbox', KubeSandbox)
onMoved(() => location.reload())
