//! An operator leaves: nobody may hold anything of it when its name servers, its DS and its keys go.

use crate::lab::{CHILD, in_own_network};
use crate::stage::{Agent, BIND, BIND_CSK, Cast, KNOT, KNOT_CSK, LIMIT, Player, Stage};

/// All join, then `leaver` leaves.
fn leaves(name: &'static str, players: &'static [Player], leaver: &'static str, agent: Agent) {
    in_own_network(LIMIT, move || async move {
        // Data live longer than everything else, so that the leave's wait for data is a wait of its own.
        let stage = Stage::set(name, Cast { agent, data_ttl_s: 15, ..Cast::new(players) }).await;
        let names = &["a", "b", "c"][..players.len()];
        for newcomer in &names[1..] {
            stage.command(&["zone", "join", CHILD, newcomer]).await;
        }
        stage.probed(names).await;
        stage.command(&["zone", "leave", CHILD, leaver]).await;
        let remaining: Vec<&str> = names.iter().copied().filter(|name| *name != leaver).collect();
        stage.assert_group(&remaining).await;
        stage.assert_clean(names).await;
    });
}

macro_rules! stories {
    ($($story:ident: $players:expr, $leaver:expr, $agent:expr;)*) => {
        $(#[test] fn $story() { leaves(stringify!($story), $players, $leaver, $agent); })*
    };
}

stories! {
    the_newcomer_leaves_again: &[BIND, KNOT], "b", Agent::Ours;
    the_first_operator_leaves: &[BIND, KNOT], "a", Agent::Ours;
    one_of_three_leaves: &[BIND, KNOT, BIND_CSK], "b", Agent::Ours;
    csk_leaves_csk: &[KNOT_CSK, BIND_CSK], "a", Agent::Ours;
    the_first_operator_leaves_under_an_agent_that_is_not_ours: &[BIND, KNOT], "a", Agent::DnssecCds;
}
