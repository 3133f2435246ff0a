//! The stand-in for deSEC as these tests have it: with the zone of `servers`, before a PowerDNS of its own.

// Of what each target uses a part.
#![allow(dead_code, unused_imports)]

mod stand_in;

pub use stand_in::{ELSEWHERE_TOKEN, LIMITED_TOKEN, MINIMUM_TTL_S, State, TOKEN, Throttle, Trouble, ask};

use crate::pdns;
use crate::servers::zone;
use chorus_providers::desec::{Desec, Gate, Unlimited};
use chorus_providers::http::{AllowedNets, ApiKey, HttpConfig};
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

pub const INTERFACE: &str = "127.0.1.11:8080";

/// One key, which signs everything; in mixed case are names of name servers.
const ZONE: &str = "$ORIGIN music1.example.\n$TTL 3600\n@ 300 SOA get.desec.io. get.desec.io. 1 86400 3600 2419200 3600\n\
    @ NS Ns1.Music1.Example.\n@ NS ns.Elsewhere.test.\nns1 A 127.0.1.11\nwww 7200 A 192.0.2.1\n\
    txt TXT \"a;b\" \"\\195\\164 \\\"\"\n";

pub struct Server {
    api: stand_in::Server,
    /// To be ended before the rest by who wants to see that.
    pub signer: Option<pdns::Server>,
}

impl Deref for Server {
    type Target = stand_in::Server;

    fn deref(&self) -> &stand_in::Server {
        &self.api
    }
}

pub async fn start() -> Server {
    let commands = vec!["set-nsec3 %", "set-publish-cds % 2,4", "set-publish-cdnskey %"];
    let setting = pdns::Setting { commands, ..pdns::Setting::default() };
    let signer = pdns::start_with(&setting, ZONE, &["ksk"]).await;
    let at = stand_in::Place {
        zone: zone().to_ascii().trim_end_matches('.').to_owned(),
        signer: pdns::interface(),
        signer_key: pdns::KEY.to_owned(),
    };
    let sets: [(&str, &str, u64, &[&str]); 4] = [
        ("", "NS", 3600, &["Ns1.Music1.Example.", "ns.Elsewhere.test."]),
        ("ns1", "A", 3600, &["127.0.1.11"]),
        ("www", "A", 7200, &["192.0.2.1"]),
        ("txt", "TXT", 3600, &["\"a;b\" \"\\195\\164 \\\"\""]),
    ];
    let api = stand_in::Server::start(interface(), State::new(at, &sets));
    Server { api, signer: Some(signer) }
}

pub fn interface() -> SocketAddr {
    INTERFACE.parse().unwrap()
}

pub fn config(address: SocketAddr, token: &str) -> HttpConfig {
    let nets = AllowedNets::with(vec!["127.0.0.0/8".parse().unwrap()]);
    let mut config = HttpConfig::new(&format!("http://{address}/api/v1"), ApiKey::from_text(token).unwrap(), nets);
    config.answer_timeout_ms = 3000;
    config
}

pub fn provider_with(token: &str, gate: Arc<dyn Gate>) -> Desec {
    Desec::new(&config(interface(), token), gate).unwrap()
}

/// The provider as it should be, reached at `address`.
pub fn provider_at(address: SocketAddr) -> Desec {
    Desec::new(&config(address, TOKEN), Arc::new(Unlimited)).unwrap()
}

pub fn provider() -> Desec {
    provider_at(interface())
}
