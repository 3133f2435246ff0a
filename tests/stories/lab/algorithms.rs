//! Another algorithm at an operator, with the tools of its own server, in three moves: sign with both, give the old
//! keys up, give the new ones up. Chorus says when; nothing here knows it.

use hickory_proto::dnssec::PublicKey;
use hickory_proto::dnssec::rdata::DNSKEY;

use super::operator::{Algorithm, Operator, Server};
use super::parent::Parent;
use super::process::{binary, run};
use super::rolls::ROLL_LIMIT;
use super::{CHILD, dns, until};

impl Algorithm {
    pub fn number(self) -> u8 {
        match self {
            Algorithm::Rsa2048 => 8,
            Algorithm::Ecdsa => 13,
            Algorithm::Ed25519 => 15,
            Algorithm::Ed448 => 16,
        }
    }

    fn is_of(self, key: &DNSKEY) -> bool {
        u8::from(key.public_key().algorithm()) == self.number()
    }
}

impl Operator {
    /// The policy's algorithm is changed. BIND publishes keys and signatures at once, Knot the signatures first; both go on
    /// with the old keys until they are told that the parent has the new DS.
    pub fn sign_with(&mut self, algorithm: Algorithm) {
        self.configure(algorithm);
        match self.server {
            Server::Bind => self.rndc(&["reconfig"]),
            Server::Knot => {
                self.knotc(&["reload"]);
                self.knotc(&["zone-sign", CHILD]);
            }
            Server::PowerDns | Server::PowerDnsByUpdate | Server::Desec => {
                panic!("PowerDNS has no policy that could name an algorithm")
            }
        }
    }

    /// Until it publishes keys of both algorithms. They are its own from now on; nobody has copied them yet.
    pub async fn publishes_both(&mut self, foreign: &[DNSKEY]) {
        let count = 2 * self.own_keys().len();
        let what = format!("{} publishes keys of both algorithms", self.name());
        until(&what, ROLL_LIMIT, || self.keys_besides(foreign).len() == count).await;
        let keys = self.keys_besides(foreign);
        self.now_owns(keys);
    }

    /// It is told that the parent has the new DS and not the old one any more: it may let go of the old keys.
    pub fn told_that_ds_moved(&self, from: Algorithm, to: Algorithm) {
        match self.server {
            Server::Bind => {
                for (algorithm, state) in [(to, "published"), (from, "withdrawn")] {
                    let keys = self.own_keys().iter().filter(|key| algorithm.is_of(key) && key.secure_entry_point());
                    for key in keys {
                        self.rndc(&["dnssec", "-checkds", "-key", &dns::key_tag(key).to_string(), state, CHILD]);
                    }
                }
            }
            Server::Knot => self.knotc(&["zone-ksk-submitted", CHILD]),
            Server::PowerDns | Server::PowerDnsByUpdate | Server::Desec => {
                panic!("PowerDNS has no policy that could name an algorithm")
            }
        }
    }

    /// It goes back to the algorithm from before. Knot only ever goes on with a roll that it has begun, so its new keys are
    /// retired by hand; BIND gives them up at once, and makes new keys of the old algorithm, as for any key roll.
    pub fn gives_up(&mut self, algorithm: Algorithm, before: Algorithm) {
        self.configure(before);
        match self.server {
            Server::Bind => self.rndc(&["reconfig"]),
            Server::Knot => {
                self.knotc(&["reload"]);
                for key in self.own_keys().iter().filter(|key| algorithm.is_of(key)) {
                    let tag = dns::key_tag(key).to_string();
                    self.keymgr(&[CHILD, "set", &tag, "ready=-1", "active=-1", "retire=-1", "remove=-1"]);
                }
                self.knotc(&["zone-sign", CHILD]);
            }
            Server::PowerDns | Server::PowerDnsByUpdate | Server::Desec => {
                panic!("PowerDNS has no policy that could name an algorithm")
            }
        }
    }

    /// After it went back: until it has keys of the algorithm from before alone. BIND is told of its new key's DS.
    pub async fn is_back_at(&mut self, algorithm: Algorithm, parent: &Parent, foreign: &[DNSKEY]) {
        if self.server == Server::Knot {
            return self.has_only(algorithm).await;
        }
        self.tell_of_ds(parent, foreign).await;
        let count = self.own_keys().len() / 2;
        until(&format!("{} is back at algorithm {}", self.name(), algorithm.number()), ROLL_LIMIT, || {
            let keys = self.keys_besides(foreign);
            keys.len() == count && keys.iter().all(|key| algorithm.is_of(key))
        })
        .await;
        let keys = self.keys_besides(foreign);
        self.now_owns(keys);
    }

    fn keymgr(&self, arguments: &[&str]) {
        let configuration = self.dir.join("knot.conf");
        let mut all = vec!["-c", configuration.to_str().expect("a path in UTF-8")];
        all.extend(arguments);
        let done = run(&binary("keymgr", "knot"), &all, "");
        assert!(done.success, "keymgr {}: {}{}", arguments.join(" "), done.stdout, done.stderr);
    }

    /// Until its own keys are of this algorithm alone.
    pub async fn has_only(&mut self, algorithm: Algorithm) {
        let (keep, go): (Vec<DNSKEY>, Vec<DNSKEY>) =
            self.own_keys().iter().cloned().partition(|key| algorithm.is_of(key));
        let what = format!("{} has keys of algorithm {} alone", self.name(), algorithm.number());
        until(&what, ROLL_LIMIT, || {
            let served = self.keys();
            keep.iter().all(|key| served.contains(key)) && !go.iter().any(|key| served.contains(key))
        })
        .await;
        self.now_owns(keep);
    }
}
