//! What the certificate of a transition rests on, in the form in which the independent checker reads it.
//!
//! Invariant: everything that the certificate was made of is in it, as it was observed; nothing is judged here. Fields are
//! only ever added (`chorus_certificate_checker::evidence`).

use super::judge::Certificate;
use super::picture::Picture;
use super::status::Status;
use crate::model::dns::{Dnskey, Name, Rdata, hex, host_address, plain_text};
use crate::model::history::{DataTtl, FailedSpan, Failure, Kind, Server, Span, Track, Who};
use crate::model::time::Time;
use chorus_certificate_checker::evidence as out;
use chorus_certificate_checker::{Evidence, FORMAT};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the evidence of the transition that `certificate` is of.
pub(super) fn evidence(known: &Picture, status: &Status, certificate: &Certificate) -> Evidence {
    let policy = &known.lifetimes.policy;
    // What a person was given for the registrar no resolver has seen.
    let tracks = known.history.tracks().filter(|(server, _, _)| server.is_observed());
    Evidence {
        format: FORMAT,
        transition: certificate.transition.clone(),
        zone: plain_text(&known.record.name),
        from: certificate.from.iter().cloned().collect(),
        to: certificate.to.iter().cloned().collect(),
        started_ms: certificate.started.0,
        ended_ms: certificate.ended.0,
        policy: out::Policy {
            slack_s: policy.slack_s,
            stale_s: policy.stale_s,
            resolver_min_ttl_s: policy.resolver_min_ttl_s,
            resolver_max_ttl_s: policy.resolver_max_ttl_s,
            parent_pipeline_s: policy.parent_pipeline_s,
            gap_max_s: policy.gap_max_s,
        },
        data_ttls: data_ttls(known),
        hosts: known.hosts.iter().map(|(host, operator)| (plain_text(host), operator.clone())).collect(),
        tracks: tracks.map(|(server, kind, track)| exported(server, kind, track)).collect(),
        longest_gap: status
            .longest_gap
            .as_ref()
            .map(|longest| out::Gap { from_ms: longest.gap.from.0, until_ms: longest.gap.until.0 }),
        addresses_left_out: known
            .places
            .left_out
            .iter()
            .map(|(host, ip)| format!("{} ({ip})", plain_text(host)))
            .collect(),
    }
}

/// Of the members, and of operators that were observed and are no members any more.
fn data_ttls(known: &Picture) -> BTreeMap<String, out::DataTtl> {
    let observed = known.history.tracks().filter_map(|(server, _, _)| match &server.who {
        Who::Operator(name) => Some(name),
        Who::Parent | Who::Public | Who::Registrar => None,
    });
    let operators: BTreeSet<&String> = known.members.keys().chain(observed).collect();
    let ttl = |operator: &String| {
        let ttl = known.lifetimes.data_ttl(operator);
        let source = match ttl {
            DataTtl::Said(_) => out::DataTtlSource::Policy,
            DataTtl::Seen(_) => out::DataTtlSource::Listing,
            DataTtl::Assumed(_) => out::DataTtlSource::Assumed,
        };
        out::DataTtl { ttl_s: ttl.seconds(), source }
    };
    operators.into_iter().map(|operator| (operator.clone(), ttl(operator))).collect()
}

fn exported(server: &Server, kind: Kind, track: &Track) -> out::Track {
    let sent = track.coming.iter().map(|coming| span(kind, &coming.span, out::Basis::Sent));
    let supposed = track.unseen.iter().map(|unseen| span(kind, unseen, out::Basis::Supposed));
    out::Track {
        address: server.address,
        host: plain_text(&server.host),
        whose: match &server.who {
            Who::Parent => out::Whose::Parent,
            Who::Operator(name) => out::Whose::Operator(name.clone()),
            Who::Public | Who::Registrar => out::Whose::PublicDns,
        },
        kind: kind_of(kind),
        spans: track.spans.iter().map(|seen| span(kind, seen, out::Basis::Seen)).chain(sent).chain(supposed).collect(),
        failed: track.failed.iter().map(failed_span).collect(),
    }
}

fn kind_of(kind: Kind) -> out::Kind {
    match kind {
        Kind::Ds => out::Kind::Ds,
        Kind::Delegation => out::Kind::Delegation,
        Kind::Dnskey => out::Kind::Dnskey,
        Kind::Cds => out::Kind::Cds,
        Kind::Cdnskey => out::Kind::Cdnskey,
        Kind::Csync => out::Kind::Csync,
        Kind::Ns => out::Kind::Ns,
        Kind::Data => out::Kind::Data,
        Kind::Glue => out::Kind::Glue,
        Kind::Addresses => out::Kind::Addresses,
    }
}

fn span(kind: Kind, span: &Span, basis: out::Basis) -> out::Span {
    let is_of_addresses = matches!(kind, Kind::Glue | Kind::Addresses);
    let records = || span.served.records.iter();
    let hex_of = |record: &Rdata| hex(record.as_wire());
    let address = |(host, address): (Name, _)| out::HostAddress { host: plain_text(&host), address };
    out::Span {
        records: if is_of_addresses { Vec::new() } else { records().map(hex_of).collect() },
        addresses: if is_of_addresses { records().filter_map(host_address).map(address).collect() } else { Vec::new() },
        ttl_s: span.served.ttl_s,
        signers: span.served.signers.iter().filter_map(signer).collect(),
        signatures_end_ms: span.served.expires.map(|at| at.0),
        // What was supposed of the time before all records is not known.
        since_ms: span.since.filter(|since| *since > Time::MIN).map(|at| at.0),
        first_seen_ms: span.first_seen.0,
        last_seen_ms: span.last_seen.0,
        until_ms: span.until.filter(|until| *until < Time::MAX).map(|at| at.0),
        basis,
    }
}

fn signer(key: &Rdata) -> Option<out::Signer> {
    Dnskey::read(key).map(|read| out::Signer { key_tag: read.key_tag(), algorithm: read.algorithm })
}

fn failed_span(failed: &FailedSpan) -> out::FailedSpan {
    out::FailedSpan {
        since_ms: failed.since.map(|at| at.0),
        first_seen_ms: failed.first_seen.0,
        until_ms: failed.until.map(|at| at.0),
        failure: out::Failure { code: failure_code(&failed.failure).to_owned(), text: failed.failure.to_string() },
    }
}

/// Stable: certificate files carry it.
fn failure_code(failure: &Failure) -> &'static str {
    match failure {
        Failure::Silent => "silent",
        Failure::SilentOverUdp => "silent_over_udp",
        Failure::NoRoute => "no_route",
        Failure::Refused => "refused",
        Failure::ServFail => "serv_fail",
        Failure::NxDomain => "nx_domain",
        Failure::NotAuthoritative => "not_authoritative",
        Failure::Rcode(_) => "rcode",
        Failure::Malformed(_) => "malformed",
        Failure::Unverifiable(_) => "unverifiable",
        Failure::Unsupported(_) => "unsupported",
        Failure::ServesChild => "serves_child",
        Failure::NotTransferred(_) => "not_transferred",
        Failure::Alias { .. } => "alias",
        Failure::NotLookedUp(_) => "not_looked_up",
    }
}
