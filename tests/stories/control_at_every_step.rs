//! Undo, pause, and the death of the leaver, at every moment of a join, a leave and a replacement.

use hickory_proto::rr::RecordType::NS;

use crate::every_step::{Case, JOIN, LEAVE, Moment, run};
use crate::lab::operator::Server;
use crate::lab::{CHILD, in_own_network, ttl_passes};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Player, Stage};

/// The answers outlive everything else, so that the last step of a leave can be seen.
const DATA_TTL_S: u32 = 12;

fn players(first: Server) -> [Player; 2] {
    if first == Server::Bind { [BIND, KNOT] } else { [KNOT, BIND] }
}

async fn stage(name: &'static str, players: [Player; 2]) -> Stage {
    let cast = Cast { data_ttl_s: DATA_TTL_S, with_resolvers: false, ..Cast::new(&players) };
    Stage::set(name, cast).await
}

/// Of a replacement of a by b: b joins, then a leaves. Its delegation step comes twice, and is met the first time.
fn replace_moments() -> Vec<Moment> {
    let leaving = [Moment::BeforeWrite(11), Moment::BeforeWrite(12)];
    JOIN.into_iter().chain(leaving).chain(LEAVE.into_iter().skip(3)).collect()
}

impl Stage {
    /// Gives a command at a moment: at once, but a daemon that died has to live again first. It must not be done with
    /// everything before the command comes: the parent waits for that.
    async fn at_moment(&mut self, moment: Moment, command: &[&str]) {
        let had_died = matches!(moment, Moment::BeforeWrite(_));
        if had_died {
            self.agent_acts(false);
            self.goes_on(moment).await;
        }
        self.lab.tell(&format!("chorus {}", command.join(" ")));
        self.chorus.ok(command).await;
        if had_died {
            self.agent_acts(true);
        } else {
            self.goes_on(moment).await;
        }
    }

    /// To rest, in the transition that was under way: an undo that came too late would be one of its own.
    async fn comes_back(&self) {
        self.chorus.comes_to_rest().await;
        let shown = self.chorus.json(&["zone", "show", CHILD]).await;
        assert_eq!(shown["transition"]["state"], "undone", "{shown:#}");
    }
}

/// A join is undone at a moment, and goes through then; so is the leave.
pub fn undone(name: &'static str, players: [Player; 2], joining: Moment, leaving: Moment) {
    in_own_network(2 * LIMIT, move || async move {
        let mut stage = stage(name, players).await;
        stage.comes_to(&["zone", "join", CHILD, "b"], joining).await;
        stage.at_moment(joining, &["zone", "undo", CHILD]).await;
        stage.comes_back().await;
        stage.assert_group(&["a"]).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.assert_group(&["a", "b"]).await;
        stage.comes_to(&["zone", "leave", CHILD, "b"], leaving).await;
        stage.at_moment(leaving, &["zone", "undo", CHILD]).await;
        stage.comes_back().await;
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

pub fn replacement_undone(name: &'static str, players: [Player; 2], moment: Moment) {
    in_own_network(2 * LIMIT, move || async move {
        let mut stage = stage(name, players).await;
        stage.comes_to(&["zone", "replace", CHILD, "a", "b"], moment).await;
        stage.at_moment(moment, &["zone", "undo", CHILD]).await;
        stage.comes_back().await;
        stage.assert_group(&["a"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

/// Longer than any TTL of the story: guards open meanwhile, the parent does what it was asked for, and nobody uses it.
async fn paused(stage: &mut Stage, moment: Moment) {
    stage.at_moment(moment, &["zone", "pause", CHILD]).await;
    let named = |stage: &Stage| stage.operators.iter().map(|operator| operator.served(NS)).collect::<Vec<_>>();
    let before = named(stage);
    ttl_passes(DATA_TTL_S).await;
    let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
    assert_eq!(shown["transition"]["state"], "paused", "{shown:#}");
    assert_eq!(named(stage), before, "nothing goes on in a pause");
    stage.chorus.ok(&["zone", "resume", CHILD]).await;
    stage.chorus.comes_to_rest().await;
}

fn paused_on_the_way(name: &'static str, first: Server, at: usize) {
    in_own_network(2 * LIMIT, move || async move {
        let mut stage = stage(name, players(first)).await;
        stage.comes_to(&["zone", "join", CHILD, "b"], JOIN[at]).await;
        paused(&mut stage, JOIN[at]).await;
        stage.assert_group(&["a", "b"]).await;
        stage.comes_to(&["zone", "leave", CHILD, "b"], LEAVE[at]).await;
        paused(&mut stage, LEAVE[at]).await;
        stage.assert_group(&["a"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

fn leaver_killed(name: &'static str, first: Server, at: usize) {
    in_own_network(2 * LIMIT, move || async move {
        let mut stage = stage(name, players(first)).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.comes_to(&["zone", "leave", CHILD, "b"], LEAVE[at]).await;
        stage.operators[1].kill9();
        stage.lab.tell("b is dead");
        stage.goes_on(LEAVE[at]).await;
        // It is asked for until b has been found silent; where b is not needed any more the leave ends without it. A parent
        // that follows RFC 9975 does nothing as long as a delegated server is silent: there a person sees to the delegation.
        let ended = async {
            loop {
                let shown = stage.chorus.json(&["zone", "show", CHILD]).await;
                if shown["rest"] == true {
                    return;
                }
                stage.chorus.cli(&["zone", "leave", CHILD, "b", "--unreachable", "--reason", "it is dead"]).await;
                let (step, code) = (&shown["transition"]["step"], &shown["transition"]["waiting_for"]["code"]);
                if step == "the parent delegates to the new name server set" && code == "parent-silent-server" {
                    stage.parent.set_ns(&[&stage.operators[0]]).await;
                    stage.lab.tell("the delegation is changed by hand");
                }
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        };
        assert!(tokio::time::timeout(LIMIT / 2, ended).await.is_ok(), "{}", stage.chorus.log_end());
        stage.assert_group(&["a"]).await;
        let verdict = stage.observer.finish();
        // That it did not answer while it was named is nobody's fault but its own. What it served last may be served again
        // for all the observer knows; it has not been.
        let others: Vec<_> =
            verdict.certain().filter(|exposure| exposure.rule != "every named server answers").collect();
        assert!(others.is_empty(), "{verdict}");
    });
}

fn cases(what: &'static str, count: usize, story: fn(&'static str, Server, usize)) -> Vec<Case> {
    let each = [Server::Bind, Server::Knot].into_iter().flat_map(|first| (0..count).map(move |at| (first, at)));
    each.map(|(first, at)| {
        Case::new(format!("{what}-{first:?}-{at}").to_lowercase(), move |name| story(name, first, at))
    })
    .collect()
}

#[test]
fn joins_and_leaves_are_undone_at_every_step() {
    let story = |name, first, at: usize| undone(name, players(first), JOIN[at], LEAVE[at]);
    run(cases("undo", JOIN.len(), story), &["undo-bind-5"]);
}

#[test]
fn replacements_are_undone_at_every_step() {
    let story = |name, first, at: usize| replacement_undone(name, players(first), replace_moments()[at]);
    run(cases("undo-replace", replace_moments().len(), story), &["undo-replace-knot-9"]);
}

#[test]
fn joins_and_leaves_are_paused_for_longer_than_a_ttl_at_every_step() {
    run(cases("pause", JOIN.len(), paused_on_the_way), &["pause-bind-4"]);
}

#[test]
fn leavers_are_killed_at_every_step() {
    run(cases("killed", LEAVE.len(), leaver_killed), &["killed-knot-1"]);
}
