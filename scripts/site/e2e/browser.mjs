// A browser for the end-to-end tests: Chromium from the distribution, installed
// by apt when it is missing and we may, driven by playwright-core.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { serve } from '../serve.mjs'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')
export const shots = path.join(root, 'dist/e2e')
export const siteDir = process.env.KUBONSAI_SITE ?? path.join(root, 'dist/site')
mkdirSync(shots, { recursive: true })

/** The path of Chromium; exits with one clear line when there is none. */
export function chromiumPath() {
  const find = () => [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(p => p && existsSync(p))
  let found = find()
  if (!found && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.error('e2e: installing chromium')
    spawnSync('sh', ['-c', 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-cjk'], { stdio: ['ignore', 'ignore', 'inherit'] })
    found = find()
  }
  if (!found) {
    console.error('e2e: no Chromium here: install it (Debian: apt-get install chromium) or set CHROMIUM to its path')
    process.exit(1)
  }
  return found
}

/** Starts the site and a browser. */
export async function start() {
  const { chromium } = createRequire(path.join(root, 'site/package.json'))('playwright-core')
  if (!existsSync(path.join(siteDir, 'index.html'))) {
    console.error(`e2e: ${siteDir} is empty: run make build first`)
    process.exit(1)
  }
  let site = await serve(siteDir)
  const url = site.url
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
  return {
    url,
    browser,
    /** Takes the server away, or puts it back. */
    async offline(off) {
      if (off) await site.close()
      else site = await serve(siteDir, Number(new URL(url).port))
    },
    async close() {
      await browser.close()
      await site.close()
    },
  }
}

/** A tab whose errors fail the test. */
export async function tab(context, url, { wait = true } = {}) {
  const page = await context.newPage()
  page.faults = []
  page.on('pageerror', e => page.faults.push(`error: ${e.stack ?? e}`))
  page.on('console', m => { if (m.type() === 'error') page.faults.push(`console: ${m.text()} (${m.location().url})`) })
  await page.goto(url)
  if (wait) await page.waitForSelector('kube-snippet', { state: 'attached' })
  return page
}

/** The block whose text contains the given words. */
export function block(page, words) {
  return page.locator('kube-snippet').filter({ has: page.locator('xpath=self::*') }).and(page.locator(`xpath=//pre[contains(., ${JSON.stringify(words)})]/following-sibling::*[1][self::kube-snippet]`)).first()
}

/** What the elements say, in every language of the site (site/src/i18n.ts). */
export const words = { run: /^(Run|実行)$/, stop: /^(Stop|停止)$/, edit: /^(Edit|編集)$/, save: /^(Save|保存)$/, speed: /^(Speed|速度)$/ }
export const run = snippet => snippet.getByRole('button', { name: words.run }).click()
export const stop = snippet => snippet.getByRole('button', { name: words.stop }).click()
/** Waits for the block to end and returns its output and status. */
export async function ended(snippet, timeout = 60_000) {
  const begin = Date.now()
  while (await snippet.evaluate(e => e.running !== null)) {
    if (Date.now() - begin > timeout) throw new Error(`still running after ${timeout} ms:\n${await text(snippet)}`)
    await new Promise(r => setTimeout(r, 30))
  }
  return { output: await text(snippet), status: (await snippet.locator('.status').textContent()) ?? '' }
}
export const text = async snippet => (await snippet.locator('.out').innerText().catch(() => '')) ?? ''
/** Runs a block to its end. */
export async function complete(snippet, timeout) {
  await run(snippet)
  return ended(snippet, timeout)
}
/** Waits until the output contains what is looked for. */
export async function shows(snippet, what, timeout = 20_000) {
  const begin = Date.now()
  for (;;) {
    const now = await text(snippet)
    if (what instanceof RegExp ? what.test(now) : now.includes(what)) return now
    if (Date.now() - begin > timeout) throw new Error(`no ${what} within ${timeout} ms in:\n${now}`)
    await new Promise(r => setTimeout(r, 50))
  }
}
/** Puts another text into a block. */
export async function edit(snippet, script) {
  if (await snippet.locator('textarea').count() === 0) await snippet.getByRole('button', { name: words.edit }).click()
  await snippet.locator('textarea').fill(script)
}
export const dock = page => page.locator('kube-dock')
export async function speed(page, times) {
  await dock(page).getByRole('combobox', { name: words.speed }).selectOption(String(times))
}
