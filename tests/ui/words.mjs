// The words of the pages by which a person finds their way: names of links, buttons and fields, paths, and what stands
// where. One place, so that a page that says something else is followed here, and in no story.
//
// Whatever is found is found as people find it, by role and visible name.

export const paths = {
    overview: '/',
    zones: '/zones',
    addZone: '/zones/add',
    operators: '/operators',
    addOperator: '/operators/add',
    parents: '/parents',
    statistics: '/statistics',
    audit: '/audit',
    settings: '/settings',
    reasons: '/docs/reasons',
    signIn: '/sign-in',
    operator: (name) => `/operators/${name}`,
    // A page below a zone's or an operator's: change, undo, rotate, ...
    below: (path, what) => `${path}/${what}`,
}

// Accessible names of links and buttons.
export const doors = {
    signOut: 'Sign out',
    addOperator: 'Add an operator',
    saveOperator: /^Add$/,
    addZone: 'Adopt a zone',
    saveZone: /^Adopt$/,
    change: /^Change group/,
    preview: 'Check and plan',
    checkAgain: 'Check again',
    start: /^Start/,
    certificate: /^Certificate/,
    verbs: { pause: /^Pause/, resume: /^Resume/, stop: /^Stop/, undo: /^Undo/, 'try-now': /^Try now/ },
}

// Of the navigation, from everywhere.
export const places = { overview: 'Overview', zones: 'Zones', operators: 'Operators' }

// Labels.
export const fields = {
    account: { name: /^Name$/, password: /^Password$/, again: /^The same again/, submit: 'Choose it' },
    signIn: { name: /^Name$/, password: /^Password$/, submit: 'Sign in' },
    operator: {
        name: /^Name$/,
        update: /^Updates go to/,
        tsigName: /^Name of the TSIG key/,
        tsigAlgorithm: /^Its algorithm/,
        tsigSecret: /^Its secret/,
        nameServers: /^Name servers/,
    },
    zone: {
        name: /^Zone$/,
        operator: /^Operator that serves it/,
        // Folded away: not everybody has a parent of their own.
        more: /^Parent.s servers and policy/,
        parentServers: /^Parent.s servers$/,
        slack: /^Slack/,
        stale: /^Serve-stale/,
        dataTtlMax: /^Largest TTL/,
        parentPipeline: /^Parent.s pipeline/,
    },
    reason: /^Reason/,
}

// The ways to change a zone's group: each a form of its own, by its heading.
export const changes = {
    replace: { heading: /^Replace an operator/, old: /^Replace$/, new: /^by$/ },
    join: { heading: /^An operator joins/, operator: /^Joins$/ },
    leave: { heading: /^An operator leaves/, operator: /^Leaves$/ },
}

// The section of the zone page with what is under way.
export const NOW = 'What is under way'

// What the zone page answers at any time, by its questions.
export const questions = {
    done: /^When will it be done/,
    stop: /^What if I stop now/,
    undo: /^How long does undo take/,
}

export const said = {
    nothingToDo: /nothing to do/i,
    signedBy: (names) => new RegExp(`signed by ${names.join(' and ')}\\b`, 'i'),
    proven: /no resolver could have failed/i,
    beingUndone: /being undone/i,
    paused: 'paused',
    exposed: 'exposed',
    waitingForParent: 'waiting for the parent',
    waitingForOperator: 'waiting for an operator',
    // States in which something has to be named that is waited for; in the others it may be that nothing is.
    awaiting: /^(verifying|blocked|waiting for .*)$/,
}
