//! What a parent published while nobody looked at its servers.

use crate::support::Fixture;
use chorus::model::history::{Failure, Kind};
use chorus::model::time::Time;

const KIND: Kind = Kind::Delegation;

fn until(f: &Fixture, published_s: i64) -> Option<i64> {
    f.history.published_until(Time::from_s(published_s), KIND).map(|until| until.0 / 1000)
}

/// One server of the parent, which shows the same at each of these moments.
fn looks(moments_s: impl IntoIterator<Item = i64>) -> Fixture {
    let mut f = Fixture::new();
    f.member("a", true);
    for at_s in moments_s {
        f.sees_at(at_s, f.server("parent", 0), KIND, f.ns(&["a"]));
    }
    f
}

#[test]
fn what_was_published_in_a_gap_counts_until_its_end() {
    let f = looks([0, 60, 120, 4000, 4060, 9000]);
    for (published_s, until_s) in [(100, 100), (121, 4000), (2000, 4000), (4000, 4000), (4030, 4030), (4061, 9000)] {
        assert_eq!(until(&f, published_s), Some(until_s), "{published_s}");
    }
    assert_eq!(until(&f, 9001), Some(9001), "that is still to come");
}

/// Another version between two looks: it may have appeared at any moment since the look before.
#[test]
fn a_gap_between_two_versions_is_one_as_well() {
    let mut f = looks([0, 60]);
    f.sees_at(5000, f.server("parent", 0), KIND, f.ns(&[]));
    f.sees_at(6000, f.server("parent", 0), KIND, f.ns(&[]));
    assert_eq!(until(&f, 1000), Some(5000));
    assert_eq!(until(&f, 5500), Some(6000));
}

#[test]
fn a_server_that_was_not_seen_since_leaves_it_open() {
    let mut f = looks([0, 60, 4000]);
    let other = f.server("parent", 1);
    f.sees_at(60, other.clone(), KIND, f.ns(&["a"]));
    f.fails(4000, other.clone(), KIND, Failure::Silent);
    assert_eq!(until(&f, 1000), None);
    assert_eq!(until(&f, 60), Some(60));
    // One with a copy of the zone never shows it; one that is the parent's no more is not waited for.
    let before = f.history.clone();
    f.fails(4100, other.clone(), KIND, Failure::ServesChild);
    assert_eq!(until(&f, 1000), Some(4000));
    f.history = before;
    f.history.retire(&other, Time::from_s(4100));
    assert_eq!(until(&f, 1000), Some(4000));
}

/// At rest there is a gap between any two looks. Few of them are kept, and none of what they say is made shorter.
#[test]
fn few_gaps_are_kept_and_the_newest_are_kept_best() {
    let f = looks((0..5000).map(|nth| nth * 900));
    let gaps = &f.history.current(&f.server("parent", 0), KIND).unwrap().gaps;
    assert!(gaps.len() <= 64, "{}", gaps.len());
    assert_eq!((gaps[0].from, gaps.last().unwrap().until), (Time::from_s(0), Time::from_s(4999 * 900)));
    let newest_s = 4999 * 900;
    for published_s in (0..newest_s - 200).step_by(4321) {
        let until_s = until(&f, published_s).unwrap();
        let next_look_s = (published_s + 899) / 900 * 900;
        assert!(until_s >= next_look_s, "{published_s}: {until_s}");
        let age_s = newest_s - published_s;
        assert!(until_s - next_look_s <= age_s / 2 + 900, "{published_s}: {until_s}, {age_s} s ago");
    }
}

#[test]
fn gaps_move_with_the_clock() {
    let mut f = looks([0, 60, 4000, 4060, 9000]);
    f.history.postpone(std::time::Duration::from_secs(1000));
    assert_eq!(until(&f, 2000), Some(5000));
    f.history.bring_back(Time::from_s(7000));
    let gaps = &f.history.current(&f.server("parent", 0), KIND).unwrap().gaps;
    assert_eq!(gaps.last().map(|gap| (gap.from, gap.until)), Some((Time::from_s(2060), Time::from_s(7000))));
}
