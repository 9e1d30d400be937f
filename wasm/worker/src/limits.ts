/** The bounds of the service and of one sandbox: the trainer's variables, or what is usual. */
import type { Variables } from './env.ts'

const MiB = 1 << 20

/** The most memory that the module may take, in MiB: the isolate has 128, for several sandboxes. The build writes the same into the module. */
export const MEMORY_MB = 112

const usual = {
  EXPIRE_DAYS: 7,
  MAX_SANDBOXES: 1000,
  CREATE_PER_HOUR: 60, // a class behind one address starts at the same minute
  MAX_NODES: 10,
  MAX_OBJECTS: 4000,
  MAX_PODS: 300,
  MAX_CLUSTERS: 3,
  MAX_BYTES: 16 * MiB,
  MAX_LOG_BYTES: 256 << 10,
  MAX_FILE_BYTES: 4 * MiB,
  MAX_REQUEST_BYTES: 3 * MiB,
  MAX_STREAMS: 100,
}

export type Limit = keyof typeof usual

/** One bound. What is no number is as if it were not set. */
export function limit(env: Variables, name: Limit): number {
  const n = Number(env[name] ?? NaN)
  return Number.isFinite(n) && n > 0 ? n : usual[name]
}

/** The part that the Go program keeps; see wasm/worker/config.go. */
export const programLimits = (env: Variables): Record<string, number> => ({
  objects: limit(env, 'MAX_OBJECTS'),
  pods: limit(env, 'MAX_PODS'),
  clusters: limit(env, 'MAX_CLUSTERS'),
  bytes: limit(env, 'MAX_BYTES'),
  log: limit(env, 'MAX_LOG_BYTES'),
  file: limit(env, 'MAX_FILE_BYTES'),
  request: limit(env, 'MAX_REQUEST_BYTES'),
  streams: limit(env, 'MAX_STREAMS'),
  memoryMB: MEMORY_MB,
})

/** How many nodes a nodes parameter ("3", "2/4Gi,4/8Gi") asks for; NaN when it is neither. */
export function nodeCount(nodes: string): number {
  if (/^\d{1,5}$/.test(nodes)) return Number(nodes)
  return /^[\w./,-]{1,200}$/.test(nodes) && nodes.includes('/') ? nodes.split(',').length : NaN
}
