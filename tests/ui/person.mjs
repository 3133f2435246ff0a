// A person before a window: finds things by role and name, clicks, types, and is counted. Only what a person does with the
// hand is a click: a choice in a list is one, typing is none.

import { doors, fields, paths } from './words.mjs'
import { tell, url } from './lab.mjs'

export const PASSWORD = 'correct horse battery staple'
export const NAME = 'ada'

export class Person {
    constructor(page) {
        this.page = page
        this.clicks = 0
    }

    async visits(path) {
        const answer = await this.page.goto(url() + path)
        if (!answer.ok()) throw new Error(`${path} is answered with ${answer.status()}`)
    }

    // A link or a button: for a person there is no difference.
    door(name) {
        const { page } = this
        return page.getByRole('link', { name }).or(page.getByRole('button', { name })).first()
    }

    async clicksOn(locator, what) {
        await locator.click()
        this.clicks += 1
        tell(`click ${this.clicks}: ${what} -> ${new URL(this.page.url()).pathname}`)
    }

    // Opens a link, or sends a form off; waits for the page that comes.
    async goes(name) {
        const door = this.door(name)
        const called = (await door.textContent()).trim() || String(name)
        const before = this.page.url()
        const loaded = this.page.waitForEvent('load')
        loaded.catch(() => {})
        await this.clicksOn(door, called)
        await loaded
        return before
    }

    async types(label, text) {
        await this.page.getByLabel(label).first().fill(text)
    }

    async chooses(label, value) {
        const field = this.page.getByLabel(label).first()
        const kind = await field.evaluate((element) => element.localName)
        if (kind === 'select') {
            if ((await field.inputValue()) === value) return
            await field.selectOption(value)
            this.clicks += 1
            tell(`click ${this.clicks}: chooses ${value}`)
        } else if (!(await field.isChecked())) {
            await this.clicksOn(field, `ticks ${value}`)
        }
    }

    async sets(label, on) {
        const field = this.page.getByLabel(label).first()
        if ((await field.isChecked()) !== on) await this.clicksOn(field, `${on ? 'ticks' : 'unticks'} ${label}`)
    }

    // From the one-time link to the first page of a signed-in person.
    async arrives(link) {
        const words = fields.account
        await this.page.goto(link)
        if (await this.page.getByLabel(words.name).count()) await this.types(words.name, NAME)
        await this.types(words.password, PASSWORD)
        if (await this.page.getByLabel(words.again).count()) await this.types(words.again, PASSWORD)
        await this.goes(words.submit)
        if (new URL(this.page.url()).pathname === paths.signIn) await this.signsIn()
    }

    async signsIn() {
        const words = fields.signIn
        await this.types(words.name, NAME)
        await this.types(words.password, PASSWORD)
        await this.goes(words.submit)
    }

    // On the page that adds one.
    async describesOperator(operator) {
        const words = fields.operator
        await this.chooses(words.provider, words.rfc2136)
        await this.types(words.name, operator.name)
        await this.types(words.update, operator.update)
        await this.types(words.tsigName, operator.tsigName)
        await this.chooses(words.tsigAlgorithm, operator.tsigAlgorithm)
        await this.types(words.tsigSecret, operator.tsigSecret)
        await this.types(words.nameServers, operator.nameServers.join('\n'))
        await this.goes(doors.saveOperator)
    }

    async describesZone({ zone, operators, parentServers, policy }) {
        const words = fields.zone
        await this.types(words.name, zone)
        await this.chooses(words.operator, operators[0].name)
        await this.types(words.parentServers, parentServers.join('\n'))
        await this.types(words.slack, policy.slack)
        await this.types(words.stale, policy.stale)
        await this.types(words.dataTtlMax, policy.dataTtlMax)
        await this.types(words.parentPipeline, policy.parentPipeline)
        await this.goes(doors.saveZone)
    }

    // From an empty program to the page of an adopted zone, by clicks alone.
    async setsUp(cast) {
        for (const operator of cast.operators) {
            await this.goes(doors.addOperator)
            await this.describesOperator(operator)
        }
        await this.goes(doors.addZone)
        await this.describesZone(cast)
        return new URL(this.page.url()).pathname
    }

    // From the zone's page through the wizard; ends on the zone's page, with the change under way.
    async changes(group, all) {
        await this.goes(doors.change)
        for (const operator of all) {
            await this.sets(fields.change.member(operator), group.includes(operator))
        }
        await this.goes(doors.preview)
        await this.goes(doors.start)
    }

    // From the zone's page over the confirmation back to it.
    async does(verb, reason) {
        await this.goes(doors.verb[verb])
        if (reason) await this.types(fields.reason, reason)
        await this.goes(doors.confirm[verb])
    }
}
