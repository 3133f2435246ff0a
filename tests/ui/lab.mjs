// The laboratory around the story, as tests/stories/lab/browser.rs gives it: who plays is in the environment, and what
// only the laboratory can do is asked for on stdout and answered on stdin, a line each.

import process from 'node:process'
import readline from 'node:readline'

const began = Date.now()

export function tell(what) {
    console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} ${what}`)
}

function needed(name) {
    const value = process.env[name]
    if (!value) throw new Error(`${name} is not set: these stories are started by tests/stories/pages.rs`)
    return value
}

// Without a trailing slash: http://127.0.1.40:8080
export const url = () => needed('CHORUS_URL').replace(/\/$/, '')
// The one-time link of the first account, as the daemon printed it.
export const welcome = () => needed('CHORUS_WELCOME')
// { zone, operators: [{ name, update, tsigName, tsigAlgorithm, tsigSecret, nameServers }], parentServers, policy }
export const cast = () => JSON.parse(needed('CHORUS_CAST'))
export const scripts = () => needed('CHORUS_SCRIPTS') === 'on'
// `join` or `leave`
export const change = () => needed('CHORUS_CHANGE')
// Numbers of steps, or `null` for all of them.
export const steps = () => (needed('CHORUS_STEPS') === 'all' ? null : needed('CHORUS_STEPS').split(',').map(Number))
// Where pictures go.
export const shots = () => process.env.CHORUS_SHOTS ?? ''

// Opened at the first request, and never in a story without any: an open stdin keeps node alive.
let answers

// Such as `the parent is idle`: the sentences are in tests/stories/pages.rs.
export async function ask(what) {
    answers ??= readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()
    console.log(`lab: ${what}`)
    const { value, done } = await answers.next()
    if (done || value !== 'done') throw new Error(`the laboratory did not do it: ${what}: ${value}`)
}
