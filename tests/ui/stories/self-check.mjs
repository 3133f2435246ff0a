// The judges of pages are judged, without the daemon: a good page passes, and each fault that they are there for is found.

import assert from 'node:assert/strict'
import { tell } from '../lab.mjs'
import { faultsOf, faultsOfKeys } from '../seen.mjs'
import { Watch, follows, loadsItselfAnew, sleep } from '../watch.mjs'
import { outOfSight, read, unsaid } from '../zone-page.mjs'

const ORIGIN = 'http://127.0.0.1:1'
const POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'"

const page = (main, head = '') =>
    `<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width">
    <link rel="icon" href="data:,"><title>A zone</title>${head}</head><body><main><h1>child.example</h1>${main}</main></body></html>`

// The zone page in short; with something else in it, or without it (`null`).
const zone = (changed = {}) => {
    const line = (name, text) => ((changed[name] ?? text) && changed[name] !== null ? `<p>${changed[name] ?? text}</p>` : '')
    const answers = {
        'When will it be done?': 'in 12 s',
        'What if I stop now?': 'it ends with a alone, in 3 s',
        'How long does undo take?': '9 s',
        ...changed.answers,
    }
    const lines = Object.entries(answers).filter(([, text]) => text !== null)
    return `${line('verdict', '<span><span aria-hidden="true">*</span> waiting for caches</span> Old sets die.')}
        ${changed.between ?? ''}<section><h2>What is under way</h2>
        ${line('step', '<strong>a → b</strong> · step 4 of 9: old DNSKEY and DS sets die')}
        ${line('waiting', '<strong>Now:</strong> the DNSKEY set of a is dead<br> <strong>Until:</strong> 12:00')}
        <dl>${lines.map(([term, text]) => `<dt>${term}</dt><dd>${text}</dd>`).join('')}</dl></section>`
}

export async function story(browsing) {
    // One window of each kind; what it shows is what was given last.
    const windows = new Map()
    const show = async (html, { headers, ...how } = {}) => {
        const kind = JSON.stringify(how)
        if (!windows.has(kind)) windows.set(kind, await browsing.window(how))
        const window = windows.get(kind)
        await window.unroute('**/*')
        const answer = { contentType: 'text/html; charset=utf-8', body: html, headers }
        await window.route('**/*', (route) => route.fulfill(answer))
        await window.goto(`${ORIGIN}/zones/child.example`)
        return window
    }
    const headers = { 'content-security-policy': POLICY }
    const looked = async (html) => faultsOf(await show(html, { withoutPolicy: true, headers }))

    assert.deepEqual(await looked(page(zone())), [])
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
    assert.deepEqual(await says(page(zone())), [])
    const silent = [
        [{ verdict: '<span></span> Old sets die.' }, 'no verdict'],
        [{ waiting: '<strong>Now:</strong> <br> <strong>Until:</strong> 12:00' }, 'an empty reason'],
        [{ waiting: 'Now: nothing is waited for: Chorus is at work. Until: 12:00' }, 'and it waits'],
        [{ waiting: 'Now: the DNSKEY set of a is dead' }, 'until when'],
        [{ answers: { 'When will it be done?': null } }, 'when it will be done'],
        [{ answers: { 'What if I stop now?': '' } }, 'what a stop'],
        [{ answers: { 'How long does undo take?': null } }, 'what an undo'],
        [{ answers: { Slack: 'null' } }, 'Slack is “null”'],
        [{ between: '<div class="spinner"></div>' }, 'says nothing'],
    ]
    for (const [changed, fault] of silent) {
        const found = await says(page(zone(changed)))
        assert.ok(found.length === 1 && found[0].includes(fault), `${fault} is not found, but ${JSON.stringify(found)}`)
    }
    tell('whatever a zone page leaves unsaid is found')

    assert.deepEqual(await outOfSight(await show(page(zone()))), [])
    const low = await outOfSight(await show(page(zone({ between: '<div style="height:900px"></div>' }))))
    assert.ok(low.length === 1 && low[0].startsWith('reason'), JSON.stringify(low))
    tell('a reason below the fold is found')

    const refreshing = page(zone(), '<noscript><meta http-equiv="refresh" content="1"></noscript>')
    assert.equal((await read(await show(refreshing))).refresh, null)
    const without = await show(refreshing, { scripts: false })
    await loadsItselfAnew(without)
    await assert.rejects(loadsItselfAnew(await show(refreshing)), /not loaded anew/)
    tell('a page without scripts is loaded anew')

    let now = zone()
    const daemon = async (how) => {
        const window = await browsing.window(how)
        const contentType = 'text/html; charset=utf-8'
        await window.route('**/*', (route) => route.fulfill({ contentType, body: page(now) }))
        await window.goto(`${ORIGIN}/zones/child.example`)
        return window
    }
    const [dead, beside] = [await daemon(), await daemon({ scripts: false })]
    const changing = new Watch(dead, { scripts: true, beside }).until('never', () => false, 20_000)
    now = zone({ step: 'a → b · step 5 of 9: the parent delegates' })
    await assert.rejects(changing, /the live page is \d+ ms behind/)
    await assert.rejects(follows(dead, 'step 5', ({ number }) => number === 5), /does not show it/)
    await assert.rejects(new Watch(dead, { scripts: true, beside }).until('never', () => false, 20_000), /behind/)
    const watched = await new Watch(beside, { scripts: false }).until('step 5', ({ number }) => number === 5, 5_000)
    assert.equal(watched.step, 'the parent delegates')
    tell('a page that stays behind is found')

    const link = '<a href="#main">skip</a><a href="/">a</a>'
    assert.deepEqual(await faultsOfKeys(await show(link)), [])
    const unseen = await faultsOfKeys(await show(`<style>a { outline: none }</style>${link}`))
    assert.equal(unseen.length, 2, JSON.stringify(unseen))
    assert.equal((await faultsOfKeys(await show('<a href="/">a</a>'))).length, 1)
    tell('a focus that nobody sees is found')

    assert.deepEqual(browsing.troubles, [])
    const troubles = {
        'Content Security Policy': [page('<script>1</script>'), { headers }],
        'script: it is broken': [page('<script>throw new Error("it is broken")</script>')],
        'asks a stranger': [page('<img alt="" src="http://127.0.0.2:1/x.png">')],
    }
    for (const [trouble, [html, how]] of Object.entries(troubles)) {
        await show(html, how)
        for (let i = 0; i < 50 && !browsing.troubles.some((text) => text.includes(trouble)); i += 1) {
            await sleep(100)
        }
        const found = browsing.troubles.splice(0)
        assert.ok(found.some((text) => text.includes(trouble)), `${trouble} is not found, but ${JSON.stringify(found)}`)
    }
    tell('what nobody sees is found')
}
