//! The requests of the deSEC API v1 that are used, and the part of their answers that is looked at.
//!
//! Invariants: every path ends in a slash, for without it the server sends elsewhere, and a write would be lost; of a link to
//! the next page only the cursor is taken, so that no answer says where the token goes; what is sent was permitted before.
//! What is to be written is worked out in `write`.

use super::gate::Gate;
use super::reason::reason;
use super::scopes::Request;
use crate::error::Doing;
use crate::http::{Http, NoReply, Reply, RestError};
use crate::{Rdata, Rrset, rdata};
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::BinDecodable;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The sets of one name, or the keys of a zone: some kilobytes.
const ANSWER_OCTETS_MAX: usize = 4 * 1024 * 1024;

/// 500 sets.
const PAGE_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Beyond these, 20 000 sets, a zone is not listed: each page is a request of those that the account may make.
const PAGES_MAX: usize = 40;

/// What DNSKEY, CDS and CDNSKEY at the zone's name are served with, whatever is stored: the last field of deSEC's SOA.
pub(super) const ADDITIVE_TTL_S: u32 = 3600;

/// deSEC serves the union of its own records and the stored ones.
pub(super) fn is_additive(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::DNSKEY | RecordType::CDS | RecordType::CDNSKEY)
}

/// One zone, for one account, and for one thing that is done with it.
pub(super) struct Api<'a> {
    pub http: &'a Http,
    gate: &'a dyn Gate,
    /// Absolute and in lower case.
    pub zone: &'a Name,
    /// Permitted, and not sent yet.
    reads: AtomicUsize,
    writes: AtomicUsize,
}

#[derive(Deserialize)]
struct DomainText {
    minimum_ttl: u32,
    keys: Vec<KeyText>,
}

/// Whatever else it says of a key is in its DNSKEY.
#[derive(Deserialize)]
struct KeyText {
    dnskey: String,
    ds: Vec<String>,
    /// A key of deSEC's own.
    managed: bool,
}

#[derive(Deserialize)]
pub(super) struct RrsetText {
    subname: String,
    name: String,
    #[serde(rename = "type")]
    rtype: String,
    ttl: u32,
    records: Vec<String>,
}

/// What deSEC publishes by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    dnskey: BTreeSet<Rdata>,
    cds: BTreeSet<Rdata>,
    cdnskey: BTreeSet<Rdata>,
}

impl Own {
    pub fn of(&self, rtype: RecordType) -> Option<&BTreeSet<Rdata>> {
        match rtype {
            RecordType::DNSKEY => Some(&self.dnskey),
            RecordType::CDS => Some(&self.cds),
            RecordType::CDNSKEY => Some(&self.cdnskey),
            _ => None,
        }
    }

    pub fn has(&self, rtype: RecordType, rdata: &Rdata) -> bool {
        self.of(rtype).is_some_and(|own| own.contains(rdata))
    }
}

/// A zone, without its sets.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    pub own: Own,
    pub minimum_ttl_s: u32,
}

/// An RRset as it is stored: each record's wire form with the text that it is shown as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub ttl_s: u32,
    pub records: BTreeMap<Rdata, String>,
}

impl RrsetText {
    /// The sets at the zone's own name are known by their type.
    pub fn apex_type(&self) -> Option<RecordType> {
        if self.subname.is_empty() { self.rtype.parse().ok() } else { None }
    }

    /// That which it is served with.
    pub fn served_ttl_s(&self) -> u32 {
        if self.apex_type().is_some_and(is_additive) { ADDITIVE_TTL_S } else { self.ttl }
    }

    pub fn stored(&self, rtype: RecordType) -> Result<Stored, String> {
        let record = |text: &String| Ok((rdata::from_text(rtype, text)?, text.clone()));
        let records = self.records.iter().map(record).collect::<Result<_, String>>()?;
        Ok(Stored { ttl_s: self.ttl, records })
    }

    /// Owner and set; `None` where they cannot be read for certain.
    pub fn read(&self) -> Option<(Name, Rrset)> {
        let rtype: RecordType = self.rtype.parse().ok()?;
        let mut name = Name::from_bytes(&rdata::name_from_text(&self.name).ok()?).ok()?;
        name.set_fqdn(true);
        let records = self.stored(rtype).ok()?.records.into_keys().collect();
        Some((name, Rrset { rtype, ttl_s: self.served_ttl_s(), records }))
    }
}

impl<'a> Api<'a> {
    pub fn new(http: &'a Http, gate: &'a dyn Gate, zone: &'a Name) -> Api<'a> {
        Api { http, gate, zone, reads: AtomicUsize::new(0), writes: AtomicUsize::new(0) }
    }

    /// Permission for so many reads and writes at least, with what is left of earlier ones.
    pub async fn permit(&self, reads: usize, writes: usize) -> Result<(), RestError> {
        let reads = reads.saturating_sub(self.reads.load(Ordering::SeqCst));
        let writes = writes.saturating_sub(self.writes.load(Ordering::SeqCst));
        let requests = self.requests(reads, writes);
        self.gate.permit(&requests).await.map_err(|held| RestError::BudgetSpent {
            server: self.http.server().to_owned(),
            limit: held.limit,
            retry_after_s: held.retry_after_s,
        })?;
        self.reads.fetch_add(reads, Ordering::SeqCst);
        self.writes.fetch_add(writes, Ordering::SeqCst);
        Ok(())
    }

    /// At the end, however it ended: what was not sent is given back. A server that fails for hours must not use up the
    /// zone's writes by none.
    pub async fn settle(self) {
        let left = self.requests(self.reads.load(Ordering::SeqCst), self.writes.load(Ordering::SeqCst));
        if !left.is_empty() {
            self.gate.given_back(&left).await;
        }
    }

    fn requests(&self, reads: usize, writes: usize) -> Vec<Request> {
        [vec![Request::Read; reads], vec![Request::write(self.zone); writes]].concat()
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let name = rdata::name_text(self.zone);
        let mut full = vec!["domains", name.trim_end_matches('.')];
        full.extend(path);
        full.push("");
        self.http.url(&full, query)
    }

    async fn exchange(
        &self,
        request: Request,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
        octets_max: usize,
    ) -> Result<Reply, NoReply> {
        let left = if request == Request::Read { &self.reads } else { &self.writes };
        let replied = self.http.send(method, url, body, octets_max).await;
        if !matches!(replied, Err(NoReply { sent: false, .. })) {
            let _ = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        }
        let reply = replied?;
        if reply.status == 429 {
            self.gate.refused(&request, reply.retry_after_s).await;
        }
        Ok(reply)
    }

    pub fn judge(&self, reply: &Reply, doing: Doing) -> Result<(), RestError> {
        self.http.judge_by(reply, &self.zone.to_string(), doing, reason)
    }

    async fn get(&self, url: Url, octets_max: usize) -> Result<Reply, RestError> {
        let reply = self.exchange(Request::Read, Method::GET, url, None, octets_max).await;
        reply.map_err(|failed| failed.error)
    }

    fn parse<T: DeserializeOwned>(&self, reply: &Reply, what: &str) -> Result<T, RestError> {
        self.judge(reply, Doing::Reading)?;
        if !reply.json {
            return Err(self.http.not_json(reply, what));
        }
        serde_json::from_slice(&reply.body).map_err(|e| self.http.unreadable(what, &e))
    }

    /// The zone with its keys. Needs permission for a read.
    pub async fn domain(&self) -> Result<Domain, RestError> {
        let text: DomainText =
            self.parse(&self.get(self.url(&[], &[]), ANSWER_OCTETS_MAX).await?, "data of the zone")?;
        let mut own = Own::default();
        let unreadable = |reason: String| self.http.malformed(format!("a key of the zone: {reason}"));
        for key in text.keys.iter().filter(|key| key.managed) {
            let dnskey = rdata::from_text(RecordType::DNSKEY, &key.dnskey).map_err(unreadable)?;
            for ds in &key.ds {
                own.cds.insert(rdata::from_text(RecordType::CDS, ds).map_err(unreadable)?);
            }
            // What no DS can be made of is no key-signing key, and is not asked for.
            if !key.ds.is_empty() {
                own.cdnskey.insert(dnskey.clone());
            }
            own.dnskey.insert(dnskey);
        }
        Ok(Domain { own, minimum_ttl_s: text.minimum_ttl })
    }

    /// What is stored at the zone's own name. Needs permission for a read.
    pub async fn apex(&self) -> Result<Vec<RrsetText>, RestError> {
        let url = self.url(&["rrsets"], &[("subname", "")]);
        let all: Vec<RrsetText> = self.parse(&self.get(url, ANSWER_OCTETS_MAX).await?, "sets of the zone")?;
        Ok(all.into_iter().filter(|set| set.subname.is_empty()).collect())
    }

    /// All sets; `None` when they are too many. Asks for permission itself, page by page.
    pub async fn whole(&self) -> Result<Option<Vec<RrsetText>>, RestError> {
        let mut sets: Vec<RrsetText> = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            self.permit(1, 0).await?;
            let query: Vec<(&str, &str)> = cursor.iter().map(|cursor| ("cursor", cursor.as_str())).collect();
            let reply = self.get(self.url(&["rrsets"], &query), PAGE_OCTETS_MAX).await?;
            // More than a page, and not asked for in pages: it says where the first one is.
            let begins = if cursor.is_none() && reply.status == 400 { self.linked(&reply, "first") } else { None };
            if begins.is_some() {
                cursor = begins;
                continue;
            }
            let page: Vec<RrsetText> = self.parse(&reply, "sets of the zone")?;
            sets.extend(page);
            match self.linked(&reply, "next") {
                None => return Ok(Some(sets)),
                Some(same) if cursor.as_ref() == Some(&same) => {
                    return Err(self.http.malformed(String::from("the pages of the zone's sets do not end")));
                }
                next => cursor = next,
            }
        }
        Ok(None)
    }

    /// The cursor of the page that is linked as `relation` (RFC 8288).
    fn linked(&self, reply: &Reply, relation: &str) -> Option<String> {
        let is_it = |link: &&str| link.split(';').skip(1).any(|part| is_relation(part, relation));
        let link = reply.link.as_deref()?.split(',').find(is_it)?;
        let url = link.trim_start().strip_prefix('<')?.split('>').next()?;
        // It may be a path only.
        let url = self.url(&["rrsets"], &[]).join(url).ok()?;
        url.query_pairs().find(|(name, _)| name == "cursor").map(|(_, cursor)| cursor.into_owned())
    }

    /// Several sets in one request, done all or not at all. Needs permission for a write.
    pub async fn patch(&self, body: Vec<u8>) -> Result<Reply, NoReply> {
        let url = self.url(&["rrsets"], &[]);
        self.exchange(Request::write(self.zone), Method::PATCH, url, Some(body), ANSWER_OCTETS_MAX).await
    }
}

fn is_relation(part: &str, relation: &str) -> bool {
    let said = part.trim().strip_prefix("rel=").map(|value| value.trim_matches('"'));
    said.is_some_and(|said| said.split(' ').any(|one| one.eq_ignore_ascii_case(relation)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_is_found_among_others() {
        assert!(is_relation(" rel=\"prev next\"", "next") && is_relation("rel=NEXT", "next"));
        assert!(!is_relation(" rel=\"nextish\"", "next") && !is_relation(" title=\"next\"", "next"));
    }
}
