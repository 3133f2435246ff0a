//! Where the names of name servers lead to, and copies of the zone at the parent, held against worked numbers.

use super::{DAY_S, PARENTS, World, address, addresses_of, ds, hosts};
use chorus::sim::oracle::{Kind, Settings, Whose, lead};
use std::collections::BTreeSet;

const GLUE_TTL_S: u32 = 7200;
const ZONE_TTL_S: u32 = 600;

impl World {
    /// A's two hosts are inside the zone, and lead to one address each.
    fn mapped(settings: Settings) -> World {
        let mut world = World::new(settings);
        for (place, at) in world.addresses.iter_mut().enumerate() {
            at.place = place as u16;
            if matches!(at.whose, Whose::Operator(_)) {
                at.leads_of = hosts(&[1]).into();
            }
        }
        world.parent(&PARENTS, chorus::sim::oracle::What::Ds, ds(&[1]), 300);
        world.delegate(&PARENTS, &[1]);
        for operator in [1, 2] {
            world.dnskey(operator, &[operator]);
            world.ns(operator, &[1]);
            world.data(operator);
        }
        world.glue(&[(11, 2), (12, 3)]);
        world.zone_leads(1, &[(11, 2), (12, 3)]);
        world.zone_leads(2, &[(11, 2), (12, 3)]);
        world.until(0);
        world
    }

    fn glue(&mut self, to: &[(u16, u16)]) {
        let set = self.leads(to, GLUE_TTL_S);
        PARENTS.into_iter().for_each(|at| self.addresses[at].leads = Some(set.clone()));
    }

    fn zone_leads(&mut self, operator: u8, to: &[(u16, u16)]) {
        let set = self.leads(to, ZONE_TTL_S);
        addresses_of(operator).into_iter().for_each(|at| self.addresses[at].leads = Some(set.clone()));
    }

    fn leads(&mut self, to: &[(u16, u16)], ttl_s: u32) -> chorus::sim::oracle::Rrset {
        let records = to.iter().map(|(host, place)| lead(*host, *place)).collect();
        self.rrset(chorus::sim::oracle::What::Leads, records, ttl_s, vec![])
    }
}

/// A host's second address is given up: the zone drops it at 100, the parent at 1000, and the server stops at `stops_at`.
fn an_address_given_up(stops_at: i64) -> World {
    let mut world = World::mapped(Settings { resolvers: 28, ..Settings::default() });
    let spare = {
        let mut spare = address(Whose::Operator(1), 11);
        spare.place = 7;
        for (into, from) in [(&mut spare.dnskey, &world.addresses[2].dnskey), (&mut spare.ns, &world.addresses[2].ns)] {
            into.clone_from(from);
        }
        spare.answers.clone_from(&world.addresses[2].answers);
        spare.leads_of = hosts(&[1]).into();
        spare
    };
    world.addresses.push(spare);
    let both = [(11, 2), (11, 7), (12, 3)];
    world.glue(&both);
    world.zone_leads(1, &both);
    world.addresses[6].leads = world.addresses[2].leads.clone();
    world.until(100);
    world.zone_leads(1, &[(11, 2), (12, 3)]);
    world.addresses[6].leads = world.addresses[2].leads.clone();
    world.until(1000);
    world.glue(&[(11, 2), (12, 3)]);
    world.until(stops_at);
    world.addresses[6].serves = false;
    world.until(stops_at + 2 * DAY_S);
    world
}

#[test]
fn an_address_can_be_asked_until_the_last_glue_that_leads_there_has_expired() {
    let last = 1000 + i64::from(GLUE_TTL_S);
    let right = an_address_given_up(last);
    assert_eq!(right.oracle.glitches(), [], "{}", right.story());
    let early = an_address_given_up(last - 1);
    assert_eq!(early.windows(Kind::Lame), BTreeSet::from([(None, None, last - 1, last)]), "{}", early.story());
}

#[test]
fn a_host_that_a_zone_denies_is_named_without_an_address_as_long_as_the_denial_is_in_caches() {
    let mut world = World::mapped(Settings::default());
    world.zone_leads(1, &[(12, 3)]);
    world.until(50);
    assert_eq!(world.windows(Kind::NoAddress).len(), 1, "{}", world.story());
    world.zone_leads(1, &[(11, 2), (12, 3)]);
    world.until(3600);
    let ends: Vec<i64> = world.windows(Kind::NoAddress).iter().map(|(_, _, _, until)| *until).collect();
    assert_eq!(ends, [50 + i64::from(ZONE_TTL_S)], "{}", world.story());
}

#[test]
fn a_copy_at_the_parent_is_asked_for_ever_and_is_bogus_when_the_group_has_moved_on() {
    let mut world = World::of(Settings { resolvers: 28, ..Settings::default() }, &[1], 300);
    let copy = world.addresses[2].clone();
    let at = &mut world.addresses[PARENTS[1]];
    (at.delegation, at.dnskey, at.ns, at.answers) = (None, copy.dnskey, copy.ns, copy.answers);
    world.until(1000);
    assert_eq!(world.oracle.glitches(), [], "{}", world.story());
    // The zone moves to B, with every wait that a zone without the copy needs, and far more; the copy is A's.
    world.dnskey(1, &[1, 2]);
    world.dnskey(2, &[1, 2]);
    world.until(10 * DAY_S);
    world.parent(&PARENTS, chorus::sim::oracle::What::Ds, ds(&[1, 2]), 300);
    world.until(20 * DAY_S);
    world.ns(1, &[2]);
    world.ns(2, &[2]);
    world.delegate(&PARENTS[..1], &[2]);
    world.until(30 * DAY_S);
    world.parent(&PARENTS, chorus::sim::oracle::What::Ds, ds(&[2]), 300);
    world.until(31 * DAY_S);
    let bogus = world.windows(Kind::Bogus);
    assert!(!bogus.is_empty(), "{}", world.story());
}
