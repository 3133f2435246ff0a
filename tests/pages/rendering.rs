//! Every page, for every role: it is well-formed, says something everywhere, and offers nothing that would be refused.

use crate::fake::Fake;
use crate::html::Page;
use crate::sample;
use crate::stage::{Browser, visit};
use axum::http::{Method, StatusCode};
use chorus::access::{Permission, Role};
use chorus::web::routes::{Declared, pages};
use std::sync::Arc;

/// Each page once. What they hold comes from the samples.
pub const PATHS: [&str; 36] = [
    "/",
    "/zones",
    "/zones?state=blocked&text=x",
    "/zones/add",
    "/zones/example.org",
    "/zones/blocked.example",
    "/zones/example.org/history",
    "/zones/example.org/history?limit=1",
    "/zones/example.org/certificate",
    "/zones/example.org/check",
    "/zones/example.org/change",
    "/zones/example.org/change?kind=join&operator=b",
    "/zones/slow.example/change?kind=replace&old=a&new=b",
    "/zones/slow.example/change?kind=algorithm&algorithm=ed25519",
    "/zones/slow.example/pause",
    "/zones/slow.example/resume",
    "/zones/slow.example/stop",
    "/zones/slow.example/undo",
    "/zones/slow.example/try-now",
    "/zones/slow.example/repair",
    "/zones/slow.example/registrar-cancelled",
    "/zones/example.org/policy",
    "/operators",
    "/operators/add",
    "/operators/add?kind=powerdns",
    "/operators/add?kind=desec",
    "/operators/a",
    "/operators/a/set",
    "/operators/a/rotate",
    "/parents",
    "/statistics",
    "/statistics?days=7",
    "/audit",
    "/audit?verify=now",
    "/audit?who=anna&by=people",
    "/docs/reasons",
];

/// With two operators, as `/operators` shows those that were added.
pub async fn service() -> Arc<Fake> {
    let service = Arc::new(Fake::default());
    let admin = Browser::signed_in(service.clone(), Role::Admin);
    for name in ["a", "c"] {
        let fields = [
            ("name", name),
            ("provider", "rfc2136"),
            ("update", "192.0.2.1"),
            ("tsig_name", "chorus"),
            ("secret", crate::fake::CANARY),
            ("name_servers", "ns1.a.example"),
        ];
        assert_eq!(admin.post("/operators/add", &fields).await.status, StatusCode::SEE_OTHER);
    }
    service
}

fn declared(method: &Method, path: &str) -> Option<Declared> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let matches = |pattern: &str| {
        let (ours, theirs): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| a.starts_with('{') || a == b)
    };
    let mut all: Vec<Declared> = pages().declared;
    // What is written out goes before what has a place for a name, as in the router.
    all.sort_by_key(|one| one.path.matches('{').count());
    all.into_iter().find(|one| one.method == *method && matches(one.path))
}

/// Those of the project lead's own modules are not among the pages here.
const ELSEWHERE: [&str; 4] = ["/settings", "/sign-in", "/sign-out", "/theme"];

#[tokio::test]
async fn every_page_renders_for_whoever_may_see_it_and_is_refused_to_the_others() {
    let service = service().await;
    for role in Role::ALL {
        let browser = Browser::signed_in(service.clone(), role);
        for path in PATHS {
            let permission = declared(&Method::GET, path).unwrap_or_else(|| panic!("{path}")).permission.unwrap();
            let answer = browser.get(path).await;
            let page = Page::read(&answer.text);
            page.check();
            if role.permissions().contains(&permission) {
                assert_eq!(answer.status, StatusCode::OK, "{role} at {path}");
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role} at {path}");
                assert!(page.text().contains(permission.name()), "{path} says which permission is missing");
            }
        }
    }
}

#[tokio::test]
async fn nobody_is_offered_what_they_may_not_do() {
    let service = service().await;
    for role in Role::ALL {
        let browser = Browser::signed_in(service.clone(), role);
        for path in PATHS {
            let answer = browser.get(path).await;
            if answer.status != StatusCode::OK {
                continue;
            }
            let page = Page::read(&answer.text);
            let links = page.all("a").map(|link| (Method::GET, link.get("href").unwrap()));
            let forms = page.all("form").map(|form| {
                let method = if form.get("method") == Some("post") { Method::POST } else { Method::GET };
                (method, form.get("action").unwrap())
            });
            for (method, to) in links.chain(forms) {
                if to.starts_with('#') || ELSEWHERE.contains(&to) {
                    continue;
                }
                let route =
                    declared(&method, to).unwrap_or_else(|| panic!("{path} leads to {method} {to}, which is nowhere"));
                let may = route.permission.is_none_or(|permission| role.permissions().contains(&permission));
                assert!(may, "{path} offers {method} {to} to a {role}");
            }
        }
    }
}

#[tokio::test]
async fn a_viewer_sees_no_verb_and_no_form_that_changes_anything() {
    let browser = Browser::signed_in(service().await, Role::Viewer);
    for path in PATHS {
        let answer = browser.get(path).await;
        let page = Page::read(&answer.text);
        let posts: Vec<_> = page.all("form").filter(|form| form.get("method") == Some("post")).collect();
        let allowed = |form: &&crate::html::Element| matches!(form.get("action"), Some("/theme" | "/sign-out"));
        assert!(posts.iter().all(allowed), "{path}");
        assert!(!answer.text.contains("class=\"verbs\""), "{path}");
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_sign_in_and_comes_back_to_the_page() {
    let browser = Browser::of(service().await, None);
    let answer = browser.get("/zones?state=rest").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.location.as_deref(), Some("/sign-in?next=%2Fzones%3Fstate%3Drest"));
    let posted = browser.post("/zones/add", &[]).await.location.unwrap();
    assert!(posted.starts_with("/sign-in") && !posted.contains("add"), "a form is not sent again by itself: {posted}");
    assert_eq!(browser.get("/static/chorus.css").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_zone_that_somebody_does_not_reach_does_not_exist_for_them() {
    let mut visit = visit(Role::Admin);
    visit.caller.below = Some("org.".to_owned());
    let browser = Browser::of(service().await, Some(visit));
    assert_eq!(browser.get("/zones/Example.ORG").await.status, StatusCode::OK);
    for path in ["/zones/example.com", "/zones/example.com/policy", "/zones/notorg", "/zones/a..b", "/zones/%00"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        Page::read(&answer.text).check();
    }
    assert_eq!(browser.post("/zones/example.com/pause", &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_refusal_is_a_page_with_its_sentence_its_code_and_what_to_do() {
    let browser = Browser::signed_in(service().await, Role::Admin);
    let expected = [
        ("missing", StatusCode::NOT_FOUND),
        ("invalid", StatusCode::BAD_REQUEST),
        ("conflict", StatusCode::CONFLICT),
        ("unfit", StatusCode::UNPROCESSABLE_ENTITY),
        ("down", StatusCode::SERVICE_UNAVAILABLE),
    ];
    for (name, status) in expected {
        for below in ["", "/history", "/certificate", "/policy", "/check", "/change", "/stop"] {
            let answer = browser.get(&format!("/zones/{name}.example{below}")).await;
            assert_eq!(answer.status, status, "{name}{below}");
            let page = Page::read(&answer.text);
            page.check();
            assert!(page.text().contains(&format!("{name}.example is refused.")), "{}", page.text());
            assert!(page.text().contains("Ask for another."));
            assert!(page.all("a").any(|link| link.get("href") == Some("/docs/reasons#as-asked")));
        }
    }
    for path in ["/nowhere", "/zones/%ff", "/operators/%ff/set"] {
        let nowhere = browser.get(path).await;
        assert_eq!(nowhere.status, StatusCode::NOT_FOUND, "{path}");
        Page::read(&nowhere.text).check();
    }
    let wrong = browser.get("/zones/example.org/history?limit=many").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    Page::read(&wrong.text).check();
}

#[tokio::test]
async fn fifty_rows_of_long_names_stay_below_sixty_kib() {
    let mut list = sample::zones();
    let mut row = list.zones[0].clone();
    row.verdict =
        "Signed by a, b is joining; waiting until resolvers have forgotten the DNSKEY set without b's keys.".to_owned();
    list.zones = (0..50)
        .map(|index| {
            let mut row = row.clone();
            row.zone = format!("xn--a-rather-long-name-of-a-customer-{index:04}.in-a-sub-domain.example.org");
            row
        })
        .collect();
    (list.next, list.previous) = (Some("next".to_owned()), Some("previous".to_owned()));
    let service = crate::hostile::Made { zones: Some(list), ..Default::default() };
    let answer = Browser::signed_in(Arc::new(service), Role::Admin).get("/zones").await;
    let page = Page::read(&answer.text);
    page.check();
    assert_eq!(page.all("tbody").map(|body| body.text.matches("customer").count()).sum::<usize>(), 50);
    assert!(answer.text.len() <= 60 * 1024, "{} octets", answer.text.len());
    assert!(answer.text.contains("cursor=next") && answer.text.contains("cursor=previous"));
}

#[tokio::test]
async fn live_pages_load_again_without_a_script_and_others_do_not() {
    let browser = Browser::signed_in(service().await, Role::Admin);
    for (path, live) in [("/", true), ("/zones", true), ("/zones/example.org", true), ("/zones/add", false)] {
        let answer = browser.get(path).await;
        let refreshes = answer.text.contains("<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>");
        assert_eq!(refreshes, live, "{path}");
    }
}

#[tokio::test]
async fn the_first_page_says_what_to_do_first() {
    let mut overview = sample::overview();
    (overview.zones, overview.states, overview.attention) = (0, Vec::new(), Vec::new());
    let service = Arc::new(crate::hostile::Made { overview: Some(overview), ..Default::default() });
    let page = Page::read(&Browser::signed_in(service.clone(), Role::Admin).get("/").await.text);
    page.check();
    for to in ["/operators/add", "/zones/add"] {
        assert!(page.all("a").any(|link| link.get("href") == Some(to)), "{to}");
    }
    let page = Page::read(&Browser::signed_in(service, Role::Viewer).get("/").await.text);
    page.check();
    assert!(page.text().contains("an administrator does these"));
}

#[tokio::test]
async fn a_change_that_a_dead_leaver_stands_in_the_way_of_leads_to_the_way_without_it() {
    let mut check = sample::zone_check();
    check.refused = true;
    check.findings[0].code = "leaver-unreachable".to_owned();
    let service = Arc::new(crate::hostile::Made { check: Some(check), ..Default::default() });
    let browser = Browser::signed_in(service, Role::Operator);
    for choice in ["kind=leave&operator=b", "kind=replace&old=b&new=c"] {
        let page = Page::read(&browser.get(&format!("/zones/example.org/change?{choice}")).await.text);
        page.check();
        let way = "/zones/example.org/change?kind=leave-unreachable&operator=b";
        assert!(page.all("a").any(|link| link.get("href") == Some(way)), "{choice}: {}", page.text());
    }
}

#[tokio::test]
async fn a_certificate_names_what_was_not_looked_at_and_its_margin_is_a_sentence() {
    let certificate = chorus::api::wire::Certificate {
        not_looked_at: vec!["ns1.b.example of b does not answer".to_owned()],
        ..sample::certificate()
    };
    let service = Arc::new(crate::hostile::Made { certificate: Some(certificate), ..Default::default() });
    let page = Page::read(&Browser::signed_in(service, Role::Viewer).get("/zones/example.org/certificate").await.text);
    page.check();
    for text in ["What was not looked at", "ns1.b.example of b does not answer", "the smallest margin was 63 s"] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
}

#[tokio::test]
async fn static_files_are_answered_once_and_then_only_confirmed() {
    let browser = Browser::signed_in(service().await, Role::Viewer);
    for (file, kind) in [("chorus.css", "text/css"), ("chorus.js", "text/javascript"), ("chorus.svg", "image/svg+xml")]
    {
        let answer = browser.get(&format!("/static/{file}")).await;
        assert!(answer.kind.starts_with(kind) && !answer.text.is_empty());
        assert!(answer.text.len() <= 30 * 1024, "{file}");
    }
    assert_eq!(browser.get("/static/nothing.css").await.status, StatusCode::NOT_FOUND);
}

#[test]
fn every_route_but_the_static_files_asks_for_a_permission() {
    let open: Vec<Declared> = pages().declared.into_iter().filter(|one| one.permission.is_none()).collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].path, "/static/{file}");
    let writes = pages().declared.into_iter().filter(|one| one.method == Method::POST);
    for one in writes {
        let reads =
            [Permission::ZonesRead, Permission::OperatorsRead, Permission::AuditRead, Permission::TransitionsPlan];
        assert!(!reads.contains(&one.permission.unwrap()), "{} changes something", one.path);
    }
}
