//! The main job: a zone served by one operator gets a second one, and a third, and no resolver notices. One row of the
//! table per kind of keys, algorithm, direction and parental agent.

use crate::lab::{CHILD, in_own_network};
use crate::stage::{Agent, BIND, BIND_CSK, BIND_RSA, Cast, KNOT, KNOT_CSK, KNOT_RSA, LIMIT, Player, Stage};

fn joins(name: &'static str, players: &'static [Player], agent: Agent) {
    in_own_network(LIMIT, move || async move {
        let stage = Stage::set(name, Cast { agent, ..Cast::new(players) }).await;
        let names = &["a", "b", "c"][..players.len()];
        for newcomer in &names[1..] {
            stage.command(&["zone", "join", CHILD, newcomer]).await;
        }
        stage.assert_group(names).await;
        stage.assert_clean(names).await;
    });
}

macro_rules! stories {
    ($($story:ident: $players:expr, $agent:expr;)*) => {
        $(#[test] fn $story() { joins(stringify!($story), $players, $agent); })*
    };
}

stories! {
    knot_joins_bind: &[BIND, KNOT], Agent::Ours;
    bind_joins_knot: &[KNOT, BIND], Agent::Ours;
    knot_with_a_csk_joins_bind: &[BIND, KNOT_CSK], Agent::Ours;
    knot_joins_bind_with_a_csk: &[BIND_CSK, KNOT], Agent::Ours;
    csk_joins_csk: &[BIND_CSK, KNOT_CSK], Agent::Ours;
    knot_joins_bind_with_rsa: &[BIND_RSA, KNOT_RSA], Agent::Ours;
    third_operator_joins_with_rsa_so_that_dnskey_needs_tcp: &[BIND_RSA, KNOT_RSA, BIND_RSA], Agent::Ours;
    knot_joins_bind_under_an_agent_that_is_not_ours: &[BIND, KNOT], Agent::DnssecCds;
}
