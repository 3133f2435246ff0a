//! The requests of the PowerDNS API v1 that are used, and the part of their answers that is looked at.
//!
//! Invariant: what can hold a private key (`cryptokeys`) or a password (`config`) is read for its public fields only, and
//! nothing of such an answer gets into an error or a log. What is to be written is worked out in `write`.

use crate::error::Doing;
use crate::http::{Http, NoReply, Reply, RestError};
use crate::{Rdata, Rrset, rdata};
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::BinDecodable;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// The sets of one name, the keys of a zone or the settings of a server: some kilobytes.
const ANSWER_OCTETS_MAX: usize = 4 * 1024 * 1024;

/// Beyond this a zone is not listed: some hundred thousand records.
const ZONE_OCTETS_MAX: usize = 64 * 1024 * 1024;

/// One zone at one server.
pub(super) struct Api<'a> {
    pub http: &'a Http,
    pub server_id: &'a str,
    pub zone: &'a Name,
}

#[derive(Deserialize)]
pub(super) struct Server {
    pub version: String,
}

#[derive(Deserialize)]
pub(super) struct Zone {
    pub kind: String,
    #[serde(default)]
    pub account: String,
    #[serde(default)]
    pub soa_edit_api: String,
    #[serde(default)]
    pub api_rectify: bool,
    #[serde(default)]
    rrsets: Vec<RrsetText>,
}

#[derive(Deserialize)]
struct RrsetText {
    name: String,
    #[serde(rename = "type")]
    rtype: String,
    ttl: u32,
    records: Vec<RecordText>,
}

#[derive(Deserialize)]
struct RecordText {
    content: String,
    #[serde(default)]
    disabled: bool,
}

/// A key of the server's own. Nothing else of it is read.
#[derive(Deserialize)]
struct Cryptokey {
    published: bool,
    dnskey: String,
}

#[derive(Deserialize)]
struct Metadata {
    kind: String,
    #[serde(default)]
    metadata: Vec<String>,
}

#[derive(Deserialize)]
struct Setting {
    name: String,
    value: String,
}

/// An RRset as it is stored: each record's wire form with the text that it was written as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub ttl_s: u32,
    pub records: BTreeMap<Rdata, String>,
}

impl Stored {
    pub fn rrset(&self, rtype: RecordType) -> Rrset {
        Rrset { rtype, ttl_s: self.ttl_s, records: self.records.keys().cloned().collect() }
    }
}

/// Settings by name: those of a server, or the metadata of a zone.
pub(super) type Settings = BTreeMap<String, String>;

impl Api<'_> {
    fn url(&self, of_zone: bool, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut full = vec!["api", "v1", "servers", self.server_id];
        let id = zone_id(self.zone);
        if of_zone {
            full.extend(["zones", &id]);
        }
        full.extend(path);
        self.http.url(&full, query)
    }

    async fn get(&self, url: Url, octets_max: usize) -> Result<Reply, RestError> {
        let reply = self.http.send(Method::GET, url, None, octets_max).await.map_err(|failed| failed.error)?;
        self.http.judge(&reply, &self.zone.to_string(), Doing::Reading)?;
        Ok(reply)
    }

    fn parse<T: DeserializeOwned>(&self, reply: &Reply, what: &str) -> Result<T, RestError> {
        if !reply.json {
            return Err(self.http.not_json(reply, what));
        }
        serde_json::from_slice(&reply.body).map_err(|e| self.http.unreadable(what, &e))
    }

    pub async fn server(&self) -> Result<Server, RestError> {
        self.parse(&self.get(self.url(false, &[], &[]), ANSWER_OCTETS_MAX).await?, "data of the server")
    }

    /// The values of these settings of the server; those that it does not have are left out.
    pub async fn config(&self, names: &[&str]) -> Result<Settings, RestError> {
        let reply = self.get(self.url(false, &["config"], &[]), ANSWER_OCTETS_MAX).await?;
        let all: Vec<Setting> = self.parse(&reply, "settings of the server")?;
        Ok(all.into_iter().filter(|s| names.contains(&s.name.as_str())).map(|s| (s.name, s.value)).collect())
    }

    /// Metadata of the zone, several values of a kind joined by blanks.
    pub async fn metadata(&self) -> Result<Settings, RestError> {
        let reply = self.get(self.url(true, &["metadata"], &[]), ANSWER_OCTETS_MAX).await?;
        let all: Vec<Metadata> = self.parse(&reply, "metadata of the zone")?;
        Ok(all.into_iter().map(|m| (m.kind, m.metadata.join(" "))).collect())
    }

    /// The DNSKEYs that the server makes of its own keys and answers with.
    pub async fn own_keys(&self) -> Result<BTreeSet<Rdata>, RestError> {
        let reply = self.get(self.url(true, &["cryptokeys"], &[]), ANSWER_OCTETS_MAX).await?;
        let keys: Vec<Cryptokey> = self.parse(&reply, "keys of the zone")?;
        let published = keys.iter().filter(|key| key.published);
        let read = published.map(|key| rdata::from_text(RecordType::DNSKEY, &key.dnskey));
        // Without the parser's reason, which repeats the text.
        let unreadable = |_| self.http.malformed(String::from("a key of the zone cannot be read"));
        read.collect::<Result<_, _>>().map_err(unreadable)
    }

    /// The zone's settings, and what is stored at its apex.
    pub async fn apex(&self) -> Result<Zone, RestError> {
        let query = [("rrset_name", rdata::name_text(self.zone))].map(|(name, value)| (name, value));
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.parse(&self.get(self.url(true, &[], &query), ANSWER_OCTETS_MAX).await?, "sets of the zone")
    }

    /// The whole zone; `None` when it is too large.
    pub async fn whole(&self) -> Result<Option<Zone>, RestError> {
        match self.http.send(Method::GET, self.url(true, &[], &[]), None, ZONE_OCTETS_MAX).await {
            Ok(reply) => {
                self.http.judge(&reply, &self.zone.to_string(), Doing::Reading)?;
                self.parse(&reply, "sets of the zone").map(Some)
            }
            Err(NoReply { error: RestError::Malformed { .. }, .. }) => Ok(None),
            Err(failed) => Err(failed.error),
        }
    }

    pub async fn patch(&self, body: Vec<u8>) -> Result<Reply, NoReply> {
        self.http.send(Method::PATCH, self.url(true, &[], &[]), Some(body), ANSWER_OCTETS_MAX).await
    }

    pub async fn put(&self, path: &[&str], body: Option<Vec<u8>>) -> Result<Reply, NoReply> {
        self.http.send(Method::PUT, self.url(true, path, &[]), body, ANSWER_OCTETS_MAX).await
    }

    /// What is stored of this type at the apex. Records that are disabled are not served, and so do not count.
    pub fn stored(&self, zone: &Zone, rtype: RecordType) -> Result<Stored, RestError> {
        let mut stored = Stored::default();
        let name = rtype.to_string();
        for set in zone.rrsets.iter().filter(|set| set.rtype == name && self.is_apex(&set.name)) {
            stored.ttl_s = set.ttl;
            for record in set.records.iter().filter(|record| !record.disabled) {
                let wire = rdata::from_text(rtype, &record.content).map_err(|reason| self.http.malformed(reason))?;
                stored.records.insert(wire, record.content.clone());
            }
        }
        Ok(stored)
    }

    fn is_apex(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(&rdata::name_text(self.zone))
    }
}

impl Zone {
    /// Whether anything of this type is stored, be it disabled.
    pub fn has(&self, rtype: RecordType) -> bool {
        self.rrsets.iter().any(|set| set.rtype == rtype.to_string())
    }

    /// The largest TTL that anything is served with: records, and "there is none" (RFC 2308 §5), which the DNSKEYs have,
    /// too.
    pub fn largest_ttl_s(&self) -> Option<u32> {
        let of_sets = self.rrsets.iter().map(|set| set.ttl);
        let soa = self.rrsets.iter().filter(|set| set.rtype == "SOA").flat_map(|set| &set.records);
        let minimum = soa.filter_map(|record| record.content.split_ascii_whitespace().nth(6)?.parse().ok());
        of_sets.chain(minimum).max()
    }

    /// Owner, type, TTL and records of every set; `None` when one cannot be read for certain (types of PowerDNS's own,
    /// such as ALIAS, stand for other records).
    pub fn sets(&self) -> Option<Vec<(Name, Rrset)>> {
        let mut sets = Vec::new();
        for set in &self.rrsets {
            let rtype: RecordType = set.rtype.parse().ok()?;
            let served = set.records.iter().filter(|record| !record.disabled);
            let records: BTreeSet<Rdata> =
                served.map(|r| rdata::from_text(rtype, &r.content).ok()).collect::<Option<_>>()?;
            if !records.is_empty() {
                let mut name = Name::from_bytes(&rdata::name_from_text(&set.name).ok()?).ok()?;
                name.set_fqdn(true);
                sets.push((name, Rrset { rtype, ttl_s: set.ttl, records }));
            }
        }
        Some(sets)
    }
}

/// A zone's name as the API has it in paths: what is not plain is an equals sign and two hexadecimal digits.
fn zone_id(zone: &Name) -> String {
    let mut id = String::new();
    for octet in rdata::name_text(zone).bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => id.push(char::from(octet)),
            other => id.push_str(&format!("={other:02X}")),
        }
    }
    if id == "." { String::from("=2E") } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_with_a_slash_has_an_id_without_one() {
        let labels = ["128/26", "2", "0", "192", "in-addr", "arpa"].map(str::as_bytes);
        let zone = Name::from_labels(labels).unwrap();
        assert_eq!(zone_id(&zone), "128=2F26.2.0.192.in-addr.arpa.");
        assert_eq!(zone_id(&Name::root()), "=2E");
    }
}
