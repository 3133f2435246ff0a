//! Names of zones as people have them (RFC 2181 §11), on pages: links and forms lead to where the name is one part of the path.

use crate::hostile::Made;
use crate::html::Page;
use crate::sample;
use crate::stage::Browser;
use axum::http::StatusCode;
use chorus::access::Role;
use chorus::api::wire::ZoneList;
use std::sync::Arc;

const NAMES: [(&str, &str); 5] = [
    ("128/26.2.0.192.in-addr.arpa", "/zones/128%2F26.2.0.192.in-addr.arpa"),
    ("a\\032b.example", "/zones/a%5C032b.example"),
    ("a\\.b?#%.example", "/zones/a%5C.b%3F%23%25.example"),
    ("_dmarc.xn--bcher-kva.example", "/zones/_dmarc.xn--bcher-kva.example"),
    ("export.csv", "/zones/export.csv."),
];

#[tokio::test]
async fn links_and_forms_of_a_zone_lead_to_its_own_pages_whatever_its_name() {
    for (name, path) in NAMES {
        let mut zone = sample::zone();
        zone.zone = name.to_owned();
        let service = Made { zone: Some(zone), ..Made::default() };
        let browser = Browser::signed_in(Arc::new(service), Role::Admin);
        let shown = browser.get(path).await;
        assert_eq!(shown.status, StatusCode::OK, "{path}");
        let page = Page::read(&shown.text);
        let links = page.all("a").filter_map(|link| link.get("href"));
        let targets = links.chain(page.all("form").filter_map(|form| form.get("action")));
        let of_zones: Vec<&str> =
            targets.filter(|to| to.starts_with("/zones/") && !to.starts_with("/zones/add")).collect();
        assert!(of_zones.len() > 3, "{of_zones:?}");
        for to in of_zones {
            assert!(to.starts_with(path), "{to} on the page of {name}");
            assert_eq!(browser.get(to).await.status, StatusCode::OK, "{to}");
        }
    }
}

#[tokio::test]
async fn lists_and_exports_have_the_name_as_it_is_and_link_to_its_page() {
    for (name, path) in NAMES {
        let mut one = sample::zones().zones[0].clone();
        one.zone = name.to_owned();
        let zones = ZoneList { zones: vec![one], ..sample::zones() };
        let browser = Browser::signed_in(Arc::new(Made { zones: Some(zones), ..Made::default() }), Role::Viewer);
        let page = Page::read(&browser.get("/zones").await.text);
        assert!(page.all("a").any(|link| link.get("href") == Some(path)), "{name}");
        let csv = browser.get("/zones/export.csv").await.text;
        assert!(csv.contains(&format!("\"{name}\",")), "{csv}");
    }
}
