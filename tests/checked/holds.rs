//! The small worlds in which every property holds.
//!
//! Each test is one kind of adversity; together they would be too many states. `CHECKED_LARGE=1` adds the larger ones, which
//! take minutes.

use crate::explore::holds;
use crate::world::{Design, Group, Roll, Size, Ttls};

pub const A: Group = Group::of(0b001);
const B: Group = Group::of(0b010);
pub const AB: Group = Group::of(0b011);
const AC: Group = Group::of(0b101);
const ABC: Group = Group::of(0b111);
/// Where a stopped transition may come to rest: b is trusted, and not a name server.
const A_TRUSTING_B: Group = Group { serving: 0b001, trusted: 0b010 };

/// The owner changes its mind so often; all that is written is served at once.
pub fn world(first: Group, groups: &[Group], changes: u8) -> Size {
    Size { changes: Some(changes), lag: 0, ..Size::new(first.all(), groups) }
}

/// One operator rolls a key, and the parent publishes at once.
fn rolling(operator: u8, roll: Roll, size: Size) -> Size {
    Size { design: Design::Split, roll: Some((operator, roll)), promptly: true, ..size }
}

/// Operator a has two servers, and the second of them lags behind.
fn second_server(size: Size) -> Size {
    Size { address_of: vec![0, 0, 1], lag: 1, lagging: 0b010, promptly: true, ..size }
}

fn large(name: &str, size: Size) {
    if std::env::var_os("CHECKED_LARGE").is_some() {
        holds(name, size);
    }
}

#[test]
fn a_join_can_be_undone_at_any_moment_while_the_parent_takes_its_time() {
    holds("join", world(A, &[A, AB], 2));
    large("join, three changes of mind", world(A, &[A, AB], 3));
}

#[test]
fn a_leave_can_be_undone_at_any_moment_while_the_parent_takes_its_time() {
    holds("leave", world(AB, &[A, AB], 2));
    large("leave, three changes of mind", world(AB, &[A, AB], 3));
}

#[test]
fn an_operator_is_replaced_by_another() {
    holds("replace", Size { promptly: true, ..world(A, &[A, B], 2) });
    large("replace, late parent", world(A, &[A, B], 2));
}

#[test]
fn servers_show_what_was_written_one_after_the_other_and_late() {
    holds("join, lag", Size { lag: 1, ..world(A, &[A, AB], 1) });
    holds("leave, lag", Size { lag: 1, ..world(AB, &[A, AB], 1) });
    large("join and undo, lag", Size { lag: 1, ..world(A, &[A, AB], 2) });
    large("leave and undo, lag", Size { lag: 1, ..world(AB, &[A, AB], 2) });
}

#[test]
fn an_operator_has_a_second_server_that_lags_behind() {
    for (name, first) in [("join", A), ("leave", AB)] {
        holds(&format!("{name}, second server of a"), second_server(world(first, &[A, AB], 1)));
        let all_late = Size { lagging: u8::MAX, ..second_server(world(first, &[A, AB], 1)) };
        large(&format!("{name}, second server of a, and all late"), all_late);
    }
}

#[test]
fn a_transition_is_paused_and_stopped_anywhere() {
    let size = |changes| Size { promptly: true, pauses: true, ..world(A, &[A, AB, A_TRUSTING_B], changes) };
    holds("pause and stop", size(1));
    large("pause and stop, and go on", size(2));
}

#[test]
fn answers_get_lost() {
    holds("join, an answer lost", Size { losses: 1, ..world(A, &[A, AB], 1) });
    holds("leave, an answer lost", Size { losses: 1, ..world(AB, &[A, AB], 1) });
    large("join and undo, two answers lost", Size { losses: 2, ..world(A, &[A, AB], 2) });
}

#[test]
fn the_controller_looks_every_other_tick_only() {
    holds("join, slow controller", Size { sleeps: Some(1), ..world(A, &[A, AB], 1) });
    holds("leave, slow controller", Size { sleeps: Some(1), ..world(AB, &[A, AB], 1) });
    large("join and undo, slow controller", Size { sleeps: Some(1), ..world(A, &[A, AB], 2) });
}

#[test]
fn every_kind_of_record_may_be_the_one_that_is_kept_longest() {
    for (name, ttls) in [
        ("DS", Ttls { ds: 3, ..Ttls::ONE }),
        ("delegation", Ttls { delegation: 3, ..Ttls::ONE }),
        ("DNSKEY", Ttls { dnskey: 3, ..Ttls::ONE }),
        ("CDS", Ttls { cds: 3, ..Ttls::ONE }),
        ("NS", Ttls { ns: 3, ..Ttls::ONE }),
        ("data", Ttls { data: 3, ..Ttls::ONE }),
    ] {
        holds(&format!("join, {name} kept for 3 ticks"), Size { ttls, ..world(A, &[A, AB], 1) });
        holds(&format!("leave, {name} kept for 3 ticks"), Size { ttls, ..world(AB, &[A, AB], 1) });
    }
}

#[test]
fn an_operator_rolls_a_key_in_the_middle() {
    for roll in [Roll::Zsk, Roll::Ksk] {
        holds(&format!("{roll:?} rolled in a group at rest"), rolling(1, roll, world(AB, &[AB], 0)));
        let newcomers = rolling(1, roll, world(A, &[A, AB], 1));
        if roll == Roll::Zsk {
            holds("Zsk of the newcomer rolled", newcomers)
        } else {
            large("Ksk of the newcomer rolled", newcomers)
        }
        large(&format!("{roll:?} rolled by who stays, in a join"), rolling(0, roll, world(A, &[A, AB], 1)));
        large(&format!("{roll:?} of the leaver rolled"), rolling(1, roll, world(AB, &[A, AB], 1)));
    }
}

#[test]
fn three_operators_join_leave_and_take_each_others_place() {
    let prompt = |size: Size| Size { promptly: true, ..size };
    holds("two join", prompt(world(A, &[A, ABC], 1)));
    holds("c for b", prompt(world(AB, &[AB, AC], 1)));
    large("two leave", prompt(world(ABC, &[A, ABC], 1)));
    large("c for b and back", prompt(world(AB, &[AB, AC], 2)));
}
