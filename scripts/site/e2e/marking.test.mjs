// The blocks that Hugo, MkDocs, Docusaurus, mdBook and plain HTML make are
// found without touching their templates.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { complete, start } from './browser.mjs'

let site
before(async () => { site = await start() })
after(async () => { await site?.close() })

const yaml = '# pod.yaml\nkind: Pod'
const fixtures = {
  hugo: '<div class="highlight"><pre tabindex="0" class="chroma"><code class="language-bash" data-lang="bash"><span class="line"><span class="cl"><span class="nb">echo</span> hugo\n</span></span><span class="line"><span class="cl">ls\n</span></span></code></pre></div>',
  'hugo with line numbers': '<div class="highlight"><div class="chroma"><table class="lntable"><tr><td class="lntd"><pre tabindex="0" class="chroma"><code><span class="lnt">1\n</span><span class="lnt">2\n</span></code></pre></td><td class="lntd"><pre tabindex="0" class="chroma"><code class="language-bash" data-lang="bash"><span class="line"><span class="cl">echo lines\n</span></span></code></pre></td></tr></table></div></div>',
  mkdocs: '<div class="language-bash highlight"><pre><span></span><code><span class="nb">echo</span><span class="w"> </span>mkdocs\n</code></pre></div>',
  docusaurus: '<div class="language-bash codeBlockContainer_x theme-code-block"><div class="codeBlockContent_y"><pre tabindex="0" class="prism-code language-bash codeBlock_z"><code class="codeBlockLines_a"><span class="token-line"><span class="token plain">echo docu</span><br></span><span class="token-line"><span class="token plain">echo saurus</span><br></span></code></pre><div class="buttonGroup"><button>Copy</button></div></div></div>',
  mdbook: '<pre><div class="buttons"><button class="clip-button">copy</button></div><code class="language-bash hljs">echo mdbook\n</code></pre>',
  plain: '<pre><code class="language-sh">$ echo plain\nplain</code></pre>',
}

test('ordinary blocks of the usual tools', async () => {
  const context = await site.browser.newContext()
  const page = await context.newPage()
  const body = Object.entries(fixtures).map(([name, html]) => `<h2>${name}</h2>${html}`).join('') +
    `<pre><code class="language-yaml">${yaml}</code></pre><pre><code class="language-yaml">a: b</code></pre><pre class="no-kubonsai"><code class="language-bash">off</code></pre><pre><code class="language-python">print()</code></pre>`
  await page.route('**/fixture.html', r => r.fulfill({ contentType: 'text/html', body: `<!doctype html><html lang="en"><body>${body}<script type="module" src="/kubonsai.js" data-languages="bash,sh" data-name="fixture"></script></body></html>` }))
  await page.goto(site.url + 'fixture.html')
  await page.waitForSelector('kube-snippet')
  const found = await page.evaluate(() => [...document.querySelectorAll('kube-snippet')].map(s => [s.block.kind, s.text]))
  assert.deepEqual(found, [
    ['snippet', 'echo hugo\nls'], ['snippet', 'echo lines'], ['snippet', 'echo mkdocs'], ['snippet', 'echo docu\necho saurus'],
    ['snippet', 'echo mdbook'], ['snippet', '$ echo plain\nplain'], ['file', yaml],
  ])
  // Ours stand after the whole block, never inside it.
  assert.equal(await page.evaluate(() => document.querySelectorAll('.highlight kube-snippet, .theme-code-block kube-snippet, pre kube-snippet').length), 0)
  const snippets = page.locator('kube-snippet')
  assert.equal((await complete(snippets.nth(3))).output.trim(), 'docu\nsaurus')
  assert.equal((await complete(snippets.nth(5))).output.trim(), 'plain')
  // A block that comes later, as in a site that changes pages by script.
  await page.evaluate(() => document.body.insertAdjacentHTML('beforeend', '<pre><code class="language-bash">echo later</code></pre>'))
  await snippets.nth(7).waitFor()
  assert.equal((await complete(snippets.nth(7))).output.trim(), 'later')
  await context.close()
})
