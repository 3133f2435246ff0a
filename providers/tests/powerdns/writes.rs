//! What a write does beyond the sets, and what its answers mean.

use crate::pdns::{KEY, Setting, config, interface, provider, provider_at, start};
use crate::proxy::{Fault, proxy};
use crate::records::{cds, csync, dnskeys, exactly, new_key};
use crate::servers::{alone, zone};
use crate::{serial, served};
use chorus_providers::http::{AllowedNets, HttpConfig};
use chorus_providers::powerdns::PowerDns;
use chorus_providers::{Category, Provider};
use hickory_proto::rr::RecordType::{CDS, CSYNC, DNSKEY};
use std::time::Duration;
use tokio::net::UdpSocket;

#[test]
fn the_serial_moves_by_one_with_each_change_and_not_without() {
    alone(|| async {
        // Of a zone as pdnsutil before 5.0 makes it, and of one as it is advised.
        for commands in [vec!["set-meta % SOA-EDIT-API"], vec![]] {
            let _server = start(&Setting { commands, ..Setting::default() }).await;
            let before = serial().await;
            let wanted = [dnskeys(&[&new_key(256)], &[]), exactly(CSYNC, [csync()])];
            provider().apply(&zone(), &wanted).await.unwrap();
            assert_eq!(serial().await, before + 1);
            assert_eq!(provider().apply(&zone(), &wanted).await.unwrap(), vec![]);
            provider().probe(&zone()).await.unwrap();
            assert_eq!(serial().await, before + 1);
        }
    });
}

/// Keys of PowerDNS are for the whole server; who wants less puts something in front of it.
#[test]
fn what_else_the_key_may_change_is_tried_and_nothing_is_left_of_it() {
    alone(|| async {
        let server = start(&Setting::default()).await;
        let before = provider().list(&zone()).await.unwrap().unwrap();
        let may = provider().oversteps(&zone()).await.unwrap().unwrap();
        assert_eq!(may, ["a TXT record at the apex", "an address record below the apex"]);
        let without_soa = |listing: chorus_providers::Listing| {
            listing
                .into_iter()
                .filter(|((_, rtype), _)| *rtype != hickory_proto::rr::RecordType::SOA)
                .collect::<Vec<_>>()
        };
        let after = provider().list(&zone()).await.unwrap().unwrap();
        assert_eq!(without_soa(after), without_soa(before));
        // One that is there is not touched for it.
        server.util("add-record % @ TXT 60 \"v=spf1\"");
        let may = provider().oversteps(&zone()).await.unwrap().unwrap();
        assert_eq!(may, ["an address record below the apex"]);
        let listed = provider().list(&zone()).await.unwrap().unwrap();
        assert!(listed.keys().any(|(_, rtype)| *rtype == hickory_proto::rr::RecordType::TXT), "{:?}", listed.keys());
    });
}

#[test]
fn secondaries_are_notified_at_once() {
    alone(|| async {
        let secondary = UdpSocket::bind("127.0.1.11:5301").await.unwrap();
        // PowerDNS by itself would look for what to notify once an hour.
        let lines = vec!["primary=yes", "also-notify=127.0.1.11:5301", "xfr-cycle-interval=3600"];
        let server = start(&Setting { lines, ..Setting::default() }).await;
        server.util("set-kind % master");
        provider().apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap();
        let mut message = [0; 512];
        let received = tokio::time::timeout(Duration::from_secs(20), secondary.recv(&mut message)).await;
        received.expect("a message to the secondary").unwrap();
        assert_eq!(message[2] >> 3 & 0xf, 4, "the opcode is NOTIFY");
    });
}

#[test]
fn dnskeys_are_read_with_the_ttl_that_they_are_served_with() {
    alone(|| async {
        let _server = start(&Setting::default()).await;
        let mut wanted = dnskeys(&[&new_key(256)], &[]);
        if let chorus_providers::Wanted::Partly { ttl_s, .. } = &mut wanted {
            *ttl_s = 77;
        }
        provider().apply(&zone(), &[wanted]).await.unwrap();
        let read = provider().read(&zone(), &[DNSKEY]).await.unwrap().pop().unwrap();
        assert_eq!((read.ttl_s, read.records.len()), (5, 3));
        assert_eq!(served(DNSKEY).await.unwrap(), read);
    });
}

#[test]
fn a_set_is_withdrawn_to_the_last_record() {
    alone(|| async {
        let _server = start(&Setting::default()).await;
        provider().apply(&zone(), &[exactly(CDS, [cds(&new_key(257)), cds(&new_key(257))])]).await.unwrap();
        assert_eq!(served(CDS).await.unwrap().records.len(), 2);
        let changes = provider().apply(&zone(), &[exactly(CDS, [])]).await.unwrap();
        assert_eq!((changes[0].removed.len(), served(CDS).await), (2, None));
    });
}

#[test]
fn what_the_server_itself_refuses_is_told_with_its_reason() {
    alone(|| async {
        let _server = start(&Setting::default()).await;
        // A digest of no octets.
        let refused = provider().apply(&zone(), &[exactly(CDS, [vec![0, 1, 13, 2]])]).await.unwrap_err();
        assert_eq!((refused.code(), refused.category()), ("update-refused", Category::AskHuman));
        assert!(refused.to_string().contains("HTTP 422") && refused.to_string().contains("CDS"), "{refused}");
    });
}

#[test]
fn each_answer_to_a_write_is_told_from_the_others() {
    alone(|| async {
        let _server = start(&Setting::default()).await;
        let (json, html) = ("application/json", "text/html");
        let said = "{\"error\": \"Conflicts with pre-existing RRset\"}";
        use Category::{AskHuman, ReadBack, Retry};
        let answers = [
            ("422 Unprocessable Entity", json, said, "update-refused", AskHuman, "pre-existing RRset"),
            ("409 Conflict", "text/plain", "Conflict", "update-refused", AskHuman, "no reason"),
            ("400 Bad Request", "text/plain", "Bad Request", "update-refused", AskHuman, "HTTP 400"),
            ("403 Forbidden", html, "<html>", "update-refused", AskHuman, "HTTP 403"),
            ("401 Unauthorized", "text/plain", "Unauthorized", "api-key-refused", AskHuman, "HTTP 401"),
            ("429 Too Many Requests", html, "", "too-many-requests", Retry, "HTTP 429"),
            ("500 Internal Server Error", "text/plain", "", "outcome-unknown", ReadBack, "HTTP 500"),
            ("504 Gateway Timeout", html, "<html>", "outcome-unknown", ReadBack, "HTTP 504"),
            // Somebody between, who says yes and does nothing.
            ("204 No Content", json, "", "update-ignored", AskHuman, "CSYNC (1 missing)"),
        ];
        for (status, kind, body, code, category, words) in answers {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close");
            let fault = Fault::Answer(format!("{head}\r\n\r\n{body}").into_bytes());
            let proxy = proxy(interface(), |begin| begin.starts_with(b"PATCH "), fault).await;
            let error = provider_at(proxy.address).apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap_err();
            assert_eq!((error.code(), error.category()), (code, category), "{status}: {error}");
            assert!(error.to_string().contains(words), "{status}: {error}");
            assert_eq!((proxy.writes(), served(CSYNC).await), (1, None), "{status}");
        }
    });
}

#[test]
fn the_key_is_in_no_log_of_the_server_and_goes_nowhere_that_is_not_allowed() {
    alone(|| async {
        let server = start(&Setting::default()).await;
        provider().probe(&zone()).await.unwrap();
        assert!(server.log().contains("/zones/music1.example.") && !server.log().contains(KEY));
        let allowed = config(interface(), KEY);
        let elsewhere = HttpConfig { nets: AllowedNets::public_only(), ..allowed };
        let refused = PowerDns::new(&elsewhere, "localhost").unwrap_err();
        assert!(refused.to_string().contains("127.0.1.11"), "{refused}");
        let named = HttpConfig { url: "http://localhost:8081".into(), ..elsewhere };
        let refused = PowerDns::new(&named, "localhost").unwrap().probe(&zone()).await.unwrap_err();
        assert_eq!((refused.code(), refused.category()), ("address-not-allowed", Category::AskHuman));
    });
}
