// Builds dist/site: everything a static host needs. Run by `make build`:
//
//     node scripts/site/build.mjs [--out DIR] [--fake] [--no-compress] [--no-check]
//
// --fake links the test cluster instead of the simulation; --no-compress leaves
// out the .br and .gz files; --no-check leaves out the type check.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { browserCold, buildModule, buildTextTools, divideModule, goroot, installed, root } from './module.mjs'

const site = path.join(root, 'site')
const flag = name => process.argv.includes(`--${name}`)
const option = (name, or) => process.argv.includes(`--${name}`) ? process.argv[process.argv.indexOf(`--${name}`) + 1] : or
const out = path.resolve(option('out', path.join(root, 'dist/site')))

installed(site)
const require = createRequire(path.join(site, 'package.json'))
const esbuild = require('esbuild')
const version = JSON.parse(readFileSync(path.join(site, 'package.json'), 'utf8')).version

mkdirSync(path.join(site, 'src/vendor'), { recursive: true })
copyFileSync(path.join(goroot(), 'lib/wasm/wasm_exec.js'), path.join(site, 'src/vendor/wasm_exec.js'))

if (!flag('no-check')) {
  const tsc = spawnSync(process.execPath, [require.resolve('typescript/package.json').replace('package.json', 'bin/tsc'), '-p', site], { stdio: 'inherit' })
  if (tsc.status !== 0) process.exit(tsc.status ?? 1)
}

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })

const program = path.join(out, 'kubonsai.wasm'), observed = path.join(out, 'observed.wasm')
buildModule(program, './wasm/browser', { version, cold: browserCold, ...(flag('fake') ? { tags: ['fake'] } : { slim: ['-observe', observed] }) })
// Loaded when they are first used.
buildTextTools(path.join(out, 'kubonsai-text.wasm'), version)

// Style sheets that scripts bring along are text, made small.
const css = {
  name: 'css-text',
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async args => {
      const { code } = await esbuild.transform(readFileSync(args.path, 'utf8'), { loader: 'css', minify: true })
      return { contents: code, loader: 'text' }
    })
  },
}
const common = {
  absWorkingDir: site, bundle: true, format: 'esm', target: 'es2022', minify: true, legalComments: 'none', platform: 'browser',
  external: ['node:*'], plugins: [css], logLevel: 'warning',
  // wasm_exec.js looks for Node's modules only where globalThis has them.
  define: { 'process.env.NODE_ENV': '"production"' },
}
const bundle = await esbuild.build({
  ...common, splitting: true, metafile: true, outdir: out, chunkNames: 'kubonsai-[name]-[hash]',
  entryPoints: { kubonsai: 'src/kubonsai.ts', 'kubonsai-api': 'src/api.ts' },
})
await esbuild.build({ ...common, outfile: path.join(out, 'kubonsai-worker.js'), entryPoints: ['src/worker.ts'] })
if (!flag('fake')) divideModule(program, path.join(out, 'kubonsai-rest.wasm'), observed, out)
// The service worker keeps every file of the release; its name for them changes with what is in them.
const release = readdirSync(out).filter(f => /^kubonsai.*\.(js|wasm)$/.test(f)).sort()
const hash = createHash('sha256')
for (const f of release) hash.update(f).update(readFileSync(path.join(out, f)))
await esbuild.build({
  ...common, outfile: path.join(out, 'sw.js'), entryPoints: ['src/sw.ts'], format: 'iife',
  define: { ...common.define, VERSION: JSON.stringify(`${version}-${hash.digest('hex').slice(0, 12)}`), FILES: JSON.stringify(release) },
})

// The manual of the JS API: declarations, one file.
writeFileSync(path.join(out, 'kubonsai-api.d.ts'), declarations())

// The pages.
const pages = await import(path.join(root, 'scripts/site/pages.mjs'))
pages.build(path.join(site, 'pages'), out, { version })
if (existsSync(path.join(site, 'static'))) cpSync(path.join(site, 'static'), out, { recursive: true })

// Sizes, and the same files compressed for hosts that serve them.
const files = readdirSync(out, { recursive: true }).map(String).filter(f => statSync(path.join(out, f)).isFile()).sort()
const rows = []
for (const f of files) {
  const raw = readFileSync(path.join(out, f))
  const big = f.endsWith('.wasm')
  if (!/\.(wasm|js|html|css|svg|ts|json)$/.test(f)) continue
  const gz = gzipSync(raw, { level: 9 })
  const br = flag('no-compress') ? null : brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: big ? 24 : 22, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length } })
  if (br) {
    writeFileSync(path.join(out, f + '.gz'), gz)
    writeFileSync(path.join(out, f + '.br'), br)
  }
  rows.push([f, raw.length, gz.length, br?.length ?? 0])
}
const kb = n => n ? (n / 1024).toFixed(n < 10240 ? 2 : 1).padStart(9) : '        –'
console.log(`\n${'file'.padEnd(40)}    raw KiB  gzip KiB   brotli`)
for (const [f, ...n] of rows) console.log(f.padEnd(40), ...n.map(kb))

// What a page loads before anything is run.
const first = closure(bundle.metafile, 'kubonsai.js')
const firstSize = gzipSync(Buffer.concat(first.map(f => readFileSync(path.join(out, f)))), { level: 9 }).length
console.log(`\nfirst script (${first.join(' + ')}): ${(firstSize / 1024).toFixed(2)} KiB gzip, budget 10`)
if (firstSize > 10 * 1024) {
  console.error('the first script is over its budget of 10 KiB gzip: move something behind the import of page.ts')
  process.exitCode = 1
}

/** The files that an entry needs at once, without its dynamic imports. */
function closure(metafile, name) {
  const key = f => path.relative(site, path.join(out, f)).replaceAll('\\', '/')
  const names = new Set()
  const visit = k => {
    const o = metafile.outputs[k]
    if (!o || names.has(k)) return
    names.add(k)
    for (const i of o.imports) if (i.kind === 'import-statement') visit(i.path)
  }
  visit(key(name))
  return [...names].map(k => path.relative(out, path.resolve(site, k)))
}

/** api.ts and the types of protocol.ts that it shows, as declarations. */
function declarations() {
  const dir = path.join(site, 'node_modules/.cache/types')
  rmSync(dir, { recursive: true, force: true })
  const tsc = require.resolve('typescript/package.json').replace('package.json', 'bin/tsc')
  const r = spawnSync(process.execPath, [tsc, '-p', site, '--noEmit', 'false', '--emitDeclarationOnly', '--declaration', '--stripInternal', '--outDir', dir], { stdio: 'inherit' })
  if (r.status !== 0) process.exit(r.status ?? 1)
  const read = f => readFileSync(path.join(dir, f), 'utf8')
  const protocol = read('protocol.d.ts')
  const types = ['Entry', 'Step'].map(n => new RegExp(`/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\s*export interface ${n} \\{[\\s\\S]*?\\n\\}`).exec(protocol)?.[0]).join('\n')
  const script = read('script.d.ts').replace(/^\/\*\*[\s\S]*?\*\/\n(?=\/\*\*)/, '')
  const manual = /^\/\*\*[\s\S]*?\*\/\n/.exec(readFileSync(path.join(site, 'src/api.ts'), 'utf8'))[0]
  return manual + '\n' + read('api.d.ts')
    .replace(/^import .*\n/gm, '').replace(/^export (type )?\{.*\} from .*\n/gm, '')
    .replace(/^    private .*\n/gm, '').replace('export {};\n', '') + '\n' + types + '\n' + script
}
