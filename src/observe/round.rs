//! One round of questions to the servers of an operator or of the parent, as samples for the history.
//!
//! Invariant: every server and kind that is asked for yields one sample (a second one adds what else is wrong), and an RRset in it is either verified
//! with the DNSKEY set that the same address served in the same round, or from a zone without any DNSKEY. Whether
//! servers agree, or what follows from it, is not said here.

use crate::model::dns::proof::Flaw;
use crate::model::dns::{
    Name, RecordSet, RecordType, SignedSet, address_in, address_rdata, key_label, ns_name, verify,
};
use crate::model::history::{Failure, Kind, Outcome, Sample, Served, Server, Who};
use crate::model::preflight::{Contents, Inspection};
use crate::model::resolution::{Resolution, resolution_of};
use crate::model::time::Time;
use crate::observe::ask::{Answer, Asker, Question, answer, rrset};
use crate::observe::fresh::Start;
use crate::observe::sampling::{Cursor, Sampled};
use crate::observe::transfer::delegation_by_transfer;
use crate::observe::transport::Protocol;
use async_trait::async_trait;
use futures::future::{join, join_all};
use hickory_proto::op::Message;
use hickory_proto::rr::RData;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Addresses of name servers that a referral brought along: (host, address), hosts in lower case.
pub type Glue = BTreeSet<(Name, IpAddr)>;

/// What one server of the parent showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentView {
    /// One each for [`Kind::PARENT`] and [`Kind::Glue`]; from a server that serves the child as well, one each for
    /// [`Kind::COPY`], too.
    pub samples: Vec<Sample>,
    /// Of hosts in the delegation's NS set only.
    pub glue: Glue,
}

/// What all servers showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// In the order of the servers that were asked.
    pub samples: Vec<Sample>,
    /// Per server of the parent that showed a delegation.
    pub glue: BTreeMap<Server, Glue>,
}

/// A round over the servers of operators and of the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When the first question was asked.
    pub began: Time,
    pub samples: Vec<Sample>,
}

/// How the servers of a zone are observed: one sample per server and kind, those of the parent taken after the others.
#[async_trait]
pub trait Observe: Send + Sync {
    async fn observe(
        &self,
        zone: &Name,
        parent_zone: &Name,
        operators: &[Server],
        parent: &[Server],
        protocol: Protocol,
    ) -> Observation;

    /// Resolves the zone from the parent's servers down, as a resolver without a cache does.
    async fn resolve(&self, start: Start<'_>) -> Resolution {
        let Observation { began, samples } =
            self.observe(start.zone, start.parent_zone, start.configured, start.parent, Protocol::Tcp).await;
        resolution_of(start.zone, began, &samples)
    }

    /// Verifies a few answers of one address of an operator. `None`: it gave none.
    async fn sample(&self, _: &Name, _: &Server, _: &Cursor) -> Option<Sampled> {
        None
    }

    /// Whether what did not validate still does not; `None`: the address does not answer.
    async fn sample_again(&self, _: &Name, _: &Server, _: &Name, _: RecordType) -> Option<Result<(), Flaw>> {
        None
    }

    /// A closer look at the operators' servers, before a transition. `listings`: the zones that an interface has listed.
    async fn inspect(&self, _: &Name, _: &[Server], listings: BTreeMap<String, Contents>) -> Inspection {
        Inspection { listings, ..Inspection::default() }
    }

    /// The addresses of these hosts inside the zone, as each of the operators' servers has them: one sample for each server.
    async fn addresses(
        &self,
        _zone: &Name,
        _hosts: &BTreeSet<Name>,
        _operators: &[Server],
        _protocol: Protocol,
    ) -> Vec<Sample> {
        Vec::new()
    }
}

/// Asks every server, all at once, for what its side has to show: [`Kind::PARENT`] or [`Kind::OPERATOR`].
pub async fn observe_all(
    asker: Asker<'_>,
    zone: &Name,
    parent_zone: &Name,
    servers: &[Server],
    protocol: Protocol,
) -> Round {
    let views = servers.iter().map(|server| async move {
        match server.who {
            Who::Parent => observe_parent_server(asker, zone, parent_zone, server, protocol).await,
            Who::Operator(_) | Who::Public | Who::Registrar => {
                ParentView { samples: observe_operator_server(asker, zone, server, protocol).await, glue: Glue::new() }
            }
        }
    });
    let mut round = Round::default();
    for (server, view) in servers.iter().zip(join_all(views).await) {
        round.samples.extend(view.samples);
        if !view.glue.is_empty() {
            round.glue.insert(server.clone(), view.glue);
        }
    }
    round
}

/// Asks one address of an operator for every [`Kind::OPERATOR`], all at once, and verifies what comes.
pub async fn observe_operator_server(
    asker: Asker<'_>,
    zone: &Name,
    server: &Server,
    protocol: Protocol,
) -> Vec<Sample> {
    let zone = absolute(zone);
    let answers = join_all(Kind::OPERATOR.map(|kind| ask_apex(asker, &zone, server, protocol, kind))).await;
    let keys = answers.iter().find(|answered| answered.kind == Kind::Dnskey).map_or(Err(Failure::Silent), |dnskey| {
        let (answer, ttl_s) = dnskey.seen.as_ref().map_err(Failure::clone)?;
        // A set of keys that none of them signs proves nothing about the other sets.
        served(Kind::Dnskey, &zone, answer, *ttl_s, Ok(&answer.records), dnskey.at).map(|_| &answer.records)
    });
    let samples = answers.iter().map(|Answered { kind, at, seen }| {
        let seen = seen.as_ref().map_err(Failure::clone);
        let outcome = seen.and_then(|(answer, ttl_s)| served(*kind, &zone, answer, *ttl_s, keys.clone(), *at));
        sample(*at, server, *kind, outcome)
    });
    samples.collect()
}

/// What one question about the zone's own name brought: the RRset, and the TTL that counts for this kind.
struct Answered {
    kind: Kind,
    at: Time,
    seen: Result<(Answer, u32), Failure>,
}

async fn ask_apex(asker: Asker<'_>, zone: &Name, server: &Server, protocol: Protocol, kind: Kind) -> Answered {
    let question = Question::new(zone, kind.record_type());
    let message = asker.ask(server.address, protocol, &question).await;
    let at = (asker.clock)();
    let seen = message.and_then(|message| {
        let answer = answer(&message, &question, zone)?;
        let ttl_s = if kind == Kind::Data { data_ttl_s(&message, &answer)? } else { answer.ttl_s };
        Ok((answer, ttl_s))
    });
    Answered { kind, at, seen }
}

/// The SOA record shows two TTLs of the zone's data: its own, and the one of "there is none". The larger one counts.
fn data_ttl_s(message: &Message, answer: &Answer) -> Result<u32, Failure> {
    let minimum = message.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.minimum),
        _ => None,
    });
    let minimum = minimum.ok_or_else(|| Failure::Malformed("the zone has no SOA record".into()))?;
    Ok(answer.ttl_s.max(minimum))
}

/// Verifies `answer` with `keys`. An empty set needs none, and in a zone without keys nothing is signed.
fn served(
    kind: Kind,
    zone: &Name,
    answer: &Answer,
    ttl_s: u32,
    keys: Result<&RecordSet, Failure>,
    now: Time,
) -> Result<Served, Failure> {
    let mut served = Served { records: RecordSet::new(), ttl_s, signers: BTreeSet::new(), expires: None };
    if answer.records.is_empty() {
        return Ok(served);
    }
    let keys = keys?;
    if !keys.is_empty() {
        let rtype = kind.record_type();
        let set = SignedSet { owner: zone, rtype, records: &answer.records, signatures: &answer.signatures };
        let verification = verify(set, zone, keys, now);
        if !verification.is_verified() {
            let known: Vec<_> = keys.iter().map(key_label).collect();
            let reasons = verification.reasons();
            let what = format!("{kind} set: {reasons}; served keys: {}", known.join(", "));
            let beyond_us = verification.is_beyond_us();
            return Err(if beyond_us { Failure::Unsupported(what) } else { Failure::Unverifiable(what) });
        }
        (served.signers, served.expires) = (verification.signers, verification.expires);
    }
    if kind != Kind::Data {
        served.records = answer.records.clone();
    }
    Ok(served)
}

/// Asks one address of the parent for the DS set and the delegation. DS is believed with authority; its signatures are
/// the parent's, and are not verified here.
pub async fn observe_parent_server(
    asker: Asker<'_>,
    zone: &Name,
    parent_zone: &Name,
    server: &Server,
    protocol: Protocol,
) -> ParentView {
    let (zone, parent_zone) = (absolute(zone), absolute(parent_zone));
    let (ds, ns) = (Question::new(&zone, RecordType::DS), Question::new(&zone, RecordType::NS));
    let asked = |question: &Question| {
        let question = question.clone();
        async move {
            let message = asker.ask(server.address, protocol, &question).await;
            (message, (asker.clock)())
        }
    };
    let ((ds_message, ds_at), (ns_message, ns_at)) = join(asked(&ds), asked(&ns)).await;
    let ds_served = ds_message.and_then(|message| answer(&message, &ds, &parent_zone)).map(unsigned);
    let delegation = ns_message.and_then(|message| delegation(&message, &ns, &parent_zone));
    let serves_child = matches!(delegation, Err(Failure::ServesChild));
    let (ns_served, glue_served, glue) = match delegation {
        Ok(Delegation { ns, glue, glue_ttl_s }) => {
            let records = glue.iter().map(|(host, address)| address_rdata(host, *address)).collect();
            let of_hosts = Served { records, ttl_s: glue_ttl_s, signers: BTreeSet::new(), expires: None };
            (Ok(unsigned(ns)), Ok(of_hosts), glue)
        }
        Err(failure) => (Err(failure.clone()), Err(failure), Glue::new()),
    };
    let mut samples = vec![
        sample(ds_at, server, Kind::Ds, ds_served),
        sample(ns_at, server, Kind::Delegation, ns_served),
        sample(ns_at, server, Kind::Glue, glue_served),
    ];
    if serves_child {
        // Resolvers that ask the parent here get the child's data at once, so that this counts as one of the child's servers.
        let copy = observe_operator_server(asker, &zone, server, protocol).await;
        samples.extend(copy.into_iter().filter(|sample| Kind::COPY.contains(&sample.kind)));
        // What the parent zone holds beside the copy; it may be served at any moment, once the copy is gone.
        match delegation_by_transfer(asker, &zone, &parent_zone, server).await {
            Ok(held) => {
                samples.retain(|sample| !held.iter().any(|other| other.kind == sample.kind));
                samples.extend(held);
            }
            // Beside the failure that says why there is no referral: what was known before stays known.
            Err(why) => samples.push(sample(ns_at, server, Kind::Glue, Err(Failure::NotTransferred(why)))),
        }
    }
    ParentView { samples, glue }
}

/// A referral, or the parent's word that there is no delegation.
struct Delegation {
    ns: Answer,
    glue: Glue,
    /// The largest among them.
    glue_ttl_s: u32,
}

/// The NS set out of a referral with its glue.
fn delegation(message: &Message, question: &Question, parent_zone: &Name) -> Result<Delegation, Failure> {
    let ns = if message.metadata.authoritative {
        // Authority over the NS set is the child's: the server has the child zone, and answers from it (RFC 1034 §4.3.2).
        if !message.answers.is_empty() {
            return Err(Failure::ServesChild);
        }
        answer(message, question, parent_zone)?
    } else {
        // A referral has no answer, and its NS set is that of this very zone. One that points elsewhere, upwards above
        // all, comes from a server that does not have the parent; one with an answer comes out of a cache.
        let ours = |rtype| move |record: &&_| is_of(record, &question.name, rtype);
        let referral: Vec<_> = message.authorities.iter().filter(ours(RecordType::NS)).cloned().collect();
        if !message.answers.is_empty() || referral.is_empty() {
            return Err(Failure::NotAuthoritative);
        }
        rrset(&referral, question)?
    };
    let hosts: BTreeSet<Name> = ns.records.iter().filter_map(|ns| ns_name(ns).ok()).collect();
    let (mut glue, mut glue_ttl_s) = (Glue::new(), 0);
    for record in &message.additionals {
        let host = record.name.to_lowercase();
        let Some(address) = address_in(&record.data).filter(|_| hosts.contains(&host)) else { continue };
        glue.insert((host, address));
        glue_ttl_s = glue_ttl_s.max(record.ttl);
    }
    Ok(Delegation { ns, glue, glue_ttl_s })
}

fn is_of(record: &hickory_proto::rr::Record, name: &Name, rtype: RecordType) -> bool {
    record.name == *name && record.record_type() == rtype
}

fn unsigned(answer: Answer) -> Served {
    Served { records: answer.records, ttl_s: answer.ttl_s, signers: BTreeSet::new(), expires: None }
}

fn sample(at: Time, server: &Server, kind: Kind, outcome: Result<Served, Failure>) -> Sample {
    let outcome = outcome.map_or_else(Outcome::Failed, Outcome::Served);
    Sample { at, server: server.clone(), kind, outcome }
}

/// With its final dot: names read from messages have it, and would differ from one that was typed without.
fn absolute(name: &Name) -> Name {
    let mut name = name.to_lowercase();
    name.set_fqdn(true);
    name
}
