//! The web interface as a person has it: Chromium before the pages of the running daemon, with real operators and a real
//! parent behind it, and both judges watching. The scripts are in `tests/ui/stories`; here is who plays, and what they
//! may ask of the laboratory. Each is played with and without JavaScript.

use hickory_proto::rr::RecordType;
use serde_json::json;

use crate::every_step::is_full;
use crate::lab::browser::{Browser, Told, browsers_in_this_network};
use crate::lab::process::TsigKey;
use crate::lab::{CHILD, Lab, Second, dns, in_own_network, until};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Stage};

/// Nobody has told the daemon of anything; that is for the person to do. b has a secondary that is late, and can be held: so
/// there is time to see a step in which Chorus writes.
fn cast() -> Cast {
    Cast {
        told: false,
        alter: |spec| spec.second(if spec.name == "b" { Second::Late } else { Second::Same }),
        ..Cast::new(&[BIND, KNOT])
    }
}

impl Stage {
    async fn plays(&mut self, name: &'static str, story: &str, more: &[(&str, &str)]) {
        let mut env = vec![
            ("CHORUS_URL", self.chorus.url()),
            ("CHORUS_WELCOME", self.chorus.welcome_link()),
            ("CHORUS_CAST", self.as_told_to_a_person().to_string()),
        ];
        env.extend(more.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let mut browser = Browser::plays(&self.lab, name, story, &env);
        loop {
            match browser.next(&self.lab).await {
                Told::Asked(request) => {
                    self.lab.tell(&format!("browser asks: {request}"));
                    self.does(&request).await;
                    browser.done().await;
                }
                Told::Over(good) => {
                    drop(browser);
                    assert!(good, "the story in the browser failed, see above\n{}", self.chorus.log_end());
                    return;
                }
            }
        }
    }

    /// What `ask` of `tests/ui/lab.mjs` can ask for.
    async fn does(&self, request: &str) {
        let b = || self.operators[1].secondary.as_ref().expect("b has a second address");
        let notifies = || self.operators[1].notifies.as_ref().expect("b has a secondary that can be held");
        match request {
            "the parent is idle" => self.agent_acts(false),
            "the parent acts" => self.agent_acts(true),
            "b says nothing" => b().pause(),
            "b answers" => b().resume(),
            "b's secondary is held" => notifies().hold(true),
            "b's secondary goes on" => notifies().hold(false),
            "b's secondary gets the keys" => self.second_gets_keys().await,
            _ => {
                let names = request.strip_suffix(" serve").unwrap_or_else(|| panic!("asked for: {request}"));
                self.assert_group(&names.split(" and ").collect::<Vec<_>>()).await;
            }
        }
    }

    /// Until b's held secondary serves the keys that b serves, and no longer: what is written after them stays away from it.
    async fn second_gets_keys(&self) {
        let b = &self.operators[1];
        let keys = |at| {
            let answer = dns::ask_one_that_runs(at, CHILD, RecordType::DNSKEY);
            let mut keys: Vec<_> =
                answer.answers.iter().filter(|one| one.record_type() == RecordType::DNSKEY).collect();
            keys.sort();
            format!("{keys:?}")
        };
        let [first, second] = b.addresses()[..] else { panic!("b has two addresses") };
        until("b's secondary has the keys", LIMIT, || {
            let same = keys(first) == keys(second);
            if !same {
                b.notifies.as_ref().expect("b has a secondary that can be held").once();
            }
            same
        })
        .await;
    }

    /// What a person types into the forms.
    fn as_told_to_a_person(&self) -> serde_json::Value {
        let operators: Vec<_> = self
            .operators
            .iter()
            .map(|operator| {
                let servers = operator.host_addresses();
                json!({
                    "name": operator.name(),
                    "update": operator.addresses()[0].to_string(),
                    "tsigName": operator.key.name,
                    "tsigAlgorithm": TsigKey::ALGORITHM,
                    "tsigSecret": operator.key.secret,
                    "nameServers": servers.iter().map(|(host, ip)| format!("{host}={ip}")).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({
            "zone": CHILD,
            "operators": operators,
            "parentServers": self.parent.addresses(),
            "policy": { "slack": "1s", "stale": "0s", "dataTtlMax": format!("{}s", self.operators[0].spec.data_ttl_s), "parentPipeline": "3s" },
        })
    }
}

fn moves(name: &'static str, scripts: &'static str) {
    in_own_network(2 * LIMIT, move || async move {
        let mut stage = Stage::set(name, cast()).await;
        stage.plays(name, "moves", &[("CHORUS_SCRIPTS", scripts)]).await;
        stage.assert_group(&["b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

/// Undone from `steps`, of those that `undoes.mjs` has in order: every other one with scripts, and those between without. In the
/// full matrix from each of them, both ways.
fn undoes(name: &'static str, change: &'static str, scripts: &'static str, steps: &'static str) {
    in_own_network(4 * LIMIT, move || async move {
        // The answers outlive everything else, so that the last step of a leave can be seen.
        let cast = Cast { data_ttl_s: if change == "leave" { 12 } else { 5 }, ..cast() };
        let mut stage = Stage::set(name, cast).await;
        let steps = if is_full() { "all" } else { steps };
        let how = [("CHORUS_SCRIPTS", scripts), ("CHORUS_CHANGE", change), ("CHORUS_STEPS", steps)];
        stage.plays(name, "undoes", &how).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn a_person_moves_a_zone_with_scripts() {
    moves("pages-move", "on");
}

#[test]
fn a_person_moves_a_zone_without_scripts() {
    moves("pages-move-without", "off");
}

#[test]
fn a_person_undoes_a_join_at_every_step_with_scripts() {
    undoes("pages-undo-join", "join", "on", "0,2,4");
}

#[test]
fn a_person_undoes_a_join_at_every_step_without_scripts() {
    undoes("pages-undo-join-without", "join", "off", "1,3,5");
}

#[test]
fn a_person_undoes_a_leave_at_every_step_with_scripts() {
    undoes("pages-undo-leave", "leave", "on", "0,2,4");
}

#[test]
fn a_person_undoes_a_leave_at_every_step_without_scripts() {
    undoes("pages-undo-leave-without", "leave", "off", "1,3,5");
}

#[test]
fn every_page_is_accessible_and_looked_at() {
    in_own_network(2 * LIMIT, || async {
        // b is silent for a while: its pinned resolvers would be, too.
        let cast = Cast { with_resolvers: false, ..cast() };
        let mut stage = Stage::set("pages-looks", cast).await;
        stage.plays("pages-looks", "looks", &[("CHORUS_SCRIPTS", "on")]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

/// Without the daemon: each fault of a page that the scripts look for is found by them, and a good page passes.
#[test]
fn the_judges_of_pages_find_each_fault_and_leave_no_browser_behind() {
    in_own_network(LIMIT, || async {
        let lab = Lab::new("pages-self-check");
        let mut browser = Browser::plays(&lab, "pages-self-check", "self-check", &[]);
        assert!(matches!(browser.next(&lab).await, Told::Over(true)), "see above");
        drop(browser);
        // Given up in the midst of it.
        let mut browser = Browser::plays(&lab, "pages-self-check", "self-check", &[]);
        until("the browser runs", LIMIT, || browsers_in_this_network().len() > 2).await;
        assert!(tokio::time::timeout(std::time::Duration::from_secs(2), browser.next(&lab)).await.is_err());
        drop(browser);
        assert!(browsers_in_this_network().is_empty(), "{:?}", browsers_in_this_network());
    });
}
