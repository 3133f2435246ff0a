//! Key rolls as an operator starts them with the tools of its own server; Chorus is not asked and not told.

use std::time::Duration;

use hickory_proto::dnssec::rdata::DNSKEY;

use super::operator::{Operator, Server};
use super::parent::{Parent, RNDC_PORT};
use super::process::run;
use super::{CHILD, dns, releases, until};

/// A roll takes this long at most, from the new key to the end of the old one.
pub const ROLL_LIMIT: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Roll {
    Zsk,
    Ksk,
    Csk,
}

impl Roll {
    fn rolls(self, key: &DNSKEY) -> bool {
        key.secure_entry_point() != (self == Roll::Zsk)
    }
}

impl Operator {
    /// Starts a roll. Returns the key that is to go.
    pub fn roll(&self, roll: Roll) -> DNSKEY {
        let old = self.own_keys().iter().find(|key| roll.rolls(key)).expect("a key of this role").clone();
        let tag = dns::key_tag(&old).to_string();
        match self.server {
            Server::Bind => self.rndc(&["dnssec", "-rollover", "-key", &tag, CHILD]),
            Server::Knot => {
                self.knotc(&["zone-key-rollover", CHILD, if roll == Roll::Zsk { "zsk" } else { "ksk" }]);
            }
            Server::PowerDns | Server::PowerDnsByUpdate | Server::Desec => {
                self.publishes_new(roll);
            }
        }
        old
    }

    /// What it serves of its own: all but the keys of others.
    pub fn keys_besides(&self, foreign: &[DNSKEY]) -> Vec<DNSKEY> {
        self.keys().into_iter().filter(|key| !foreign.contains(key)).collect()
    }

    /// What a person does for BIND, which does not look at the parent unless it is told to: when every server of the parent
    /// has the new key's DS, BIND is told so, and drops the old key when older DS sets are dead. Knot looks by itself.
    pub async fn tell_of_ds(&self, parent: &Parent, foreign: &[DNSKEY]) {
        if self.server != Server::Bind {
            return;
        }
        let mut new = Vec::new();
        until("the new key and its DS at every server of the parent", ROLL_LIMIT, || {
            new = self
                .keys_besides(foreign)
                .into_iter()
                .filter(|key| self.is_new(key) && key.secure_entry_point())
                .collect();
            !new.is_empty() && new.iter().all(|key| parent.has_ds(&dns::ds_text(CHILD, key)))
        })
        .await;
        for key in new {
            self.rndc(&["dnssec", "-checkds", "-key", &dns::key_tag(&key).to_string(), "published", CHILD]);
        }
    }

    fn is_new(&self, key: &DNSKEY) -> bool {
        !self.own_keys().contains(key)
    }

    /// Until the old key is gone from its own DNSKEY set, and one new one of each role of the roll has taken its place.
    pub async fn has_rolled(&mut self, old: &DNSKEY, foreign: &[DNSKEY]) {
        let count = self.own_keys().len();
        until(&format!("the roll at {} is over", self.name()), ROLL_LIMIT, || {
            let keys = self.keys_besides(foreign);
            !keys.contains(old) && keys.len() == count
        })
        .await;
        let keys = self.keys_besides(foreign);
        self.now_owns(keys);
    }

    pub fn rndc(&self, arguments: &[&str]) {
        let (address, port) = (self.addresses()[0].to_string(), RNDC_PORT.to_string());
        let key_file = self.key.key_file.to_string_lossy();
        let mut all = vec!["-s", &address, "-p", &port, "-k", key_file.as_ref()];
        all.extend(arguments);
        let done = run(&releases::program(self.spec.release, "bind", "rndc", "bind9"), &all, "");
        assert!(done.success, "rndc {}: {}{}", arguments.join(" "), done.stdout, done.stderr);
    }

    pub fn knotc(&self, arguments: &[&str]) {
        let configuration = self.dir.join("knot.conf");
        let mut all = vec!["-c", configuration.to_str().expect("a path in UTF-8")];
        all.extend(arguments);
        let done = run(&releases::program(self.spec.release, "knot", "knotc", "knot"), &all, "");
        assert!(done.success, "knotc {}: {}{}", arguments.join(" "), done.stdout, done.stderr);
    }
}
