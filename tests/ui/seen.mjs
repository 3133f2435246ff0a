// Looking hard at a page: axe-core finds nothing serious, nothing sticks out at the side, it has one heading and a title,
// and a picture is taken; narrow and wide, light and dark.
//
// The site's policy forbids what axe needs, so these windows are told to ignore it. Nobody works in them.

import fs from 'node:fs'
import { createRequire } from 'node:module'
import { NARROW, WIDE, picture } from './browser.mjs'
import { tell, url } from './lab.mjs'

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
// WCAG 2.2 AA, and what axe calls good practice.
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const GRAVE = ['serious', 'critical']
// One window is gone through with the keyboard.
const KEYS_IN = '1280-light'
const STOPS_AT_MOST = 200
// WCAG 1.4.10: what is readable here is readable at four times the size.
const NARROWEST = 320

export class Looks {
    // As the person of `page` sees it; without one, as somebody who is not signed in.
    static async of(browsing, page) {
        const looks = new Looks()
        looks.windows = []
        for (const [width, size] of [['1280', WIDE], ['360', NARROW]]) {
            for (const theme of ['light', 'dark']) {
                const window = await browsing.window({ theme, size, as: page, withoutPolicy: true })
                looks.windows.push({ name: `${width}-${theme}`, window, size })
            }
        }
        return looks
    }

    constructor() {
        this.faults = []
        this.pages = 0
    }

    // `status`: what the page is answered with.
    async at(name, path, status = 200) {
        this.pages += 1
        const looked = this.windows.map(async ({ name: variant, window, size }) => {
            const answer = await window.goto(url() + path)
            if (answer.status() !== status) this.fault(name, variant, `${path} is answered with ${answer.status()}`)
            await this.judge(name, variant, window, size)
        })
        await Promise.all(looked)
        tell(`looked at ${name} (${path}), ${this.faults.length} faults so far`)
    }

    async judge(name, variant, window, size) {
        const file = picture('pages', `${name}-${variant}.png`)
        if (file) await window.screenshot({ path: file, fullPage: true })
        for (const fault of await faultsOf(window)) this.fault(name, variant, fault)
        if (size === NARROW) {
            await window.setViewportSize({ ...NARROW, width: NARROWEST })
            const over = await sticksOut(window)
            if (over > 0) this.fault(name, variant, `${over} px stick out at ${NARROWEST} px`)
            await window.setViewportSize(NARROW)
        }
        if (variant === KEYS_IN) for (const fault of await faultsOfKeys(window)) this.fault(name, variant, fault)
    }

    fault(name, variant, what) {
        this.faults.push(`${name} ${variant}: ${what}`)
    }

    async close() {
        for (const { window } of this.windows) await window.context().close()
    }
}

function sticksOut(page) {
    return page.evaluate(() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth)
}

// Everything about one page in one window, but its width at 320 px.
export async function faultsOf(page) {
    const faults = []
    await page.evaluate(AXE)
    const { violations } = await page.evaluate(
        (rules) => globalThis.axe.run(document, { runOnly: rules, resultTypes: ['violations'] }),
        RULES,
    )
    for (const { id, impact, help, nodes } of violations) {
        if (GRAVE.includes(impact)) {
            const where = nodes.slice(0, 3).map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`)
            faults.push(`${impact}: ${help} (${id}): ${where.join(' | ')}`)
        }
    }
    const over = await sticksOut(page)
    if (over > 0) faults.push(`${over} px stick out at the side`)
    const about = await page.evaluate(() => ({
        title: document.title.trim(),
        headings: [...document.querySelectorAll('h1')].map((heading) => heading.textContent.trim()),
        language: document.documentElement.lang,
        nameless: [...document.querySelectorAll('time')].filter((time) => !time.dateTime).length,
    }))
    if (!about.title) faults.push('no title')
    if (about.headings.length !== 1 || !about.headings[0]) faults.push(`main headings: ${JSON.stringify(about.headings)}`)
    if (!about.language) faults.push('no language')
    if (about.nameless > 0) faults.push(`${about.nameless} times without their ISO form`)
    return faults
}

// With the Tab key through the whole page: the first stop skips to the content, and at each stop one sees where one is.
export async function faultsOfKeys(page) {
    const faults = []
    const stop = () => {
        const element = document.activeElement
        if (!element || element === document.body) return null
        const style = getComputedStyle(element)
        const shown = style.outlineStyle !== 'none' || style.boxShadow !== 'none'
        const again = element.hasAttribute('data-stopped')
        element.setAttribute('data-stopped', '')
        return { what: element.outerHTML.slice(0, 80), href: element.getAttribute('href') ?? '', shown, again }
    }
    for (let stops = 0; ; stops += 1) {
        await page.keyboard.press('Tab')
        const here = await page.evaluate(stop)
        if (!here || here.again) return faults
        if (stops === 0 && !here.href.startsWith('#')) faults.push(`the first stop of the Tab key does not skip: ${here.what}`)
        if (!here.shown) faults.push(`nobody sees that this has the focus: ${here.what}`)
        if (stops > STOPS_AT_MOST) return [...faults, 'the Tab key never comes round']
    }
}
