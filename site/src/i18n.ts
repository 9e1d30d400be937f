/**
 * What the elements say, in English and Japanese. The language is that of the
 * nearest lang attribute, or what the reader chose in the toolbar. What is said
 * of hosted sandboxes is in sandbox.ts.
 */
const en = {
  run: 'Run', stop: 'Stop', edit: 'Edit', editing: 'Done editing', original: 'Reset to original', copy: 'Copy', copied: 'Copied',
  terminal: 'Terminal', output: 'Output', source: 'Commands, editable', running: 'running', starting: 'starting the cluster',
  exit: 'exit status', stopped: 'stopped', interrupted: 'interrupted by a reload', edited: 'edited', file: 'File', save: 'Save', saved: 'Saved', unsaved: 'not saved yet',
  failed: 'The cluster could not be started. The page can still be read as it stands; to try again, press Run.',
  dropped: 'earlier lines are not shown', clearOutput: 'Clear output', keepsRunning: 'keeps running while the next commands run',
  terminals: 'Terminals', cluster: 'Cluster', speed: 'Speed', pause: 'Pause', resume: 'Resume', step: 'Step', reset: 'Reset cluster',
  resetAsk: 'Delete everything in the simulated cluster, the files and all output on this page, and start over?', cancel: 'Cancel',
  kept: 'kept in this browser', notKept: 'not kept', notSaved: 'not saved', busy: 'working', idle: 'idle', off: 'not started', time: 'Cluster time',
  close: 'Close', collapse: 'Collapse', nodes: 'Nodes', pods: 'Pods', countPods: (n: number) => `${n} ${n === 1 ? 'Pod' : 'Pods'}`, replicaSets: 'ReplicaSets', deployments: 'Deployments', ready: 'ready', desired: 'desired', noPods: 'No pods here yet.',
  unscheduled: 'not on a node yet', editorFor: 'Editing', editorHelp: 'Save and close: Ctrl+S. Give up: Esc.', giveUp: 'Close without saving',
  pane: 'kubonsai: terminals and cluster', viewOf: 'Live picture of the cluster', language: '日本語', hello: 'A simulated Kubernetes cluster. Type a command, for example: kubectl get nodes', loading: 'loading', dismiss: 'Dismiss',
  sandbox: 'Sandbox', hosted: 'hosted sandbox', apart: 'not connected to the sandbox',
  resetHosted: 'Delete everything in the hosted sandbox, the files and all output, for everybody who uses it, and start over?',
}
export type Strings = typeof en
const ja: Strings = {
  run: '実行', stop: '停止', edit: '編集', editing: '編集を終了', original: '元に戻す', copy: 'コピー', copied: 'コピーしました',
  terminal: 'ターミナル', output: '出力', source: 'コマンド(編集できます)', running: '実行中', starting: 'クラスターを起動中',
  exit: '終了ステータス', stopped: '停止しました', interrupted: '再読み込みで中断されました', edited: '編集済み', file: 'ファイル', save: '保存', saved: '保存しました', unsaved: '未保存',
  failed: 'クラスターを起動できませんでした。ページはこのまま読めます。もう一度試すには「実行」を押してください。',
  dropped: '行は省略されました', clearOutput: '出力を消す', keepsRunning: '次のコマンドの実行中も動き続けます',
  terminals: 'ターミナル', cluster: 'クラスター', speed: '速度', pause: '一時停止', resume: '再開', step: 'ステップ', reset: 'クラスターをリセット',
  resetAsk: 'シミュレーション上のクラスター、ファイル、このページの出力をすべて消して最初からやり直しますか?', cancel: 'キャンセル',
  kept: 'このブラウザーに保存されます', notKept: '保存されません', notSaved: '未保存', busy: '処理中', idle: '待機中', off: '未起動', time: 'クラスター時刻',
  close: '閉じる', collapse: '折りたたむ', nodes: 'Node', pods: 'Pod', countPods: (n: number) => `Pod ${n}個`, replicaSets: 'ReplicaSet', deployments: 'Deployment', ready: '準備完了', desired: '希望', noPods: 'まだPodはありません。',
  unscheduled: 'Node未割り当て', editorFor: '編集中', editorHelp: '保存して閉じる: Ctrl+S　中止: Esc', giveUp: '保存せずに閉じる',
  pane: 'kubonsai: ターミナルとクラスター', viewOf: 'クラスターの現在の様子', language: 'English', hello: 'シミュレーションされたKubernetesクラスターです。コマンドを入力してください。例: kubectl get nodes', loading: '読み込み中', dismiss: '閉じる',
  sandbox: 'サンドボックス', hosted: 'ホスト型サンドボックス', apart: 'サンドボックスに接続していません',
  resetHosted: 'ホスト型サンドボックスのクラスター、ファイル、出力をすべて消して最初からやり直しますか?このサンドボックスを使っている全員に影響します。',
}

/** Whether an element speaks Japanese; what the reader chose wins over the nearest lang attribute. */
export function japanese(element?: Element | null): boolean {
  let lang = ''
  try { lang = localStorage.getItem('kubonsai:lang') ?? '' } catch { /* no storage */ }
  lang ||= element?.closest('[lang]')?.getAttribute('lang') ?? document.documentElement.lang ?? ''
  return lang.toLowerCase().startsWith('ja')
}

/** The strings for an element. */
export const strings = (element?: Element | null): Strings => japanese(element) ? ja : en
