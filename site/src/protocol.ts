/**
 * Package bridge and site/src/protocol.ts are the two ends of one wire: the
 * messages between a page and the program that holds its cluster.
 *
 * A message is a frame: a JSON object with a kind and, where it belongs to a
 * request, an id; bytes travel beside the JSON in the field data and are never
 * text. Whoever uses the cluster (the page) sends requests with ids of its own
 * choosing, counting up from 1. The cluster answers each request once, with a
 * frame of kind "reply" or "error" that carries the request's id. Requests that
 * go on (run, watch) are answered by "exit" or "done" instead, after any number
 * of event frames under the same id. Frames of kind "notice" and "state" carry
 * no id and may come at any time. The first request is "hello"; both ends speak
 * only if their protocol numbers are equal. Unknown fields are ignored, unknown
 * kinds are answered with an error, nothing is ever answered with silence.
 *
 * The two files change together: wasm/bridge/twin_test.go compares them.
 */

/** The number of this version of the protocol. */
export const PROTOCOL = 1

/** The kinds of frames from the page to the cluster; see wasm/bridge/frame.go for the fields of each. */
export const requests = [
  'hello', 'open', 'prepare', 'run', 'stdin', 'interrupt', 'kill', 'resize', 'ack', 'edited', 'fetch', 'watch', 'stop',
  'read', 'write', 'list', 'remove', 'url', 'steps', 'complete', 'snapshot', 'restore', 'reset', 'speed',
  'pause', 'step', 'status', 'close',
] as const

/** The kinds of frames from the cluster to the page. */
export const answers = [
  'reply', 'error', 'output', 'exit', 'ask', 'edit', 'clear', 'change', 'done', 'notice', 'state',
] as const

export type RequestKind = (typeof requests)[number]
export type AnswerKind = (typeof answers)[number]

/** One file or directory in an answer to list. */
export interface Entry { name: string; size: number; dir?: boolean }

/** One command of a script, from offset start to end in bytes of UTF-8. */
export interface Step { start: number; end: number; text: string; endless?: boolean }

/** The fields that frames are made of; which kind uses which is said in frame.go. */
export interface Fields {
  protocol?: number
  version?: string
  code?: string
  message?: string
  level?: 'info' | 'warning' | 'error'
  name?: string
  seed?: number
  nodes?: string
  cloud?: boolean
  storage?: string
  start?: number
  speed?: number
  paused?: boolean
  busy?: boolean
  saved?: boolean
  restored?: boolean
  now?: number
  terminal?: string
  script?: string
  columns?: number
  rows?: number
  interactive?: boolean
  beside?: boolean
  run?: number
  watch?: number
  stream?: number
  eof?: boolean
  bytes?: number
  edit?: number
  text?: string
  ok?: boolean
  column?: number
  method?: string
  path?: string
  headers?: Record<string, string>
  status?: number
  entries?: Entry[]
  steps?: Step[]
  words?: string[]
  /** The bytes that travel beside the JSON. */
  data?: Uint8Array
}

export interface Request extends Fields { id: number; kind: RequestKind }
export interface Answer extends Fields { id?: number; kind: AnswerKind }
export type Frame = Request | Answer

/** Parts a frame into its JSON and its bytes. */
export function encode(frame: Frame): [head: string, data: Uint8Array | null] {
  const { data, ...head } = frame
  return [JSON.stringify(head), data ?? null]
}

/** Puts the two parts of a frame from the cluster together; throws on what is not one. */
export function decode(head: string, data?: Uint8Array | null): Answer {
  const frame: unknown = JSON.parse(head)
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) throw new Error('a frame must be a JSON object')
  const answer = frame as Answer
  if (!(answers as readonly string[]).includes(answer.kind)) throw new Error(`unknown frame "${String(answer.kind)}"`)
  if (data) answer.data = data
  return answer
}
