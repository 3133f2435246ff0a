//! Each guard is needed: with it left out, and without the check, the checker finds an exposure in some small world.
//!
//! The worlds are the smallest ones found for each. A guard that is not here needs more than these worlds have (TTLs that
//! change, slack, several parents) and is shown to be needed by the simulation; or no small world needs it (see below).

use crate::explore::exposure_without;
use crate::holds::{A, AB, rolling, world};
use crate::world::{Roll, Size, Ttls};
use chorus::model::switches::Switch;

fn needed(switch: Switch, size: Size) {
    let found = exposure_without(size, &[switch, Switch::Check]);
    println!("without {switch} ({}): an exposure after {found:?} steps", switch.what());
    assert!(found.is_some(), "no world fails without {switch}");
}

fn kept_for(ttls: Ttls, size: Size) -> Size {
    Size { ttls, ..size }
}

#[test]
fn try_dnskey() {
    needed(Switch::Dnskey, kept_for(Ttls { dnskey: 2, ..Ttls::ONE }, world(A, &[A, AB], 1)));
}

#[test]
fn try_dnskey_at_others() {
    needed(Switch::DnskeyAtOthers, Size { lag: 1, promptly: true, ..kept_for(Ttls { dnskey: 2, ..Ttls::ONE }, world(A, &[A, AB], 1)) });
}

#[test]
fn try_dnskey_at_newcomer() {
    needed(Switch::DnskeyAtNewcomer, kept_for(Ttls { dnskey: 2, ..Ttls::ONE }, world(A, &[A, AB], 2)));
}

#[test]
fn try_ds() {
    needed(Switch::Ds, world(A, &[A, AB], 1));
}

#[test]
fn try_ns() {
    needed(Switch::Ns, world(AB, &[A, AB], 1));
}

#[test]
fn try_delegation() {
    needed(Switch::Delegation, world(AB, &[A, AB], 1));
}

#[test]
fn try_ns_at_leaver() {
    needed(Switch::NsAtLeaver, Size { lag: 1, promptly: true, ..kept_for(Ttls { ns: 3, ..Ttls::ONE }, world(AB, &[A, AB], 1)) });
}

#[test]
fn try_ns_at_operators() {
    needed(Switch::NsAtOperators, Size { lag: 1, promptly: true, ..kept_for(Ttls { ns: 3, ..Ttls::ONE }, world(AB, &[A, AB], 1)) });
}

#[test]
fn try_leaver_dnskey() {
    needed(Switch::LeaverDnskey, kept_for(Ttls { dnskey: 2, ..Ttls::ONE }, world(AB, &[A, AB], 1)));
}

#[test]
fn try_data() {
    needed(Switch::Data, world(AB, &[A, AB], 1));
}

#[test]
fn try_data_ttl() {
    needed(Switch::DataTtl, kept_for(Ttls { data: 2, ..Ttls::ONE }, world(AB, &[A, AB], 1)));
}

#[test]
fn try_cds_gun() {
    needed(Switch::CdsGun, world(AB, &[A, AB], 2));
}

#[test]
fn try_csync_gun() {
    needed(Switch::CsyncGun, world(A, &[A, AB], 2));
}

#[test]
fn try_csync_gun2() {
    needed(Switch::CsyncGun, world(AB, &[A, AB], 2));
}

#[test]
fn try_parent_pipeline() {
    needed(Switch::ParentPipeline, world(A, &[A, AB], 2));
}

#[test]
fn try_parent_pipeline2() {
    needed(Switch::ParentPipeline, world(AB, &[A, AB], 2));
}

#[test]
fn try_until_newer() {
    needed(Switch::UntilNewer, Size { losses: 1, last_seen: true, ..world(AB, &[A, AB], 1) });
}

#[test]
fn try_until_newer2() {
    needed(Switch::UntilNewer, Size { losses: 1, last_seen: true, ..world(A, &[A, AB], 1) });
}

#[test]
fn try_no_answer() {
    needed(Switch::NoAnswer, Size { losses: 1, ..world(A, &[A, AB], 1) });
}

#[test]
fn try_no_answer2() {
    needed(Switch::NoAnswer, Size { losses: 1, ..world(AB, &[A, AB], 1) });
}

#[test]
fn try_all_addresses() {
    needed(Switch::AllAddresses, Size { address_of: vec![0, 0, 1], lag: 1, promptly: true, ..world(A, &[A, AB], 1) });
}

#[test]
fn try_newcomer_first() {
    needed(Switch::NewcomerFirst, world(A, &[A, AB], 1));
}

#[test]
fn try_keys_shared() {
    needed(Switch::KeysShared, world(A, &[A, AB], 1));
}

#[test]
fn try_ns_complete() {
    needed(Switch::NsComplete, Size { lag: 1, promptly: true, ..world(AB, &[A, AB], 1) });
}

#[test]
fn try_leaver_told() {
    needed(Switch::LeaverTold, world(AB, &[A, AB], 1));
}

#[test]
fn try_may_sign() {
    needed(Switch::MaySign, rolling(1, Roll::Zsk, world(AB, &[AB], 0)));
}

#[test]
fn try_rolled_keys() {
    needed(Switch::RolledKeys, rolling(1, Roll::Zsk, world(AB, &[AB], 0)));
}

#[test]
fn try_rolled_ds() {
    needed(Switch::RolledDs, rolling(1, Roll::Ksk, world(AB, &[AB], 0)));
}

#[test]
fn try_rolled_ds2() {
    needed(Switch::RolledDs, kept_for(Ttls { dnskey: 2, ..Ttls::ONE }, rolling(1, Roll::Ksk, world(AB, &[AB], 0))));
}

#[test]
fn try_rolled_keys2() {
    needed(Switch::RolledKeys, kept_for(Ttls { data: 2, ..Ttls::ONE }, rolling(1, Roll::Zsk, world(AB, &[AB], 0))));
}

#[test]
fn try_placements() {
    needed(Switch::Placements, world(A, &[A, AB], 1));
}
