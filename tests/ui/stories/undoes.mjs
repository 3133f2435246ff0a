// U6: a join, or a leave, is undone from each of its steps, or from those that were asked for, with the button and its
// confirmation. Each time it ends where it began, and the certificate says that no resolver could have failed; the
// laboratory's judges look on. At last it goes through.

import assert from 'node:assert/strict'
import { ask, cast, change, scripts, steps, tell, welcome } from '../lab.mjs'
import { Person } from '../person.mjs'
import { Watch, isAtRest, loadAnew, sleep } from '../watch.mjs'
import { doors, fields, said } from '../words.mjs'
import { read } from '../zone-page.mjs'

const SHARE = 'every operator serves the keys of all'
const ASK = 'every operator asks the parent for the DS of all'
const DS = 'the parent has the DS of all'
const OLD_DIE = 'old DNSKEY and DS sets die'
const NAME = 'every operator serves the new name server set'
const DELEGATE = 'the parent delegates to the new name server set'
const LAST_QUESTION = 'the leaver cannot be asked any more'
const LEAVER_KEYS = "the leaver's keys are dead, and its DS may go"
const DS_GONE = "the parent drops the leaver's DS"
const ANSWERS = "the leaver's answers die, and its keys go"
// What somebody of the laboratory does not do until the undo is asked for, lest a step is over before anybody can press.
const parent = { waits: 'the parent is idle', goesOn: 'the parent acts' }
const secondary = { waits: "b's secondary is held", goesOn: "b's secondary goes on" }
// Held, but for the keys, without which the step before is not over.
const secondaryForKeys = { ...secondary, meanwhile: "b's secondary gets the keys" }
// The titles of the steps; who waits, and from which step on: before the change begins, where none is named. The others last as
// long as caches do.
const STEPS = {
    join: [
        { title: SHARE, who: secondary },
        { title: ASK, who: secondaryForKeys },
        { title: DS, who: parent, from: SHARE },
        { title: OLD_DIE },
        { title: NAME, who: secondary, from: OLD_DIE },
        { title: DELEGATE, who: parent, from: OLD_DIE },
    ],
    leave: [
        { title: NAME, who: secondary },
        { title: DELEGATE, who: parent, from: NAME },
        { title: LAST_QUESTION },
        { title: LEAVER_KEYS },
        { title: DS_GONE, who: parent, from: LAST_QUESTION },
        { title: ANSWERS },
    ],
}

// Of a step that lasts as long as caches do: a few seconds here.
const TIMES_AT_MOST = 12

export async function story(browsing) {
    const { operators } = cast()
    const [first, second] = operators.map((operator) => operator.name)
    const page = await browsing.window({ scripts: scripts() })
    const ada = new Person(page)
    await ada.arrives(welcome())
    const path = await ada.setsUp(cast())
    const settled = async () => new Watch(page, { scripts: scripts() }).until('all is at rest', isAtRest)
    if (change() === 'leave') {
        await ada.changes('join', { operator: second })
        await settled()
    }
    const [before, after] = change() === 'join' ? [[first], [first, second]] : [[first, second], [first]]
    const all = STEPS[change()]
    for (const number of steps() ?? all.keys()) {
        const { title, who, from } = all[number]
        const order = all.map((step) => step.title)
        // A step that is over before a person has clicked is gone to once more.
        for (let times = 1; ; times += 1) {
            if (who && !from) await ask(who.waits)
            await ada.changes(change(), { operator: second })
            if (from) {
                assert.ok(await isIn(page, from, order), `the page was never in: ${from}`)
                await ask(who.waits)
            }
            const met = await isIn(page, title, order, who?.meanwhile)
            const inTime = await undo(ada, title)
            // After the end of a transition an undo is one of its own, the other way.
            if (inTime) assert.match((await read(page)).what, said.beingUndone, 'the page after an undo says so')
            if (who) await ask(who.goesOn)
            const end = await settled()
            for (const sentence of [said.signedBy(before), said.nothingToDo]) assert.match(end.verdict, sentence)
            await ada.enters(doors.certificate)
            await page.getByText(said.proven).first().waitFor()
            await ask(`${before.join(' and ')} serve`)
            await ada.visits(path)
            if (met && inTime) break
            assert.ok(times < TIMES_AT_MOST, `no undo was in time for: ${title}`)
            tell(`too late for: ${title}`)
        }
        tell(`undone in: ${title}`)
    }
    await ada.changes(change(), { operator: second })
    const end = await settled()
    assert.match(end.verdict, said.nothingToDo)
    await ask(`${after.join(' and ')} serve`)
}

// With the button and its confirmation. Whether the confirmation still named the step.
async function undo(ada, step) {
    const path = new URL(ada.page.url()).pathname
    await ada.enters(doors.verbs.undo)
    const now = await ada.page.locator('p').filter({ hasText: /^\s*Now:/ }).first().textContent()
    await ada.types(fields.reason, `thought better of it while ${step}`)
    await ada.enters(doors.verbs.undo)
    assert.equal(new URL(ada.page.url()).pathname, path, 'an undo leads back to the zone')
    return now.includes(step)
}

// Until the page is in the step, or past it. The quick steps are there for a second: the page is loaded as fast as it
// comes, whether it follows by itself or not.
async function isIn(page, step, order, meanwhile) {
    const end = Date.now() + 60_000
    const met = new Set()
    while (Date.now() < end) {
        const now = await read(page)
        met.add(now.key)
        if (now.step === step) return true
        if (order.indexOf(now.step) > order.indexOf(step)) return false
        if (!now.underWay) break
        if (meanwhile) await ask(meanwhile)
        await sleep(50)
        await loadAnew(page)
    }
    throw new Error(`the page was never in: ${step}; only in ${[...met].join('; ')}`)
}
