//! Operators that roll keys whenever they like, with the tools of their own servers: at rest, and at every step of a join and
//! of a leave. Chorus shares the new key before it signs, gets the DS moved, and keeps copies of the old one until nothing
//! that it signed is alive. Who is exposed, when an operator is too quick, is told.

use serde_json::{Value, json};

use crate::bad_days::SOON;
use crate::every_step::{Case, JOIN, LEAVE, is_full, run};
use crate::lab::dns::key_tag;
use crate::lab::operator::Server;
use crate::lab::rolls::ROLL_LIMIT;
use crate::lab::{CHILD, Roll, in_own_network, until};
use crate::stage::{BIND, BIND_CSK, Cast, KNOT, KNOT_CSK, LIMIT, POWERDNS, POWERDNS_CSK, Player, Stage};

const ROLLS: [Roll; 3] = [Roll::Zsk, Roll::Ksk, Roll::Csk];

fn player(server: Server, roll: Roll) -> Player {
    match (server, roll) {
        (Server::Bind, Roll::Csk) => BIND_CSK,
        (Server::Knot, Roll::Csk) => KNOT_CSK,
        (Server::Bind, _) => BIND,
        (Server::Knot, _) => KNOT,
        (_, Roll::Csk) => POWERDNS_CSK,
        (_, _) => POWERDNS,
    }
}

pub fn cast(players: &[Player]) -> Cast {
    Cast { alter: |spec| spec.rolls(), data_ttl_s: 12, with_resolvers: !is_full(), ..Cast::new(players) }
}

/// A pair at rest; one of them rolls, and nobody notices but the zone's history.
fn rolls_at_rest(name: &'static str, server: Server, roll: Roll) {
    in_own_network(2 * LIMIT, move || async move {
        let other = if server == Server::Bind { KNOT } else { BIND };
        let players = [other, player(server, roll)];
        let mut stage = Stage::set(name, cast(&players)).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.b_rolls_at_rest(roll).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

impl Stage {
    /// From the new key to the end of the old one, beside an operator that does nothing.
    pub async fn b_rolls_at_rest(&mut self, roll: Roll) {
        let old = self.roll(1, roll);
        let shown = self.chorus.shown_until(CHILD, "the roll", SOON, |shown| shown["rolls"] != json!([])).await;
        assert_eq!(shown["exposures"], json!([]));
        self.rolled(1, roll, &old).await;
        self.roll_is_over().await;
        self.assert_group(&["a", "b"]).await;
        self.assert_told(roll, key_tag(&old)).await;
    }

    /// Until the zone shows no roll any more, and is at rest.
    pub async fn roll_is_over(&self) {
        let over = |shown: &Value| shown["rest"] == true && shown["rolls"] == json!([]);
        let shown = self.chorus.shown_until(CHILD, "the roll is over", ROLL_LIMIT, over).await;
        assert_eq!(shown["exposures"], json!([]));
    }

    /// The history has the whole roll: the new key comes and signs, the old one ceases to and goes.
    async fn assert_told(&self, roll: Roll, old: u16) {
        let history = self.chorus.json(&["zone", "history", CHILD]).await;
        let events: Vec<String> = history["events"]
            .as_array()
            .expect("events")
            .iter()
            .filter(|event| event["kind"] == "roll" && event["operator"] == "b")
            .map(|event| event["text"].as_str().unwrap_or_default().to_owned())
            .collect();
        let role = format!("{roll:?}").to_uppercase();
        for (what, of_old) in
            [("is published", false), ("signs", false), ("signs nothing any more", true), ("is withdrawn", true)]
        {
            let fits = |event: &&String| {
                event.starts_with(&role)
                    && event.contains(&format!("of b {what}"))
                    && event.contains(&format!(" {old} ")) == of_old
            };
            assert!(events.iter().any(|event| fits(&event)), "no {what:?} in {events:#?}");
        }
    }
}

#[test]
fn keys_are_rolled_at_rest_at_every_server() {
    let mut cases = Vec::new();
    for server in [Server::Bind, Server::Knot, Server::PowerDns] {
        for roll in ROLLS {
            let name = format!("{server:?}-{roll:?}-at-rest").to_lowercase();
            cases.push(Case::new(name, move |name| rolls_at_rest(name, server, roll)));
        }
    }
    run(cases, &["knot-zsk-at-rest", "powerdns-ksk-at-rest"]);
}

/// A join in which one of the two rolls at one moment, and then the leave, in which it rolls again.
fn rolls_on_the_way(name: &'static str, server: Server, roll: Roll, who: usize, at: usize) {
    in_own_network(2 * LIMIT, move || async move {
        let other = if server == Server::Bind { KNOT } else { BIND };
        let players = if who == 0 { [player(server, roll), other] } else { [other, player(server, roll)] };
        let mut stage = Stage::set(name, cast(&players)).await;
        stage.comes_to(&["zone", "join", CHILD, "b"], JOIN[at]).await;
        let old = stage.roll(who, roll);
        stage.goes_on(JOIN[at]).await;
        stage.rolled(who, roll, &old).await;
        stage.roll_is_over().await;
        stage.assert_group(&["a", "b"]).await;

        stage.comes_to(&["zone", "leave", CHILD, "b"], LEAVE[at]).await;
        let old = stage.roll(who, roll);
        stage.goes_on(LEAVE[at]).await;
        if who == 0 {
            stage.rolled(who, roll, &old).await;
        }
        stage.chorus.comes_to_rest().await;
        // Alone, an operator sees to its DS itself; what Chorus had put beside it does not stand in its way.
        let (parent, stays) = (&stage.parent, &stage.operators[0]);
        until("the parent has the DS of who stays", ROLL_LIMIT, || {
            parent.addresses().into_iter().all(|ip| parent.ds_count(ip) == Some(stays.own_ds().len()))
        })
        .await;
        stage.assert_group(&["a"]).await;
        // Of the resolvers a pair of operators that met for some seconds only is hardly probed.
        stage.assert_clean(&[]).await;
    });
}

fn at_every_step(server: Server, selected: &[&str]) {
    let mut cases = Vec::new();
    for roll in ROLLS {
        for who in [0, 1] {
            for at in 0..JOIN.len() {
                let operator = ["a", "b"][who];
                let name = format!("{server:?}-{roll:?}-at-{operator}-{at}").to_lowercase();
                cases.push(Case::new(name, move |name| rolls_on_the_way(name, server, roll, who, at)));
            }
        }
    }
    run(cases, selected);
}

#[test]
fn keys_of_bind_are_rolled_at_every_step() {
    at_every_step(Server::Bind, &["bind-csk-at-a-4"]);
}

#[test]
fn keys_of_knot_are_rolled_at_every_step() {
    at_every_step(Server::Knot, &["knot-ksk-at-b-2"]);
}
