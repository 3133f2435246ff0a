//! Each guard is needed: with it left out, and without the check, the checker finds an exposure in some small world. The
//! worlds are the smallest ones found for each.
//!
//! A guard that is missing here needs more than these worlds have: TTLs that change, stale answers, several servers of the
//! parent, an operator that signs too early, a key that signs only what nobody samples. `dnskey-at-newcomer` and
//! `dnskey-at-others` stand in for each other here: what the one lets through, the other holds back one write later; and for
//! `all-addresses` stands that the history of each address counts.

use crate::explore::exposure_without;
use crate::holds::{A, AB, world};
use crate::world::{Size, Ttls};
use chorus::model::switches::Switch;

fn an_exposure_is_found(switch: Switch, size: Size) {
    let steps = exposure_without(size, &[switch, Switch::Check]);
    println!("without {switch}, {}: an exposure after {steps:?} steps", switch.what());
    assert!(steps.is_some(), "nothing happens without {switch}");
}

fn kept(ttls: Ttls, size: Size) -> Size {
    Size { ttls, ..size }
}

/// Writes are served late, and the parent is prompt.
fn lagging(size: Size) -> Size {
    Size { lag: 1, promptly: true, ..size }
}

fn a_join() -> Size {
    world(A, &[A, AB], 1)
}

fn a_leave() -> Size {
    world(AB, &[A, AB], 1)
}

#[test]
fn a_newcomer_is_named_while_dnskey_sets_without_its_keys_are_held() {
    an_exposure_is_found(Switch::Dnskey, kept(Ttls { dnskey: 2, ..Ttls::ONE }, a_join()));
}

#[test]
fn a_newcomer_is_named_while_ds_sets_without_it_are_held() {
    an_exposure_is_found(Switch::Ds, a_join());
}

#[test]
fn a_newcomer_is_named_while_the_parent_may_still_act_on_a_cds_without_it() {
    an_exposure_is_found(Switch::CdsGun, world(AB, &[A, AB], 2));
}

#[test]
fn a_leaver_is_let_go_while_it_is_asked() {
    an_exposure_is_found(Switch::Ns, a_leave());
}

#[test]
fn a_leaver_is_let_go_while_the_parents_delegation_to_it_is_held() {
    an_exposure_is_found(Switch::Delegation, a_leave());
}

#[test]
fn a_leaver_is_let_go_while_ns_sets_of_those_that_stay_are_held() {
    an_exposure_is_found(Switch::NsAtOperators, lagging(kept(Ttls { ns: 3, ..Ttls::ONE }, a_leave())));
}

#[test]
fn a_leaver_is_let_go_while_its_own_ns_sets_are_held() {
    an_exposure_is_found(Switch::NsAtLeaver, lagging(kept(Ttls { ns: 3, ..Ttls::ONE }, a_leave())));
}

#[test]
fn a_newcomer_that_is_taken_back_is_let_go_while_the_parent_may_still_act_on_a_csync() {
    an_exposure_is_found(Switch::CsyncGun, world(A, &[A, AB], 2));
}

#[test]
fn a_newcomer_that_is_taken_back_is_let_go_while_the_parent_is_publishing() {
    an_exposure_is_found(Switch::ParentPipeline, Size { pipeline: 2, ..world(A, &[A, AB], 2) });
}

#[test]
fn the_ds_of_a_leaver_goes_while_its_dnskey_sets_are_held() {
    an_exposure_is_found(Switch::LeaverDnskey, kept(Ttls { dnskey: 2, ..Ttls::ONE }, a_leave()));
}

#[test]
fn the_keys_of_a_leaver_go_while_its_answers_are_held() {
    an_exposure_is_found(Switch::Data, a_leave());
}

#[test]
fn a_version_is_taken_for_gone_when_it_was_last_seen() {
    an_exposure_is_found(Switch::UntilNewer, Size { losses: 1, last_seen: true, ..a_join() });
}
