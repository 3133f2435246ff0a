//! A paused transition is held, whatever opens or comes true meanwhile: it is never taken for done.

use crate::support::Fixture;
use chorus::model::group::{World, decide};

/// B leaves A. Nobody has been able to ask B for long, and everything else of it is still there.
fn all_guards_are_open() -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    f.member("b", false);
    f.together(-2_000_000, &["a", "b"]);
    for who in ["a", "b"] {
        f.sees(-1_000_000, who, chorus::model::history::Kind::Ns, f.ns(&["a"]));
    }
    f.sees(-1_000_000, "parent", chorus::model::history::Kind::Delegation, f.ns(&["a"]));
    f
}

#[test]
fn a_leave_that_only_waited_for_time_is_not_done_when_its_guards_open_in_a_pause() {
    let f = all_guards_are_open();
    let held = f.world(0);
    assert!(!decide(&held).writes.is_empty(), "without a pause there is something to write");
    let decision = decide(&World { paused: true, ..held });
    assert_eq!(decision.writes, []);
    assert!(!decision.is_settled());
    let wait = &decision.waits[0];
    assert_eq!((wait.code, wait.until), ("paused", None));
    assert!(wait.text.starts_with("paused; to be written at a when it is resumed: "), "{}", wait.text);
}
