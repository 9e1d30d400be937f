/** Answers in the API's own form: a Status object, which kubectl prints. */

const reasons: Record<number, string> = {
  400: 'BadRequest', 401: 'Unauthorized', 403: 'Forbidden', 404: 'NotFound', 405: 'MethodNotAllowed',
  413: 'RequestEntityTooLarge', 429: 'TooManyRequests', 500: 'InternalError', 503: 'ServiceUnavailable',
}

/** Whoever holds the token may call from any page: there are no cookies. */
export const crossOrigin = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, Accept, X-Class-Code',
  'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE',
}

/** cause is for programs that look for one kind of failure among those with the same code. */
export function status(code: number, message: string, retryAfter = 0, cause = ''): Response {
  const body: Record<string, unknown> = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason: reasons[code] ?? 'Unknown' }
  if (retryAfter) body['details'] = { retryAfterSeconds: retryAfter }
  if (cause) body['details'] = { causes: [{ reason: cause, message }] }
  body['code'] = code
  const headers: Record<string, string> = { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private', ...crossOrigin }
  if (retryAfter) headers['Retry-After'] = String(retryAfter)
  return new Response(JSON.stringify(body) + '\n', { status: code, headers })
}

/** One answer for every request that may not be served, so that it tells nothing. */
export const unauthorized = (): Response => status(401, 'Unauthorized')

export function json(value: unknown, code = 200): Response {
  return new Response(JSON.stringify(value, null, 2) + '\n', { status: code, headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...crossOrigin } })
}

/** One structured line in the Worker's log. */
export function log(level: 'info' | 'warning' | 'error', event: string, fields: Record<string, unknown> = {}): void {
  console[level === 'error' ? 'error' : level === 'warning' ? 'warn' : 'log'](JSON.stringify({ level, event, ...fields }))
}
