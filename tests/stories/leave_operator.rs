//! An operator leaves: nobody may hold anything of it when its name servers, its DS and its keys go.

use hickory_proto::rr::RecordType;

use crate::bad_days::{SOON, text};
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

/// The classic change of operator (RFC 6781 §4.3.5): the contract has ended, the old operator goes on serving what it has, and
/// takes no updates. The registrar changes the delegation; the old operator ceases to serve the zone at last.
#[test]
fn f24_leaver_that_takes_no_updates_is_left_without_anybody_noticing() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("no-updates", Cast::new(&[BIND, KNOT])).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.probed(&["a", "b"]).await;
        let named_at_a = stage.operators[0].served(RecordType::NS);
        stage.chorus.ok(&["zone", "leave", CHILD, "a", "--uncooperative", "--reason", "the contract has ended"]).await;
        let told = stage.chorus.waits_for("parent-manual").await;
        assert!(told.contains("asks a as well, which takes no updates"), "{told}");
        stage.parent.set_ns(&[&stage.operators[1]]).await;
        let told = stage.chorus.waits_for("leaver-uncooperative").await;
        assert!(told.contains(&format!("until a no longer serves {}", CHILD.trim_end_matches('.'))), "{told}");
        stage.chorus.keeps_waiting_for("leaver-uncooperative", 8).await;
        assert_eq!(stage.operators[0].served(RecordType::NS), named_at_a, "nothing is written at a");
        for ip in stage.parent.addresses() {
            assert_eq!(stage.parent.ds_count(ip), Some(2), "whoever asks a validates");
        }
        stage.lab.tell("a ceases to serve the zone");
        stage.operators[0].kill9();
        let advice = format!("`chorus zone leave {} a --unreachable`", CHILD.trim_end_matches('.'));
        let what = "that a does not answer, and the way out, are told";
        stage.chorus.shown_until(CHILD, what, SOON, |shown| text(shown).contains(&advice)).await;
        stage.chorus.ok(&["zone", "leave", CHILD, "a", "--unreachable"]).await;
        stage.chorus.comes_to_rest().await;
        stage.assert_group(&["b"]).await;
        stage.chorus.judge_the_last_end(CHILD);
        let Stage { resolvers, observer, lab, .. } = stage;
        let report = resolvers.expect("resolvers on this stage").finish();
        let verdict = observer.finish();
        lab.tell(&format!("{verdict}; {report}"));
        // That a does not answer is what it is about: resolvers that hold its NS RRset ask b. What it served last, the observer
        // cannot tell from what it might serve still.
        let certain: Vec<_> =
            verdict.certain().filter(|exposure| exposure.rule != "every named server answers").collect();
        assert!(certain.is_empty(), "{verdict}");
        assert!(report.failures().is_empty(), "{report}");
    });
}
