//! The rules for CSYNC (RFC 7477, 9975 §3.2).

use super::*;

#[test]
fn csync_brings_the_ns_set_and_the_glue_along() {
    let world = World::asking_for_a_server_inside();
    let decision = world.decide();
    let change = decision.ns.unwrap_or_else(|| panic!("no change: {:?}", decision.verdict));
    assert_eq!(change.new, ns(&["ns1.a.test.", "ns2.b.test.", "ns3.child.example."]));
    let glue: Vec<_> = change.glue.iter().map(|g| (g.host.to_string(), g.rtype, g.new.clone())).collect();
    let address = set([Rdata::from_canonical(vec![192, 0, 2, 3])]);
    assert_eq!(glue, [("ns3.child.example.".to_string(), RecordType::A, address)]);
}

#[test]
fn what_csync_asks_for_is_known_before_it_is_judged() {
    let wanted = addresses_wanted(&World::asking_for_a_server_inside().observed);
    assert_eq!(wanted.len(), 3);
    assert_eq!(wanted[&name("ns3.child.example.")], BTreeSet::from(["192.0.2.3".parse().unwrap()]));
    assert!(addresses_wanted(&World::at_rest().observed).is_empty());
}

#[test]
fn a_csync_that_differs_at_one_server_stops_the_change() {
    let mut world = World::asking_for_a_server_inside();
    world.set_csync(B, csync(7, 1, &[2]));
    world.refuses(&["CSYNC at ns2.b.test. (fd00::12) differs from the others"]);
    world.observed.servers[B].csync = Ok(Rrset::default());
    world.refuses(&["ns2.b.test. (fd00::12) has no CSYNC"]);
}

#[test]
fn csync_serials_of_two_operators_may_differ() {
    let mut world = World::asking_for_a_server_inside();
    world.set_csync(B, csync(4711, 1, &[1, 2, 28]));
    assert!(world.decide().ns.is_some());
}

#[test]
fn csync_without_the_immediate_flag_waits_for_approval() {
    let mut world = World::asking_for_a_server_inside();
    for server in [A, B] {
        world.set_csync(server, csync(7, 0, &[1, 2, 28]));
    }
    world.refuses(&["waiting for approval"]);
}

#[test]
fn csync_with_soaminimum_waits_until_every_server_has_the_serial() {
    let mut world = World::asking_for_a_server_inside();
    world.set_csync(A, csync(7, 3, &[1, 2, 28]));
    world.set_csync(B, csync(8, 3, &[1, 2, 28]));
    let decision = world.refuses(&["CSYNC at ns2.b.test. (fd00::12) waits for serial 8, its SOA has 7"]);
    assert!(decision.retry);
}

#[test]
fn csync_with_unknown_flags_or_types_is_not_processed() {
    let mut world = World::asking_for_a_server_inside();
    // Cannot be signed here, and is turned down before signatures are looked at.
    world.observed.servers[B].csync = Ok(Rrset { records: csync(7, 5, &[1, 2, 28]), ..Rrset::default() });
    world.refuses(&["CSYNC at ns2.b.test. (fd00::12) is refused: it has flags that are not defined", "not processed"]);
    world.set_csync(B, csync(7, 1, &[1, 2, 15]));
    world.refuses(&["asks for MX", "not processed"]);
}

#[test]
fn a_zone_that_moves_while_it_is_read_is_not_followed() {
    let mut world = World::asking_for_a_server_inside();
    world.observed.servers[B].soa_after = Ok(signed(&child(), RecordType::SOA, soa(8), &[&world.b], HOUR_S));
    world.refuses(&["the zone at ns2.b.test. (fd00::12) changed while it was read"]);
}

#[test]
fn an_ns_set_that_is_unsigned_differs_or_is_empty_is_not_followed() {
    let mut world = World::asking_for_a_server_inside();
    world.observed.servers[B].ns.as_mut().unwrap().signatures.clear();
    world.refuses(&["NS of child.example. at ns2.b.test. (fd00::12) is not validly signed"]);
    world.set_ns(B, &["ns1.a.test.", "ns2.b.test."]);
    world.refuses(&["NS of child.example. at ns2.b.test. (fd00::12) differs from the others"]);
    for server in [A, B] {
        world.observed.servers[server].ns = Ok(Rrset::default());
    }
    world.refuses(&["the child's NS set is empty"]);
}

#[test]
fn glue_is_taken_only_when_csync_lists_its_type() {
    let mut world = World::asking_for_a_server_inside();
    for server in [A, B] {
        world.set_csync(server, csync(7, 1, &[2]));
    }
    world.refuses(&["ns3.child.example. lies inside of the child and would be without glue"]);
    let held = Held { records: set([Rdata::from_canonical(vec![192, 0, 2, 3])]), ttl_s: 60 };
    world.observed.parent.glue.insert(name("ns3.child.example."), (held, Held::default()));
    assert!(world.decide().ns.expect("a change").glue.is_empty());
}

#[test]
fn glue_that_differs_between_servers_is_not_followed() {
    let mut world = World::asking_for_a_server_inside();
    world.set_address(B, "ns3.child.example.", &[[192, 0, 2, 4]]);
    world.refuses(&["A of ns3.child.example. at ns2.b.test. (fd00::12) differs from the others"]);
}

#[test]
fn a_new_server_that_is_silent_or_does_not_validate_is_not_let_in() {
    let mut world = World::asking_for_a_server_inside();
    world.observed.newcomers[0].dnskey = Err(Failure::Silent);
    world.refuses(&["ns3.child.example. (192.0.2.3) does not answer when asked for DNSKEY"]);

    let mut world = World::asking_for_a_server_inside();
    let keys = world.observed.servers[A].dnskey.as_ref().unwrap().records.clone();
    world.observed.newcomers[0].dnskey = Ok(signed(&child(), RecordType::DNSKEY, keys, &[&world.c], HOUR_S));
    world.refuses(&["no DS leads to a key that signs the DNSKEY set at ns3.child.example. (192.0.2.3)"]);

    let mut world = World::asking_for_a_server_inside();
    world.observed.newcomers.clear();
    world.refuses(&["ns3.child.example. at 192.0.2.3 was not asked"]);
}

#[test]
fn new_glue_of_a_server_that_stays_is_asked_at_the_new_address() {
    let mut world = World::asking_for_a_server_inside();
    let hosts = ["ns1.a.test.", "ns2.b.test.", "ns3.child.example."];
    world.observed.parent.ns.records = ns(&hosts);
    let held = Held { records: set([Rdata::from_canonical(vec![192, 0, 2, 99])]), ttl_s: 60 };
    world.observed.parent.glue.insert(name("ns3.child.example."), (held, Held::default()));
    let change = world.decide().ns.expect("a change");
    assert_eq!((change.new, change.glue.len()), (ns(&hosts), 1));
    let newcomer = world.observed.newcomers.remove(0);
    let old_address = Seen { address: "192.0.2.99:53".parse().unwrap(), ..newcomer };
    world.observed.servers.push(Seen { ..old_address });
    world.observed.servers[2].hosts = world.observed.servers[B].hosts.clone();
    world.refuses(&["ns3.child.example. at 192.0.2.3 was not asked"]);
}

#[test]
fn an_older_ns_set_than_the_one_acted_on_last_is_ignored() {
    let mut world = World::asking_for_a_server_inside();
    world.acted_on = world.decide().ns.expect("a change").acted_on;
    assert!(world.decide().ns.is_some(), "the same signature again is no replay");
    let records = world.observed.servers[B].ns.as_ref().unwrap().records.clone();
    world.observed.servers[B].ns = Ok(signed(&child(), RecordType::NS, records, &[&world.b], HOUR_S + 1));
    world.refuses(&["CSYNC: NS of child.example. at ns2.b.test. (fd00::12) was signed at", "ignored"]);
}

#[test]
fn an_ns_set_of_a_signer_that_back_dates_further_is_not_taken_for_a_replay() {
    let mut world = World::asking_for_a_server_inside();
    let b = world.observed.servers.remove(B);
    world.acted_on = world.decide().ns.expect("a change that A alone asks for").acted_on;
    world.observed.servers.push(b);
    let records = world.observed.servers[B].ns.as_ref().unwrap().records.clone();
    let back_s = HOUR_S + HOUR_S / 2;
    world.observed.servers[B].ns = Ok(signed(&child(), RecordType::NS, records, &[&world.b], back_s));
    assert!(world.decide().ns.is_some());
}

#[test]
fn the_delegation_stands_still_while_the_ds_set_changes() {
    let mut world = World::asking_for_a_server_inside();
    let records = ds(&[&world.a, &world.b, &world.c]);
    world.set_cds(A, records.clone());
    world.set_cds(B, records);
    let decision = world.decide();
    assert!(decision.ds.is_some() && decision.ns.is_none());
    assert!(decision.verdict.join("; ").contains("CSYNC is looked at after the DS change"));
}

#[test]
fn csync_of_a_child_without_ds_is_not_followed() {
    let mut world = World::asking_for_a_server_inside();
    world.observed.parent.ds = Held::default();
    world.refuses(&["CSYNC: the parent has no DS"]);
}

#[test]
fn a_new_name_for_an_address_that_is_delegated_to_already_needs_no_second_look() {
    let mut world = World::asking_for_a_server_inside();
    world.observed.newcomers.clear();
    world.observed.servers[B].address = "192.0.2.3:53".parse().unwrap();
    assert!(world.decide().ns.is_some());
}

#[test]
fn a_new_server_outside_of_the_child_has_to_be_asked_under_its_name() {
    let mut world = World::asking_for_a_server_inside();
    world.set_csync(A, csync(7, 1, &[2]));
    world.set_csync(B, csync(7, 1, &[2]));
    for server in [A, B] {
        world.set_ns(server, &["ns1.a.test.", "ns2.b.test.", "ns9.c.test."]);
    }
    world.refuses(&["no address of ns9.c.test. was asked"]);
    world.observed.newcomers_unresolved.insert(name("ns9.c.test."), "no such name".into());
    world.refuses(&["no address of ns9.c.test. is known (no such name)"]);
    world.observed.newcomers_unresolved.clear();
    world.observed.newcomers[0].host = name("ns9.c.test.");
    assert!(world.decide().ns.is_some());
}

#[test]
fn glue_that_the_child_does_not_show_any_more_is_not_taken_away() {
    let mut world = World::asking_for_a_server_inside();
    let held = |octets: Vec<u8>| Held { records: set([Rdata::from_canonical(octets)]), ttl_s: 60 };
    let glue = (held(vec![192, 0, 2, 3]), held(vec![32; 16]));
    world.observed.parent.glue.insert(name("ns3.child.example."), glue);
    world.refuses(&["shows no AAAA of ns3.child.example. any more", "by hand"]);
}
