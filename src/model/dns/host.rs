//! The name of a name server's host: what every address is compared by, again and again.
//!
//! Invariant: two hosts are equal if and only if their names are (RFC 4343: without regard to case). Copies share the name.

use super::names::{name_text, read_name, stored};
use hickory_proto::rr::Name;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

#[derive(Clone)]
pub struct Host(Arc<Written>);

struct Written {
    name: Name,
    /// In lower case, each label with its length before it: names that are equal are equal here, octet for octet.
    octets: Box<[u8]>,
}

impl From<Name> for Host {
    fn from(name: Name) -> Host {
        let mut octets = vec![u8::from(name.is_fqdn())];
        for label in name.iter() {
            // A label has at most 63 octets.
            octets.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
            octets.extend(label.iter().map(u8::to_ascii_lowercase));
        }
        Host(Arc::new(Written { name, octets: octets.into() }))
    }
}

impl Deref for Host {
    type Target = Name;

    fn deref(&self) -> &Name {
        &self.0.name
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Host) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.octets == other.0.octets
    }
}

impl Eq for Host {}

impl PartialOrd for Host {
    fn partial_cmp(&self, other: &Host) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As names are ordered (RFC 4034 §6.1).
impl Ord for Host {
    fn cmp(&self, other: &Host) -> Ordering {
        if self == other { Ordering::Equal } else { self.0.name.cmp(&other.0.name) }
    }
}

impl Hash for Host {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.octets.hash(state);
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name_text(&self.0.name))
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.name, f)
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&stored(&self.0.name))
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Host, D::Error> {
        let text = String::deserialize(deserializer)?;
        read_name(&text).map(Host::from).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn host(name: &str) -> Host {
        Name::from_str(name).unwrap().into()
    }

    #[test]
    fn hosts_are_equal_and_ordered_as_their_names_are() {
        let names =
            ["ns1.a.example.", "NS1.A.Example.", "ns1.a.example", "a.ns1.example.", "ns.1a.example.", ".", "z."];
        for a in names {
            for b in names {
                let (of, and) = (Name::from_str(a).unwrap(), Name::from_str(b).unwrap());
                assert_eq!(host(a) == host(b), of == and, "{a} {b}");
                assert_eq!(host(a).cmp(&host(b)), of.cmp(&and), "{a} {b}");
            }
        }
    }
}
