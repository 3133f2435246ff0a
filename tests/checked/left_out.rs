//! draft
use crate::explore::exposure_without;
use crate::world::{Design, Group, Roll, Size, Ttls};
use chorus::model::switches::Switch;

const A: Group = Group::of(1);
const B: Group = Group::of(2);
const AB: Group = Group::of(3);
fn s(first: u8, groups: &[Group], changes: u8) -> Size {
    Size { changes: Some(changes), lag: 0, ..Size::new(first, groups) }
}
fn split(first: u8, groups: &[Group], changes: u8, op: u8, roll: Roll) -> Size {
    Size { design: Design::Split, promptly: true, roll: Some((op, roll)), ..s(first, groups, changes) }
}

fn sizes() -> Vec<(&'static str, Size)> {
    vec![
        ("join1", s(1, &[A, AB], 1)),
        ("leave1", s(3, &[A, AB], 1)),
        ("join2", s(1, &[A, AB], 2)),
        ("leave2", s(3, &[A, AB], 2)),
        ("join dnskey 2", Size { ttls: Ttls { dnskey: 2, ..Ttls::ONE }, ..s(1, &[A, AB], 1) }),
        ("join dnskey 2 lag", Size { lag: 1, promptly: true, ttls: Ttls { dnskey: 2, ..Ttls::ONE }, ..s(1, &[A, AB], 1) }),
        ("leave data 2", Size { ttls: Ttls { data: 2, ..Ttls::ONE }, ..s(3, &[A, AB], 1) }),
        ("leave dnskey 2", Size { ttls: Ttls { dnskey: 2, ..Ttls::ONE }, ..s(3, &[A, AB], 1) }),
        ("leave ns3 lag", Size { lag: 1, promptly: true, ttls: Ttls { ns: 3, ..Ttls::ONE }, ..s(3, &[A, AB], 1) }),
        ("leave deleg3", Size { ttls: Ttls { delegation: 3, ..Ttls::ONE }, ..s(3, &[A, AB], 1) }),
        ("loss join", Size { losses: 1, last_seen: true, ..s(1, &[A, AB], 1) }),
        ("loss leave", Size { losses: 1, last_seen: true, ..s(3, &[A, AB], 1) }),
        ("zsk join", split(1, &[A, AB], 1, 0, Roll::Zsk)),
        ("ksk join", split(1, &[A, AB], 1, 0, Roll::Ksk)),
        ("zsk leave", split(3, &[A, AB], 1, 1, Roll::Zsk)),
        ("ksk leave", split(3, &[A, AB], 1, 1, Roll::Ksk)),
        ("zsk rest", split(3, &[AB], 0, 1, Roll::Zsk)),
        ("ksk rest", split(3, &[AB], 0, 1, Roll::Ksk)),
        ("two addresses join b", Size { lag: 1, promptly: true, address_of: vec![0, 1, 1], ..s(1, &[A, AB], 1) }),
        ("two addresses join a", Size { lag: 1, promptly: true, address_of: vec![0, 0, 1], ..s(1, &[A, AB], 1) }),
        ("two addresses leave", Size { lag: 1, promptly: true, address_of: vec![0, 0, 1], ..s(3, &[A, AB], 1) }),
        ("sloppy join", Size { sleeps: Some(1), last_seen: true, ..s(1, &[A, AB], 1) }),
        ("sloppy leave", Size { sleeps: Some(1), last_seen: true, ..s(3, &[A, AB], 1) }),
        ("replace", Size { promptly: true, ..s(1, &[A, B], 2) }),
        ("join1 lag", Size { lag: 1, ..s(1, &[A, AB], 1) }),
        ("leave1 lag", Size { lag: 1, ..s(3, &[A, AB], 1) }),
        ("three replace", Size { promptly: true, ..s(3, &[Group::of(3), Group::of(5)], 1) }),
    ]
}

#[test]
fn survey() {
    for switch in Switch::ALL {
        if ["check", "old", "slack", "stale", "resolver", "round", "intent", "all-parents"].iter().any(|p| switch.name().starts_with(p)) { continue; }
        if let Ok(only) = std::env::var("ONLY") && !only.split(',').any(|o| o == switch.name()) { continue; }
        let mut found = false;
        for (name, size) in sizes() {
            if let Some(steps) = exposure_without(size, &[*switch, Switch::Check]) {
                println!("{switch}: {name} {steps}");
                found = true;
            }
        }
        if !found { println!("{switch}: NOT FOUND"); }
    }
}
