//! deSEC's API as it is when something fails between its parts, and what it lets an account do.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::lab::desec::Trouble;
use crate::lab::operator::Second;
use crate::lab::{CHILD, in_own_network, until};
use crate::stage::{BIND, Cast, DESEC, LIMIT, Stage};

/// Requests since the last time, and how many of them were refused for a limit.
fn made(stage: &Stage) -> (u64, usize) {
    let server = stage.operators[1].desec.as_ref().expect("deSEC is the second");
    let mut state = server.state();
    let refused = state.log.iter().filter(|line| line.ends_with(" 429")).count();
    (state.requests().len() as u64, refused)
}

fn planned(plan: &Value) -> u64 {
    let requests = plan["requests"].as_array().expect("requests");
    let of_b = requests.iter().find(|one| one["operator"] == "b").unwrap_or_else(|| panic!("{plan:#}"));
    of_b["requests"].as_u64().expect("a number")
}

#[test]
fn a_plan_says_how_many_requests_a_join_and_a_leave_make_and_none_is_refused() {
    in_own_network(LIMIT, || async {
        let cast = Cast { with_resolvers: false, ..Cast::new(&[BIND, DESEC]) };
        let stage = Stage::set("desec-requests", cast).await;
        for (command, group) in [(["zone", "join", CHILD, "b"], "a,b"), (["zone", "leave", CHILD, "a"], "b")] {
            let plan = stage.chorus.json(&["zone", "plan", CHILD, "--operators", group]).await;
            made(&stage);
            stage.command(&command).await;
            let (made, refused) = made(&stage);
            assert_eq!((made, refused), (planned(&plan), 0), "{command:?}: {plan:#}");
        }
        stage.assert_clean(&[]).await;
    });
}

#[test]
fn what_desec_stored_and_did_not_publish_and_what_it_rolled_back_and_published_get_right() {
    in_own_network(2 * LIMIT, || async {
        let cast = Cast { with_resolvers: false, ..Cast::new(&[BIND, DESEC]) };
        let stage = Stage::set("desec-publication", cast).await;
        let fails = |trouble, times| {
            stage.operators[1].desec.as_ref().expect("deSEC").state().trouble = Some((trouble, times));
        };
        fails(Trouble::Distribution, 1);
        stage.command(&["zone", "join", CHILD, "b"]).await;
        fails(Trouble::RolledBack, 1);
        stage.command(&["zone", "leave", CHILD, "a"]).await;
        stage.assert_group(&["b"]).await;
        // Nothing of an attempt to publish stays.
        let ttl_s = u64::from(stage.operators[1].spec.ttl_s);
        let desec = stage.operators[1].desec.as_ref().expect("deSEC");
        assert_eq!(desec.state().stored("NS").map(|set| set.ttl_s), Some(ttl_s));
        until("no CSYNC is left", Duration::from_secs(30), || stage.operators[1].served(RecordType::CSYNC).is_empty())
            .await;
        stage.assert_clean(&[]).await;
    });
}

/// Two addresses, of which one follows a second or two later.
#[test]
fn a_name_server_of_desec_that_lags_behind_the_other_is_waited_for_without_asking_the_interface() {
    in_own_network(LIMIT, || async {
        let cast = Cast {
            with_resolvers: false,
            alter: |spec| if spec.name == "b" { spec.second(Second::Secondary) } else { spec },
            ..Cast::new(&[BIND, DESEC])
        };
        let stage = Stage::set("desec-lags", cast).await;
        let plan = stage.chorus.json(&["zone", "plan", CHILD, "--operators", "a,b"]).await;
        made(&stage);
        stage.command(&["zone", "join", CHILD, "b"]).await;
        let (made, refused) = made(&stage);
        assert_eq!((made, refused), (planned(&plan), 0), "{plan:#}");
        stage.assert_group(&["a", "b"]).await;
        stage.assert_clean(&[]).await;
    });
}

#[test]
fn a_check_that_a_limit_puts_off_is_said_not_to_have_been_tried() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("desec-untried", Cast::bad_day(&[BIND, DESEC])).await;
        stage.operators[1].desec.as_ref().expect("deSEC").state().throttle = Some(crate::lab::desec::Throttle::new(1));
        let tested = stage.chorus.cli(&["operator", "test", "b", "--zone", CHILD]).await;
        assert_eq!(tested.status, 8, "{}{}", tested.stdout, tested.stderr);
        assert!(tested.stdout.contains("not tried"), "{}", tested.stdout);
        // What the server says of its limits counts here too, for all that the account does.
        let shown = stage.chorus.json(&["operator", "show", "b"]).await;
        assert_eq!(shown["api"]["requests_per_day"], 2000, "{shown:#}");
        stage.chorus.ok(&["operator", "set", "b", "--requests-per-day", "20000"]).await;
        let shown = stage.chorus.json(&["operator", "show", "b"]).await;
        assert_eq!(shown["api"]["requests_per_day"], 20_000, "{shown:#}");
        stage.assert_clean(&[]).await;
    });
}
