// Plays one story in a real browser against a running daemon: `node run.mjs STORY`. Started by tests/stories/pages.rs, in
// the network namespace of a laboratory. What happens is told on stdout; the exit code says whether the story went well.
//
// Invariant: whatever becomes of the story, the browser is closed before this process ends.

import process from 'node:process'
import { Browsing } from './browser.mjs'
import { tell } from './lab.mjs'

const STORIES = ['self-check', 'moves', 'undoes', 'looks']

const name = process.argv[2]
if (!STORIES.includes(name)) {
    console.error(`usage: node run.mjs ${STORIES.join('|')}`)
    process.exit(2)
}
const { story } = await import(`./stories/${name}.mjs`)

const browsing = await Browsing.begin(name)
for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => browsing.end().finally(() => process.exit(1)))
}
let good = true
try {
    await story(browsing)
    browsing.nothingWentWrong()
} catch (error) {
    good = false
    tell(`FAILED: ${error.stack ?? error}`)
    for (const trouble of browsing.troubles) tell(`trouble: ${trouble}`)
    await browsing.lastLooks()
}
await browsing.end()
process.exit(good ? 0 : 1)
