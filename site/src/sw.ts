/**
 * sw.js: makes a site that uses kubonsai readable and runnable offline after
 * the first visit. Opt-in: the attribute data-offline of the script registers
 * it, or a page does with navigator.serviceWorker.register('sw.js'). The files
 * of the release are kept at once, and so is every page that is open, with what
 * it has loaded; after that, whatever is asked of this origin. The network is
 * asked first for pages, the cache first for the files of a release.
 */
declare const VERSION: string
declare const FILES: string[]

interface ExtendableEvent extends Event { waitUntil(p: Promise<unknown>): void }
interface FetchEvent extends ExtendableEvent { request: Request; respondWith(r: Promise<Response>): void }
interface ExtendableMessageEvent extends ExtendableEvent { data: unknown }
const scope = self as unknown as {
  addEventListener(type: string, fn: (e: never) => void): void
  skipWaiting(): Promise<void>
  clients: { claim(): Promise<void> }
  registration: { scope: string }
}
const cacheName = `kubonsai-${VERSION}`
// The release lies beside this script, wherever the pages are.
const release = new Set(FILES.map(f => new URL(f, location.href).href))
const ours = (url: string): boolean => new URL(url).origin === location.origin

/** Keeps what is not kept yet. */
async function keep(urls: Iterable<string>): Promise<void> {
  const cache = await caches.open(cacheName)
  await Promise.allSettled([...urls].filter(ours).map(async url => {
    if (!await cache.match(url)) await cache.add(url)
  }))
}

scope.addEventListener('install', (e: ExtendableEvent) => {
  e.waitUntil(keep(release).then(() => scope.skipWaiting()))
})

scope.addEventListener('activate', (e: ExtendableEvent) => {
  e.waitUntil((async () => {
    for (const key of await caches.keys()) if (key.startsWith('kubonsai-') && key !== cacheName) await caches.delete(key)
    await scope.clients.claim()
  })())
})

// A page says what it had loaded before this worker was there.
scope.addEventListener('message', (e: ExtendableMessageEvent) => {
  const urls = (e.data as { kubonsai?: unknown } | null)?.kubonsai
  if (Array.isArray(urls)) e.waitUntil(keep(urls.map(String)))
})

scope.addEventListener('fetch', (e: FetchEvent) => {
  // What is asked with a token is a hosted sandbox's, and changes.
  if (e.request.method !== 'GET' || !ours(e.request.url) || e.request.headers.has('Authorization')) return
  e.respondWith((async () => {
    const cache = await caches.open(cacheName)
    if (release.has(e.request.url)) {
      const kept = await cache.match(e.request, { ignoreVary: true })
      if (kept) return kept
    }
    try {
      const fresh = await fetch(e.request)
      if (fresh.ok && fresh.type === 'basic' && !fresh.headers.get('Cache-Control')?.includes('no-store')) {
        const copy = fresh.clone()
        e.waitUntil(cache.put(e.request, copy).catch(() => {})) // no room: it is not kept
      }
      return fresh
    } catch (err) {
      const kept = await cache.match(e.request, { ignoreSearch: true, ignoreVary: true })
      if (kept) return kept
      throw err
    }
  })())
})
