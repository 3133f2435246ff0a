//! The parental agent's settings: a TOML file.
//!
//! Invariant: what the file says is either understood whole or refused in one line that names the file, the key and what
//! to do. The TSIG secret is in a file of its own and never shows.

use super::decide::Rules;
use crate::model::dns::{Name, read_name};
use chorus_providers::tsig::{Secret, TsigAlgorithm, TsigKey};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Often enough for a child that waits, seldom enough for servers of strangers. Registries poll daily.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(60);
/// After tries at 5, 10, 20 and 40 minutes, as RFC 9975 suggests.
const IGNORE_SILENT_AFTER: Duration = Duration::from_secs(75 * 60);
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// What the agent works by.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The zone whose delegations are followed.
    pub parent: Name,
    /// Takes the updates (RFC 2136).
    pub update: SocketAddr,
    /// Are read; all have to agree.
    pub servers: Vec<SocketAddr>,
    /// Between two readings of one child.
    pub interval: Duration,
    /// `None`: every delegation that a zone transfer shows.
    pub children: Option<BTreeSet<Name>>,
    pub key: TsigKey,
    pub rules: Rules,
    /// A name server that has not answered for so long is left out, if another one answers.
    pub ignore_silent_after: Duration,
    /// `None`: the TTL of the set that is replaced.
    pub ds_ttl_s: Option<u32>,
    pub ns_ttl_s: Option<u32>,
    /// Addresses of name servers that are not looked up, and ports other than 53.
    pub hosts: BTreeMap<Name, Vec<SocketAddr>>,
    /// Looks up name servers outside of the child; `None`: the system's resolvers.
    pub resolver: Option<SocketAddr>,
}

/// Why a settings file is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: {reason}: give the path of a readable settings file", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{}: {reason}", path.display())]
    Toml { path: PathBuf, reason: String },
    #[error("{}: {key}: {reason}", path.display())]
    Value { path: PathBuf, key: String, reason: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    parent: String,
    update: String,
    servers: Option<Vec<String>>,
    interval: Option<String>,
    children: Option<Vec<String>>,
    tsig: Tsig,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    hosts: BTreeMap<String, Vec<String>>,
    resolver: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tsig {
    name: String,
    algorithm: String,
    secret_file: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Policy {
    allow_delete: bool,
    ignore_silent_after: Option<String>,
    ds_ttl_s: Option<u32>,
    ns_ttl_s: Option<u32>,
}

impl AgentConfig {
    /// Reads the file and the secret that it names; a relative `secret_file` is looked for beside the settings file.
    pub fn load(path: &Path) -> Result<AgentConfig, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| ConfigError::Unreadable { path: path.to_owned(), reason: e.to_string() })?;
        let file: File = toml::from_str(&text).map_err(|e| {
            let line = e.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
            let at = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            ConfigError::Toml { path: path.to_owned(), reason: format!("{at}{}", e.message().replace('\n', " ")) }
        })?;
        let refused = |key: &str, reason: String| ConfigError::Value { path: path.to_owned(), key: key.into(), reason };

        let parent = name(&file.parent).map_err(|e| refused("parent", e))?;
        let update = address(&file.update).map_err(|e| refused("update", e))?;
        let servers = match &file.servers {
            Some(servers) if servers.is_empty() => {
                return Err(refused("servers", "is empty: leave it out to read the update address".into()));
            }
            Some(servers) => addresses(servers).map_err(|e| refused("servers", e))?,
            None => vec![update],
        };
        let interval = match &file.interval {
            Some(text) => humantime::parse_duration(text).map_err(|e| {
                refused("interval", format!("{text:?} is no duration ({e}): write for instance \"60s\""))
            })?,
            None => INTERVAL_DEFAULT,
        };
        if interval < INTERVAL_MIN {
            return Err(refused("interval", "is shorter than 1s: write a longer one".into()));
        }
        let ignore_silent_after = match &file.policy.ignore_silent_after {
            Some(text) => humantime::parse_duration(text).map_err(|e| {
                let reason = format!("{text:?} is no duration ({e}): write for instance \"75m\"");
                refused("policy.ignore_silent_after", reason)
            })?,
            None => IGNORE_SILENT_AFTER,
        };
        let child = |text: &String| {
            let child = name(text)?;
            match parent.zone_of(&child) && child != parent {
                true => Ok(child),
                false => Err(format!("{child} is not below {parent}: name zones that {parent} delegates")),
            }
        };
        let children = file.children.map(|children| children.iter().map(child).collect::<Result<BTreeSet<_>, _>>());
        let children = children.transpose().map_err(|e| refused("children", e))?;

        let mut hosts = BTreeMap::new();
        for (host, given) in &file.hosts {
            let key = format!("hosts.{host:?}");
            if given.is_empty() {
                return Err(refused(&key, "is empty: give an address, or leave the host out".into()));
            }
            hosts.insert(name(host).map_err(|e| refused(&key, e))?, addresses(given).map_err(|e| refused(&key, e))?);
        }
        let resolver = file.resolver.as_deref().map(address).transpose().map_err(|e| refused("resolver", e))?;

        let key_name = name(&file.tsig.name).map_err(|e| refused("tsig.name", e))?;
        let algorithm = TsigAlgorithm::from_str(&file.tsig.algorithm);
        let algorithm = algorithm.map_err(|e| refused("tsig.algorithm", e.to_string()))?;
        let secret_path = path.parent().unwrap_or(Path::new("")).join(&file.tsig.secret_file);
        let secret = std::fs::read_to_string(&secret_path).map_err(|e| {
            let shown = secret_path.display();
            refused("tsig.secret_file", format!("{shown}: {e}: give the path of a file with the secret in base64"))
        })?;
        let secret = Secret::from_base64_text(&secret)
            .map_err(|e| refused("tsig.secret_file", format!("{}: {e}", secret_path.display())))?;

        Ok(AgentConfig {
            parent,
            update,
            servers,
            interval,
            children,
            key: TsigKey::new(key_name, algorithm, secret),
            rules: Rules { allow_delete: file.policy.allow_delete },
            ignore_silent_after,
            ds_ttl_s: file.policy.ds_ttl_s,
            ns_ttl_s: file.policy.ns_ttl_s,
            hosts,
            resolver,
        })
    }
}

/// In lower case and absolute, with or without the final dot.
fn name(text: &str) -> Result<Name, String> {
    if text.is_empty() {
        return Err("is empty: give a domain name".into());
    }
    read_name(text).map_err(|e| format!("{text:?} is no domain name ({e})"))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = text.parse::<SocketAddr>().ok();
    with_port.or_else(|| bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53))).ok_or_else(|| {
        format!("{text:?} is no address: write 192.0.2.1, 192.0.2.1:5353, 2001:db8::1 or [2001:db8::1]:5353")
    })
}

fn addresses(texts: &[String]) -> Result<Vec<SocketAddr>, String> {
    texts.iter().map(|text| address(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
parent = "Example"
update = "192.0.2.1"
children = ["child.example."]
[tsig]
name = "ctl."
algorithm = "hmac-sha256"
secret_file = "secret"
[hosts]
"ns1.x.example." = ["[2001:db8::1]:5353", "2001:db8::2"]
"#;

    /// Loads `text`, with a good secret beside it.
    fn load(text: &str) -> Result<AgentConfig, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTAxMjM=\n").unwrap();
        std::fs::write(dir.path().join("agent.toml"), text).unwrap();
        AgentConfig::load(&dir.path().join("agent.toml"))
    }

    /// The one line that refuses `text`.
    fn refusal(text: &str) -> String {
        let line = load(text).unwrap_err().to_string();
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains("agent.toml: "), "{line}");
        line
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let config = load(WHOLE).unwrap();
        assert_eq!(config.parent.to_string(), "example.");
        assert_eq!(config.servers, ["192.0.2.1:53".parse().unwrap()]);
        assert_eq!((config.interval, config.rules.allow_delete, config.ds_ttl_s), (INTERVAL_DEFAULT, false, None));
        assert_eq!(config.ignore_silent_after, Duration::from_secs(4500));
        let hosts: Vec<_> = config.hosts.values().flatten().map(SocketAddr::to_string).collect();
        assert_eq!(hosts, ["[2001:db8::1]:5353", "[2001:db8::2]:53"]);
        assert!(!format!("{config:?}").contains("c2Vj"));
    }

    #[test]
    fn a_mistake_is_refused_in_one_line_that_names_the_key() {
        let with = |from: &str, to: &str| refusal(&WHOLE.replace(from, to));
        assert!(with("update =", "updates =").contains("unknown field `updates`"));
        assert!(with("name = \"ctl.\"\n", "").contains("missing field `name`"));
        assert!(with("\"192.0.2.1\"", "\"ns1\"").contains("update: \"ns1\" is no address"));
        assert!(with("child.example.", "child.test.").contains("children: child.test. is not below example."));
        assert!(with("hmac-sha256", "hmac-md5").contains("tsig.algorithm: "));
        assert!(with("\"secret\"", "\"nowhere\"").contains("tsig.secret_file: "));
        assert!(with("[tsig]", "interval = \"often\"\n[tsig]").contains("interval: \"often\" is no duration"));
        let after = with("[tsig]", "[policy]\nignore_silent_after = \"long\"\n[tsig]");
        assert!(after.contains("policy.ignore_silent_after: \"long\" is no duration"));
        assert!(with("[tsig]", "interval = \"1ms\"\n[tsig]").contains("interval: is shorter than 1s"));
    }
}
