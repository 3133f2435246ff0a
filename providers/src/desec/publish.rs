//! Makes deSEC publish a zone again whose name servers do not show what the API shows.
//!
//! Three states look alike through the API: stored and handed to no name server, rolled back in the API and kept by the
//! primary server, and only late. A write that changes nothing publishes nothing. So two writes are made: the first stores
//! what the name servers answer, the second what is wanted. deSEC hands a set to its primary server with each change of it,
//! and the zone to its name servers.
//!
//! Invariants: between the two writes nothing is stored that is neither wanted nor served already. If the second write does
//! not happen, the API no longer shows what is wanted, and [`Provider::apply`](crate::Provider::apply) makes it. Where the set
//! itself is not to be written again, what is changed for a moment is never served.

use super::api::{ADDITIVE_TTL_S, Api, Own, Stored};
use super::write::{self, TTL_MAX_S, ttl_s_of};
use super::{Apex, Desec, stuck};
use crate::error::{Doing, ProviderError};
use crate::http::RestError;
use crate::wanted::{self, types_of};
use crate::{Rdata, Rrset, Wanted};
use hickory_proto::rr::RecordType;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Two writes, each as the entries of a request.
#[derive(Debug, Default, PartialEq)]
struct Again {
    there: Vec<Value>,
    back: Vec<Value>,
}

impl Again {
    fn push(&mut self, there: Value, back: Value) {
        self.there.push(there);
        self.back.push(back);
    }
}

impl Desec {
    /// `served`: the sets that a name server answers in place of the wanted ones; `None` where others answer as wanted, so
    /// that the primary server has it and only the publication is to be repeated. False: the API does not show what is wanted.
    pub(super) async fn publish_again_by(
        &self,
        api: &Api<'_>,
        wanted: &[Wanted],
        served: Option<&[Rrset]>,
    ) -> Result<bool, ProviderError> {
        let types = [types_of(wanted), SILENT.to_vec()].concat();
        // For both writes: the second is not to wait for the budget.
        api.permit(2, 2).await?;
        let domain = api.domain().await?;
        let apex = Apex::read(api, domain.own.clone(), api.apex().await?, &types)?;
        let wanted = write::with_own(wanted, &apex.own);
        if !wanted::difference(&wanted, &apex.sets(&types_of(&wanted))).is_empty() {
            return Ok(false);
        }
        let stored = &apex.stored;
        let mut again = Again::default();
        for (wanted, served) in wanted.iter().filter_map(|one| Some((one, served?))) {
            again.rewrite(wanted, stored.get(&wanted.rtype()), &apex.own, served, domain.minimum_ttl_s)?;
        }
        if again.there.is_empty() {
            let nothing =
                || stuck(api, String::from("deSEC shows no key of its own, and no set that could be written for that"));
            again.silently(stored, &apex.own, domain.minimum_ttl_s)?.ok_or_else(nothing)?;
        }
        for (nth, entries) in [again.there, again.back].iter().enumerate() {
            let reply = api.patch(write::body(entries)?).await;
            let done = reply.map_err(|failed| failed.error).and_then(|reply| api.judge(&reply, Doing::Updating));
            tracing::info!(zone = %api.zone, server = self.http.server(), nth, ok = done.is_ok(), "published again");
            match done {
                Ok(()) => {}
                Err(e @ (RestError::Failing { .. } | RestError::Timeout { .. } | RestError::Connection { .. })) => {
                    return Err(stuck(api, e.to_string()).into());
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(true)
    }
}

/// Types at the zone's name whose stored TTL is not served.
const SILENT: [RecordType; 3] = [RecordType::DNSKEY, RecordType::CDNSKEY, RecordType::CDS];

impl Again {
    /// Stores what is served of a wanted set, and then again what is stored now.
    fn rewrite(
        &mut self,
        wanted: &Wanted,
        stored: Option<&Stored>,
        own: &Own,
        served: &[Rrset],
        minimum_s: u32,
    ) -> Result<(), ProviderError> {
        let rtype = wanted.rtype();
        let (now, served) = (stored.cloned().unwrap_or_default(), served.iter().find(|set| set.rtype == rtype));
        let nothing = BTreeSet::new();
        let shown = served.map_or(&nothing, |set| &set.records);
        let foreign = |rdata: &&Rdata| !own.has(rtype, rdata) && write::may_be_stored(rtype, rdata);
        let before: BTreeSet<Rdata> = match wanted {
            Wanted::Exactly { .. } => shown.iter().filter(foreign).cloned().collect(),
            Wanted::Partly { with, without, .. } => {
                let unseen: BTreeSet<&Rdata> = with.difference(shown).collect();
                let kept = now.records.keys().filter(|rdata| !unseen.contains(rdata));
                kept.chain(without.intersection(shown)).filter(foreign).cloned().collect()
            }
        };
        let there: BTreeSet<Rdata> = now.records.keys().filter(foreign).cloned().collect();
        if before == there || (before.is_empty() && rtype == RecordType::NS) {
            return Ok(());
        }
        let ttl_s = stored.map_or(served.map_or(ADDITIVE_TTL_S, |set| set.ttl_s), |set| set.ttl_s);
        let ttl_s = ttl_s_of(rtype, ttl_s, minimum_s);
        let entry = |records: &BTreeSet<Rdata>| -> Result<Value, ProviderError> {
            let text = |rdata| now.records.get(rdata).cloned().map_or_else(|| write::text(rtype, rdata), Ok);
            let texts = records.iter().map(text).collect::<Result<Vec<String>, ProviderError>>()?;
            Ok(json!({ "subname": "", "type": rtype.to_string(), "ttl": ttl_s, "records": texts }))
        };
        let there = entry(&there)?;
        self.push(entry(&before)?, there);
        Ok(())
    }

    /// A change of something that is not served, and back. `None` where there is no such thing.
    fn silently(
        &mut self,
        stored: &BTreeMap<RecordType, Stored>,
        own: &Own,
        minimum_s: u32,
    ) -> Result<Option<()>, ProviderError> {
        let found = SILENT.iter().find_map(|rtype| Some((rtype, stored.get(rtype)?.ttl_s)));
        if let Some((rtype, ttl_s)) = found {
            let other_s = if ttl_s >= TTL_MAX_S { ttl_s.saturating_sub(1) } else { ttl_s.saturating_add(1) };
            // The records are left out, so that they stay as they are, even if somebody else writes them now.
            let entry = |ttl_s: u32| json!({ "subname": "", "type": rtype.to_string(), "ttl": ttl_s });
            self.push(entry(other_s.max(minimum_s)), entry(ttl_s));
            return Ok(Some(()));
        }
        // A key of deSEC's own is served anyway, and once only.
        let Some(key) = own.of(RecordType::DNSKEY).and_then(|keys| keys.first()) else { return Ok(None) };
        let ttl_s = ttl_s_of(RecordType::DNSKEY, ADDITIVE_TTL_S, minimum_s);
        let entry = |records: Vec<String>| json!({ "subname": "", "type": "DNSKEY", "ttl": ttl_s, "records": records });
        self.push(entry(vec![write::text(RecordType::DNSKEY, key)?]), entry(Vec::new()));
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdata;
    use RecordType::{CDS, CSYNC, DNSKEY, NS};

    fn wire(rtype: RecordType, texts: &[&str]) -> BTreeSet<Rdata> {
        texts.iter().map(|text| rdata::from_text(rtype, text).unwrap()).collect()
    }

    fn stored(rtype: RecordType, texts: &[&str]) -> Stored {
        let records = texts.iter().map(|t| (rdata::from_text(rtype, t).unwrap(), (*t).to_owned())).collect();
        Stored { ttl_s: 4000, records }
    }

    /// The contents of both writes.
    fn rewritten(wanted: &Wanted, now: &[&str], served: &[&str]) -> Option<[String; 2]> {
        let rtype = wanted.rtype();
        let (now, own) = (stored(rtype, now), Own::default());
        let served = [Rrset { rtype, ttl_s: 3600, records: wire(rtype, served) }];
        let mut again = Again::default();
        again.rewrite(wanted, Some(&now).filter(|now| !now.records.is_empty()), &own, &served, 900).unwrap();
        let line = |entry: &Value| {
            let records: Vec<_> = entry["records"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
            format!("{} {} {}", entry["type"].as_str().unwrap(), entry["ttl"], records.join(", "))
        };
        Some([line(again.there.first()?), line(again.back.first()?)])
    }

    #[test]
    fn what_is_served_is_stored_for_a_moment_and_then_what_is_wanted() {
        let exactly = |rtype, texts: &[&str]| Wanted::Exactly { rtype, ttl_s: 5, records: wire(rtype, texts) };
        // A deletion that reached no name server, and an addition that did not.
        let csync = "0 1 NS";
        let both = |a: &str, b: &str| Some([a.to_owned(), b.to_owned()]);
        assert_eq!(rewritten(&exactly(CSYNC, &[]), &[], &[csync]), both("CSYNC 3600 0 1 NS", "CSYNC 3600 "));
        assert_eq!(rewritten(&exactly(CSYNC, &[csync]), &[csync], &[]), both("CSYNC 4000 ", "CSYNC 4000 0 1 NS"));
        let ns = exactly(NS, &["a.test."]);
        let again = both("NS 4000 a.test., b.test.", "NS 4000 a.test.");
        assert_eq!(rewritten(&ns, &["a.test."], &["a.test.", "b.test."]), again);
        assert_eq!(rewritten(&ns, &["a.test."], &[]), None, "a zone is never without NS");
        assert_eq!(rewritten(&exactly(CDS, &[]), &[], &["0 0 0 00"]), None, "nor asks for no DS");
        let (ours, theirs) = ("256 3 13 AQ==", "256 3 13 Ag==");
        let with = wire(DNSKEY, &[ours]);
        let partly = Wanted::Partly { rtype: DNSKEY, ttl_s: 5, with, without: BTreeSet::new() };
        let again = both(&format!("DNSKEY 3600 {theirs}"), &format!("DNSKEY 3600 {ours}, {theirs}"));
        assert_eq!(rewritten(&partly, &[ours, theirs], &[]), again, "what others stored stays");
    }

    #[test]
    fn where_the_set_is_served_somewhere_only_what_is_not_served_is_changed_and_changed_back() {
        let mut again = Again::default();
        let sets = BTreeMap::from([(NS, stored(NS, &["a.test."])), (CDS, stored(CDS, &["7 13 1 ab"]))]);
        again.silently(&sets, &Own::default(), 900).unwrap().unwrap();
        let entry = |ttl_s| vec![json!({ "subname": "", "type": "CDS", "ttl": ttl_s })];
        assert_eq!(again, Again { there: entry(4001), back: entry(4000) });
        let ns = BTreeMap::from([(NS, stored(NS, &["a.test."]))]);
        assert_eq!(Again::default().silently(&ns, &Own::default(), 900).unwrap(), None, "NS is served");
    }
}
