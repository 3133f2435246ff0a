//! How long a join takes beyond what caches and parent make necessary, in figures: a machine that stalls makes them larger, so no
//! limit is asserted here. What Chorus may lose is asserted to the millisecond in virtual time (`tests/faults/no_time_is_lost.rs`).
//! The moments are the observer's: the daemon is not asked how quick it was.

use std::time::Duration;

use crate::lab::proof::{Content, History, Ms, Run};
use crate::lab::{CHILD, in_own_network, until};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Stage};

/// TTL and slack of the story, with what the observer may be late by.
const TTL_MS: Ms = 5_000;
const SLACK_MS: Ms = 1_000;

/// When the last server began to show what `wanted` accepts, and when the last one was seen with anything else.
fn shown(history: &History, of: impl Fn(&Run) -> bool, wanted: impl Fn(&Run) -> bool) -> (Ms, Ms) {
    let runs: Vec<&Run> = history.runs.iter().filter(|run| of(run)).collect();
    let old = runs.iter().filter(|run| !wanted(run)).map(|run| run.last_seen).max().expect("an old version");
    let mut servers: Vec<&str> = runs.iter().map(|run| run.server.as_str()).collect();
    servers.sort_unstable();
    servers.dedup();
    let first =
        |server: &&str| runs.iter().filter(|run| run.server == *server && wanted(run)).map(|run| run.first_seen).min();
    let all = servers.iter().map(first).max().flatten().expect("every server shows it");
    (all, old)
}

fn names(run: &Run) -> usize {
    match &run.content {
        Content::Ns { hosts, .. } | Content::Referral(hosts) => hosts.len(),
        _ => 0,
    }
}

fn size(run: &Run) -> usize {
    match &run.content {
        Content::Dnskey { keys, .. } => keys.len(),
        Content::Ds(digests) => digests.len(),
        _ => 0,
    }
}

#[test]
fn what_a_join_loses_beyond_guards_and_parent() {
    in_own_network(LIMIT, join);
}

async fn join() {
    let mut stage = Stage::set("no-time-is-lost", Cast::new(&[BIND, KNOT])).await;
    // Fresh resolvers judge the end, too, but not while time is measured.
    let at_ends = stage.chorus.at_ends.take();
    let asked = stage.observer.reachability().now();
    stage.command(&["zone", "join", CHILD, "b"]).await;
    let ended = stage.observer.reachability().now();
    stage.chorus.at_ends = at_ends;
    until("the observer has seen the end", Duration::from_secs(5), || {
        let history = stage.observer.history();
        let moved = |run: &Run| matches!(run.content, Content::Referral(_)) && names(run) == 4;
        let seen: Vec<&str> = history.runs.iter().filter(|run| moved(run)).map(|run| run.server.as_str()).collect();
        history.parents.iter().all(|parent| seen.contains(&parent.as_str()))
    })
    .await;
    let history = stage.observer.history();
    let is_dnskey = |run: &Run| matches!(run.content, Content::Dnskey { .. });
    let is_ds = |run: &Run| matches!(run.content, Content::Ds(_));
    let is_ns = |run: &Run| matches!(run.content, Content::Ns { .. });
    let is_delegation = |run: &Run| matches!(run.content, Content::Referral(_));

    let (keys_shown, keys_old) = shown(&history, is_dnskey, |run| size(run) == 4);
    let (ds_shown, ds_old) = shown(&history, is_ds, |run| size(run) == 2);
    let (ns_shown, _) = shown(&history, is_ns, |run| names(run) == 4);
    let (delegated, _) = shown(&history, is_delegation, |run| names(run) == 4);
    let guard = keys_old.max(ds_old) + TTL_MS + SLACK_MS;

    let sharing = keys_shown - asked;
    let naming = (ns_shown - guard).max(0);
    let ending = ended - delegated;
    stage.lab.tell(&format!(
        "keys shared after {sharing} ms; the parent had the DS {} ms later; old keys and DS were dead {} ms after that; \
         named {naming} ms after the guard; the parent delegated {} ms later; ended {ending} ms after that",
        ds_shown - keys_shown,
        guard - ds_shown,
        delegated - ns_shown,
    ));
    let lost = sharing + naming + ending;
    stage.lab.tell(&format!("time lost beyond guards and parent: {lost} ms of {} ms", ended - asked));
    assert!(ns_shown >= guard, "b was named {} ms before its guard", guard - ns_shown);
    stage.assert_clean(&["a", "b"]).await;
}
