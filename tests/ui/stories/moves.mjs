// U1 to U4: somebody new opens the one-time link, adds two operators and a zone, and moves the zone from the first to the
// second, by clicks alone and watching; with scripts the page follows by itself, without them it is loaded anew.

import assert from 'node:assert/strict'
import { NARROW, WIDE } from '../browser.mjs'
import { cast, scripts, tell, welcome } from '../lab.mjs'
import { Person } from '../person.mjs'
import { Watch, follows, isAtRest, loadsItselfAnew, meanwhile } from '../watch.mjs'
import { doors, paths, said } from '../words.mjs'
import { outOfSight, read } from '../zone-page.mjs'

const CLICKS_AT_MOST = 12

export async function story(browsing) {
    const { zone, operators } = cast()
    const [from, to] = operators.map((operator) => operator.name)
    const page = await browsing.window({ scripts: scripts() })
    const ada = new Person(page)
    await ada.arrives(welcome())
    ada.clicks = 0
    const path = await ada.setsUp(cast())
    const atRest = await read(page)
    assert.match(atRest.heading, new RegExp(zone.replace(/\.$/, '')))
    assert.match(atRest.verdict, said.nothingToDo)

    await meanwhile('the parent is idle', 'the parent acts', async () => {
        await ada.changes('replace', { old: from, new: to })
        assert.ok(ada.clicks <= CLICKS_AT_MOST, `${ada.clicks} clicks, and more than ${CLICKS_AT_MOST} are too many`)
        tell(`the move is under way after ${ada.clicks} clicks`)
        assert.equal(new URL(page.url()).pathname, path)
        assert.ok((await read(page)).underWay, 'the page after the start shows what was started')
        await new Watch(page, { scripts: scripts() }).until('the parent is waited for', (now) => now.state === said.waitingForParent)
        await reasonIsInSight(browsing, page)
        if (!scripts()) await loadsItselfAnew(page)
        await holdsAndGoesOn(browsing, ada)
    })
    const beside = scripts() ? await another(browsing, page, { scripts: false }) : undefined
    const watching = new Watch(page, { scripts: scripts(), beside })
    const end = await watching.until('the move is over', isAtRest)
    tell(`seen: ${[...watching.seen.keys()].join('; ')}; never more than ${watching.worst} ms behind`)
    assert.match(end.verdict, said.signedBy([to]))
    await ada.enters(doors.certificate)
    await page.getByText(said.proven).first().waitFor()

    await ada.visits(paths.zones)
    await page.getByRole('link', { name: zone.replace(/\.$/, '') }).first().waitFor()
    await ada.signsOut()
    await page.goto(new URL(path, page.url()).href)
    assert.equal(new URL(page.url()).pathname, paths.signIn, 'who has signed out sees nothing')
}

// Another window of the same person, on the same page.
async function another(browsing, page, how) {
    const window = await browsing.window({ ...how, as: page })
    await window.goto(page.url())
    return window
}

// From a link in a message: one click, and the reason is there, on a screen and on a telephone (U2).
async function reasonIsInSight(browsing, page) {
    for (const size of [WIDE, NARROW]) {
        const window = await another(browsing, page, { scripts: scripts(), size })
        assert.deepEqual(await outOfSight(window), [], `at ${size.width} x ${size.height}`)
        await window.context().close()
    }
}

// After each verb the page says what is so now, never what was so before (U4); another window of the same person follows.
async function holdsAndGoesOn(browsing, ada) {
    const other = scripts() ? await another(browsing, ada.page, {}) : undefined
    for (const [verb, paused] of [['pause', true], ['try-now', true], ['resume', false]]) {
        await ada.does(verb, 'a look at it first')
        const isSo = (now) => (now.state === said.paused) === paused
        const now = await read(ada.page)
        assert.ok(isSo(now), `after ${verb}: ${now.key}`)
        if (other) tell(`another window follows ${verb} after ${await follows(other, verb, isSo)} ms`)
    }
    await other?.context().close()
}
