// Looking on while something happens: on each look everything is said that has to be; a page with scripts is never more
// than two seconds behind the daemon; a page without them loads itself anew.

import { ask, tell } from './lab.mjs'
import { said } from './words.mjs'
import { read, unsaid } from './zone-page.mjs'

// Of U1.
const SECONDS_BEHIND = 2
const LOOK_EVERY_MS = 250
// One look too early and one too late.
const BEHIND_MS = SECONDS_BEHIND * 1000 + 2 * LOOK_EVERY_MS

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

// By hand; unless the page was just being loaded anew by itself.
export async function loadAnew(page) {
    for (let attempt = 1; ; attempt += 1) {
        try {
            return await page.reload()
        } catch (error) {
            if (attempt === 5 || !/interrupted|ERR_ABORTED/i.test(error.message)) throw error
            await page.waitForLoadState()
        }
    }
}

// A secondary may be behind yet when the transition is over: then the page says that the zone is not at rest.
export const isAtRest = (now) => !now.underWay && said.nothingToDo.test(now.verdict)

export class Watch {
    // `scripts`: whether the page follows by itself. `beside`, a window of the same person without scripts, shows what the
    // daemon says at this moment.
    constructor(page, { scripts, beside }) {
        Object.assign(this, { page, scripts, beside })
        this.seen = new Map()
        this.daemon = []
        this.worst = 0
        // Between our looks, which take the browser's time from the page: on a crowded machine most of it.
        this.leftAloneMs = 0
    }

    async look() {
        if (!this.scripts) await loadAnew(this.page)
        const now = await read(this.page)
        if (now.state === said.exposed) throw new Error(`exposed: ${now.verdict}`)
        const missing = unsaid(now)
        if (missing.length > 0) throw new Error(`the zone page leaves unsaid: ${missing.join('; ')}`)
        if (!this.seen.has(now.key)) {
            this.seen.set(now.key, now)
            tell(`page: ${now.key} | ${now.waiting} | ${now.done}`)
        }
        return now
    }

    async compare() {
        await loadAnew(this.beside)
        const [daemon, at] = [(await read(this.beside)).key, this.leftAloneMs]
        this.daemon.push({ at, key: daemon })
        const live = (await read(this.page)).key
        const last = this.daemon.findLastIndex(({ key }) => key === live)
        // It may be ahead of the other window, which then shows the same a moment later.
        if (last >= 0) this.ahead = undefined
        else this.ahead ??= at
        const since = last >= 0 ? (this.daemon[last + 1]?.at ?? at) : this.ahead
        const behind = at - since
        this.worst = Math.max(this.worst, behind)
        if (behind > BEHIND_MS) throw new Error(`the live page is ${behind} ms behind: ${live}, not ${daemon}`)
    }

    // Looks until it holds, and returns what the page said then.
    async until(what, holds, limitMs = 150_000) {
        const end = Date.now() + limitMs
        for (;;) {
            const now = await this.look()
            if (holds(now)) return now
            if (this.scripts && this.beside) await this.compare()
            if (Date.now() > end) throw new Error(`looked in vain for: ${what}; the page says ${JSON.stringify(now)}`)
            const since = Date.now()
            await sleep(LOOK_EVERY_MS)
            this.leftAloneMs += Date.now() - since
        }
    }
}

// A page that nobody touches shows what holds now, in time. Gives the milliseconds that it took, without our looks.
export async function follows(page, what, holds) {
    let leftAloneMs = 0
    while (!holds(await read(page))) {
        if (leftAloneMs > BEHIND_MS) throw new Error(`a live page does not show it: ${what}`)
        const since = Date.now()
        await sleep(LOOK_EVERY_MS / 5)
        leftAloneMs += Date.now() - since
    }
    return leftAloneMs
}

// Without scripts: nobody touches the page, and it is loaded anew within the time it promises.
export async function loadsItselfAnew(page) {
    const { refresh } = await read(page)
    const seconds = Number.parseInt(refresh ?? '', 10)
    if (!(seconds > 0 && seconds <= 30)) throw new Error(`a live page without scripts is not loaded anew: ${refresh}`)
    await page.waitForEvent('load', { timeout: seconds * 1000 + 10_000 })
    tell(`loaded anew by itself after ${seconds} s`)
}

// With a request to the laboratory undone whatever happens.
export async function meanwhile(begin, end, what) {
    await ask(begin)
    try {
        return await what()
    } finally {
        await ask(end)
    }
}
