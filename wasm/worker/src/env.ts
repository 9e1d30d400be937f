/** What the Worker is deployed with: bindings, and the trainer's variables and secrets; see wrangler.jsonc. */
import type { Lobby } from './lobby.ts'
import type { Sandbox } from './sandbox.ts'

export interface Env extends Variables {
  SANDBOX: DurableObjectNamespace<Sandbox>
  LOBBY: DurableObjectNamespace<Lobby>
  /** The site; without it only the API is served. */
  ASSETS?: Fetcher
}

/** All are optional; numbers may be given as text. */
export interface Variables {
  /** Whoever wants a sandbox must know it; empty: everybody may have one. */
  CLASS_CODE?: string
  /** The trainer's; without it nobody lists or removes sandboxes or reads metrics. */
  ADMIN_TOKEN?: string
  /** Days after which a sandbox that nobody uses is deleted. */
  EXPIRE_DAYS?: string | number
  /** Sandboxes that may exist at once. */
  MAX_SANDBOXES?: string | number
  /** Sandboxes that one address may make in an hour. */
  CREATE_PER_HOUR?: string | number
  /** Bounds of one sandbox; see limits.ts. */
  MAX_NODES?: string | number
  MAX_OBJECTS?: string | number
  MAX_PODS?: string | number
  MAX_CLUSTERS?: string | number
  MAX_BYTES?: string | number
  MAX_LOG_BYTES?: string | number
  MAX_FILE_BYTES?: string | number
  MAX_REQUEST_BYTES?: string | number
  MAX_STREAMS?: string | number
}
