//! What is answered to a write, and what is made of it.

use crate::desec::{
    ELSEWHERE_TOKEN, LIMITED_TOKEN, TOKEN, config, interface, provider, provider_at, provider_with, start,
};
use crate::proxy::{Fault, proxy};
use crate::records::{csync, dnskeys, exactly, new_key, ns};
use crate::served;
use crate::servers::{alone, zone};
use chorus_providers::desec::{Desec, Unlimited};
use chorus_providers::http::{AllowedNets, HttpConfig};
use chorus_providers::{Category, Provider, Wanted};
use hickory_proto::rr::RecordType::{CSYNC, DNSKEY, NS};
use std::sync::Arc;

fn wanted() -> [Wanted; 1] {
    [exactly(CSYNC, [csync()])]
}

fn is_write(begin: &[u8]) -> bool {
    begin.starts_with(b"PATCH ")
}

#[test]
fn each_answer_to_a_write_is_told_from_the_others() {
    alone(|| async {
        let server = start().await;
        let (json, html) = ("application/json", "text/html");
        let detail = "{\"detail\": \"said so\"}";
        use Category::{AskHuman, ReadBack, Retry};
        let answers = [
            ("400 Bad Request", json, detail, "update-refused", AskHuman, "said so"),
            ("400 Bad Request", html, "<html>", "update-refused", AskHuman, "no reason"),
            ("401 Unauthorized", json, detail, "api-key-refused", AskHuman, "HTTP 401"),
            ("403 Forbidden", json, detail, "update-refused", AskHuman, "HTTP 403"),
            ("404 Not Found", json, detail, "zone-not-served", AskHuman, "music1.example."),
            ("405 Method Not Allowed", json, detail, "update-refused", AskHuman, "said so"),
            ("413 Payload Too Large", html, "<html>", "update-refused", AskHuman, "HTTP 413"),
            ("415 Unsupported Media Type", json, detail, "update-refused", AskHuman, "said so"),
            ("429 Too Many Requests\r\nRetry-After: 7", json, detail, "too-many-requests", Retry, "HTTP 429"),
            ("429 Too Many Requests", json, detail, "too-many-requests", Retry, "HTTP 429"),
            ("500 Internal Server Error", html, "<html>", "outcome-unknown", ReadBack, "HTTP 500"),
            ("500 Internal Server Error", json, detail, "outcome-unknown", ReadBack, "HTTP 500"),
            ("503 Service Unavailable", html, "<html>", "outcome-unknown", ReadBack, "HTTP 503"),
            // Somebody between, who says yes and does nothing.
            ("200 OK", json, "[]", "update-ignored", AskHuman, "CSYNC (1 missing)"),
            // A page to sign in at.
            ("200 OK", html, "<html>", "outcome-unknown", ReadBack, "a web page came (HTTP 200, text/html)"),
        ];
        for (status, kind, body, code, category, words) in answers {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close");
            let fault = Fault::Answer(format!("{head}\r\n\r\n{body}").into_bytes());
            let proxy = proxy(interface(), is_write, fault).await;
            let error = provider_at(proxy.address).apply(&zone(), &wanted()).await.unwrap_err();
            assert_eq!((error.code(), error.category()), (code, category), "{status}: {error}");
            assert!(error.to_string().contains(words), "{status}: {error}");
            assert!(!error.advice().is_empty());
            assert_eq!((proxy.writes(), server.state().stored("CSYNC").is_some()), (1, false), "{status}");
        }
    });
}

#[test]
fn a_write_is_not_sent_where_a_redirection_points_to() {
    alone(|| async {
        let server = start().await;
        for status in [301, 302, 307, 308] {
            // To where it would be done.
            let to = format!("http://{}/api/v1/domains/music1.example/rrsets/", interface());
            let head =
                format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close");
            let proxy = proxy(interface(), is_write, Fault::Answer(format!("{head}\r\n\r\n").into_bytes())).await;
            server.state().requests();
            let error = provider_at(proxy.address).apply(&zone(), &wanted()).await.unwrap_err();
            assert_eq!((error.code(), error.category()), ("redirected", Category::AskHuman), "{error}");
            let reads = ["GET /api/v1/domains/music1.example/", "GET /api/v1/domains/music1.example/rrsets/"];
            assert_eq!(server.state().requests(), reads);
        }
    });
}

#[test]
fn each_shape_of_a_refusal_is_told_with_its_reason_and_without_the_token() {
    alone(|| async {
        let server = start().await;
        let shapes = [
            (r#"{"type": ["Not at a managed suffix."]}"#, "type: Not at a managed suffix."),
            (r#"{"non_field_errors": ["Expected a list."]}"#, "Expected a list."),
            (r#"[{}, {"ttl": ["Out of bounds."]}]"#, "RRset 2 of the request: ttl: Out of bounds."),
            (r#"["Empty rdata."]"#, "Empty rdata."),
            (r#"{"detail": "No JSON."}"#, "No JSON."),
            (r#"{"detail": "You sent Token 1234567890abcdefGHJKMNPQrstu."}"#, "You sent Token …."),
        ];
        for (body, reason) in shapes {
            server.state().says = Some((400, "application/json", body.to_owned()));
            let refused = provider().apply(&zone(), &wanted()).await.unwrap_err();
            assert_eq!((refused.code(), refused.category()), ("update-refused", Category::AskHuman));
            assert!(refused.to_string().ends_with(&format!("(HTTP 400): {reason}")), "{refused}");
            assert!(!format!("{refused:?} {}", refused.advice()).contains(TOKEN));
        }
    });
}

#[test]
fn what_the_server_itself_refuses_is_told_and_nothing_of_the_change_is_done() {
    alone(|| async {
        let server = start().await;
        // A digest of the wrong length, and a change that is all right by itself.
        let digest = [&[0, 1, 13, 2][..], &[7; 31]].concat();
        let wanted = [exactly(hickory_proto::rr::RecordType::CDS, [digest]), exactly(CSYNC, [csync()])];
        let refused = provider().apply(&zone(), &wanted).await.unwrap_err();
        assert_eq!((refused.code(), refused.category()), ("update-refused", Category::AskHuman));
        assert!(refused.to_string().contains("RRset 1 of the request"), "{refused}");
        assert!(server.state().stored("CSYNC").is_none());
    });
}

#[test]
fn a_token_that_may_not_write_a_type_changes_nothing() {
    alone(|| async {
        let server = start().await;
        let limited = provider_with(LIMITED_TOKEN, Arc::new(Unlimited));
        // DNSKEY, CDS and CDNSKEY are not there yet, and the token may not write them: the probe says so, and changes nothing.
        let elsewhere = provider_with(ELSEWHERE_TOKEN, Arc::new(Unlimited));
        let before = provider().list(&zone()).await.unwrap();
        for unable in [&limited, &elsewhere] {
            let refused = unable.probe(&zone()).await.unwrap_err();
            assert_eq!((refused.code(), refused.category()), ("update-refused", Category::AskHuman));
            assert!(refused.to_string().contains("by the token's policies"), "{refused}");
            assert!(refused.advice().contains("per domain"), "{}", refused.advice());
        }
        provider().probe(&zone()).await.unwrap();
        assert_eq!(provider().list(&zone()).await.unwrap(), before);
        let wanted = [dnskeys(&[&new_key(256)], &[]), exactly(CSYNC, [csync()])];
        let refused = limited.apply(&zone(), &wanted).await.unwrap_err();
        assert_eq!((refused.code(), refused.category()), ("update-refused", Category::AskHuman));
        assert!(refused.advice().contains("policies to the token"), "{}", refused.advice());
        assert!(server.state().stored("CSYNC").is_none());
        assert_eq!(limited.apply(&zone(), &wanted[1..]).await.unwrap().len(), 1);
        let unknown = provider_with("another-token", Arc::new(Unlimited)).probe(&zone()).await.unwrap_err();
        assert_eq!(unknown.code(), "api-key-refused");
        assert!(unknown.to_string().contains("the token") && unknown.advice().contains("not expired"), "{unknown}");
    });
}

#[test]
fn what_else_a_token_may_change_is_tried_and_nothing_is_left_of_it() {
    alone(|| async {
        let _server = start().await;
        let whole = provider();
        let before = whole.list(&zone()).await.unwrap().unwrap();
        let may = whole.oversteps(&zone()).await.unwrap();
        assert_eq!(
            may,
            Some(vec!["a TXT record at the apex".to_owned(), "an address record below the apex".to_owned()])
        );
        let limited = provider_with(LIMITED_TOKEN, Arc::new(Unlimited));
        assert_eq!(limited.oversteps(&zone()).await.unwrap(), Some(Vec::new()));
        assert_eq!(whole.list(&zone()).await.unwrap().unwrap(), before);
    });
}

#[test]
fn a_write_that_meets_another_one_is_worked_out_anew() {
    alone(|| async {
        let server = start().await;
        server.state().conflicts = 1;
        let changes = provider().apply(&zone(), &wanted()).await.unwrap();
        assert_eq!((changes.len(), served(CSYNC).await.unwrap().records.len()), (1, 1));
        let writes = |lines: Vec<String>| lines.iter().filter(|line| line.starts_with("PATCH")).count();
        assert_eq!(writes(server.state().requests()), 2);

        server.state().conflicts = 9;
        let contended = provider().apply(&zone(), &[exactly(CSYNC, [])]).await.unwrap_err();
        assert_eq!((contended.code(), contended.category()), ("update-overtaken", Category::Retry), "{contended}");
        assert!(!contended.may_have_been_done());
        assert_eq!(writes(server.state().requests()), 3);
        assert_eq!(served(CSYNC).await.unwrap().records.len(), 1);
    });
}

#[test]
fn another_writer_that_has_the_last_word_is_told() {
    alone(|| async {
        let server = Arc::new(start().await);
        let intruder = server.clone();
        // Passes on the write, and stores something else before we read back: so it does before the third read.
        let proxy = proxy(
            interface(),
            |begin| begin.starts_with(b"GET ") && begin.windows(8).any(|part| part == b"subname="),
            Fault::Before(Arc::new(move |number| {
                let intruder = intruder.clone();
                Box::pin(async move {
                    if number == 1 {
                        intruder.state().write("NS", 3600, &["ns.intruder.test."]);
                    }
                })
            })),
        )
        .await;
        let wanted = [exactly(NS, [ns("ns1.b.test.")])];
        let overtaken = provider_at(proxy.address).apply(&zone(), &wanted).await.unwrap_err();
        assert_eq!((overtaken.code(), overtaken.category()), ("update-overtaken", Category::Retry), "{overtaken}");
        assert!(overtaken.may_have_been_done());
    });
}

#[test]
fn the_token_is_in_nothing_that_is_printed_and_goes_nowhere_that_is_not_allowed() {
    alone(|| async {
        let server = start().await;
        let provider = provider();
        provider.probe(&zone()).await.unwrap();
        let shown = format!("{provider:?} {:?} {:?}", config(interface(), TOKEN), server.state().log);
        assert!(shown.contains("127.0.1.11:8080") && !shown.contains(TOKEN), "{shown}");
        let elsewhere = HttpConfig { nets: AllowedNets::public_only(), ..config(interface(), TOKEN) };
        let refused = Desec::new(&elsewhere, Arc::new(Unlimited)).unwrap_err();
        assert!(refused.to_string().contains("127.0.1.11"), "{refused}");
        let named = HttpConfig { url: "http://localhost:8080/api/v1".into(), ..elsewhere };
        let refused = Desec::new(&named, Arc::new(Unlimited)).unwrap().probe(&zone()).await.unwrap_err();
        assert_eq!((refused.code(), refused.category()), ("address-not-allowed", Category::AskHuman));
        assert!(
            Desec::new(&HttpConfig { url: chorus_providers::desec::URL.into(), ..named }, Arc::new(Unlimited)).is_ok()
        );
    });
}

#[test]
fn the_signer_s_absence_is_told_where_its_keys_are_needed_and_nowhere_else() {
    alone(|| async {
        let mut server = start().await;
        server.signer = None;
        let failing = provider().read(&zone(), &[DNSKEY]).await.unwrap_err();
        assert_eq!((failing.code(), failing.category()), ("read-server-error", Category::Retry));
        assert_eq!(provider().read(&zone(), &[NS]).await.unwrap()[0].records.len(), 2);
    });
}
