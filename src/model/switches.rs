//! What test builds can leave out, by name: every guard and every rule of the check, one at a time, so that it can be shown
//! what each of them is for (`docs/guards.md`).
//!
//! Invariant: in builds for users nothing can be left out; [`Without::leaves_out`] is constantly false there.

use std::fmt;
use std::str::FromStr;

macro_rules! switches {
    ($($switch:ident $name:literal $what:literal,)*) => {
        /// One guard, or one part of a guard.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Switch {
            $(#[doc = $what] $switch,)*
        }

        impl Switch {
            pub const ALL: &[Switch] = &[$(Switch::$switch,)*];

            /// Stable, kebab-case.
            pub fn name(self) -> &'static str {
                match self { $(Switch::$switch => $name,)* }
            }

            /// What is left out.
            pub fn what(self) -> &'static str {
                match self { $(Switch::$switch => $what,)* }
            }
        }
    };
}

switches! {
    Dnskey "dnskey" "the wait for DNSKEY sets without the group's keys, before a newcomer is named",
    DnskeyAtNewcomer "dnskey-at-newcomer" "of that wait, the newcomer's own DNSKEY sets",
    DnskeyAtOthers "dnskey-at-others" "of that wait, the DNSKEY sets of the operators that are in already",
    Ds "ds" "the wait for DS sets without the newcomer, before it is named",
    Ns "ns" "the wait for the last question, before anything of a leaver goes",
    Delegation "delegation" "of the last question, the parent's delegations",
    NsAtOperators "ns-at-operators" "of the last question, the NS sets of the operators that stay",
    NsAtLeaver "ns-at-leaver" "of the last question, the leaver's own NS sets (sticky resolvers)",
    LeaverDnskey "leaver-dnskey" "the wait for the leaver's DNSKEY sets, before its DS goes",
    Data "data" "the wait for answers that a key signed, before it goes",
    MaySign "may-sign" "of that wait, answers that a key may have signed unseen while its owner published it",
    CdsGun "cds-gun" "CDS sets that the parent may still act on, before a newcomer is named",
    CsyncGun "csync-gun" "CSYNC records that the parent may still act on, in the last question",
    ParentPipeline "parent-pipeline" "the time between the parent's reading and its publishing",
    RegistrarPending "registrar-pending" "DS and NS sets shown for the registrar that the parent may still publish",
    PublishedUnseen "published-unseen" "what the parent may have published, and gone on serving, while Chorus did not look",
    OldDnskeyTtl "old-dnskey-ttl" "the TTL that an old DNSKEY set was served with: the present one is taken",
    OldDsTtl "old-ds-ttl" "the TTL that an old DS set was served with: the present one is taken",
    OldNsTtl "old-ns-ttl" "the TTL that an old NS set was served with: the present one is taken",
    OldDelegationTtl "old-delegation-ttl" "the TTL that an old delegation was served with: the present one is taken",
    DataTtl "data-ttl" "the largest TTL of the zone: that of the SOA is taken",
    Stale "stale" "the time for which resolvers serve stale data (RFC 8767)",
    ResolverMinTtl "resolver-min-ttl" "the time for which resolvers stretch short TTLs",
    Slack "slack" "the slack for queries in flight and clocks that differ",
    UntilNewer "until-newer" "that a version may have been served until something newer was seen: when it was last seen counts",
    AllAddresses "all-addresses" "that every address of an operator shows a set: one is enough",
    AllParents "all-parents" "that every server of the parent shows a set: one is enough",
    NoAnswer "no-answer" "that an address that does not answer is not in sync",
    NewcomerFirst "newcomer-first" "that a newcomer's own zone has the NS set before the others",
    LeaverTold "leaver-told" "that the leaver serves the NS set of those that stay, too",
    NsComplete "ns-complete" "that all operators serve the NS set before the parent is asked for it",
    KeysShared "keys-shared" "that all operators serve all keys before CDS asks for DS",
    ToldTogether "told-together" "that no CDS is changed while an operator that the parent may ask does not answer",
    RolledDs "rolled-ds" "the wait for DNSKEY sets that a new key does not sign, before an old key's DS goes",
    InFlight "in-flight" "that what was sent and is not seen yet may be served any moment",
    Unseen "unseen" "that what one server of the parent showed may be at the others unseen",
    Addresses "addresses" "that an address counts as its operator's until every set that gives it to a name server is dead",
    HostAddresses "host-addresses" "that all operators have the same addresses for a name server inside the zone, before it is named",
    DeniedAddresses "denied-addresses" "the wait for a denial of a name server's addresses that a cache may hold from before they were first seen",
    OldAddresses "old-addresses" "the wait for other addresses of a name server inside the zone, before it is named",
    Glue "glue" "that glue is as the zone has it, before anything of a leaver goes",
    ParentCopy "parent-copy" "that a copy of the zone at a parent's server is asked as long as the parent is asked there",
    OwnKeys "own-keys" "that every operator signs with keys of its own (RFC 8901 §2.1.2)",
    DataValid "data-valid" "that what an address answers validates, before a transition starts and before a newcomer is named",
    ListingFailed "listing-failed" "that a zone that could not be listed may have long TTLs: that of the SOA is taken",
    FreshResolution "fresh-resolution" "that the zone resolves and validates anew, before a transition is done",
    SecondWriter "second-writer" "that nothing is written while another controller seems to write",
    RoundStart "round-start" "that guards are held against the beginning of a round of observation",
    Intent "intent" "that placements are committed before they are written",
    Placements "placements" "that a placed key is told from an operator's own",
    SignaturesLast "signatures-last" "that a newcomer's signatures do not end soon, before it is named",
    SignatureLifetime "signature-lifetime" "that signatures outlast what caches keep of them, before a transition starts",
    Check "check" "the check before every write, all of it",
    CheckDs "check-ds" "the check's rule that every DS set goes with every DNSKEY set",
    CheckAnswers "check-answers" "the check's rule that every DNSKEY set goes with every answer",
    CheckAnswering "check-answering" "the check's rule that who is named answers",
    CheckSignatures "check-signatures" "the check's rule that who is named has signatures that do not end soon",
    CheckAddresses "check-addresses" "the check's rule that who is named is found alike by every resolver",
    CheckEnactable "check-enactable" "the check's rule that a CDS counts as the DS set that it asks for",
    CheckReach "check-reach" "the check's rule that a CSYNC counts as the delegation that it asks for",
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of any switch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no guard {0:?}")]
pub struct NoSuchSwitch(String);

impl FromStr for Switch {
    type Err = NoSuchSwitch;

    fn from_str(name: &str) -> Result<Switch, NoSuchSwitch> {
        Switch::ALL.iter().find(|switch| switch.name() == name).copied().ok_or_else(|| NoSuchSwitch(name.to_owned()))
    }
}

/// What is left out; nothing, by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without(u128);

impl Without {
    pub fn leaves_out(self, switch: Switch) -> bool {
        cfg!(feature = "guard-switches") && self.0 & (1 << switch as u128) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Switch> for Without {
    fn from_iter<I: IntoIterator<Item = Switch>>(switches: I) -> Without {
        Without(switches.into_iter().fold(0, |bits, switch| bits | 1 << switch as u128))
    }
}
