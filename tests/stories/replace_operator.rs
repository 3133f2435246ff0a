//! Moving house: `zone replace` joins the new operator first and lets the old one leave then, in one transition.

use crate::lab::{CHILD, in_own_network};
use crate::stage::{BIND, Cast, KNOT, LIMIT, Stage};

#[test]
fn knot_replaces_bind() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("replace", Cast::new(&[BIND, KNOT])).await;
        stage.command(&["zone", "replace", CHILD, "a", "b"]).await;
        stage.assert_group(&["b"]).await;
        stage.assert_clean(&["a", "b"]).await;
    });
}

#[test]
fn one_of_two_operators_is_replaced() {
    in_own_network(LIMIT, || async {
        let stage = Stage::set("replace-one-of-two", Cast::new(&[BIND, KNOT, BIND])).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        stage.command(&["zone", "replace", CHILD, "a", "c"]).await;
        stage.assert_group(&["b", "c"]).await;
        stage.assert_clean(&["b", "c"]).await;
    });
}
