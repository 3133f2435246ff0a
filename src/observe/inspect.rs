//! A closer look at the operators' servers than a round takes, before a transition: both protocols, the SOA record, how a
//! missing name is denied, signatures, and the same sample of questions at every address.
//!
//! Invariant: nothing that is found here enters the history or opens a guard. What an address did not answer is left out, and
//! its two protocols say why. Every answer is verified with the DNSKEY RRset of the same address. Findings are the model's.

use crate::model::dns::{Name, Rdata, RecordType, Rrsig};
use crate::model::history::{Failure, Server};
use crate::model::preflight::{Answered, Contents, Denial, Inspected, Inspection, Signature, Soa, Validity};
use crate::model::time::Time;
use crate::observe::ask::{Asker, Question};
use crate::observe::transport::Protocol;
use crate::observe::validity;
use futures::future::{join, join_all};
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record};
use std::collections::{BTreeMap, BTreeSet};

/// Names that are followed from the apex along a server's NSEC records. Each costs one question after the other.
const NAMES_WALKED_MAX: usize = 12;
/// Questions in the sample, those below wildcards not counted. Asked at every address; how many at once is the network's
/// matter.
const QUESTIONS_MAX: usize = 64;
/// Questions for types that names do not have.
const MISSING_TYPES_MAX: usize = 12;
/// What most zones have, for servers that cannot be walked.
pub(super) const USUAL: [(&str, RecordType); 8] = [
    ("", RecordType::A),
    ("", RecordType::AAAA),
    ("", RecordType::MX),
    ("", RecordType::TXT),
    ("", RecordType::CAA),
    ("www", RecordType::A),
    ("www", RecordType::AAAA),
    ("_dmarc", RecordType::TXT),
];

/// Inspects every server. `listings` are the zones that an interface has listed; their names are asked for as well.
pub async fn inspect(
    asker: Asker<'_>,
    zone: &Name,
    servers: &[Server],
    listings: BTreeMap<String, Contents>,
) -> Inspection {
    let mut zone = zone.to_lowercase();
    zone.set_fqdn(true);
    let zone = &zone;
    // The first address of each operator leads the way through its zone.
    let mut led = BTreeSet::new();
    let leaders = servers.iter().filter(|server| led.insert(&server.who));
    let walks = join_all(leaders.map(|server| walk(asker, zone, server))).await;
    let absent = missing_name(asker, zone);
    let questions = sample(zone, &absent, walks.into_iter().flatten(), &listings);
    let inspected = servers.iter().map(|server| look(asker, zone, server, &absent, &questions));
    Inspection { servers: join_all(inspected).await, listings, ..Inspection::default() }
}

/// What the first label of a name begins with that is made up for one question.
const MADE_UP: &str = "chorus-";

/// Whether a name is one of [`missing_name`], or stands in its place below a wildcard.
pub fn is_made_up(name: &Name) -> bool {
    let label = name.iter().next().and_then(|label| label.strip_prefix(MADE_UP.as_bytes()));
    label.is_some_and(|random| random.len() == 8 && random.iter().all(u8::is_ascii_hexdigit))
}

/// A name that nobody has made: nobody can guess it, so nobody has an answer ready for it.
pub(super) fn missing_name(asker: Asker<'_>, zone: &Name) -> Name {
    let label = format!("{MADE_UP}{:04x}{:04x}", asker.ids.next(), asker.ids.next());
    // Too long a zone for another label has no such name.
    zone.prepend_label(label).unwrap_or_else(|_| zone.clone())
}

/// The names and types that the server's NSEC records show one after the other, from the apex on.
async fn walk(asker: Asker<'_>, zone: &Name, server: &Server) -> Vec<(Name, RecordType)> {
    let mut found = Vec::new();
    let mut at = zone.clone();
    for _ in 0..NAMES_WALKED_MAX {
        let question = Question::new(&at, RecordType::NSEC);
        let Ok(message) = asker.ask(server.address, Protocol::Tcp, &question).await else { break };
        let Some((types, next)) = nsec_at(&at, &message) else { break };
        found.extend(types.into_iter().map(|rtype| (at.clone(), rtype)));
        // The end of the chain, or a server that makes every name its own successor.
        if next == *zone || next <= at || !zone.zone_of(&next) || next.iter().next().is_some_and(|l| l.contains(&0)) {
            break;
        }
        at = next;
    }
    found
}

/// The types at a name and the name after it, as its NSEC record has them.
pub(super) fn nsec_at(name: &Name, message: &Message) -> Option<(Vec<RecordType>, Name)> {
    message.answers.iter().find_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) if record.name == *name => {
            Some((nsec.type_bit_maps().collect(), nsec.next_domain_name().to_lowercase()))
        }
        _ => None,
    })
}

/// The questions for every address, the same for all.
fn sample(
    zone: &Name,
    absent: &Name,
    walked: impl Iterator<Item = (Name, RecordType)>,
    listings: &BTreeMap<String, Contents>,
) -> BTreeSet<(Name, RecordType)> {
    let usual = USUAL.into_iter().filter_map(|(label, rtype)| match label {
        "" => Some((zone.clone(), rtype)),
        label => zone.prepend_label(label).ok().map(|name| (name, rtype)),
    });
    let mut questions: BTreeSet<_> = usual.collect();
    let known = walked.chain(listings.values().flat_map(BTreeMap::keys).cloned()).filter(|(_, r)| !is_of_signing(*r));
    let known = within(zone, known.collect());
    // Evenly spread, so that no corner of the zone is left out.
    let stride = known.len().div_ceil(QUESTIONS_MAX - USUAL.len()).max(1);
    questions.extend(known.into_iter().step_by(stride));
    // What a wildcard stands for is asked for by a name that it has to answer.
    let below: Vec<_> = questions
        .iter()
        .filter(|(name, _)| name.is_wildcard())
        .filter_map(|(name, rtype)| {
            let label = absent.iter().next()?;
            Some((name.base_name().prepend_label(label).ok()?, *rtype))
        })
        .collect();
    questions.extend(below);
    questions.extend(missing_types(&questions));
    questions.insert((absent.clone(), RecordType::A));
    questions
}

/// Without what the zone delegates: of a zone cut the parent side is asked for its DS only.
fn within(zone: &Name, known: BTreeSet<(Name, RecordType)>) -> BTreeSet<(Name, RecordType)> {
    let is_cut = |(name, rtype): &&(Name, RecordType)| *rtype == RecordType::NS && name != zone;
    let cuts: BTreeSet<Name> = known.iter().filter(is_cut).map(|(name, _)| name.clone()).collect();
    let is_delegated = |name: &Name| {
        let above = (0..=name.iter().count()).map(|labels| name.trim_to(labels));
        above.filter(|name| name != zone).any(|name| cuts.contains(&name))
    };
    let ours = known.into_iter().filter(|(name, _)| !is_delegated(name)).collect::<BTreeSet<_>>();
    ours.into_iter().chain(cuts.iter().map(|cut| (cut.clone(), RecordType::DS))).collect()
}

/// For some of the names a type that they probably do not have: the proof of that is another one than that of a missing name.
fn missing_types(questions: &BTreeSet<(Name, RecordType)>) -> Vec<(Name, RecordType)> {
    let candidates = [RecordType::TXT, RecordType::MX, RecordType::SRV, RecordType::AAAA];
    let mut names: Vec<&Name> =
        questions.iter().filter(|(_, rtype)| *rtype != RecordType::DS).map(|(name, _)| name).collect();
    names.dedup();
    let stride = names.len().div_ceil(MISSING_TYPES_MAX).max(1);
    let of = |name: &Name| candidates.into_iter().find(|rtype| !questions.contains(&(name.clone(), *rtype)));
    names.into_iter().step_by(stride).filter_map(|name| Some((name.clone(), of(name)?))).collect()
}

/// Types that every operator has for itself.
pub(super) fn is_of_signing(rtype: RecordType) -> bool {
    use RecordType::{CDNSKEY, CDS, CSYNC, DNSKEY, NSEC, NSEC3, NSEC3PARAM, RRSIG};
    matches!(rtype, RRSIG | NSEC | NSEC3 | NSEC3PARAM | DNSKEY | CDS | CDNSKEY | CSYNC | RecordType::Unknown(_))
}

async fn look(
    asker: Asker<'_>,
    zone: &Name,
    server: &Server,
    absent: &Name,
    questions: &BTreeSet<(Name, RecordType)>,
) -> Inspected {
    let soa = Question::new(zone, RecordType::SOA);
    let (udp, tcp) =
        join(asker.ask(server.address, Protocol::Udp, &soa), asker.ask(server.address, Protocol::Tcp, &soa)).await;
    let mut inspected = Inspected {
        server: server.clone(),
        udp: reached(&udp),
        tcp: reached(&tcp),
        soa: None,
        denial: None,
        signatures: Vec::new(),
        answers: Contents::new(),
        validity: Validity::default(),
    };
    // By whichever protocol answers; the other one is told as it is.
    let (protocol, message) = match (&tcp, &udp) {
        (Ok(message), _) => (Protocol::Tcp, message),
        (_, Ok(message)) => (Protocol::Udp, message),
        _ => return inspected,
    };
    inspected.soa = soa_of(zone, message);
    let now = (asker.clock)();
    let mut signatures = signatures(zone, RecordType::SOA, message, now);
    let apex = [RecordType::DNSKEY, RecordType::NS].map(|rtype| (zone.clone(), rtype));
    let asked = apex.iter().chain(questions).map(|(name, rtype)| async move {
        (name, *rtype, asker.ask_for_any(server.address, protocol, &Question::new(name, *rtype)).await)
    });
    let mut asked = join_all(asked).await;
    ask_again(asker, server, protocol, &mut asked).await;
    inspected.validity = validity::verified(asker, zone, server, protocol, message, &asked).await;
    for (name, rtype, message) in asked {
        let Ok(message) = message else { continue };
        signatures.extend(self::signatures(name, rtype, &message, now));
        if name == absent {
            inspected.denial = denial(&message);
        }
        if let Some(answered) = answered(name, rtype, &message) {
            inspected.answers.insert((name.clone(), rtype), answered);
        }
    }
    inspected.signatures = signatures;
    inspected
}

/// Questions that are asked again when they got no answer: one lost answer is no fact about a server.
const ASKED_AGAIN_MAX: usize = 12;

async fn ask_again(asker: Asker<'_>, server: &Server, protocol: Protocol, asked: &mut [validity::Asked<'_>]) {
    let failed = asked.iter_mut().filter(|(_, _, message)| message.is_err()).take(ASKED_AGAIN_MAX);
    let again = failed.map(|(name, rtype, message)| async move {
        *message = asker.ask_for_any(server.address, protocol, &Question::new(name, *rtype)).await;
    });
    join_all(again).await;
}

fn reached(message: &Result<Message, Failure>) -> Result<(), Failure> {
    message.as_ref().map(|_| ()).map_err(Failure::clone)
}

fn soa_of(zone: &Name, message: &Message) -> Option<Soa> {
    message.answers.iter().filter(|record| record.name == *zone).find_map(|record| match &record.data {
        RData::SOA(soa) => Some(Soa {
            serial: soa.serial,
            ttl_s: record.ttl,
            contact: soa.rname.to_lowercase(),
            // Signed in the type and never negative (RFC 1035 §3.3.13).
            refresh_s: soa.refresh.unsigned_abs(),
            retry_s: soa.retry.unsigned_abs(),
            expire_s: soa.expire.unsigned_abs(),
            minimum_s: soa.minimum,
        }),
        _ => None,
    })
}

fn signatures(name: &Name, rtype: RecordType, message: &Message, now: Time) -> Vec<Signature> {
    let of_name = || message.answers.iter().filter(|record| record.name == *name);
    let ttl_s = of_name().filter(|record| record.record_type() == rtype).map(|record| record.ttl).max();
    let read = |record: &Record| {
        let rdata = Rdata::of(&record.data).ok()?;
        let rrsig = Rrsig::read(&rdata).filter(|rrsig| rrsig.type_covered == rtype)?;
        Some(Signature {
            name: name.clone(),
            covers: rtype,
            inception: rrsig.begins(now),
            expiration: rrsig.expires(now),
            ttl_s: ttl_s?,
        })
    };
    of_name().filter(|record| record.record_type() == RecordType::RRSIG).filter_map(read).collect()
}

fn denial(message: &Message) -> Option<Denial> {
    if message.metadata.response_code != ResponseCode::NXDomain {
        return None;
    }
    let found = message.authorities.iter().find_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::NSEC(_)) => Some(Denial::Nsec),
        RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) => Some(Denial::Nsec3 {
            iterations: nsec3.iterations(),
            salt: nsec3.salt().to_vec(),
            opt_out: nsec3.opt_out(),
        }),
        _ => None,
    });
    Some(found.unwrap_or(Denial::None))
}

/// `None` for what shows nothing: a referral, an error.
fn answered(name: &Name, rtype: RecordType, message: &Message) -> Option<Answered> {
    if !message.metadata.authoritative {
        return None;
    }
    match message.metadata.response_code {
        ResponseCode::NXDomain => return Some(Answered::NxDomain),
        ResponseCode::NoError => {}
        _ => return None,
    }
    // An alias stands for every type at its name.
    let of = |wanted: RecordType| {
        message.answers.iter().filter(move |record| record.name == *name && record.record_type() == wanted)
    };
    let wanted = if of(rtype).next().is_none() { RecordType::CNAME } else { rtype };
    let records = of(wanted).filter_map(|record| Rdata::of(&record.data).ok()).collect::<BTreeSet<_>>();
    match of(wanted).map(|record| record.ttl).max() {
        Some(ttl_s) => Some(Answered::Records { records, ttl_s }),
        None => Some(Answered::NoData),
    }
}
