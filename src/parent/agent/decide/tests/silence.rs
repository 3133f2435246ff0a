//! Name servers that do not answer (RFC 9975 §3): waited for, and left out when they have been silent for long.

use super::*;

const AFTER: Duration = Duration::from_secs(75 * 60);

fn later(ms: i64) -> Time {
    Time(NOW.0 + ms)
}

fn silence(world: &mut World, server: usize) {
    let Seen { host, address, .. } = world.observed.servers[server].clone();
    world.observed.servers[server] = Seen::nothing(host, address);
}

/// The silent server is left out at the third of these readings.
const READINGS: [i64; 3] = [0, 74 * 60_000, 75 * 60_000];

#[test]
fn server_that_has_been_silent_for_long_holds_no_change_up() {
    let mut silences = Silences::default();
    for at in READINGS {
        let mut world = World::asking_for_a_server_inside();
        // B goes: the request of A alone is to count.
        world.set_ns(A, &["ns1.a.test.", "ns3.child.example."]);
        silence(&mut world, B);
        let said = silences.leave_out(&mut world.observed, AFTER, later(at));
        if at < READINGS[2] {
            assert!(said.is_empty(), "{said:?}");
            assert!(world.refuses(&["ns2.b.test. (fd00::12) does not answer"]).retry);
        } else {
            assert!(said[0].contains("ns2.b.test. (fd00::12) has not answered since 2026-03-01T00:00:00Z"), "{said:?}");
            let change = world.decide().ns.expect("the delegation changes");
            assert_eq!(change.new, ns(&["ns1.a.test.", "ns3.child.example."]));
        }
    }
}

#[test]
fn server_that_answers_again_counts_from_then_on() {
    let mut silences = Silences::default();
    for (at, is_silent) in [(0, true), (74 * 60_000, false), (75 * 60_000, true), (149 * 60_000, true)] {
        let mut world = World::asking_for_a_server_inside();
        if is_silent {
            silence(&mut world, B);
        }
        silences.leave_out(&mut world.observed, AFTER, later(at));
        assert_eq!(world.observed.servers.len(), 2, "{at}");
    }
}

#[test]
fn server_that_answers_wrongly_is_not_left_out() {
    let mut silences = Silences::default();
    for at in READINGS {
        let mut world = World::asking_for_a_server_inside();
        world.observed.servers[B].csync = Err(Failure::Silent);
        silences.leave_out(&mut world.observed, AFTER, later(at));
        assert!(world.refuses(&["ns2.b.test. (fd00::12) does not answer"]).retry);
    }
}

#[test]
fn where_every_server_is_silent_none_is_left_out() {
    let mut silences = Silences::default();
    for at in READINGS {
        let mut world = World::asking_for_a_server_inside();
        silence(&mut world, A);
        silence(&mut world, B);
        silences.leave_out(&mut world.observed, AFTER, later(at));
        world.refuses(&["does not answer"]);
    }
}
