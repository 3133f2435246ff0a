//! What is held to the contract: each provider on each server that it claims.

use crate::records::cds_of;
use crate::{desec, pdns, servers};
use async_trait::async_trait;
use chorus_providers::rfc2136::Rfc2136;
use chorus_providers::{Category, Provider, Rdata};
use hickory_proto::dnssec::DigestType;
use hickory_proto::rr::RecordType;
use std::any::Any;
use std::net::SocketAddr;

/// An answer that is none, and what it has to be taken for.
pub struct BadAnswer {
    /// No octets: no answer.
    pub octets: Vec<u8>,
    pub code: &'static str,
    pub category: Category,
}

#[async_trait(?Send)]
pub trait Subject {
    /// Starts a server that serves the zone, signed. It ends when what is returned is dropped.
    async fn start(&self) -> Box<dyn Any>;
    /// Where the interface is.
    fn address(&self) -> SocketAddr;
    /// The provider as it should be, with the interface at `address`.
    fn provider_at(&self, address: SocketAddr) -> Box<dyn Provider>;
    fn with_wrong_credential(&self) -> Box<dyn Provider>;
    /// Whether a connection that begins so brings a write.
    fn is_write(&self) -> fn(&[u8]) -> bool;
    /// Whether records that somebody else adds to a set, just as we add others, stay.
    fn keeps_what_others_write(&self) -> bool;
    /// Whether the serial moves by itself, without a write.
    fn moves_its_serial(&self) -> bool;
    fn bad_answers(&self) -> Vec<BadAnswer>;

    /// How many keys the server has.
    fn own_keys(&self) -> usize {
        2
    }

    /// What is served of this type whether it is wanted or not.
    fn always_served(&self, _: RecordType, _own_ksk: &Rdata) -> Vec<Rdata> {
        Vec::new()
    }

    /// Of the zone, and of what is at `www`.
    fn largest_ttl_s(&self) -> u32 {
        300
    }

    fn provider(&self) -> Box<dyn Provider> {
        self.provider_at(self.address())
    }
}

//----------- rfc2136 --------------------------------------------------------

pub struct DynamicUpdate(pub servers::Kind);

#[async_trait(?Send)]
impl Subject for DynamicUpdate {
    async fn start(&self) -> Box<dyn Any> {
        Box::new(servers::start(self.0, servers::Setting::default()).await)
    }

    fn address(&self) -> SocketAddr {
        servers::ADDRESS.parse().unwrap()
    }

    fn provider_at(&self, address: SocketAddr) -> Box<dyn Provider> {
        let mut config = servers::config(&address.to_string(), "ctl.", servers::SECRET);
        config.answer_timeout_ms = 3000;
        Box::new(Rfc2136::new(config, servers::clock()))
    }

    fn with_wrong_credential(&self) -> Box<dyn Provider> {
        let config = servers::config(servers::ADDRESS, "ctl.", "another secret");
        Box::new(Rfc2136::new(config, servers::clock()))
    }

    fn is_write(&self) -> fn(&[u8]) -> bool {
        // After two octets of length and two of id: the opcode.
        |begin| begin.get(4).is_some_and(|flags| flags >> 3 & 0xf == 5)
    }

    fn keeps_what_others_write(&self) -> bool {
        true
    }

    fn moves_its_serial(&self) -> bool {
        // BIND does while it brings its first keys in.
        self.0 == servers::Kind::Bind
    }

    fn bad_answers(&self) -> Vec<BadAnswer> {
        let framed = |message: Vec<u8>| [vec![0, message.len() as u8], message].concat();
        let short_of_everything = [&[0; 2][..], &[0x84, 0], &[0xff; 8]].concat();
        let bad = |octets, code| BadAnswer { octets, code, category: Category::Retry };
        vec![
            bad(vec![], "no-answer"),
            bad(framed(vec![0xff; 40]), "answer-malformed"),
            bad(framed(short_of_everything), "answer-malformed"),
            bad(vec![0, 9, 1], "no-connection"),
        ]
    }
}

/// PowerDNS, whose own keys are apart from what updates change.
pub struct DynamicUpdateOfPowerDns;

#[async_trait(?Send)]
impl Subject for DynamicUpdateOfPowerDns {
    async fn start(&self) -> Box<dyn Any> {
        // Of name servers in capital letters is what `powerdns` says.
        let zone = pdns::ZONE.to_lowercase();
        Box::new(pdns::start_with(&pdns::by_updates(), &zone, &["ksk", "zsk"]).await)
    }

    fn address(&self) -> SocketAddr {
        BY_UPDATE.address()
    }

    fn provider_at(&self, address: SocketAddr) -> Box<dyn Provider> {
        Box::new(pdns::provider_by_updates(&address.to_string(), servers::SECRET))
    }

    fn with_wrong_credential(&self) -> Box<dyn Provider> {
        Box::new(pdns::provider_by_updates(servers::ADDRESS, "another secret"))
    }

    fn is_write(&self) -> fn(&[u8]) -> bool {
        BY_UPDATE.is_write()
    }

    fn keeps_what_others_write(&self) -> bool {
        true
    }

    fn moves_its_serial(&self) -> bool {
        false
    }

    fn bad_answers(&self) -> Vec<BadAnswer> {
        BY_UPDATE.bad_answers()
    }
}

/// What does not depend on the server.
const BY_UPDATE: DynamicUpdate = DynamicUpdate(servers::Kind::Knot);

fn bad(status: &str, kind: &str, body: &str, code: &'static str, category: Category) -> BadAnswer {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close");
    BadAnswer { octets: format!("{head}\r\n\r\n{body}").into_bytes(), code, category }
}

//----------- powerdns -------------------------------------------------------

pub struct PowerDns;

#[async_trait(?Send)]
impl Subject for PowerDns {
    async fn start(&self) -> Box<dyn Any> {
        Box::new(pdns::start(&pdns::Setting::default()).await)
    }

    fn address(&self) -> SocketAddr {
        pdns::interface()
    }

    fn provider_at(&self, address: SocketAddr) -> Box<dyn Provider> {
        Box::new(pdns::provider_at(address))
    }

    fn with_wrong_credential(&self) -> Box<dyn Provider> {
        let config = pdns::config(pdns::interface(), "another-key");
        Box::new(chorus_providers::powerdns::PowerDns::new(&config, "localhost").unwrap())
    }

    fn is_write(&self) -> fn(&[u8]) -> bool {
        |begin| begin.starts_with(b"PATCH ")
    }

    /// Before 5.0 a set is only written whole.
    fn keeps_what_others_write(&self) -> bool {
        pdns::major_version() >= 5
    }

    fn moves_its_serial(&self) -> bool {
        false
    }

    fn bad_answers(&self) -> Vec<BadAnswer> {
        use Category::{AskHuman, Retry};
        let (json, text, html) = ("application/json", "text/plain; charset=utf-8", "text/html");
        let endless = format!("[{}]", " ".repeat(5 * 1024 * 1024));
        vec![
            BadAnswer { octets: vec![], code: "no-answer", category: Retry },
            BadAnswer { octets: b"SSH-2.0-x\r\n".to_vec(), code: "no-connection", category: Retry },
            BadAnswer { octets: b"HTTP/1.1 200 OK\r\nContent-Len".to_vec(), code: "no-connection", category: Retry },
            bad("200 OK", html, "<html>Log in</html>", "answer-malformed", Retry),
            bad("200 OK", json, "<html>", "answer-malformed", Retry),
            bad("200 OK", json, "{}", "answer-malformed", Retry),
            bad("200 OK", json, &endless, "answer-malformed", Retry),
            bad("302 Found\r\nLocation: http://127.0.0.1:1/", text, "", "redirected", AskHuman),
            bad("401 Unauthorized", text, "Unauthorized", "api-key-refused", AskHuman),
            bad("401 Unauthorized", json, "{\"error\": \"Unauthorized\"}", "api-key-refused", AskHuman),
            bad("403 Forbidden", html, "<html>", "read-refused", AskHuman),
            bad("404 Not Found", text, "Not Found", "zone-not-served", AskHuman),
            bad("405 Method Not Allowed", text, "Method Not Allowed", "unexpected-status", AskHuman),
            bad("422 Unprocessable Entity", json, "{\"error\": \"no\"}", "unexpected-status", AskHuman),
            bad("429 Too Many Requests\r\nRetry-After: 7", html, "", "too-many-requests", Retry),
            bad("500 Internal Server Error", text, "Internal Server Error", "read-server-error", Retry),
            bad("502 Bad Gateway", html, "<html>", "read-server-error", Retry),
        ]
    }
}

//----------- desec ----------------------------------------------------------

pub struct Desec;

#[async_trait(?Send)]
impl Subject for Desec {
    async fn start(&self) -> Box<dyn Any> {
        Box::new(desec::start().await)
    }

    fn address(&self) -> SocketAddr {
        desec::interface()
    }

    fn provider_at(&self, address: SocketAddr) -> Box<dyn Provider> {
        Box::new(desec::provider_at(address))
    }

    fn with_wrong_credential(&self) -> Box<dyn Provider> {
        let gate = std::sync::Arc::new(chorus_providers::desec::Unlimited);
        Box::new(desec::provider_with("another-key", gate))
    }

    fn is_write(&self) -> fn(&[u8]) -> bool {
        |begin| begin.starts_with(b"PATCH ")
    }

    fn keeps_what_others_write(&self) -> bool {
        false
    }

    fn moves_its_serial(&self) -> bool {
        false
    }

    fn own_keys(&self) -> usize {
        1
    }

    fn always_served(&self, rtype: RecordType, own_ksk: &Rdata) -> Vec<Rdata> {
        match rtype {
            RecordType::CDS => vec![cds_of(own_ksk, DigestType::SHA256), cds_of(own_ksk, DigestType::SHA384)],
            RecordType::CDNSKEY => vec![own_ksk.clone()],
            _ => vec![],
        }
    }

    fn largest_ttl_s(&self) -> u32 {
        7200
    }

    fn bad_answers(&self) -> Vec<BadAnswer> {
        use Category::{AskHuman, Retry};
        let (json, html) = ("application/json", "text/html");
        let detail = "{\"detail\": \"no\"}";
        vec![
            BadAnswer { octets: vec![], code: "no-answer", category: Retry },
            BadAnswer { octets: b"HTTP/1.1 200 OK\r\nContent-Len".to_vec(), code: "no-connection", category: Retry },
            bad("200 OK", html, "<html>Log in</html>", "answer-malformed", Retry),
            bad("200 OK", json, "<html>", "answer-malformed", Retry),
            bad("200 OK", json, "{}", "answer-malformed", Retry),
            bad("200 OK", json, "[{}]", "answer-malformed", Retry),
            bad("301 Moved Permanently\r\nLocation: http://127.0.0.1:1/", html, "", "redirected", AskHuman),
            bad("400 Bad Request", json, detail, "unexpected-status", AskHuman),
            bad("401 Unauthorized\r\nWWW-Authenticate: Token", json, detail, "api-key-refused", AskHuman),
            bad("403 Forbidden", json, detail, "read-refused", AskHuman),
            bad("404 Not Found", json, detail, "zone-not-served", AskHuman),
            bad("404 Not Found", html, "<html>", "zone-not-served", AskHuman),
            bad("405 Method Not Allowed", json, detail, "unexpected-status", AskHuman),
            bad("429 Too Many Requests\r\nRetry-After: 7", json, detail, "too-many-requests", Retry),
            bad("429 Too Many Requests", json, detail, "too-many-requests", Retry),
            bad("500 Internal Server Error", json, detail, "read-server-error", Retry),
            bad("500 Internal Server Error", html, "<html>", "read-server-error", Retry),
            bad("503 Service Unavailable", html, "<html>", "read-server-error", Retry),
        ]
    }
}
