// Every block of every page of the site, in order, as a reader presses Run.
// What the blocks print is kubonsai doctest's business; here each must end, and
// only those fail of which the page says so.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { ended, shots, siteDir, speed, start, tab } from './browser.mjs'

let site
before(async () => { site = await start() })
after(async () => { await site?.close() })

// The first pages have a test of their own.
const pages = readdirSync(siteDir, { recursive: true }).map(f => String(f).replaceAll('\\', '/')).sort()
  .filter(f => f.endsWith('.html') && !f.endsWith('index.html') && /class="language-\S+ kubonsai"/.test(readFileSync(path.join(siteDir, f), 'utf8')))

for (const file of pages) {
  test(`every block of ${file}`, async t => {
    const context = await site.browser.newContext({ viewport: { width: 390, height: 844 }, colorScheme: file.startsWith('ja/') ? 'dark' : 'light' })
    const page = await tab(context, site.url + file)
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'fits a phone')
    const editors = setInterval(() => void page.locator('dialog[open]').getByRole('button', { name: /^(Save|保存)$/ }).click({ timeout: 200 }).catch(() => {}), 500)
    const wrong = []
    let sped = false
    for (const s of await page.locator('kube-snippet').all()) {
      if (await s.evaluate(e => e.block.kind === 'file')) continue
      const { script, fails } = await s.evaluate(e => ({ script: e.text, fails: e.block.code.dataset.fails !== undefined }))
      await s.locator('.run').click()
      if (!sped) {
        await ended(s)
        await page.locator('kube-dock select').last().selectOption('50')
        sped = true
      }
      if (/--watch|port-forward/.test(script)) {
        await page.waitForTimeout(1500)
        if (/--watch/.test(script)) await s.locator('.run').click()
        else continue // what follows needs it
      }
      const { output, status } = await ended(s, 120_000)
      t.diagnostic(`${status.padEnd(20)} ${script.split('\n').find(l => l && !l.startsWith('#'))}`)
      // Nobody changes the text in the editor, so what kubectl edit should mend stays as it is.
      if (!/--watch|kubectl edit/.test(script) && /✗/.test(status) !== fails) wrong.push({ script, status, output })
    }
    clearInterval(editors)
    assert.deepEqual(wrong, [])
    assert.deepEqual(page.faults.filter(f => !/\/new\?nodes=/.test(f)), []) // a page that asks this host for a sandbox finds that there are none
    await page.evaluate(() => scrollTo({ top: 0, behavior: 'instant' }))
    await page.screenshot({ path: path.join(shots, `${file.replace(/\W+/g, '-')}.png`), fullPage: true })
    await context.close()
  })
}
