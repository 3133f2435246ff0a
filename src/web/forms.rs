//! What is typed into forms, read: the same forms of names, addresses and lengths of time as on the command line.
//!
//! Invariant: a field that is empty was not given. What cannot be read is a [`Trouble`] that names the field.

use super::trouble::Trouble;
use crate::api::wire::{NameServer, ParentMode, PolicyChange, TsigAlgorithm};
use crate::cli::input;
use serde::Deserialize;
use std::net::SocketAddr;

/// A field as given, or `None`.
pub fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `what` names the field.
pub fn read<T>(what: &str, text: &str, reader: fn(&str) -> Result<T, String>) -> Result<T, Trouble> {
    reader(text.trim()).map_err(|why| Trouble::typed(format!("{what}: {why}")))
}

pub fn read_given<T>(what: &str, text: &str, reader: fn(&str) -> Result<T, String>) -> Result<Option<T>, Trouble> {
    given(text).map(|text| read(what, &text, reader)).transpose()
}

/// One on each line, or between commas or blanks.
pub fn addresses(what: &str, text: &str) -> Result<Vec<SocketAddr>, Trouble> {
    let words = text.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
    words.map(|word| read(what, word, input::dns_address)).collect()
}

/// Hosts with commas or blanks between, as the policy has them.
fn hosts(text: &str) -> String {
    let hosts = text.split([',', ' ', '\t', '\r', '\n']).filter(|host| !host.is_empty());
    hosts.collect::<Vec<_>>().join(",")
}

/// One on each line: `ns1.example.net`, or `ns1.example.net=192.0.2.1`; of one name server with several addresses
/// several lines.
pub fn name_servers(text: &str) -> Result<Vec<NameServer>, Trouble> {
    let mut all: Vec<NameServer> = Vec::new();
    for line in text.split([',', ' ', '\t', '\r', '\n']).filter(|line| !line.is_empty()) {
        let read = read("name servers", line, input::name_server)?;
        match all.iter_mut().find(|server| server.host == read.host) {
            Some(server) => server.addresses.extend(read.addresses),
            None => all.push(read),
        }
    }
    Ok(all)
}

/// The other way, for a form that is shown again.
pub fn name_server_lines(servers: &[NameServer]) -> Vec<String> {
    let lines = servers.iter().flat_map(|server| match server.addresses.as_slice() {
        [] => vec![server.host.clone()],
        addresses => addresses.iter().map(|address| format!("{}={address}", server.host)).collect(),
    });
    lines.collect()
}

/// What a form offers.
pub fn tsig_algorithms() -> [TsigAlgorithm; 3] {
    [TsigAlgorithm::HmacSha256, TsigAlgorithm::HmacSha384, TsigAlgorithm::HmacSha512]
}

/// The fields of a zone's policy, as they stand in a form.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PolicyFields {
    #[serde(default)]
    pub slack: String,
    #[serde(default)]
    pub stale: String,
    #[serde(default)]
    pub data_ttl_max: String,
    #[serde(default)]
    pub parent_pipeline: String,
    #[serde(default)]
    pub parent_profile: String,
    /// `scan`, `manual`, or empty: as it is.
    #[serde(default)]
    pub parent: String,
    #[serde(default)]
    pub sample_every: String,
    #[serde(default)]
    pub registrar_max: String,
    #[serde(default)]
    pub gap_max: String,
    /// `None`: the form has no such field. Emptied, it takes a confirmation back.
    #[serde(default)]
    pub delegation: Option<String>,
}

impl PolicyFields {
    pub fn change(&self) -> Result<PolicyChange, Trouble> {
        Ok(PolicyChange {
            slack_s: read_given("slack", &self.slack, input::seconds)?,
            stale_s: read_given("stale", &self.stale, input::seconds)?,
            data_ttl_max_s: read_given("largest TTL of data", &self.data_ttl_max, input::seconds)?,
            parent_pipeline_s: read_given("parent's pipeline", &self.parent_pipeline, input::seconds)?,
            parent_profile: given(&self.parent_profile),
            parent: match self.parent.as_str() {
                "scan" => Some(ParentMode::Scan),
                "manual" => Some(ParentMode::Manual),
                _ => None,
            },
            sample_every_s: read_given("data are sampled every", &self.sample_every, input::seconds)?,
            registrar_max_s: read_given("longest registrar delay", &self.registrar_max, input::seconds)?,
            gap_max_s: read_given("longest time between two looks", &self.gap_max, input::seconds)?,
            delegation: self.delegation.as_deref().map(hosts),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_from_lines_and_written_the_same_way() {
        let lines = "ns1.a.example=192.0.2.1\r\nns1.a.example=[2001:db8::1]:5300\r\n\r\nns2.a.example";
        let servers = name_servers(lines).unwrap();
        assert_eq!(servers.len(), 2);
        let again = name_server_lines(&servers);
        assert_eq!(again, ["ns1.a.example=192.0.2.1:53", "ns1.a.example=[2001:db8::1]:5300", "ns2.a.example"]);
        assert_eq!(name_servers(&again.join("\n")).unwrap(), servers);
    }

    #[test]
    fn what_cannot_be_read_names_its_field() {
        let fields = PolicyFields { stale: "3 fortnights".into(), ..PolicyFields::default() };
        assert!(fields.change().unwrap_err().text.starts_with("stale: "));
        assert!(PolicyFields::default().change().unwrap().is_empty());
    }
}
