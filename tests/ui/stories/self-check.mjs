// The judges of pages are judged, without the daemon: a good page passes, and each fault that they are there for is found.

import assert from 'node:assert/strict'
import { tell } from '../lab.mjs'
import { faultsOf } from '../seen.mjs'
import { outOfSight, read, unsaid } from '../zone-page.mjs'

const ORIGIN = 'http://127.0.0.1:1'
const POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'"

const page = (main, head = '') =>
    `<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width">
    <link rel="icon" href="data:,"><title>A zone</title>${head}</head><body><main><h1>child.example</h1>${main}</main></body></html>`

const pairs = (changed = {}) => {
    const all = {
        State: 'waiting-guard',
        Step: 'old DNSKEY and DS sets die',
        'Waiting for': 'the DNSKEY set of a is dead',
        'When will it be done?': 'in 12 s',
        'What if I stop now?': 'it ends with a alone, in 3 s',
        'What if I undo now?': 'it takes 9 s',
        ...changed,
    }
    const lines = Object.entries(all).filter(([, text]) => text !== null)
    return `<dl>${lines.map(([term, text]) => `<dt>${term}</dt><dd>${text}</dd>`).join('')}</dl>`
}
const verdict = '<p role="status">Waiting until old sets are dead.</p>'

export async function story(browsing) {
    const show = async (html, how = {}) => {
        const window = await browsing.window(how)
        await window.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: html, headers: how.headers }))
        await window.goto(`${ORIGIN}/zones/child.example`)
        return window
    }
    const looked = async (html) => faultsOf(await show(html, { withoutPolicy: true, headers: { 'content-security-policy': POLICY } }))

    assert.deepEqual(await looked(page(verdict + pairs())), [])
    const faulty = {
        'Form elements must have labels': page('<input name="zone">'),
        'color contrast': page('<p style="color:#bbb;background:#fff">hard to read</p>'),
        'stick out': page('<pre style="width:1500px">wide</pre>'),
        'main headings': page('<h1>another</h1>'),
        'times without': page('<time>noon</time>'),
    }
    for (const [fault, html] of Object.entries(faulty)) {
        const found = await looked(html)
        assert.ok(found.some((text) => text.includes(fault)), `${fault} is not found, but ${JSON.stringify(found)}`)
    }
    tell('each fault of a page is found')

    const says = async (html) => unsaid(await read(await show(html)))
    assert.deepEqual(await says(page(verdict + pairs())), [])
    const silent = [
        [pairs(), 'no verdict'],
        [verdict + pairs({ 'Waiting for': '' }), 'an empty reason'],
        [verdict + pairs({ 'When will it be done?': null }), 'when it will be done'],
        [verdict + pairs({ 'What if I stop now?': '' }), 'what a stop'],
        [verdict + pairs({ 'What if I undo now?': null }), 'what an undo'],
        [verdict + pairs({ Until: 'null' }), 'Until is null'],
        [`${verdict}${pairs()}<div class="spinner"></div>`, 'says nothing'],
    ]
    for (const [main, fault] of silent) {
        const found = await says(page(main))
        assert.ok(found.length === 1 && found[0].includes(fault), `${fault} is not found, but ${JSON.stringify(found)}`)
    }
    tell('whatever a zone page leaves unsaid is found')

    const seen = await show(page(verdict + pairs()))
    assert.deepEqual(await outOfSight(seen), [])
    const low = await show(page(`${verdict}<div style="height:900px"></div>${pairs()}`))
    assert.equal((await outOfSight(low)).length, 1)
    tell('a reason below the fold is found')

    const refreshing = page(verdict, '<noscript><meta http-equiv="refresh" content="1"></noscript>')
    assert.equal((await read(await show(refreshing))).refresh, null)
    const without = await show(refreshing, { scripts: false })
    assert.equal((await read(without)).refresh, '1')
    await without.waitForEvent('load', { timeout: 10_000 })
    tell('a page without scripts is loaded anew')

    assert.deepEqual(browsing.troubles, [])
    const troubles = {
        'Content Security Policy': [page('<script>1</script>'), { headers: { 'content-security-policy': POLICY } }],
        'script: it is broken': [page('<script>throw new Error("it is broken")</script>')],
        'asks a stranger': [page('<img alt="" src="http://127.0.0.2:1/x.png">')],
    }
    for (const [trouble, [html, how]] of Object.entries(troubles)) {
        await show(html, how)
        for (let i = 0; i < 50 && !browsing.troubles.some((text) => text.includes(trouble)); i += 1) {
            await new Promise((resolve) => setTimeout(resolve, 100))
        }
        const found = browsing.troubles.splice(0)
        assert.ok(found.some((text) => text.includes(trouble)), `${trouble} is not found, but ${JSON.stringify(found)}`)
    }
    tell('what nobody sees is found')
}
