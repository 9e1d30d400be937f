/**
 * sw.js: makes a site that uses kubonsai readable and runnable offline after
 * the first visit. Opt-in: pages register it with
 * navigator.serviceWorker.register('sw.js'). What is asked of this origin is
 * kept; the network is asked first for pages, the cache first for the files of
 * a release.
 */
declare const VERSION: string

interface ExtendableEvent extends Event { waitUntil(p: Promise<unknown>): void }
interface FetchEvent extends ExtendableEvent { request: Request; respondWith(r: Promise<Response>): void }
const scope = self as unknown as {
  addEventListener(type: string, fn: (e: never) => void): void
  skipWaiting(): Promise<void>
  clients: { claim(): Promise<void> }
  registration: { scope: string }
}
const cacheName = `kubonsai-${VERSION}`
const files = ['./', 'kubonsai.js', 'kubonsai-api.js', 'kubonsai-worker.js', 'kubonsai.wasm', 'kubonsai-text.wasm']

scope.addEventListener('install', (e: ExtendableEvent) => {
  e.waitUntil(caches.open(cacheName).then(c => Promise.allSettled(files.map(f => c.add(new URL(f, scope.registration.scope).href)))).then(() => scope.skipWaiting()))
})

scope.addEventListener('activate', (e: ExtendableEvent) => {
  e.waitUntil((async () => {
    for (const key of await caches.keys()) if (key.startsWith('kubonsai-') && key !== cacheName) await caches.delete(key)
    await scope.clients.claim()
  })())
})

scope.addEventListener('fetch', (e: FetchEvent) => {
  const url = new URL(e.request.url)
  if (e.request.method !== 'GET' || url.origin !== new URL(scope.registration.scope).origin) return
  e.respondWith((async () => {
    const cache = await caches.open(cacheName)
    const release = /kubonsai[\w.-]*\.(?:js|wasm)$/.test(url.pathname)
    if (release) {
      const kept = await cache.match(e.request)
      if (kept) return kept
    }
    try {
      const fresh = await fetch(e.request)
      if (fresh.ok && fresh.type === 'basic') void cache.put(e.request, fresh.clone())
      return fresh
    } catch (err) {
      const kept = await cache.match(e.request, { ignoreSearch: true })
      if (kept) return kept
      throw err
    }
  })())
})
