//! A few answers of one address, verified: what is looked at beside the apex while a zone is at rest.
//!
//! Invariant: nothing here enters the history. One call costs a bounded number of queries, and names follow each other along
//! the NSEC chain, so that in time every name is looked at.

use crate::model::dns::proof::Flaw;
use crate::model::dns::{Name, RecordType};
use crate::model::history::{Failure, Server};
use crate::observe::ask::{Asker, Question};
use crate::observe::inspect::{USUAL, is_of_signing, missing_name, nsec_at};
use crate::observe::transport::Protocol;
use crate::observe::validity::{still_flawed, verified};
use futures::future::join_all;
use hickory_proto::rr::Name as HickoryName;

/// Types that are asked for at one name.
const TYPES_MAX: usize = 4;

/// Which answers are looked at next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// How often this zone was sampled.
    pub count: u64,
    /// The name that is next in the chain of this address; `None` at its beginning.
    pub at: Option<Name>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    pub verified: usize,
    pub flaws: Vec<Flaw>,
    /// The name after this one; `None` at the end of the chain, and where there is none.
    pub next: Option<Name>,
}

/// Samples one name with its types, a type that it does not have, and a name that does not exist.
/// `None`: the address does not answer.
pub async fn sample(asker: Asker<'_>, zone: &Name, server: &Server, cursor: &Cursor) -> Option<Sampled> {
    let mut zone = zone.to_lowercase();
    zone.set_fqdn(true);
    let protocol = protocol(asker, &zone, server).await?;
    let ask = |name: &HickoryName, rtype: RecordType| {
        let question = Question::new(name, rtype);
        async move { asker.ask_for_any(server.address, protocol, &question).await }
    };
    let at = cursor.at.as_ref().filter(|name| zone.zone_of(name)).unwrap_or(&zone).clone();
    let chain = ask(&at, RecordType::NSEC).await.ok()?;
    let found = nsec_at(&at, &chain);
    let mut questions = match &found {
        Some((types, _)) => of_name(asker, &zone, &at, types, cursor.count),
        None => Vec::new(),
    };
    if found.is_none() {
        let usual = USUAL.get(usize::try_from(cursor.count).unwrap_or_default() % USUAL.len());
        questions.extend(usual.and_then(|(label, rtype)| match *label {
            "" => Some((zone.clone(), *rtype)),
            label => Some((zone.prepend_label(label).ok()?, *rtype)),
        }));
    }
    questions.push((missing_name(asker, &zone), RecordType::A));
    questions.push((zone.clone(), RecordType::DNSKEY));
    let soa = ask(&zone, RecordType::SOA).await.ok()?;
    let asked = questions.iter().map(|(name, rtype)| async move { (name, *rtype, ask(name, *rtype).await) });
    let asked = join_all(asked).await;
    let validity = verified(asker, &zone, server, protocol, &soa, &asked).await;
    let next = found.map(|(_, next)| next).filter(|next| *next > at && zone.zone_of(next));
    Some(Sampled { verified: validity.verified, flaws: validity.flaws, next })
}

/// The questions for a name with these types.
fn of_name(asker: Asker<'_>, zone: &Name, name: &Name, types: &[RecordType], count: u64) -> Vec<(Name, RecordType)> {
    if name != zone && types.contains(&RecordType::NS) {
        return vec![(name.clone(), RecordType::DS)];
    }
    let types: Vec<RecordType> = types.iter().copied().filter(|rtype| !is_of_signing(*rtype)).collect();
    let start = usize::try_from(count).unwrap_or_default() % types.len().max(1);
    let some = types.iter().cycle().skip(start).take(types.len().min(TYPES_MAX));
    let mut questions: Vec<(Name, RecordType)> = some.map(|rtype| (name.clone(), *rtype)).collect();
    let missing = [RecordType::TXT, RecordType::MX, RecordType::SRV, RecordType::AAAA];
    let missing = missing.into_iter().find(|rtype| !types.contains(rtype));
    questions.extend(missing.map(|rtype| (name.clone(), rtype)));
    if name.is_wildcard() {
        let label = missing_name(asker, zone);
        let below = label.iter().next().and_then(|label| name.base_name().prepend_label(label).ok());
        questions.extend(below.into_iter().flat_map(|below| {
            let asked: Vec<RecordType> = types.first().copied().into_iter().chain(missing).collect();
            asked.into_iter().map(move |rtype| (below.clone(), rtype))
        }));
    }
    questions
}

/// Whether an answer that did not validate does now. `None`: the address does not answer.
pub async fn sample_again(
    asker: Asker<'_>,
    zone: &Name,
    server: &Server,
    name: &Name,
    rtype: RecordType,
) -> Option<Result<(), Flaw>> {
    let mut zone = zone.to_lowercase();
    zone.set_fqdn(true);
    let protocol = protocol(asker, &zone, server).await?;
    Some(match still_flawed(asker, &zone, server, protocol, name, rtype).await.ok()? {
        Some(flaw) => Err(flaw),
        None => Ok(()),
    })
}

/// UDP, as resolvers ask; TCP where UDP is not answered, which a round of observation reports. `None`: neither is.
async fn protocol(asker: Asker<'_>, zone: &Name, server: &Server) -> Option<Protocol> {
    let question = Question::new(zone, RecordType::SOA);
    match asker.ask(server.address, Protocol::Udp, &question).await {
        Ok(_) => Some(Protocol::Udp),
        Err(Failure::Silent) => asker.ask(server.address, Protocol::Tcp, &question).await.ok().map(|_| Protocol::Tcp),
        Err(_) => None,
    }
}
