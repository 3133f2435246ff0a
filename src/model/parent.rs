//! What parents take: which records they read, how many, and what they do with them. One profile a parent, the known ones built
//! in (RFC 7344, 8078, 7477 leave all of it to the parent).
//!
//! Invariant: a profile says what a parent *refuses* or *does not do*; it is no reason to believe that anything was done. What
//! the parent has is what its servers show.

use super::dns::Name;

/// Which records of the child a parent reads to make DS of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    Cds,
    Cdnskey,
    /// Both, and they have to name the same keys.
    Both,
}

/// What a parent takes from its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentProfile {
    /// Stable; for `--parent-profile`.
    pub name: &'static str,
    /// The parent zones that are known to be like this, without the final dot.
    pub zones: &'static [&'static str],
    pub reads: Reads,
    /// It takes one key a zone: all name servers have to show the same one, and the DS of every other key is removed.
    pub single_key: bool,
    /// How many CDS records it takes; records, not keys.
    pub max_records: Option<usize>,
    /// Whether it changes the delegation by CSYNC.
    pub csync: bool,
    /// Some of the name servers decide, whatever the others publish.
    pub few_servers_decide: bool,
    /// What else a person has to know.
    pub note: &'static str,
}

/// What is assumed of a parent of which nothing is known: it does everything, as RFC 9975 and RFC 7477 have it.
pub const UNKNOWN: ParentProfile = ParentProfile {
    name: "any",
    zones: &[],
    reads: Reads::Both,
    single_key: false,
    max_records: None,
    csync: true,
    few_servers_decide: false,
    note: "",
};

/// The parents of which it is known what they take (state of November 2026).
pub const PROFILES: [ParentProfile; 11] = [
    UNKNOWN,
    ParentProfile {
        name: "ch",
        zones: &["ch", "li"],
        reads: Reads::Cds,
        csync: false,
        note: "scans daily; a change over EPP outdates what it has read",
        ..UNKNOWN
    },
    ParentProfile {
        name: "se",
        zones: &["se", "nu"],
        max_records: Some(6),
        reads: Reads::Cds,
        note: "scans daily; takes no CDS whose signatures began before its last change",
        ..UNKNOWN
    },
    ParentProfile {
        name: "fred",
        zones: &["cz", "cr"],
        reads: Reads::Cdnskey,
        csync: false,
        note: "reads through one validating resolver and makes the digests itself",
        ..UNKNOWN
    },
    ParentProfile {
        name: "ee",
        zones: &["ee"],
        reads: Reads::Cdnskey,
        single_key: true,
        csync: false,
        note: "",
        ..UNKNOWN
    },
    ParentProfile {
        name: "centralnic",
        zones: &["sk", "fo"],
        reads: Reads::Cds,
        csync: false,
        note: "reads through public resolvers",
        ..UNKNOWN
    },
    ParentProfile {
        name: "uz",
        zones: &["uz"],
        reads: Reads::Cds,
        csync: false,
        few_servers_decide: true,
        note: "does not validate CDS; the registrar has to opt in",
        ..UNKNOWN
    },
    ParentProfile { name: "za", zones: &["alt.za", "edu.za"], reads: Reads::Cds, csync: false, ..UNKNOWN },
    ParentProfile {
        name: "ripe",
        zones: &[],
        reads: Reads::Cds,
        csync: false,
        note: "takes no CDS whose signatures began before the object was last changed",
        ..UNKNOWN
    },
    ParentProfile {
        name: "namingo",
        zones: &[],
        csync: false,
        few_servers_decide: true,
        note: "two name servers decide, and a request to remove all DS is not authenticated",
        ..UNKNOWN
    },
    ParentProfile { name: "single-key", zones: &[], single_key: true, csync: false, ..UNKNOWN },
];

impl ParentProfile {
    /// The profile of this name.
    pub fn named(name: &str) -> Option<ParentProfile> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// The profile that is built in for a parent zone; [`UNKNOWN`] where there is none.
    pub fn of_zone(parent: &Name) -> ParentProfile {
        let name = parent.to_lowercase().to_ascii();
        let name = name.trim_end_matches('.');
        PROFILES.into_iter().find(|profile| profile.zones.contains(&name)).unwrap_or(UNKNOWN)
    }

    pub fn is_known(&self) -> bool {
        *self != UNKNOWN
    }

    /// What it takes, in one sentence.
    pub fn describe(&self) -> String {
        let mut parts = vec![match self.reads {
            Reads::Cds => "reads CDS only".to_owned(),
            Reads::Cdnskey => "reads CDNSKEY only".to_owned(),
            Reads::Both => "reads CDS and CDNSKEY".to_owned(),
        }];
        if self.single_key {
            parts.push("takes one key a zone and removes the DS of all others".into());
        }
        if let Some(max) = self.max_records {
            parts.push(format!("takes {max} records at most"));
        }
        parts.push(if self.csync { "processes CSYNC" } else { "does not process CSYNC" }.into());
        if self.few_servers_decide {
            parts.push("does not query all name servers".into());
        }
        if !self.note.is_empty() {
            parts.push(self.note.into());
        }
        parts.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn of(zone: &str) -> &'static str {
        ParentProfile::of_zone(&Name::from_str(zone).unwrap()).name
    }

    #[test]
    fn a_parent_is_known_by_its_name_and_any_other_is_unknown() {
        assert_eq!([of("ee."), of("CH."), of("nu."), of("cz."), of("alt.za.")], ["ee", "ch", "se", "fred", "za"]);
        // Of the reverse zones some only are RIPE NCC's: which, a person has to say.
        assert_eq!([of("example."), of("co.ee."), of("2.0.192.in-addr.arpa."), of(".")], ["any"; 4]);
    }

    #[test]
    fn names_are_unique_and_each_describes_itself() {
        for profile in PROFILES {
            assert_eq!(ParentProfile::named(profile.name), Some(profile));
            assert!(profile.describe().contains("reads"), "{}", profile.name);
        }
        assert!(ParentProfile::named("ee").unwrap().describe().contains("one key a zone"));
        assert!(ParentProfile::named("se").unwrap().describe().contains("6 records"));
    }
}
