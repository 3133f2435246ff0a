//! The stand-in does what deSEC was seen to do; else what is tested against it means nothing.

use crate::desec::{LIMITED_TOKEN, TOKEN, Throttle, ask, interface, start};
use crate::servers::alone;
use crate::{own_key, serial, served};
use hickory_proto::rr::RecordType::{CDS, DNSKEY, NS};
use serde_json::{Value, json};

const RRSETS: &str = "/api/v1/domains/music1.example/rrsets/";

struct Said {
    status: u16,
    head: String,
    text: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

fn raw(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Said {
    let (status, head, text) = ask(interface(), method, path, headers, body).unwrap();
    Said { status, head, text }
}

fn say(method: &str, path: &str, body: &Value) -> Said {
    let authorization = format!("Token {TOKEN}");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    raw(method, path, &[("Authorization", &authorization), ("Content-Type", "application/json")], &body)
}

fn get(path: &str) -> Said {
    say("GET", path, &Value::Null)
}

fn entry(rtype: &str, records: &[&str]) -> Value {
    json!({ "subname": "", "type": rtype, "ttl": 3600, "records": records })
}

#[test]
fn routes_tokens_and_methods() {
    alone(|| async {
        let _server = start().await;
        for method in ["GET", "PUT", "PATCH"] {
            let moved = say(method, RRSETS.trim_end_matches('/'), &Value::Null);
            assert_eq!((moved.status, moved.head.contains(&format!("Location: {RRSETS}"))), (301, true));
        }
        let bearer = format!("Bearer {TOKEN}");
        for headers in [&[][..], &[("Authorization", bearer.as_str())], &[("Authorization", "Token wrong")]] {
            let refused = raw("GET", RRSETS, headers, "");
            assert_eq!((refused.status, refused.head.contains("WWW-Authenticate: Token")), (401, true));
        }
        let lower = format!("token {TOKEN}");
        let with = |name, value| raw("GET", RRSETS, &[("Authorization", lower.as_str()), (name, value)], "").status;
        assert_eq!((with("Accept", "text/html"), with("Accept", "*/*")), (406, 200));
        assert_eq!(
            raw("PATCH", RRSETS, &[("Authorization", &lower), ("Content-Type", "text/plain")], "[]").status,
            415
        );
        assert_eq!(say("DELETE", RRSETS, &Value::Null).status, 405);
        assert_eq!(say("PATCH", "/api/v1/domains/music1.example/", &json!({})).status, 405);
        for absent in ["/api/v1/domains/other.example/", "/api/v1/domains/Music1.example/", &format!("{RRSETS}@/CDS/")]
        {
            assert_eq!((get(absent).status, get(absent).json()["detail"].is_string()), (404, true), "{absent}");
        }
        let html = get("/api/v2/");
        assert_eq!((html.status, html.head.contains("text/html")), (404, true));
        for apex in ["@", "..."] {
            assert_eq!(get(&format!("{RRSETS}{apex}/NS/")).json()["subname"], "");
        }
        assert_eq!(get(&format!("{RRSETS}?subname=@")).json(), json!([]));
        assert_eq!(get(&format!("{RRSETS}?type=SOA")).status, 403);
        for (name, count) in [("a.music1.example", 1), ("example", 0)] {
            assert_eq!(get(&format!("/api/v1/domains/?owns_qname={name}")).json().as_array().unwrap().len(), count);
        }
    });
}

#[test]
fn bulk_writes_are_done_all_or_not_at_all_and_say_what_is_wrong_in_four_shapes() {
    alone(|| async {
        let server = start().await;
        let bad = json!([entry("CSYNC", &["0 1 NS"]), { "subname": "", "type": "CDS", "ttl": 60, "records": ["x"] }]);
        for method in ["PATCH", "PUT", "POST"] {
            let said = say(method, RRSETS, &bad);
            let errors = said.json();
            assert_eq!((said.status, &errors[0]), (400, &json!({})));
            assert!(errors[1]["ttl"].is_array() && errors[1]["non_field_errors"].is_array(), "{errors}");
        }
        assert!(server.state().stored("CSYNC").is_none());
        let wrong = [
            ("PUT", json!([{ "type": "NS", "ttl": 3600, "records": [] }]), "/0/subname"),
            ("PATCH", json!([{ "subname": "@", "type": "NS" }]), "/0/subname"),
            ("PATCH", json!([{ "subname": null, "type": "NS" }]), "/0/subname"),
            ("PATCH", json!([{ "subname": "", "type": "CDS" }]), "/0/ttl"),
            ("PUT", json!([{ "subname": "", "type": "NS", "records": [] }]), "/0/ttl"),
            ("PUT", json!([entry("NSEC", &["x"])]), "/0/type"),
            ("PUT", json!([entry("TYPE65280", &["x"])]), "/0/type"),
            ("PUT", json!([entry("NS", &["a.test.", "A.Test."])]), "/0/records"),
            ("PUT", json!([entry("CDS", &[]), entry("CDS", &[])]), "/1/non_field_errors"),
            ("POST", entry("CDS", &[]), "/records"),
            ("POST", entry("NS", &["a.test."]), "/non_field_errors"),
            ("PUT", entry("NS", &["a.test."]), "/non_field_errors"),
            ("PUT", json!([entry("DS", &["7 13 2 ab"])]), "/0"),
        ];
        for (method, body, place) in wrong {
            let said = say(method, RRSETS, &body);
            assert_eq!(said.status, 400, "{body}");
            assert!(said.json().pointer(place).is_some(), "{body}: {}", said.text);
        }
        let authorization = format!("Token {TOKEN}");
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        assert!(serde_json::from_str::<Value>(&raw("PUT", RRSETS, &headers, "{").text).unwrap()["detail"].is_string());

        let limited = format!("Token {LIMITED_TOKEN}");
        let headers = [("Authorization", limited.as_str()), ("Content-Type", "application/json")];
        let both = json!([entry("CSYNC", &["0 1 NS"]), entry("DNSKEY", &["257 3 13 AQID"])]);
        let refused = raw("PUT", RRSETS, &headers, &both.to_string());
        assert_eq!((refused.status, server.state().stored("CSYNC").is_some()), (403, false));
        assert!(refused.json()["detail"].is_string());

        let both = json!([{ "subname": "", "type": "NS", "ttl": "7200" }, entry("CSYNC", &["0 1 NS"])]);
        let done = say("PATCH", RRSETS, &both).json();
        assert_eq!(
            (&done[0]["type"], &done[1]["type"], &done[1]["ttl"]),
            (&json!("CSYNC"), &json!("NS"), &json!(7200))
        );
        server.state().conflicts = 1;
        assert_eq!(say("POST", RRSETS, &entry("CDNSKEY", &["257 3 13 AQID"])).status, 409);
        assert_eq!(say("POST", RRSETS, &entry("CDNSKEY", &["257 3 13 AQID"])).status, 201);
    });
}

#[test]
fn single_sets_are_changed_and_deleted_and_not_made() {
    alone(|| async {
        let _server = start().await;
        let (csync, ns) = (format!("{RRSETS}@/CSYNC/"), format!("{RRSETS}@/NS/"));
        for method in ["PATCH", "PUT"] {
            assert_eq!(say(method, &csync, &entry("CSYNC", &["0 1 NS"])).status, 404);
        }
        assert_eq!(say("DELETE", &csync, &Value::Null).status, 204);
        assert_eq!(say("PUT", &ns, &entry("CSYNC", &["0 1 NS"])).status, 400);
        assert_eq!(say("PATCH", &ns, &json!({ "ttl": 4000 })).status, 200);
        assert_eq!((served(NS).await.unwrap().ttl_s, get(&ns).json()["ttl"].clone()), (4000, json!(4000)));
        assert_eq!(say("PATCH", &ns, &json!({ "records": [] })).status, 204, "the zone is then without any");
        assert_eq!((get(&ns).status, served(NS).await), (404, None));
    });
}

#[test]
fn records_are_stored_in_one_form_and_shown_in_any_order() {
    alone(|| async {
        let _server = start().await;
        let digest = "AB".repeat(32);
        let forms = [
            ("DNSKEY", "257 3 ECDSAP256SHA256 AQ ID".to_owned(), Some("257 3 13 AQID".to_owned())),
            ("DNSKEY", "0 9 99 AQID".to_owned(), Some("0 9 99 AQID".to_owned())),
            ("CDNSKEY", "0 3 0 AA==".to_owned(), Some("0 3 0 AA==".to_owned())),
            ("CDNSKEY", "0 3 0 0".to_owned(), None),
            ("CDS", format!("7 13 2 {digest}"), Some(format!("7 13 2 {}", digest.to_lowercase()))),
            ("CDS", "7 13 2 abcd".to_owned(), None),
            ("CDS", "0 0 0 00".to_owned(), Some("0 0 0 00".to_owned())),
            ("CDS", "7 0 0 00".to_owned(), None),
            ("CSYNC", "0 3 aaaa NS A NS".to_owned(), Some("0 3 A NS AAAA".to_owned())),
            ("NS", " Ns1.A.Test. ".to_owned(), Some("Ns1.A.Test.".to_owned())),
            ("NS", "_x.a.test.".to_owned(), None),
            ("NS", "relative".to_owned(), None),
        ];
        for (rtype, text, form) in forms {
            let said = say("PUT", RRSETS, &json!([entry(rtype, &[&text])]));
            assert_eq!(said.status, if form.is_some() { 200 } else { 400 }, "{rtype} {text}");
            if let Some(form) = form {
                assert_eq!(said.json()[0]["records"], json!([form]), "{rtype} {text}");
            }
        }
        say("PUT", RRSETS, &json!([entry("NS", &["a.test.", "b.test.", "c.test."])]));
        let path = format!("{RRSETS}@/NS/");
        assert_ne!(get(&path).json()["records"], get(&path).json()["records"]);
    });
}

#[test]
fn own_records_are_served_beside_the_written_ones_and_not_shown() {
    alone(|| async {
        let _server = start().await;
        let own = own_key().await;
        for rtype in ["DNSKEY", "CDS", "CDNSKEY"] {
            assert_eq!(get(&format!("{RRSETS}@/{rtype}/")).status, 404);
        }
        let zone_path = "/api/v1/domains/music1.example/";
        let keys = get(zone_path).json()["keys"].clone();
        let digests: Vec<&str> = keys[0]["ds"].as_array().unwrap().iter().map(|ds| ds.as_str().unwrap()).collect();
        let kinds: Vec<&str> = digests.iter().map(|ds| ds.split(' ').nth(2).unwrap()).collect();
        assert_eq!((kinds, &keys[0]["managed"]), (vec!["2", "4"], &json!(true)));
        let own_text = keys[0]["dnskey"].as_str().unwrap().to_owned();

        let written = json!([
            { "subname": "", "type": "DNSKEY", "ttl": 7200, "records": [own_text, "256 3 13 AQID"] },
            { "subname": "", "type": "CDS", "ttl": 7200, "records": ["0 0 0 00"] },
        ]);
        assert_eq!(say("PUT", RRSETS, &written).status, 200);
        let (dnskeys, cds) = (served(DNSKEY).await.unwrap(), served(CDS).await.unwrap());
        assert_eq!((dnskeys.ttl_s, dnskeys.records.len(), dnskeys.records.contains(&own)), (3600, 2, true));
        assert_eq!((cds.ttl_s, cds.records.len(), cds.records.contains(&vec![0; 5])), (3600, 3, true));
        assert_eq!(get(&format!("{RRSETS}@/DNSKEY/")).json()["ttl"], 7200);
        let keys = get(zone_path).json()["keys"].clone();
        let of_own = keys.as_array().unwrap().iter().filter(|key| key["dnskey"] == own_text.as_str());
        assert_eq!(of_own.map(|key| key["managed"] == true).collect::<Vec<_>>(), [true, false], "it is there twice");
        assert_eq!(keys.as_array().unwrap().len(), 3);
    });
}

#[test]
fn what_changes_nothing_is_not_published() {
    alone(|| async {
        let _server = start().await;
        let zone_path = "/api/v1/domains/music1.example/";
        let (before, at) = (get(zone_path).json(), serial().await);
        assert_eq!(say("PATCH", RRSETS, &json!([{ "subname": "", "type": "NS" }])).status, 200);
        let after = get(zone_path).json();
        assert_eq!((&after["published"], serial().await), (&before["published"], at));
        assert!(after["touched"].as_str() > before["touched"].as_str());
        assert_eq!(say("PATCH", RRSETS, &json!([{ "subname": "", "type": "NS", "ttl": 3601 }])).status, 200);
        assert!(get(zone_path).json()["published"].as_str() > after["published"].as_str());
        assert_eq!(serial().await, at + 1);
    });
}

#[test]
fn long_lists_come_in_pages() {
    alone(|| async {
        let server = start().await;
        server.state().page = 3;
        let unasked = get(RRSETS);
        assert_eq!((unasked.status, unasked.json()["detail"].is_string()), (400, true));
        assert!(unasked.head.contains("rel=\"first\"") && !unasked.head.contains("rel=\"next\""));
        let first = get(&format!("{RRSETS}?cursor="));
        assert_eq!((first.json().as_array().unwrap().len(), first.head.contains("rel=\"next\"")), (3, true));
        let last = get(&format!("{RRSETS}?cursor=p3"));
        assert_eq!((last.json().as_array().unwrap().len(), last.head.contains("rel=\"next\"")), (1, false));
        assert!(last.head.contains("rel=\"prev\""));
        assert_eq!(get(&format!("{RRSETS}?cursor=nonsense")).status, 404);
        assert_eq!(get(&format!("{RRSETS}?subname=")).status, 200);
    });
}

#[test]
fn what_is_throttled_says_for_how_long_or_not() {
    alone(|| async {
        let server = start().await;
        server.state().throttle = Some(Throttle::new(2000));
        let retry_after =
            |said: &Said| said.head.lines().find_map(|line| line.strip_prefix("Retry-After: ")?.parse().ok());
        let statuses: Vec<u16> = (0..11).map(|_| get(RRSETS).status).collect();
        assert_eq!(statuses, [vec![200; 10], vec![429]].concat());
        assert_eq!(retry_after(&get(RRSETS)), Some(1));
        server.state().now_ms += 1000;
        assert_eq!(get(RRSETS).status, 200);
        // What is refused for its form counts.
        for status in [400, 400, 429] {
            assert_eq!(say("PATCH", RRSETS, &json!({})).status, status);
        }
        server.state().retry_after = false;
        let refused = say("PATCH", RRSETS, &json!({}));
        assert_eq!(
            (refused.status, retry_after(&refused), refused.json()["detail"].is_string()),
            (429, None::<u32>, true)
        );
        // Sets of a zone that is not there do not; nor does a token that is none.
        server.state().throttle = Some(Throttle::new(1));
        assert_eq!(get("/api/v1/domains/other.example/rrsets/").status, 404);
        assert_eq!(raw("GET", RRSETS, &[], "").status, 401);
        assert_eq!(get("/api/v1/domains/other.example/").status, 404);
        assert_eq!(get(RRSETS).status, 429);
    });
}
