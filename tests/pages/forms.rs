//! Every form, from the page it stands on to what the service was told: sent, answered by a redirect, and told about.

use crate::fake::{CANARY, Fake};
use crate::html::Page;
use crate::rendering::service;
use crate::stage::{Browser, FORM_TOKEN};
use axum::http::StatusCode;
use chorus::access::Role;
use chorus::api::wire::{Change, ParentMode, TsigAlgorithm, Verb};
use std::sync::Arc;

/// Opens a page, fills fields in, and sends the form as it stands. Returns where it led to, with what was told there.
async fn sent(browser: &Browser, path: &str, action: &str, typed: &[(&str, &str)]) -> (String, String) {
    let answer = submitted(browser, path, action, typed).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.text);
    let to = answer.location.unwrap();
    let page = browser.get(&to).await;
    assert_eq!(page.status, StatusCode::OK, "{to}");
    let page = Page::read(&page.text);
    page.check();
    let notice = page.elements.iter().find(|element| element.get("class") == Some("notice"));
    (to, notice.map(|notice| notice.text.clone()).unwrap_or_default())
}

async fn submitted(browser: &Browser, path: &str, action: &str, typed: &[(&str, &str)]) -> crate::stage::Answer {
    let page = browser.get(path).await;
    assert_eq!(page.status, StatusCode::OK, "{path}");
    let mut fields = Page::read(&page.text).form(action);
    for (name, value) in typed {
        match fields.iter_mut().find(|(field, _)| field == name) {
            Some((_, field)) => *field = (*value).to_owned(),
            None => fields.push(((*name).to_owned(), (*value).to_owned())),
        }
    }
    assert!(fields.contains(&("form_token".to_owned(), FORM_TOKEN.to_owned())), "{path}");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(action, &fields).await
}

fn browser(service: &Arc<Fake>) -> Browser {
    Browser::signed_in(service.clone(), Role::Admin)
}

#[tokio::test]
async fn an_operator_is_added_by_each_kind_of_interface() {
    let service = Arc::new(Fake::default());
    let browser = browser(&service);
    let typed = [
        ("name", "bind"),
        ("update", "192.0.2.1"),
        ("tsig_name", "chorus."),
        ("tsig_algorithm", "hmac-sha512"),
        ("secret", CANARY),
        ("name_servers", "ns1.a.example=192.0.2.1\r\nns2.a.example"),
    ];
    let (to, told) = sent(&browser, "/operators/add", "/operators/add", &typed).await;
    assert_eq!(to, "/operators/bind?notice=operator-added");
    assert!(told.contains("never shown again"));
    let typed =
        [("name", "pdns"), ("url", "https://ns.example:8081"), ("secret", CANARY), ("name_servers", "ns1.b.example")];
    sent(&browser, "/operators/add?kind=powerdns", "/operators/add", &typed).await;
    let typed = [
        ("name", "desec"),
        ("secret", CANARY),
        ("account", "mine"),
        ("requests_per_day", "8000"),
        ("name_servers", "ns1.desec.io"),
    ];
    sent(&browser, "/operators/add?kind=desec", "/operators/add", &typed).await;

    let added = service.operators.lock().unwrap();
    assert_eq!(added.iter().map(|add| add.provider.as_str()).collect::<Vec<_>>(), ["rfc2136", "powerdns", "desec"]);
    let tsig = added[0].tsig.as_ref().unwrap();
    assert_eq!((tsig.algorithm, tsig.secret.expose()), (TsigAlgorithm::HmacSha512, CANARY));
    assert!(added[0].api.is_none() && added[0].name_servers.len() == 2);
    assert_eq!(added[1].api.as_ref().unwrap().server_id, "localhost");
    let desec = added[2].api.as_ref().unwrap();
    assert!(desec.url.is_none() && added[2].update.is_none());
    assert_eq!((desec.account.as_deref(), desec.requests_per_day), (Some("mine"), Some(8000)));
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed_but_never_the_secret() {
    let service = Arc::new(Fake::default());
    let browser = browser(&service);
    let typed = [
        ("name", "unfit"),
        ("update", "192.0.2.1"),
        ("tsig_name", "k"),
        ("secret", CANARY),
        ("name_servers", "ns1.a.example"),
    ];
    let answer = submitted(&browser, "/operators/add", "/operators/add", &typed).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = Page::read(&answer.text);
    page.check();
    assert!(page.text().contains("unfit is refused. Ask for another."), "{}", page.text());
    let fields = page.form("/operators/add");
    for (name, value) in typed.iter().filter(|(name, _)| *name != "secret") {
        assert!(fields.iter().any(|(field, was)| field == name && was.trim() == *value), "{name}: {fields:?}");
    }
    assert!(!answer.text.contains(CANARY));
    for (field, value) in [("update", "nowhere"), ("name_servers", "192.0.2.1"), ("name", "-x"), ("secret", "")] {
        let mut typed = typed.to_vec();
        typed[0].1 = "fit";
        typed.retain(|(name, _)| *name != field);
        typed.push((field, value));
        let answer = submitted(&browser, "/operators/add", "/operators/add", &typed).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{field}");
        assert!(!answer.text.contains(CANARY));
    }
    assert!(service.operators.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_zone_is_adopted() {
    let service = service().await;
    let browser = browser(&service);
    let typed = [
        ("zone", "Example.ORG."),
        ("operator", "a"),
        ("parent", "manual"),
        ("parent_servers", "203.0.113.1, [2001:db8::53]:5300"),
        ("stale", "1d"),
    ];
    let (to, told) = sent(&browser, "/zones/add", "/zones/add", &typed).await;
    assert_eq!(to, "/zones/example.org?notice=adopted");
    assert!(told.contains("adopted"));
    {
        let adopted = service.zones.lock().unwrap();
        let zone = adopted.last().unwrap();
        assert_eq!(
            (zone.zone.as_str(), zone.operator.as_deref(), zone.parent),
            ("example.org", Some("a"), ParentMode::Manual)
        );
        assert_eq!(zone.parent_servers.len(), 2);
        assert_eq!((zone.policy.stale_s, zone.policy.slack_s), (Some(86_400), None));
    }
    let refused =
        submitted(&browser, "/zones/add", "/zones/add", &[("zone", "conflict.example"), ("slack", "90s")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let page = Page::read(&refused.text);
    page.check();
    assert!(page.form("/zones/add").contains(&("slack".to_owned(), "90s".to_owned())));
}

#[tokio::test]
async fn a_transition_is_chosen_planned_and_begun() {
    let service = service().await;
    let browser = browser(&service);
    // Where one is under way, no other can be chosen.
    let busy = Page::read(&browser.get("/zones/slow.example").await.text);
    assert!(!busy.all("a").any(|link| link.get("href") == Some("/zones/slow.example/change")));

    let choices = [
        ("kind=join&operator=c", Change::Join("c".into())),
        ("kind=leave&operator=b", Change::Leave("b".into())),
        ("kind=leave-unreachable&operator=b", Change::LeaveUnreachable("b".into())),
        ("kind=leave-uncooperative&operator=b", Change::LeaveUncooperative("b".into())),
        ("kind=replace&old=a&new=c", Change::Replace { old: "a".into(), new: "c".into() }),
        ("kind=algorithm&algorithm=ed25519", Change::Algorithm("ed25519".into())),
    ];
    for (query, change) in choices {
        let path = format!("/zones/example.org/change?{query}");
        let page = Page::read(&browser.get(&path).await.text);
        // The sample's preflight refuses: there is nothing to send.
        assert!(page.text().contains("would be refused") && page.text().contains("Share the DNSKEYs"));
        assert!(!page.all("form").any(|form| form.get("action") == Some("/zones/example.org/change")));
        let mut fields: Vec<(&str, &str)> = query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
        fields.push(("reason", "CHG-9"));
        let answer = browser.post("/zones/example.org/change", &fields).await;
        assert_eq!(answer.location.as_deref(), Some("/zones/example.org?notice=started"));
        let set = service.sets.lock().unwrap().pop().unwrap();
        assert_eq!((set.change, set.reason.as_deref()), (change, Some("CHG-9")));
    }
    let answer = browser.post("/zones/example.org/change", &[("kind", "join"), ("operator", "a")]).await;
    assert_eq!(answer.location.as_deref(), Some("/zones/example.org?notice=nothing"));
    for fields in [&[("kind", "join"), ("operator", " ")][..], &[("kind", "burn")], &[]] {
        let answer = browser.post("/zones/example.org/change", fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        Page::read(&answer.text).check();
    }
}

#[tokio::test]
async fn each_verb_goes_out_with_its_reason_and_the_version_that_was_seen() {
    let service = service().await;
    let browser = browser(&service);
    for (verb, path) in [(Verb::Stop, "stop"), (Verb::Undo, "undo"), (Verb::Pause, "pause"), (Verb::TryNow, "try-now")]
    {
        let path = format!("/zones/slow.example/{path}");
        let (to, told) = sent(&browser, &path, &path, &[("reason", "because")]).await;
        assert!(to.starts_with("/zones/slow.example?notice=") && !told.is_empty(), "{to}: {told}");
        let (asked, control) = service.controls.lock().unwrap().pop().unwrap();
        assert_eq!((asked, control.reason.as_deref(), control.version), (verb, Some("because"), Some(1)));
    }
    // One click from the zone's page.
    let (_, told) = sent(&browser, "/zones/slow.example", "/zones/slow.example/pause", &[]).await;
    assert!(told.contains("Paused"));
    let (_, control) = service.controls.lock().unwrap().pop().unwrap();
    assert_eq!((control.reason, control.version), (None, Some(1)));
}

#[tokio::test]
async fn whoever_comes_second_sees_what_is_there_now() {
    let browser = browser(&service().await);
    let answer = browser.post("/zones/conflict.example/stop", &[("version", "1")]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    Page::read(&answer.text).check();
    assert!(answer.text.contains("conflict.example is refused"));
}

#[tokio::test]
async fn a_policy_is_changed_and_a_slip_is_shown_at_the_form() {
    let service = service().await;
    let browser = browser(&service);
    let path = "/zones/example.org/policy";
    let (to, told) = sent(&browser, path, path, &[("slack", "2m")]).await;
    assert_eq!(to, "/zones/example.org?notice=policy");
    assert!(told.contains("policy"));
    sent(&browser, path, path, &[("delegation", "ns1.a.example, ns2.a.example")]).await;
    let changed = service.policies.lock().unwrap().pop().unwrap();
    assert_eq!(changed.delegation.as_deref(), Some("ns1.a.example,ns2.a.example"));
    let answer = submitted(&browser, path, path, &[("stale", "soon")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let page = Page::read(&answer.text);
    page.check();
    assert!(page.form(path).contains(&("stale".to_owned(), "soon".to_owned())));
}

#[tokio::test]
async fn an_operator_is_checked_moved_and_given_another_credential() {
    let service = service().await;
    let browser = browser(&service);
    let answer =
        submitted(&browser, "/operators/a", "/operators/a/check", &[("zone", "test.example"), ("write", "yes")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let page = Page::read(&answer.text);
    page.check();
    assert!(page.text().contains("a TXT record at the apex") && page.text().contains("too powerful"));
    let answer = submitted(&browser, "/operators/a", "/operators/a/check", &[("zone", "  ")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);

    let (to, _) = sent(&browser, "/operators/a/set", "/operators/a/set", &[("update", "192.0.2.9")]).await;
    assert_eq!(to, "/operators/a?notice=operator-changed");
    let typed = [("secret", CANARY), ("zone", "example.org")];
    let (to, told) = sent(&browser, "/operators/a/rotate", "/operators/a/rotate", &typed).await;
    assert!(to.ends_with("notice=rotated") && told.contains("old one is gone"));
    let rotated = service.rotated.lock().unwrap().pop().unwrap();
    assert_eq!((rotated.secret.expose(), rotated.tsig_algorithm), (CANARY, None));
    let refused = browser.post("/operators/unfit/rotate", &[("secret", CANARY)]).await;
    assert!(refused.status.is_client_error() && !refused.text.contains(CANARY));
}

/// Ux 1.9: from nothing to a move that has begun, twelve clicks at most. A click is a link or a button.
#[tokio::test]
async fn a_first_move_takes_no_more_than_twelve_clicks() {
    let service = Arc::new(Fake::default());
    let browser = browser(&service);
    let mut clicks = 0;
    let mut click = |page: &Page, to: &str| {
        let links = page.all("a").filter_map(|link| link.get("href"));
        let forms = page.all("form").filter_map(|form| form.get("action"));
        assert!(links.chain(forms).any(|there| there == to), "no way to {to}");
        clicks += 1;
    };
    let read = async |path: &str| Page::read(&browser.get(path).await.text);
    let operator = [("update", "192.0.2.1"), ("tsig_name", "k"), ("secret", CANARY), ("name_servers", "ns1.a.example")];
    for name in ["a", "c"] {
        click(&read("/").await, "/operators");
        click(&read("/operators").await, "/operators/add");
        click(&read("/operators/add").await, "/operators/add");
        let typed = [&[("name", name)], &operator[..]].concat();
        sent(&browser, "/operators/add", "/operators/add", &typed).await;
    }
    click(&read("/").await, "/zones/add");
    click(&read("/zones/add").await, "/zones/add");
    let (zone, _) = sent(&browser, "/zones/add", "/zones/add", &[("zone", "example.org")]).await;
    // In the sample's fake the zone is busy at first, so the page is looked at until it is not.
    let mut page = read(&zone).await;
    for _ in 0..6 {
        page = read(&zone).await;
    }
    click(&page, "/zones/example.org/change");
    click(&read("/zones/example.org/change").await, "/zones/example.org/change");
    // "Start", on the page of the plan.
    clicks += 1;
    assert!(clicks <= 12, "{clicks}");
}
