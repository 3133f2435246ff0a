//! Zones as text: the verdict first, then who stands where, what is awaited, and which key is where.

use super::grid::Grid;
use super::past::exposures;
use super::{Colour, Look, ago, ahead, exactly, length, people};
use crate::api::wire::{
    AlgorithmShow, At, DsState, KeyShow, OperatorStanding, ParentMode, RegistrarRequest, RollShow, RollState,
    ServerShow, SetAnswer, Takes, TransitionShow, TransitionState, ZoneList, ZonePolicy, ZoneShow, ZoneSummary,
};
use std::fmt::Write;
use std::time::Duration;

/// An answer that is older than this is said to be old; at rest zones are looked at once an hour or so.
const OLD: Duration = Duration::from_secs(2 * 3600);

fn is_over(transition: &TransitionShow) -> bool {
    transition.state.is_over()
}

pub fn zones(list: &ZoneList, look: &Look) -> String {
    if list.zones.is_empty() {
        return "no zones yet; adopt one with 'chorus zone add'\n".to_owned();
    }
    let mut grid = Grid::new(["ZONE", "STATE", "STEP", "DESIRED", "WAITING FOR", "UNTIL (UTC)"]);
    for zone in &list.zones {
        let under_way = zone.transition.as_ref().filter(|transition| !is_over(transition));
        let waiting = under_way.and_then(|transition| transition.waiting_for.as_ref());
        // An insecure zone is at rest, and lacks its DS all the same.
        let is_good = zone.rest && zone.waiting_for.is_none();
        grid.row(vec![
            zone.zone.clone(),
            state(zone, under_way),
            under_way.map_or_else(dash, |transition| format!("{}/{}", transition.step_number, transition.steps)),
            zone.desired.join(","),
            waiting.map_or_else(|| if is_good { dash() } else { zone.verdict.clone() }, |waiting| waiting.text.clone()),
            waiting.and_then(|waiting| waiting.until).map_or_else(dash, |until| until.to_string()),
        ]);
    }
    grid.draw(look)
}

fn dash() -> String {
    "-".to_owned()
}

fn state(zone: &ZoneSummary, under_way: Option<&TransitionShow>) -> String {
    match under_way {
        Some(transition) => transition.state.name().to_owned(),
        None if zone.rest => "rest".to_owned(),
        None => "not at rest".to_owned(),
    }
}

pub fn zone(zone: &ZoneShow, look: &Look) -> String {
    let under_way = zone.transition.as_ref().filter(|transition| !is_over(transition));
    let blocked = under_way.is_some_and(|transition| transition.state == TransitionState::Blocked);
    let exposed = zone.exposures.iter().any(|exposure| exposure.until.is_none());
    let colour = match (blocked || exposed, under_way.is_none() && zone.rest) {
        (true, _) => Colour::Bad,
        (_, true) => Colour::Good,
        _ => Colour::Waiting,
    };
    let mut text = format!("{}: {}\n\n", look.paint(Colour::Bold, &zone.zone), look.paint(colour, &zone.verdict));

    let standing = |one: &OperatorStanding| {
        let silent = if one.silent.is_some() { " (does not answer as it should)" } else { "" };
        format!("{} {}{silent}", one.operator, one.standing.label())
    };
    let standings: Vec<String> = zone.operators.iter().map(standing).collect();
    let rest = if zone.rest { "a rest state: stays valid with nobody acting" } else { "not a rest state" };
    let _ = writeln!(text, "operators    {}", if standings.is_empty() { dash() } else { standings.join(", ") });
    let _ = writeln!(text, "desired      {} ({rest})", people(&zone.desired));
    for item in &zone.to_repair {
        let _ = writeln!(text, "to repair    {item}");
    }
    if let Some(transition) = &zone.transition {
        self::transition(&mut text, transition);
    }
    if let Some(transition) = under_way {
        ways(&mut text, transition, zone.now);
    }
    for left in zone.transition.iter().flat_map(|transition| &transition.left) {
        if !zone.operators.iter().any(|one| one.operator == left.operator) {
            let _ = writeln!(
                text,
                "left         {}: may be switched off from {} on; until then resolvers that serve stale records may query it",
                left.operator,
                ahead(left.unused_from, zone.now)
            );
        }
    }
    if let Some(waiting) = under_way.and_then(|transition| transition.waiting_for.as_ref()) {
        let until = waiting.until.map(|until| format!(", until {}", ahead(until, zone.now))).unwrap_or_default();
        let _ = writeln!(text, "now          {} ({}){until}", waiting.text, waiting.code);
    }
    text.push_str(&exposures("exposures    ", &zone.exposures));
    for roll in &zone.rolls {
        let since = roll.since.map_or_else(|| "since before it was adopted".to_owned(), |since| ago(since, zone.now));
        let RollShow { operator, role, tag, algorithm, state, .. } = roll;
        let _ = writeln!(
            text,
            "roll         {operator}: {} {tag:05}/{algorithm} {}, {since}",
            role.name(),
            state_of(*state)
        );
    }
    let mode = match zone.parent.mode {
        ParentMode::Scan => "scans for CDS and CSYNC",
        ParentMode::Manual => "told by you",
    };
    let _ = writeln!(text, "parent       {}, {mode}; delegates to {}", zone.parent.zone, people(&zone.parent.ns));
    if let Some(takes) = &zone.parent.profile {
        let _ = writeln!(text, "parent takes {} ({})", takes.text, takes.name);
    }
    for note in &zone.parent.notes {
        let _ = writeln!(text, "             {} ({})", note.text, note.code);
    }
    for request in &zone.registrar_pending {
        let RegistrarRequest { rtype, records, since, until } = request;
        let _ = writeln!(
            text,
            "registrar    {rtype} {}: shown from {since}, not shown now; the parent may publish it until {}. If the registrar has \
             cancelled it, run `chorus zone registrar-cancelled {}`",
            people(records),
            ahead(*until, zone.now),
            zone.zone
        );
    }
    if let Some(updated) = zone.updated_at {
        let _ = writeln!(text, "looked at    {}", ago(updated, zone.now));
    }

    text.push('\n');
    text.push_str(&keys(zone, look));
    text.push_str(&troubles(zone));
    if let Some(hand) = &zone.hand_to_registrar {
        let _ = writeln!(
            text,
            "\nhand this to your registrar; it is waited for until every server of {} has it:",
            zone.parent.zone
        );
        for ds in &hand.ds {
            let _ = writeln!(text, "  DS  {ds}");
        }
        for ns in &hand.ns {
            let _ = writeln!(text, "  NS  {ns}");
        }
        for record in &hand.glue {
            let _ = writeln!(text, "  glue  {record}");
        }
    }
    if let Some(next) = &zone.next {
        let _ = writeln!(text, "\nnext: {next}");
    }
    text
}

fn transition(text: &mut String, transition: &TransitionShow) {
    let TransitionShow { id, state, step, step_number, steps, .. } = transition;
    let _ = match &transition.algorithm {
        Some(AlgorithmShow { from, to }) => write!(text, "transition   {id}, from {from} to {to}: "),
        None => write!(text, "transition   {id}, from {} to {}: ", people(&transition.from), people(&transition.to)),
    };
    match transition.ended {
        Some(ended) => {
            let _ = writeln!(text, "{}, {ended}", state.name());
        }
        None => {
            let _ = writeln!(text, "{}, step {step_number} of {steps}: {step}", state.name());
        }
    }
    if let Some(reason) = &transition.reason {
        let _ = writeln!(text, "reason       {reason}");
    }
}

/// When it ends, and what happens if it is stopped or undone now.
fn ways(text: &mut String, transition: &TransitionShow, now: At) {
    let about = |takes: &Takes| {
        let (least, about) = (Duration::from_secs(takes.earliest_s), Duration::from_secs(takes.expected_s));
        if least == about {
            format!("{} at least", length(least))
        } else {
            format!("{} at least, about {}", length(least), length(about))
        }
    };
    if let Some(ends) = &transition.ends_at {
        let _ = writeln!(text, "ends         {} at the earliest, about {}", ahead(ends.earliest, now), ends.expected);
    }
    if let Some(after) = &transition.ends_after {
        let _ = writeln!(
            text,
            "ends         unknown: at least {} after {}",
            length(Duration::from_secs(after.at_least_s)),
            after.what
        );
    }
    if let Some(undo) = &transition.undo_takes {
        let _ = writeln!(text, "undo takes   {}", about(undo));
    }
    if let Some(stop) = &transition.stop {
        let trusted =
            if stop.trusted.is_empty() { String::new() } else { format!(", {} trusted only", people(&stop.trusted)) };
        let _ = writeln!(text, "stop takes   {}, and ends with {}{trusted}", about(&stop.takes), people(&stop.serving));
    }
}

fn state_of(roll: RollState) -> &'static str {
    match roll {
        RollState::New => "is published and signs nothing yet",
        RollState::Signing => "signs",
        RollState::Retired => "is published and signs nothing any more",
        RollState::Kept => "was withdrawn, and is kept by the others for what it signed",
        RollState::Other => "is in a state that this program is too old to know",
    }
}

/// Which key is where: a row for each key, a column for each address of an operator.
fn keys(zone: &ZoneShow, look: &Look) -> String {
    let servers: Vec<&ServerShow> = zone.servers.iter().filter(|server| server.who != "parent").collect();
    let mut header: Vec<String> = ["KEY", "OWNER", "DS"].map(str::to_owned).to_vec();
    header.extend(servers.iter().map(|server| column(server, &servers)));
    let mut grid = Grid::new(header);
    for key in &zone.keys {
        let mut row = vec![
            format!("{} {:05}/{}", key.role.name(), key.tag, key.algorithm),
            key.owner.clone().unwrap_or_else(|| "?".to_owned()),
            ds(key.ds).to_owned(),
        ];
        row.extend(servers.iter().map(|server| cell(key, server).to_owned()));
        grid.row(row);
    }
    if zone.keys.is_empty() { "no keys were seen\n".to_owned() } else { grid.draw(look) }
}

/// `a:ns1`; with the address where that would be two columns' name.
fn column(server: &ServerShow, all: &[&ServerShow]) -> String {
    let short = |server: &ServerShow| format!("{}:{}", server.who, server.host.split('.').next().unwrap_or_default());
    let name = short(server);
    if all.iter().filter(|other| short(other) == name).count() > 1 {
        format!("{name} {}", server.address)
    } else {
        name
    }
}

fn cell(key: &KeyShow, server: &ServerShow) -> &'static str {
    match (key.published_at.contains(&server.address), key.signing_at.contains(&server.address)) {
        _ if server.last_seen.is_none() => "?",
        (true, true) => "sign",
        (true, false) => "pub",
        (false, true) => "SIGN, NOT PUB",
        (false, false) => "-",
    }
}

fn ds(state: Option<DsState>) -> &'static str {
    match state {
        None => ".",
        Some(DsState::Present) => "yes",
        Some(DsState::Partial) => "SOME SERVERS",
        Some(DsState::Awaited) => "WAITING",
        Some(DsState::Absent) => "no",
        Some(DsState::Leaving) => "leaving",
    }
}

fn troubles(zone: &ZoneShow) -> String {
    let mut text = String::new();
    for server in &zone.servers {
        let age = server.last_seen.map(|seen| seen.time().until(zone.now.time()));
        let trouble = match (&server.trouble, age) {
            (Some(trouble), _) => trouble.clone(),
            (None, None) => "not seen yet".to_owned(),
            (None, Some(age)) if age > OLD => "nothing wrong, but long ago".to_owned(),
            (None, Some(_)) => continue,
        };
        let seen = age.map(|age| format!("; last seen {} ago", length(age))).unwrap_or_default();
        let _ = writeln!(text, "trouble      {} ({}) of {}: {trouble}{seen}", server.host, server.address, server.who);
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

pub fn set(answer: &SetAnswer) -> String {
    let (zone, desired) = (&answer.zone, people(&answer.desired));
    match &answer.transition {
        Some(transition) if !is_over(transition) => {
            let end = transition.ends_earliest.map(|end| format!(", ends {end} at the earliest")).unwrap_or_default();
            let TransitionShow { id, step, step_number, steps, .. } = transition;
            let how = match (transition.paused, transition.aim.as_str()) {
                (true, _) => " paused,",
                (_, "undoing") => " being undone,",
                (_, "stopping") => " being stopped,",
                _ => "",
            };
            let with = transition.algorithm.as_ref().map(|change| match transition.aim.as_str() {
                "undoing" => format!(" with {}", change.from),
                _ => format!(" with {}", change.to),
            });
            let with = with.unwrap_or_default();
            format!(
                "{zone} is to be signed and served by {desired}{with}: transition {id},{how} step {step_number} of {steps}: {step}{end}\n\
                 look again with: chorus zone show {zone}\n"
            )
        }
        _ => format!("{zone} is signed and served by {desired} already: nothing to do\n"),
    }
}

pub fn policy(policy: &ZonePolicy) -> String {
    let mut text = String::new();
    for (name, seconds, meaning) in [
        ("slack", policy.slack_s, "added to every wait"),
        ("stale", policy.stale_s, "resolvers may use what has expired for so long"),
        ("data-ttl-max", policy.data_ttl_max_used_s, ""),
        ("parent-pipeline", policy.parent_pipeline_s, "from the parent's scan until its servers show the outcome"),
        ("registrar-max", policy.registrar_max_s, "a set no longer shown may still be handed in for this long"),
        ("resolver-min-ttl", policy.resolver_min_ttl_s, "resolvers keep records for no shorter"),
        ("resolver-max-ttl", policy.resolver_max_ttl_s, "resolvers keep records for no longer"),
        ("sample-every", policy.sample_every_s, "a few answers of one address are verified at rest"),
        ("gap-max", policy.gap_max_s, "with a longer time between two looks a certificate proves nothing"),
    ] {
        let meaning = match name {
            "data-ttl-max" => format!("the largest TTL in the zone, from: {}", policy.data_ttl_max_from),
            _ => meaning.to_owned(),
        };
        let _ = writeln!(text, "{name:16}  {:12}  {meaning}", exactly(seconds));
    }
    let profile = policy.parent_profile.as_deref().unwrap_or("any");
    let _ = writeln!(text, "{:16}  {profile:12}  what the parent takes", "parent-profile");
    if !policy.delegation.is_empty() {
        let _ = writeln!(text, "delegation        {}, as you confirmed it", policy.delegation);
    }
    text
}
