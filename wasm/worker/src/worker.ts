/**
 * The Worker: routes a request to the sandbox that it is for, if it may, and
 * everything else to the site.
 *
 *   GET|POST /new             a sandbox; answers with its kubeconfig
 *   /s/ID/…                   its API server, and below /-/ what is the service's own
 *   /admin/sandboxes[/ID]     the trainer's
 *   /metrics                  the trainer's
 */
import { bearer, equal, Keys } from './access.ts'
import { whole } from './body.ts'
import type { Env } from './env.ts'
import { kubeconfig } from './kubeconfig.ts'
import { limit, nodeCount } from './limits.ts'
import { OWNER, type Creation } from './sandbox.ts'
import { crossOrigin, json, log, status, unauthorized } from './status.ts'

export { Lobby } from './lobby.ts'
export { Sandbox } from './sandbox.ts'

let keys: Promise<Keys> | undefined

const lobby = (env: Env): ReturnType<Env['LOBBY']['get']> => env.LOBBY.get(env.LOBBY.idFromName('lobby'))
const sandbox = (env: Env, id: string): ReturnType<Env['SANDBOX']['get']> => env.SANDBOX.get(env.SANDBOX.idFromName(id))

/** The service's key, asked of the lobby once per isolate. */
function serviceKeys(env: Env): Promise<Keys> {
  keys ??= (async () => Keys.from(await lobby(env).secret()))()
  keys.catch(() => { keys = undefined })
  return keys
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url)
    try {
      if (request.method === 'OPTIONS' && /^\/(new$|s\/)/.test(url.pathname)) return new Response(null, { status: 204, headers: crossOrigin })
      if (url.pathname === '/new') return await create(request, url, env)
      if (url.pathname.startsWith('/s/')) return await visit(request, url, env)
      if (url.pathname === '/metrics' || url.pathname.startsWith('/admin/')) return await administer(request, url, env)
    } catch (err) {
      // A Durable Object that ended while it was asked: it starts again with the next request.
      log('error', 'request', { path: url.pathname.replace(/^\/s\/[^/]*/, '/s/…'), message: String((err as Error).message ?? err) })
      return status(503, 'the sandbox is being started again: try once more', 1)
    }
    return env.ASSETS ? env.ASSETS.fetch(request) : status(404, 'the server could not find the requested resource')
  },
} satisfies ExportedHandler<Env>

/** Makes a sandbox. */
async function create(request: Request, url: URL, env: Env): Promise<Response> {
  if (request.method !== 'GET' && request.method !== 'POST') return status(405, 'a sandbox is made with GET, or with POST and a snapshot')
  const code = url.searchParams.get('code') ?? request.headers.get('X-Class-Code') ?? ''
  if (env.CLASS_CODE && !await equal(code, env.CLASS_CODE)) {
    await lobby(env).refused('code')
    return status(403, code ? 'this class code is not valid' : 'a class code is needed: add ?code=… to the address', 0, 'ClassCode')
  }
  const nodes = url.searchParams.get('nodes') ?? '1'
  const count = nodeCount(nodes)
  const most = limit(env, 'MAX_NODES')
  if (!(count >= 1)) return status(400, `nodes is ${JSON.stringify(nodes)}: it must be a number, or CPU/MEMORY of each node as in 2/4Gi,4/8Gi`)
  if (count > most) return status(403, `a sandbox is limited to ${most} nodes`)
  const template = url.searchParams.get('template') ?? ''
  let manifests = ''
  if (template) {
    const found = /^[a-z0-9][a-z0-9-]{0,62}$/.test(template) && await env.ASSETS?.fetch(new URL(`/templates/${template}.yaml`, url))
    if (!found || !found.ok) return status(404, `there is no template ${JSON.stringify(template)}`)
    manifests = await found.text()
  }
  let snapshot: Uint8Array | null = null
  if (request.method === 'POST') {
    const bytes = limit(env, 'MAX_BYTES')
    snapshot = await whole(request.body, bytes)
    if (!snapshot) return status(413, `the snapshot is larger than the limit of ${bytes} bytes`)
    if (!snapshot.length) snapshot = null
  }
  const k = await serviceKeys(env)
  const id = await k.newID()
  const admitted = await lobby(env).admit(id, await digest(request.headers.get('CF-Connecting-IP') ?? ''), nodes, template)
  if (!admitted.ok) return status(admitted.code, admitted.message, admitted.retryAfter)
  const seed = crypto.getRandomValues(new Uint32Array(2))
  const creation: Creation = {
    id, nodes, template: manifests, snapshot, cloud: url.searchParams.get('cloud') === 'true',
    seed: seed[0]! * 2 ** 21 + (seed[1]! >>> 11), // 53 random bits
  }
  const made = await sandbox(env, id).create(creation)
  if ('error' in made) {
    await lobby(env).removed(id, 'failed')
    return status(400, made.error)
  }
  return introduce(request, url, env, id, await k.token(id))
}

/**
 * kubectl sends no token without TLS, which a Worker under development has not:
 * there, and only there, the token may stand in the path, behind the id.
 */
const isLocal = (url: URL): boolean => url.protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)

/** Tells a sandbox's owner how to reach it. */
function introduce(request: Request, url: URL, env: Env, id: string, token: string): Response {
  const server = `${url.origin}/s/${id}`
  const days = limit(env, 'EXPIRE_DAYS')
  if ((request.headers.get('Accept') ?? '').includes('application/json')) return json({ id, server, token, expireDays: days }, 201)
  const note = `A Kubernetes sandbox of your own, simulated by kubonsai. Save this as a file
and use it with kubectl:  export KUBECONFIG=$PWD/kubeconfig
Whoever has this file has the sandbox. It is deleted after ${days} days without use.`
  return new Response(kubeconfig(isLocal(url) ? `${server}~${token}` : server, token, note), { status: 201, headers: { 'Content-Type': 'application/yaml', 'Cache-Control': 'no-store', 'Content-Disposition': 'inline; filename="kubeconfig"', ...crossOrigin } })
}

/** Passes a request on to its sandbox, unless it may not. */
async function visit(request: Request, url: URL, env: Env): Promise<Response> {
  const [, , name = '', ...rest] = url.pathname.split('/')
  const [id = '', inPath = ''] = isLocal(url) ? name.split('~') : [name]
  const k = await serviceKeys(env)
  const token = inPath || bearer(request)
  const known = await k.knows(id)
  const owner = await equal(token, await k.token(id))
  // Tokens of the cluster's own (service accounts) are for the sandbox to judge.
  if (!known || !owner && token.split('.').length !== 3) return unauthorized()
  const path = '/' + rest.join('/')
  if (owner && path === '/-/kubeconfig') return introduce(request, url, env, id, token)
  const target = new URL(path + url.search, 'https://sandbox')
  const forward = new Request(target, request)
  forward.headers.set(OWNER, owner ? 'yes' : 'no')
  if (owner) forward.headers.delete('Authorization')
  const stub = sandbox(env, id)
  const answer = await stub.fetch(forward)
  if (answer.status === 101) return answer
  const out = new Response(answer.body, answer)
  for (const [name, value] of Object.entries(crossOrigin)) out.headers.set(name, value)
  return out
}

/** What the trainer may: list, read the figures, remove, help. */
async function administer(request: Request, url: URL, env: Env): Promise<Response> {
  if (!env.ADMIN_TOKEN || !await equal(bearer(request), env.ADMIN_TOKEN)) return unauthorized()
  if (url.pathname === '/metrics') return new Response(await lobby(env).metrics(), { headers: { 'Content-Type': 'text/plain; version=0.0.4' } })
  const [, , resource, id, what] = url.pathname.split('/')
  if (resource !== 'sandboxes') return status(404, 'the trainer has /admin/sandboxes and /metrics')
  if (!id) return request.method === 'GET' ? json({ sandboxes: await lobby(env).list() }) : status(405, 'sandboxes are listed with GET')
  if (!await lobby(env).has(id)) return status(404, `there is no sandbox ${JSON.stringify(id)}`)
  if (what === 'kubeconfig' && request.method === 'GET') return introduce(request, url, env, id, await (await serviceKeys(env)).token(id))
  if (request.method !== 'DELETE') return status(405, 'a sandbox is removed with DELETE')
  await sandbox(env, id).destroy('admin')
  return json({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' })
}

/** Addresses are kept as digests, for an hour. */
async function digest(address: string): Promise<string> {
  const d = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(address))
  return [...new Uint8Array(d).slice(0, 12)].map(b => b.toString(16).padStart(2, '0')).join('')
}
