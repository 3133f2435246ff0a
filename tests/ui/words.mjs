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
    signIn: '/sign-in',
    zone: (zone) => `/zones/${zone}`,
    // A page below a zone's: change, undo, history, ...
    of: (zone, what) => `/zones/${zone}/${what}`,
    operator: (name) => `/operators/${name}`,
}

// Each is the accessible name of a link or a button; as a pattern where the page may say more.
export const doors = {
    signOut: /sign out/i,
    addOperator: /add (an|another|the next) operator/i,
    saveOperator: /^add (the )?operator$/i,
    addZone: /add a(nother)? zone/i,
    saveZone: /^(look at it and )?(add|adopt) (the )?zone$/i,
    change: /change the group|change (its )?operators/i,
    preview: /check and plan|show the plan/i,
    start: /^start/i,
    // Of a confirmation page.
    confirm: { pause: /^pause/i, resume: /^resume/i, stop: /^stop/i, undo: /^undo/i, 'try-now': /^(try|look) now/i },
    // Of the zone page, to that page.
    verb: { pause: /^pause/i, resume: /^resume/i, stop: /^stop/i, undo: /^undo/i, 'try-now': /^try now/i },
    certificate: /certificate/i,
}

export const fields = {
    account: {
        name: /^(user )?name/i,
        password: /^password/i,
        again: /^password( once)? (again|more)|^repeat/i,
        submit: /create|continue|sign in|set/i,
    },
    signIn: { name: /^(user )?name/i, password: /^password/i, submit: /^sign in$/i },
    operator: {
        name: /^name$/i,
        provider: /^(provider|interface|kind)/i,
        rfc2136: 'rfc2136',
        update: /^(updates go to|update address|address for updates)/i,
        tsigName: /^tsig( key)? name/i,
        tsigAlgorithm: /^(tsig )?algorithm/i,
        tsigSecret: /^(tsig )?secret/i,
        nameServers: /^name servers/i,
    },
    zone: {
        name: /^(zone|name)/i,
        operator: /^operator/i,
        parentServers: /^(the )?parent.s servers/i,
        slack: /^slack/i,
        stale: /^(serve-)?stale/i,
        dataTtlMax: /largest ttl/i,
        parentPipeline: /pipeline/i,
    },
    // Of the wizard: who is to serve the zone.
    change: { member: (operator) => new RegExp(`^${operator}\\b`, 'i') },
    reason: /^reason/i,
}

// What the zone page answers, by the terms of its description lists (`dt`) or row headings.
export const terms = {
    state: /^state$/i,
    step: /^step$/i,
    waiting: /^waiting for|^reason$/i,
    ends: /^when will it be done|^ends$/i,
    stop: /^what if .*stop|^if you stop/i,
    undo: /^what if .*undo|^if you undo|^undo takes/i,
}

export const said = {
    nothingToDo: /nothing to do/i,
    proven: /no resolver could have failed/i,
    // States in which something is under way.
    underWay: /^(planned|acting|verifying|waiting-guard|waiting-parent|waiting-operator|blocked|paused)$/,
    // Those of them in which something is awaited, and has to be named.
    awaiting: /^(verifying|waiting-guard|waiting-parent|waiting-operator|blocked)$/,
}
