// Debian's Chromium, and the windows that a story opens in it. Everything that a person would see only in the developer's
// tools is a trouble here, and fails the story: errors of scripts, refusals by the content security policy, answers of the
// 500s, requests to anybody but the daemon.
//
// Nothing is downloaded: playwright-core only drives what apt-get has installed.

import fs from 'node:fs'
import path from 'node:path'
import { chromium } from 'playwright-core'
import { shots, tell } from './lab.mjs'

const EXECUTABLE = '/usr/bin/chromium'
// A namespace has no way out; Chromium would look for it all the time.
const FLAGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-dev-shm-usage',
    '--disable-breakpad',
]
// Six stories share two processors.
const PATIENCE_MS = 30_000

export const WIDE = { width: 1280, height: 720 }
export const NARROW = { width: 360, height: 640 }

export class Browsing {
    static async begin(story) {
        const browser = await chromium.launch({
            executablePath: EXECUTABLE,
            headless: true,
            chromiumSandbox: false,
            args: FLAGS,
            handleSIGINT: false,
            handleSIGTERM: false,
            timeout: 60_000,
        })
        return new Browsing(browser, story)
    }

    constructor(browser, story) {
        this.browser = browser
        this.story = story
        this.troubles = []
        this.windows = []
    }

    // A window of somebody's own: cookies are not shared, unless those of another one are taken along (`as`).
    async window({ scripts = true, theme = 'light', size = WIDE, as, withoutPolicy = false } = {}) {
        const context = await this.browser.newContext({
            javaScriptEnabled: scripts,
            colorScheme: theme,
            viewport: size,
            storageState: await as?.context().storageState(),
            // For axe alone: no page that is used has it.
            bypassCSP: withoutPolicy,
            reducedMotion: 'reduce',
            locale: 'en-GB',
            timezoneId: 'Europe/Zurich',
        })
        context.setDefaultTimeout(PATIENCE_MS)
        const page = await context.newPage()
        this.listen(page)
        this.windows.push(page)
        return page
    }

    listen(page) {
        const trouble = (what) => this.troubles.push(`${page.url()}: ${what}`)
        page.on('pageerror', (error) => trouble(`script: ${error.message}`))
        page.on('console', (message) => {
            // What the server answered is judged below.
            const aboutAnswers = message.text().startsWith('Failed to load resource')
            if (message.type() === 'error' && !aboutAnswers) trouble(`console: ${message.text()}`)
        })
        page.on('response', (response) => {
            if (response.status() >= 500) trouble(`${response.status()} at ${response.url()}`)
            const isPage = response.request().isNavigationRequest()
            if (response.status() >= 400 && !isPage) trouble(`${response.status()} at ${response.url()}`)
        })
        page.on('request', (request) => {
            const { protocol, origin } = new URL(request.url())
            const here = page.url().startsWith('http') ? new URL(page.url()).origin : origin
            if (protocol.startsWith('http') && !request.isNavigationRequest() && origin !== here) {
                trouble(`asks a stranger: ${request.url()}`)
            }
        })
        page.on('crash', () => trouble('the page crashed'))
    }

    nothingWentWrong() {
        if (this.troubles.length > 0) throw new Error(`what nobody sees, and should not be:\n${this.troubles.join('\n')}`)
    }

    // After a failure: what each window shows.
    async lastLooks() {
        for (const [index, page] of this.windows.entries()) {
            if (page.isClosed() || page.url() === 'about:blank') continue
            const file = picture('failed', `${this.story}-window-${index + 1}.png`)
            try {
                if (file) await page.screenshot({ path: file, fullPage: true, timeout: 10_000 })
                const text = await page.locator('body').innerText({ timeout: 5_000 })
                tell(`window ${index + 1} at ${page.url()}, picture ${file}:\n${text}`)
            } catch (error) {
                tell(`window ${index + 1} at ${page.url()} cannot be looked at: ${error.message}`)
            }
        }
    }

    async end() {
        await this.browser.close().catch(() => {})
    }
}

// The file for a picture, in a folder that is there; `null` when nobody wants pictures.
export function picture(folder, name) {
    if (!shots()) return null
    const dir = path.join(shots(), folder)
    fs.mkdirSync(dir, { recursive: true })
    return path.join(dir, name)
}
