//! What comes from the network or from a person is text on every page, whatever it holds.

use crate::html::Page;
use crate::rendering::PATHS;
use crate::sample;
use crate::stage::Browser;
use async_trait::async_trait;
use axum::http::StatusCode;
use chorus::access::{Caller, Role};
use chorus::api::service::{Refusal, RefusalKind, Service};
use chorus::api::wire::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// Answers with the samples, or with what it was given; with every text in them exchanged, if there is one to put there.
#[derive(Default)]
pub struct Made {
    pub zones: Option<ZoneList>,
    pub overview: Option<Overview>,
    pub zone: Option<ZoneShow>,
    pub check: Option<ZoneCheck>,
    pub certificate: Option<Certificate>,
    pub text: Option<String>,
}

impl Made {
    fn with<T: Serialize + DeserializeOwned>(&self, value: T) -> Result<T, Refusal> {
        let Some(text) = &self.text else { return Ok(value) };
        let mut value = serde_json::to_value(value).unwrap();
        let paths = texts(&value, String::new());
        for path in paths {
            let was = std::mem::replace(value.pointer_mut(&path).unwrap(), Value::String(text.clone()));
            // What can be only one of a few words, or a moment, or an address, stays.
            if serde_json::from_value::<T>(value.clone()).is_err() {
                *value.pointer_mut(&path).unwrap() = was;
            }
        }
        Ok(serde_json::from_value(value).unwrap())
    }

    fn no<T>(&self) -> Result<T, Refusal> {
        let text = self.text.clone().unwrap_or_else(|| "no".to_owned());
        Err(Refusal::new(RefusalKind::Invalid, "as-asked", text.clone()).with_fix(text.clone()).with_zone(text))
    }
}

fn texts(value: &Value, at: String) -> Vec<String> {
    match value {
        Value::String(_) => vec![at],
        Value::Array(all) => all.iter().enumerate().flat_map(|(i, one)| texts(one, format!("{at}/{i}"))).collect(),
        Value::Object(all) => all.iter().flat_map(|(key, one)| texts(one, format!("{at}/{key}"))).collect(),
        _ => Vec::new(),
    }
}

#[async_trait]
impl Service for Made {
    fn by(self: Arc<Self>, _: &Caller) -> Arc<dyn Service> {
        self
    }

    async fn operators(&self) -> Result<OperatorList, Refusal> {
        self.with(OperatorList { operators: vec![sample::operator("a"), sample::operator("b")] })
    }

    async fn operator(&self, name: &str) -> Result<OperatorShow, Refusal> {
        self.with(sample::operator(name))
    }

    async fn add_operator(&self, _: OperatorAdd) -> Result<OperatorShow, Refusal> {
        self.no()
    }

    async fn change_operator(&self, _: &str, _: OperatorChange) -> Result<OperatorShow, Refusal> {
        self.no()
    }

    async fn rotate_operator(&self, _: &str, _: OperatorRotate) -> Result<OperatorRotated, Refusal> {
        self.no()
    }

    async fn check_operator(&self, name: &str, check: OperatorCheck) -> Result<Capabilities, Refusal> {
        self.with(sample::capabilities(name, check.write))
    }

    async fn rotate_key(&self) -> Result<KeyRotated, Refusal> {
        self.no()
    }

    async fn abilities(&self, name: &str) -> Result<Vec<AbilityShow>, Refusal> {
        self.with(sample::capabilities(name, true).abilities)
    }

    async fn test_operator(&self, _: &str, _: &str) -> Result<OperatorTest, Refusal> {
        self.with(sample::operator_test())
    }

    async fn zones(&self, _: ZonesQuery) -> Result<ZoneList, Refusal> {
        self.with(self.zones.clone().unwrap_or_else(sample::zones))
    }

    async fn overview(&self) -> Result<Overview, Refusal> {
        self.with(self.overview.clone().unwrap_or_else(sample::overview))
    }

    async fn timeline(&self, _: &str) -> Result<Timeline, Refusal> {
        self.with(sample::timeline())
    }

    async fn parents(&self) -> Result<ParentList, Refusal> {
        self.with(sample::parents())
    }

    async fn statistics(&self, _: u32) -> Result<Statistics, Refusal> {
        self.with(sample::statistics())
    }

    async fn add_zone(&self, _: ZoneAdd) -> Result<ZoneShow, Refusal> {
        self.no()
    }

    async fn zone(&self, _: &str) -> Result<ZoneShow, Refusal> {
        let mut zone = self.zone.clone().unwrap_or_else(sample::zone);
        if self.text.is_some() {
            zone.exposures = vec![sample::exposure()];
            zone.hand_to_registrar = sample::zone_at_rest().hand_to_registrar;
        }
        self.with(zone)
    }

    async fn policy(&self, _: &str) -> Result<ZonePolicy, Refusal> {
        self.with(sample::policy())
    }

    async fn change_policy(&self, _: &str, _: PolicyChange) -> Result<ZonePolicy, Refusal> {
        self.no()
    }

    async fn check(&self, _: &str, _: Option<Change>) -> Result<ZoneCheck, Refusal> {
        self.with(self.check.clone().unwrap_or_else(sample::zone_check))
    }

    async fn plan(&self, _: &str, _: Change) -> Result<Plan, Refusal> {
        self.with(Plan { refusals: sample::operator_test().checks, ..sample::plan() })
    }

    async fn set_group(&self, _: &str, _: SetGroup) -> Result<SetAnswer, Refusal> {
        self.no()
    }

    async fn control(&self, _: &str, _: Verb, _: Control) -> Result<SetAnswer, Refusal> {
        self.no()
    }

    async fn audit(&self, _: AuditQuery) -> Result<AuditPage, Refusal> {
        self.with(sample::audit())
    }

    async fn verify_audit(&self) -> Result<AuditVerified, Refusal> {
        self.with(AuditVerified { broken: Some("entry 7".to_owned()), ..sample::audit_verified() })
    }

    async fn history(&self, _: &str, _: u32) -> Result<History, Refusal> {
        self.with(sample::history())
    }

    async fn certificate(&self, _: &str, _: Option<&str>, _: bool) -> Result<Certificate, Refusal> {
        let made = || Certificate { exposures: vec![sample::exposure()], ..sample::certificate() };
        self.with(self.certificate.clone().unwrap_or_else(made))
    }
}

/// Markup, controls, marks of direction, the longest name there is, and every octet.
pub fn texts_of_the_hostile() -> Vec<String> {
    let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
    vec![
        "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>".to_owned(),
        "\" autofocus onfocus=\"alert(1)".to_owned(),
        "\u{1b}]0;owned\u{7}\u{9b}2J\r\nSet-Cookie: x\u{0}".to_owned(),
        "\u{202e}gro.elpmaxe\u{2066}\u{200f}\u{feff}\u{200b}".to_owned(),
        "</title></textarea></pre></noscript><!-- -->]]>".to_owned(),
        "../..//%2e%2e/?a=b&c=d#e".to_owned(),
        "xn--\u{e9}.xn--a.xn--..".to_owned(),
        longest,
        (0..=255u8).map(char::from).collect(),
    ]
}

#[tokio::test]
async fn whatever_a_text_holds_it_is_text_on_every_page() {
    for text in texts_of_the_hostile() {
        let service = Arc::new(Made { text: Some(text.clone()), ..Made::default() });
        let browser = Browser::signed_in(service, Role::Admin);
        for path in PATHS {
            let answer = browser.get(path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path} with {text:?}");
            is_clean(&answer.text, path);
        }
    }
}

#[tokio::test]
async fn what_was_typed_into_a_form_or_an_address_comes_back_as_text() {
    use chorus::web::markup::encoded;
    for text in texts_of_the_hostile() {
        let service = Arc::new(Made { text: Some(text.clone()), ..Made::default() });
        let browser = Browser::signed_in(service, Role::Admin);
        let typed = encoded(&text);
        let paths = [
            format!("/zones?text={typed}&state={typed}&operator={typed}&parent={typed}&reason={typed}&cursor={typed}"),
            "/audit?verify=now".to_owned(),
            format!("/audit?who={typed}&kind={typed}&zone={typed}&by={typed}"),
            format!("/zones/x.example/change?kind=join&operator={typed}"),
            format!("/zones/x.example?notice={typed}"),
            format!("/operators/add?kind={typed}"),
            format!("/zones/x/certificate?transition={typed}"),
        ];
        for path in paths {
            is_clean(&browser.get(&path).await.text, &path);
        }
        let all =
            ["zone", "name", "operator", "parent_servers", "slack", "stale", "update", "url", "tsig_name", "reason"];
        let fields: Vec<(&str, &str)> = all.iter().map(|field| (*field, text.as_str())).collect();
        let more = [("provider", "powerdns"), ("secret", "s"), ("kind", "join"), ("name_servers", text.as_str())];
        let fields = [fields.as_slice(), &more].concat();
        for path in [
            "/zones/add",
            "/operators/add",
            "/operators/a/set",
            "/operators/a/rotate",
            "/operators/a/check",
            "/zones/x/policy",
            "/zones/x/change",
            "/zones/x/stop",
        ] {
            is_clean(&browser.post(path, &fields).await.text, path);
        }
    }
}

/// What nobody sees, or what makes others be seen elsewhere: controls, and Unicode's marks of direction, joiners, fillers and
/// tags, as its tables have them. Not by the code that is judged here.
const HIDDEN: [std::ops::RangeInclusive<u32>; 11] = [
    0x00..=0x1f,
    0x7f..=0x9f,
    0xad..=0xad,
    0x61c..=0x61c,
    0x180e..=0x180e,
    0x200b..=0x200f,
    0x2028..=0x202e,
    0x2060..=0x206f,
    0xfeff..=0xfeff,
    0xfff9..=0xfffb,
    0xe0000..=0xe007f,
];

pub fn is_clean(html: &str, path: &str) {
    let hides = |c: char| HIDDEN.iter().any(|range| range.contains(&u32::from(c)));
    let hidden = html.chars().find(|c| hides(*c) && *c != '\n');
    assert_eq!(hidden, None, "{path}");
    let page = Page::read(html);
    page.check();
    assert_eq!(page.all("img").count(), 0, "{path}");
    assert!(page.elements.iter().all(|element| !element.attributes.contains_key("autofocus")), "{path}");
    for link in page.all("a") {
        let to = link.get("href").unwrap();
        assert!(to.starts_with('/') && !to.starts_with("//") || to.starts_with('#'), "{path} leads to {to}");
    }
}

#[tokio::test]
async fn the_export_is_no_formula_whatever_a_name_is() {
    for text in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "a\"\r\n=1"] {
        let service = Arc::new(Made { text: Some(text.to_owned()), ..Made::default() });
        let answer = Browser::signed_in(service, Role::Viewer).get("/zones/export.csv").await;
        assert!(answer.kind.starts_with("text/csv"));
        let rows: Vec<&str> = answer.text.split("\r\n").skip(1).filter(|row| !row.is_empty()).collect();
        assert_eq!(rows.len(), 2, "{text:?}");
        for cell in rows.iter().flat_map(|row| row.split("\",\"")) {
            let cell = cell.trim_start_matches('"');
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
    }
}

/// In every state that a transition can be in, the three questions are answered, and each button or its reason is there.
#[tokio::test]
async fn when_it_ends_and_what_if_it_is_stopped_is_answered_in_every_state() {
    use TransitionState::*;
    let states = [
        Planned,
        Acting,
        Verifying,
        WaitingGuard,
        WaitingParent,
        WaitingOperator,
        Blocked,
        Paused,
        Done,
        Undone,
        Stopped,
        Superseded,
        Other,
    ];
    let mut zones = vec![sample::zone_at_rest()];
    zones.push(ZoneShow { rest: false, transition: None, next: None, ..sample::zone() });
    for state in states {
        for aim in ["going", "stopping", "undoing"] {
            for (paused, known) in [(false, true), (true, true), (false, false), (true, false)] {
                let mut zone = sample::zone();
                let mut transition = sample::transition(state);
                transition.aim = aim.to_owned();
                transition.paused = paused;
                transition.ended = state.is_over().then(|| sample::at(-5));
                if !known {
                    (transition.ends_at, transition.ends_earliest) = (None, None);
                    (transition.stop, transition.undo_takes, transition.waiting_for) = (None, None, None);
                }
                zone.transition = Some(transition);
                zones.push(zone);
            }
        }
    }
    // What is awaited stands there without a transition, too.
    let unsettled = ZoneShow { state: "unsettled".to_owned(), transition: None, next: None, ..sample::zone() };
    let reason = unsettled.waiting_for.clone().unwrap().text;
    let service = Arc::new(Made { zone: Some(unsettled), ..Made::default() });
    let page = Browser::signed_in(service, Role::Operator).get("/zones/example.org").await.text;
    assert!(Page::read(&page).text().contains(&reason), "{reason}");
    // Who has left is told of, with a moment.
    let mut left = sample::zone();
    let ended =
        TransitionShow { target: vec!["b".to_owned()], ended: Some(sample::at(-5)), ..sample::transition(Done) };
    let ended =
        TransitionShow { left: vec![LeftShow { operator: "a".to_owned(), unused_from: sample::at(604_795) }], ..ended };
    left.operators.retain(|one| one.operator == "b");
    left.transition = Some(TransitionShow { from: vec!["a".to_owned()], to: vec!["b".to_owned()], ..ended });
    let service = Arc::new(Made { zone: Some(left), ..Made::default() });
    let page = Browser::signed_in(service, Role::Operator).get("/zones/example.org").await.text;
    assert!(Page::read(&page).text().contains("When may a be switched off?"), "{page}");
    for zone in zones {
        let what = format!("{:?}", zone.transition.as_ref().map(|t| (t.state, t.aim.clone(), t.paused)));
        let has_a_request_pending = !zone.registrar_pending.is_empty();
        let service = Arc::new(Made { zone: Some(zone), ..Made::default() });
        let browser = Browser::signed_in(service, Role::Operator);
        let page = Page::read(&browser.get("/zones/example.org").await.text);
        page.check();
        for question in ["When will it be done?", "What if I stop now?", "How long does undo take?", "Now:"] {
            assert!(page.text().contains(question), "{question} {what}");
        }
        let verbs: Vec<_> = page.elements.iter().filter(|e| e.get("class") == Some("why")).collect();
        assert_eq!(verbs.len(), 7 + usize::from(has_a_request_pending), "{what}");
        for verb in ["pause", "resume", "stop", "undo", "try-now", "repair", "registrar-cancelled"] {
            let page = Page::read(&browser.get(&format!("/zones/example.org/{verb}")).await.text);
            page.check();
        }
    }
}
