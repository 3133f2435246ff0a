// A person before a window: finds things by role and name, clicks, types, and is counted. Only what a person does with the
// hand is a click: a choice in a list is one, typing is none.

import assert from 'node:assert/strict'
import { changes, doors, fields, paths, places } from './words.mjs'
import { tell, url } from './lab.mjs'
import { sleep } from './watch.mjs'

const CHECKS_AT_MOST = 20
const PASSWORD = 'correct horse battery staple'

export class Person {
    constructor(page) {
        this.page = page
        this.clicks = 0
        this.name = 'ada'
    }

    // By the address bar.
    async visits(path) {
        const answer = await this.page.goto(url() + path)
        assert.ok(answer.ok(), `${path} is answered with ${answer.status()}`)
    }

    // A link or a button: for a person there is no difference.
    door(name, within = this.page.getByRole('main')) {
        return within.getByRole('link', { name }).or(within.getByRole('button', { name })).first()
    }

    async clicksOn(locator, what) {
        await locator.click()
        this.clicks += 1
        tell(`click ${this.clicks}: ${what}`)
    }

    // Opens a link, or sends a form off; waits for the page that comes of it, and takes no other one for it: a page
    // without scripts is loaded anew by itself, at that very moment, too.
    async goes(door) {
        const called = (await door.textContent()).trim()
        const leadsTo = await door.evaluate(({ form, href }) => ({
            method: form?.getAttribute('method')?.toLowerCase() ?? 'get',
            url: form ? new URL(form.getAttribute('action') ?? '', document.baseURI).href : href,
        }))
        const path = (address) => new URL(address).pathname
        const arrived = this.page
            .waitForRequest(
                (request) =>
                    request.isNavigationRequest() &&
                    request.method().toLowerCase() === leadsTo.method &&
                    path(request.url()) === path(leadsTo.url),
            )
            .then(() => this.page.waitForEvent('framenavigated'))
        // Else it is nobody's when the click itself fails.
        arrived.catch(() => {})
        await this.clicksOn(door, called)
        await arrived
        await this.page.waitForLoadState()
        tell(`-> ${path(this.page.url())}`)
    }

    // Through a door of this page.
    async enters(name) {
        await this.goes(this.door(name))
    }

    // Through the navigation, unless this page has the door.
    async entersFrom(place, name) {
        if ((await this.door(name).count()) === 0) {
            await this.goes(this.page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: place }))
        }
        await this.enters(name)
    }

    async types(label, text) {
        await this.page.getByLabel(label).first().fill(text)
    }

    async chooses(label, value, within = this.page) {
        const list = within.getByLabel(label).first()
        if ((await list.inputValue()) === value) return
        await list.selectOption(value)
        this.clicks += 1
        tell(`click ${this.clicks}: chooses ${value}`)
    }

    // From the one-time link to the first page of a signed-in person.
    async arrives(link) {
        const words = fields.account
        await this.page.goto(link)
        const name = this.page.getByLabel(words.name).first()
        if (await name.isEditable()) await name.fill(this.name)
        this.name = await name.inputValue()
        await this.types(words.password, PASSWORD)
        await this.types(words.again, PASSWORD)
        await this.enters(words.submit)
        if (new URL(this.page.url()).pathname === paths.signIn) await this.signsIn()
    }

    async signsIn() {
        const words = fields.signIn
        await this.types(words.name, this.name)
        await this.types(words.password, PASSWORD)
        await this.enters(words.submit)
    }

    async signsOut() {
        await this.goes(this.page.getByRole('button', { name: doors.signOut }))
    }

    async addsOperator(operator) {
        const words = fields.operator
        await this.entersFrom(places.operators, doors.addOperator)
        await this.types(words.name, operator.name)
        await this.types(words.update, operator.update)
        await this.types(words.tsigName, operator.tsigName)
        await this.chooses(words.tsigAlgorithm, operator.tsigAlgorithm)
        await this.types(words.tsigSecret, operator.tsigSecret)
        await this.types(words.nameServers, operator.nameServers.join('\n'))
        await this.enters(doors.saveOperator)
    }

    async adoptsZone({ zone, operators, parentServers, policy }) {
        const words = fields.zone
        await this.entersFrom(places.zones, doors.addZone)
        await this.types(words.name, zone)
        await this.chooses(words.operator, operators[0].name)
        await this.clicksOn(this.page.locator('summary').filter({ hasText: words.more }), 'unfolds the rest')
        await this.types(words.parentServers, parentServers.join('\n'))
        await this.types(words.slack, policy.slack)
        await this.types(words.stale, policy.stale)
        await this.types(words.dataTtlMax, policy.dataTtlMax)
        await this.types(words.parentPipeline, policy.parentPipeline)
        await this.enters(doors.saveZone)
    }

    // From an empty program to the page of an adopted zone, by clicks alone. Gives the page's path.
    async setsUp(cast) {
        for (const operator of cast.operators) await this.addsOperator(operator)
        await this.adoptsZone(cast)
        return new URL(this.page.url()).pathname
    }

    // From the zone's page through the wizard, such as `('replace', { old: 'a', new: 'b' })`; ends on the zone's page, with
    // the change under way.
    async changes(kind, who, reason) {
        const words = changes[kind]
        await this.enters(doors.change)
        const heading = this.page.getByRole('heading', { name: words.heading })
        const form = this.page.locator('form').filter({ has: heading })
        for (const [role, operator] of Object.entries(who)) await this.chooses(words[role], operator, form)
        await this.goes(this.door(doors.preview, form))
        // What stands in the way, such as a secondary that is late, may be over in a moment: a person checks again.
        for (let times = 0; times < CHECKS_AT_MOST && (await this.door(doors.start).count()) === 0; times += 1) {
            await sleep(1000)
            await this.enters(doors.checkAgain)
        }
        if (reason) await this.types(fields.reason, reason)
        await this.enters(doors.start)
    }

    // From the zone's page and back to it, over the confirmation if there is one.
    async does(verb, reason) {
        const path = new URL(this.page.url()).pathname
        await this.enters(doors.verbs[verb])
        if (new URL(this.page.url()).pathname === path) return
        if (reason) await this.types(fields.reason, reason)
        await this.enters(doors.verbs[verb])
        assert.equal(new URL(this.page.url()).pathname, path, `${verb} leads back to the zone`)
    }
}
