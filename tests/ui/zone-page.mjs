// What the zone page says at one moment, and what it must never leave unsaid: when it is done, what a stop or an undo
// would mean now, and what is waited for (U3, U4); and that the reason is in sight without scrolling (U2).

import { said, terms } from './words.mjs'

// Runs in the page. Everything at one moment: a live page changes between two questions.
function collect() {
    const text = (element) => (element?.textContent ?? '').replace(/\s+/g, ' ').trim()
    const pairs = []
    for (const term of document.querySelectorAll('main dt')) {
        let next = term.nextElementSibling
        while (next && next.localName === 'dt') next = next.nextElementSibling
        pairs.push([text(term), text(next)])
    }
    for (const heading of document.querySelectorAll('main th[scope=row]')) {
        pairs.push([text(heading), text(heading.nextElementSibling)])
    }
    const busy = [...document.querySelectorAll('[aria-busy=true], [role=progressbar], progress, .spinner')]
    return {
        heading: text(document.querySelector('h1')),
        verdict: text(document.querySelector('main [role=status], main .verdict')),
        pairs,
        speechless: busy.filter((element) => !text(element) && !element.getAttribute('aria-label')).length,
        refresh: document.querySelector('meta[http-equiv=refresh i]')?.content ?? null,
    }
}

export async function read(page) {
    for (let attempt = 1; ; attempt += 1) {
        try {
            return told(await page.evaluate(collect))
        } catch (error) {
            // It was just being loaded anew.
            if (attempt === 5 || !/context was destroyed|navigat/i.test(error.message)) throw error
            await page.waitForLoadState()
        }
    }
}

function told(page) {
    const of = (term) => page.pairs.find(([name]) => term.test(name))?.[1] ?? ''
    const state = of(terms.state)
    return {
        ...page,
        state,
        step: of(terms.step),
        waiting: of(terms.waiting),
        ends: of(terms.ends),
        stop: of(terms.stop),
        undo: of(terms.undo),
        underWay: said.underWay.test(state),
        // What changes when something happens, without what counts down.
        key: `${state}: ${of(terms.step)}`,
    }
}

// What is missing of what has to be said in this state; sentences.
export function unsaid(now) {
    const missing = []
    const demand = (holds, what) => holds || missing.push(`${what} (${now.key || now.heading})`)
    demand(now.verdict, 'no verdict')
    demand(now.speechless === 0, 'something turns, and says nothing')
    if (now.underWay) {
        demand(now.step, 'no step')
        demand(now.ends, 'not said when it will be done')
        demand(now.stop, 'not said what a stop would mean')
        demand(now.undo || /undo/i.test(now.verdict), 'not said what an undo would mean')
    }
    if (said.awaiting.test(now.state)) demand(now.waiting, 'an empty reason')
    const placeholders = now.pairs.filter(([, value]) => /^(null|none\(|undefined|nan|todo|<)/i.test(value))
    for (const [name, value] of placeholders) demand(false, `${name} is ${value}`)
    return missing
}

// Of what is said in this state, what a person has to scroll for.
export async function outOfSight(page) {
    const now = await read(page)
    const { height } = page.viewportSize()
    await page.evaluate(() => window.scrollTo(0, 0))
    const hidden = []
    for (const what of ['verdict', 'waiting']) {
        if (!now[what]) continue
        const boxes = await page.getByText(now[what], { exact: false }).all()
        const bottoms = await Promise.all(boxes.map(async (box) => (await box.boundingBox())?.y ?? Infinity))
        if (Math.min(Infinity, ...bottoms) > height - 20) hidden.push(`${what}: ${now[what]}`)
    }
    return hidden
}
