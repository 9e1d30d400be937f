// Serves dist/site on 127.0.0.1:${PORT:-8080}: a plain static server with the
// right types and, when they are there, the compressed files.
//
//     node scripts/site/serve.mjs [DIR]
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.mjs': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.wasm': 'application/wasm', '.svg': 'image/svg+xml', '.json': 'application/json', '.ts': 'text/plain; charset=utf-8', '.png': 'image/png', '.txt': 'text/plain; charset=utf-8', '.yaml': 'text/yaml; charset=utf-8' }

/** Starts a server; port 0 is any free one; extra are headers of every answer. */
export function serve(dir, port = 0, extra = {}) {
  const root = path.resolve(dir)
  const server = createServer((req, res) => {
    let name
    try {
      name = decodeURIComponent(new URL(req.url, 'http://x').pathname)
    } catch {
      res.writeHead(400).end()
      return
    }
    let file = path.join(root, path.normalize(name))
    if (!file.startsWith(root)) return void res.writeHead(403).end()
    if (existsSync(file) && statSync(file).isDirectory()) {
      if (!name.endsWith('/')) return void res.writeHead(301, { location: name + '/' }).end()
      file = path.join(file, 'index.html')
    }
    if (!existsSync(file)) return void res.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n')
    const headers = { 'content-type': types[path.extname(file)] ?? 'application/octet-stream', 'cache-control': 'no-cache', vary: 'accept-encoding', ...extra }
    const accepted = String(req.headers['accept-encoding'] ?? '')
    for (const [encoding, ext] of [['br', '.br'], ['gzip', '.gz']]) {
      if (accepted.includes(encoding) && existsSync(file + ext)) {
        headers['content-encoding'] = encoding
        file += ext
        break
      }
    }
    const { size, mtimeMs } = statSync(file)
    headers.etag = `"${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}"`
    if (req.headers['if-none-match'] === headers.etag) return void res.writeHead(304, headers).end()
    headers['content-length'] = size
    res.writeHead(200, headers)
    if (req.method === 'HEAD') return void res.end()
    createReadStream(file).pipe(res)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve({ server, url: `http://127.0.0.1:${server.address().port}/`, close: () => new Promise(r => { server.closeAllConnections(); server.close(r) }) }))
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dir = process.argv[2] ?? path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../dist/site')
  if (!existsSync(path.join(dir, 'index.html'))) {
    console.error(`${dir} has no index.html: run make build first`)
    process.exit(1)
  }
  serve(dir, Number(process.env.PORT ?? 8080)).then(({ url }) => console.log(`kubonsai: ${url}`), err => {
    console.error(err.code === 'EADDRINUSE' ? `port ${process.env.PORT ?? 8080} is in use: set PORT to another` : String(err))
    process.exit(1)
  })
}
