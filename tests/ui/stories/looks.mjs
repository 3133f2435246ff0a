// Every page, narrow and wide, light and dark: axe finds nothing serious, nothing sticks out, and a picture is left for
// people to look at. The zone's pages are looked at in each state that can be held: at rest, waiting for the parent,
// paused, waiting for an operator that says nothing, being undone.

import assert from 'node:assert/strict'
import { ask, cast, tell, welcome } from '../lab.mjs'
import { Person } from '../person.mjs'
import { Looks } from '../seen.mjs'
import { Watch, meanwhile } from '../watch.mjs'
import { paths, said } from '../words.mjs'
import { outOfSight } from '../zone-page.mjs'

const OVERALL = ['overview', 'zones', 'operators', 'parents', 'statistics', 'audit', 'settings', 'reasons', 'addOperator', 'addZone']
const OF_A_ZONE = ['change', 'history', 'check', 'policy']
const VERBS = ['pause', 'stop', 'undo', 'try-now']

export async function story(browsing) {
    const { operators } = cast()
    const names = operators.map((operator) => operator.name)
    const stranger = await Looks.of(browsing)
    await stranger.at('sign-in', paths.signIn)
    await stranger.at('welcome', new URL(welcome()).pathname)
    await stranger.close()

    const page = await browsing.window()
    const ada = new Person(page)
    await ada.arrives(welcome())
    const looks = await Looks.of(browsing, page)
    for (const name of ['overview', 'zones', 'operators', 'parents']) await looks.at(`empty-${name}`, paths[name])

    const path = await ada.setsUp(cast())
    for (const name of OVERALL) await looks.at(name, paths[name])
    const operator = paths.operator(names[0])
    await looks.at('operator', operator)
    for (const what of ['set', 'rotate']) await looks.at(`operator-${what}`, paths.below(operator, what))
    await looks.at('settings-totp', paths.below(paths.settings, 'totp'))
    await looks.at('zones-none-such', `${paths.zones}?text=nobody`)
    await looks.at('not-found', paths.below(paths.zones, 'nobody.example'), 404)
    await looks.at('zone-at-rest', path)
    for (const what of OF_A_ZONE) await looks.at(`zone-${what}`, paths.below(path, what))
    // Nothing was certified yet.
    await looks.at('zone-no-certificate', paths.below(path, 'certificate'), 404)

    await meanwhile('the parent is idle', 'the parent acts', async () => {
        await ada.changes('join', { operator: names[1] })
        const watching = new Watch(page, { scripts: true })
        await watching.until('the parent is waited for', (now) => now.state === said.waitingForParent)
        await looks.at('zone-waiting-parent', path)
        await looks.at('overview-under-way', paths.overview)
        await looks.at('zones-under-way', paths.zones)
        for (const verb of VERBS) await looks.at(`zone-${verb}`, paths.below(path, verb))
        await ada.does('pause', 'to be looked at')
        await looks.at('zone-paused', path)
        await looks.at('zone-resume', paths.below(path, 'resume'))
        await ada.does('resume')
        await meanwhile('b says nothing', 'b answers', async () => {
            const operator = await watching.until('b is waited for', (now) => now.state === said.waitingForOperator)
            assert.match(operator.waiting, /\bb\b/)
            for (const { name, window } of looks.windows) {
                await window.goto(page.url())
                assert.deepEqual(await outOfSight(window), [], name)
            }
            await looks.at('zone-waiting-operator', path)
        })
        await ada.does('undo', 'enough was seen')
        await looks.at('zone-undoing', path)
    })
    await new Watch(page, { scripts: true }).until('all is at rest', (now) => !now.underWay)
    for (const what of ['history', 'certificate']) await looks.at(`zone-${what}-after`, paths.below(path, what))
    await looks.at('audit-after', paths.audit)
    tell(`${looks.pages} pages in ${looks.windows.length} windows each`)
    await ask(`${names[0]} serve`)
    assert.deepEqual(looks.faults, [])
}
