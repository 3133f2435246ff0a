// What the zone page says at one moment, and what it must never leave unsaid: when it is done, what a stop or an undo
// would mean now, and what is waited for (U3, U4); and that the reason is in sight without scrolling (U2).

import { NOW, questions, said } from './words.mjs'

// Runs in the page. Everything at one moment: a live page changes between two questions.
function collect(now) {
    const text = (element) => {
        const copy = element?.cloneNode(true)
        copy?.querySelectorAll('[aria-hidden=true]').forEach((mark) => mark.remove())
        return (copy?.textContent ?? '').replace(/\s+/g, ' ').trim()
    }
    const heading = document.querySelector('h1')
    const verdict = heading?.nextElementSibling
    const title = [...document.querySelectorAll('main h2')].find((one) => text(one) === now)
    const section = title?.closest('section')
    const pairs = [...document.querySelectorAll('main dt')].map((term) => [text(term), text(term.nextElementSibling)])
    const busy = [...document.querySelectorAll('[aria-busy=true], [role=progressbar], progress, .spinner')]
    return {
        heading: text(heading),
        verdict: text(verdict),
        state: text(verdict?.querySelector('span')),
        lines: [...(section?.querySelectorAll('p') ?? [])].map(text),
        pairs,
        speechless: busy.filter((element) => !text(element) && !element.getAttribute('aria-label')).length,
        refresh: document.querySelector('meta[http-equiv=refresh i]')?.content ?? null,
        notice: text(document.querySelector('main > [role=status], main > .notice')),
    }
}

export async function read(page) {
    for (let attempt = 1; ; attempt += 1) {
        try {
            return understood(await page.evaluate(collect, NOW))
        } catch (error) {
            // It was just being loaded anew.
            if (attempt === 5 || !/context was destroyed|navigat/i.test(error.message)) throw error
            await page.waitForLoadState()
        }
    }
}

const STEP = /^(.*?) · step (\d+) of (\d+): (.*)$/
const WAITING = /^Now: ?(.*?) ?(?:Until: (.*))?$/

function understood(page) {
    const [, what = '', number, steps, step = ''] = page.lines.map((line) => STEP.exec(line)).find(Boolean) ?? []
    const [, waiting = '', until = ''] = page.lines.map((line) => WAITING.exec(line)).find(Boolean) ?? []
    const answer = (question) => page.pairs.find(([term]) => question.test(term))?.[1] ?? ''
    return {
        ...page,
        // `a → b (being undone)`
        what,
        number: Number(number),
        steps: Number(steps),
        step,
        underWay: step !== '',
        waiting,
        until,
        done: answer(questions.done),
        stop: answer(questions.stop),
        undo: answer(questions.undo),
        // What changes when something happens, without what counts down.
        key: `${page.state}: ${what} ${step}`,
    }
}

// What is missing of what has to be said in this state; sentences.
export function unsaid(now) {
    const missing = []
    const demand = (holds, what) => holds || missing.push(`${what} (${now.key})`)
    demand(now.verdict && now.state, 'no verdict')
    demand(now.speechless === 0, 'something turns, and says nothing')
    demand(now.waiting, 'an empty reason')
    if (said.awaiting.test(now.state)) {
        demand(!/^nothing/.test(now.waiting), 'nothing is waited for, and it waits')
        demand(now.until, 'not said until when')
    }
    demand(now.done, 'not said when it will be done')
    demand(now.stop, 'not said what a stop would mean')
    demand(now.undo, 'not said what an undo would mean')
    const placeholders = now.pairs.filter(([, value]) => /^$|^(null|undefined|nan|todo)\b|<[A-Z]/i.test(value))
    for (const [term, value] of placeholders) {
        if (!Object.values(questions).some((question) => question.test(term))) demand(false, `${term} is “${value}”`)
    }
    return missing
}

// Of the verdict and the reason, what a person has to scroll for in this window.
export async function outOfSight(page) {
    const { height } = page.viewportSize()
    const ends = await page.evaluate((now) => {
        window.scrollTo(0, 0)
        const title = [...document.querySelectorAll('main h2')].find((one) => one.textContent.trim() === now)
        const reason = [...(title?.closest('section')?.querySelectorAll('p') ?? [])].find((line) =>
            line.textContent.trim().startsWith('Now:'),
        )
        const end = (element) => (element ? element.getBoundingClientRect().bottom : Number.MAX_VALUE)
        return { verdict: end(document.querySelector('h1')?.nextElementSibling), reason: end(reason) }
    }, NOW)
    return Object.entries(ends).filter(([, end]) => end > height).map(([what, end]) => `${what} ends at ${end} of ${height} px`)
}
