//! Leavers that do not answer, or do not help, when they are to leave: whether a leave is begun that could not end.
//!
//! Invariant: only the beginning of a transition is refused. One that is under way goes on, and waits for a leaver that has
//! fallen silent since.

use super::ladder::{is_admitted, is_present};
use super::preflight::Refused;
use super::say::names;
use super::view::World;
use crate::model::history::Kind;

/// What waits and refusals say of an operator that answers and takes no updates.
pub const UNCOOPERATIVE: &str = "leaver-uncooperative";

/// A refusal for each leaver that takes no updates while an operator that is to stay is not queried yet: resolvers that hold the
/// leaver's DNSKEY RRset could not validate a newcomer's answers, and Chorus cannot give the leaver the newcomer's keys (RFC 6781
/// §4.3.5.2).
pub fn leavers_without_help(world: &World<'_>) -> Vec<(String, Refused)> {
    let zone = crate::model::dns::plain_text(world.zone);
    let (queried, newcomers): (Vec<&String>, Vec<&String>) =
        world.serving().partition(|operator| is_admitted(world, operator));
    if newcomers.is_empty() && !queried.is_empty() {
        return Vec::new();
    }
    let leavers = world
        .members
        .iter()
        .filter(|(name, member)| member.leaves() && member.uncooperative && is_present(world, name));
    let refused = |(name, _): (&String, _)| {
        let why = match newcomers.as_slice() {
            [] => "no operator would stay".to_owned(),
            newcomers => format!("resolvers do not query {} yet", names(newcomers)),
        };
        let text = format!(
            "{name} takes no updates, and {why}: resolvers that hold the DNSKEY RRset of {name} could not validate the answers of a \
             newcomer"
        );
        let fix = match queried.is_empty() {
            true => format!(
                "get {name} to serve the newcomer's keys in its DNSKEY RRset, and let it leave without --uncooperative; or give up \
                 DNSSEC for the change: let the registrar remove the DS, wait until no cache has it, and change the delegation then"
            ),
            false => format!(
                "run `chorus zone undo {zone}`, let {name} leave with --uncooperative, and let {} join after that",
                names(&newcomers)
            ),
        };
        (name.clone(), Refused { code: UNCOOPERATIVE, text, fix })
    };
    leavers.map(refused).collect()
}

/// A refusal for each leaver that resolvers can query, that answers at none of its addresses, and that no user has declared
/// unreachable: it could not be given the NS RRset without itself.
pub fn dead_leavers(world: &World<'_>) -> Vec<(String, Refused)> {
    let dead = world.members.iter().filter(|(name, member)| {
        let is_undeclared = member.leaves() && !member.is_given_up();
        is_undeclared && is_present(world, name) && world.is_silent(name)
    });
    dead.map(|(name, member)| {
        let each = member.servers.iter().filter_map(|server| {
            let trouble = world.history.trouble(server, Kind::Dnskey)?;
            Some(format!("{server} {}", trouble.failure))
        });
        let each: Vec<String> = each.collect();
        let refused = Refused {
            code: "leaver-unreachable",
            text: format!(
                "no address of {name} answers for {}: {}; so {name} cannot be given the NS RRset without itself",
                world.zone,
                each.join(", ")
            ),
            fix: fix(world, name),
        };
        (name.clone(), refused)
    })
    .collect()
}

/// Whoever leaves without its cooperation needs another operator that resolvers query already.
fn fix(world: &World<'_>, leaver: &str) -> String {
    let zone = crate::model::dns::plain_text(world.zone);
    if !world.serving().any(|operator| is_admitted(world, operator)) {
        return format!("bring {leaver} back: it is the only operator that the zone is delegated to");
    }
    let newcomers: Vec<&String> = world.serving().filter(|operator| !is_admitted(world, operator)).collect();
    let then: Vec<String> = newcomers.iter().map(|new| format!("`chorus zone join {zone} {new}`")).collect();
    let then = if then.is_empty() { String::new() } else { format!(", then {}", then.join(", ")) };
    format!(
        "bring {leaver} back; or, if it is gone for good, run `chorus zone leave {zone} {leaver} --unreachable`{then}"
    )
}
