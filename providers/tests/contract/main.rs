//! One contract for all providers, held against every real server that each claims. A provider is added by one line at the
//! end, and a `Subject` that starts its server.
//!
//! Needs root (network namespaces) and the servers: BIND, Knot, PowerDNS with its SQLite backend; deSEC has a stand-in. What is
//! particular to one interface is tested beside this, in its own directory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
#[path = "../common/desec/mod.rs"]
mod desec;
#[path = "../common/pdns.rs"]
#[allow(dead_code)]
mod pdns;
#[path = "../common/proxy.rs"]
#[allow(dead_code)]
mod proxy;
#[path = "../common/records.rs"]
#[allow(dead_code)]
mod records;
#[path = "../rfc2136/servers.rs"]
#[allow(dead_code)]
mod servers;
mod subjects;

/// The table of cases. Each is a test of each subject, with a network and a server of its own.
macro_rules! contract {
    ($name:ident: $subject:expr) => {
        contract! { $name: $subject;
            what_is_applied_is_served_and_applied_again_changes_nothing,
            only_what_differs_is_changed,
            an_own_key_that_is_asked_away_stays_and_is_told,
            what_no_interface_can_be_told_is_refused_before_anything_is_sent,
            a_wrong_credential_is_for_a_person_and_changes_nothing,
            another_zone_is_for_a_person,
            a_server_that_is_down_is_tried_again,
            a_write_whose_answer_is_lost_is_read_back_and_not_sent_again,
            another_writer_at_the_same_moment_keeps_nothing_from_being_as_wanted,
            a_probe_changes_nothing,
            a_zone_is_listed_as_it_is_served_and_its_largest_ttl_is_found,
            an_answer_that_is_none_is_told_for_what_it_is,
        }
    };
    ($name:ident: $subject:expr; $($case:ident,)+) => {
        mod $name {
            $(
                #[test]
                fn $case() {
                    crate::servers::alone(|| async { crate::cases::$case(&$subject).await });
                }
            )+
        }
    };
}

contract!(rfc2136_on_bind: crate::subjects::DynamicUpdate(crate::servers::Kind::Bind));
contract!(rfc2136_on_knot: crate::subjects::DynamicUpdate(crate::servers::Kind::Knot));
contract!(rfc2136_on_powerdns: crate::subjects::DynamicUpdateOfPowerDns);
contract!(powerdns_on_powerdns: crate::subjects::PowerDns);
contract!(desec_on_its_stand_in: crate::subjects::Desec);
