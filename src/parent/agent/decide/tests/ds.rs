//! The rules for CDS and CDNSKEY (RFC 7344, 8078, 9975).

use super::*;

#[test]
fn a_child_that_asks_for_nothing_is_left_alone() {
    World::at_rest().refuses(&["as the child asks"]);
}

#[test]
fn a_key_that_all_servers_ask_for_gets_its_ds() {
    let world = World::asking_for_c();
    let decision = world.decide();
    let change = decision.ds.expect("a change");
    assert_eq!(change.new, ds(&[&world.a, &world.b, &world.c]));
    assert_eq!(change.old, world.observed.parent.ds);
    let by = |rtype, key: &Pair| ((child(), rtype, key.rdata.clone()), Time(NOW.0 - HOUR_S * 1000));
    let (cds, cdnskey) = (RecordType::CDS, RecordType::CDNSKEY);
    let signed = [by(cds, &world.a), by(cds, &world.b), by(cdnskey, &world.a), by(cdnskey, &world.b)];
    assert_eq!(change.acted_on, ActedOn(signed.into()));
}

#[test]
fn a_cds_that_lists_what_the_parent_has_changes_nothing() {
    let mut world = World::at_rest();
    let records = ds(&[&world.a, &world.b]);
    world.set_cds(A, records.clone());
    world.set_cds(B, records);
    world.refuses(&["as the child asks"]);
}

#[test]
fn one_server_with_a_different_cds_stops_the_change_and_is_named() {
    let mut world = World::asking_for_c();
    let old = ds(&[&world.a, &world.b]);
    world.set_cds(B, old);
    world.refuses(&["differs from the others"]);
    // With two servers either may be the odd one; with three it is the one that stands alone.
    let mut third = world.observed.servers[A].clone();
    third.host = name("ns3.a.test.");
    world.observed.servers.push(third);
    world.refuses(&["CDS at ns2.b.test. (fd00::12) differs from the others: no change"]);
}

#[test]
fn a_server_without_cds_among_servers_that_have_it_stops_the_change() {
    let mut world = World::asking_for_c();
    world.observed.servers[B].cds = Ok(Rrset::default());
    world.refuses(&["ns2.b.test. (fd00::12) has no CDS, the others have"]);
}

#[test]
fn cds_and_cdnskey_must_name_the_same_keys() {
    let mut world = World::asking_for_c();
    for server in [A, B] {
        let keys = set([world.a.rdata.clone(), world.b.rdata.clone()]);
        world.set_cdnskey(server, keys);
    }
    world.refuses(&["CDS and CDNSKEY do not name the same keys"]);
}

#[test]
fn a_silent_server_delays_the_change_and_asks_for_a_retry() {
    let mut world = World::asking_for_c();
    world.observed.servers[B].cds = Err(Failure::Silent);
    assert!(world.refuses(&["ns2.b.test. (fd00::12) does not answer"]).retry);
}

#[test]
fn a_server_that_refuses_to_answer_stops_the_change() {
    let mut world = World::asking_for_c();
    world.observed.servers[B].cdnskey = Err(Failure::Refused);
    assert!(!world.refuses(&["ns2.b.test. (fd00::12) answers REFUSED"]).retry);
}

#[test]
fn a_name_server_without_a_known_address_stops_the_change() {
    let mut world = World::asking_for_c();
    world.observed.unresolved.insert(name("ns9.c.test."), "no such name".into());
    assert!(world.refuses(&["no address of ns9.c.test. is known (no such name)"]).retry);
}

#[test]
fn an_unsigned_cds_is_not_believed() {
    let mut world = World::asking_for_c();
    world.observed.servers[B].cds.as_mut().unwrap().signatures.clear();
    world.refuses(&["CDS at ns2.b.test. (fd00::12) is not validly signed by a key that is in the DS set"]);
}

#[test]
fn a_cds_signed_by_a_key_outside_of_the_ds_set_is_not_believed() {
    let mut world = World::asking_for_c();
    let records = ds(&[&world.a, &world.b, &world.c]);
    world.observed.servers[B].cds = Ok(signed(&child(), RecordType::CDS, records, &[&world.c], HOUR_S));
    world.refuses(&["CDS at ns2.b.test. (fd00::12) is not validly signed"]);
}

#[test]
fn a_cds_whose_signature_has_expired_is_not_believed() {
    let mut world = World::asking_for_c();
    let records = ds(&[&world.a, &world.b, &world.c]);
    world.observed.servers[B].cds = Ok(signed(&child(), RecordType::CDS, records, &[&world.b], 15 * 86_400));
    world.refuses(&["CDS at ns2.b.test. (fd00::12) is not validly signed"]);
}

#[test]
fn a_cds_from_a_server_whose_dnskey_set_does_not_validate_is_not_believed() {
    let mut world = World::asking_for_c();
    world.observed.parent.ds.records = ds(&[&world.a]);
    world.refuses(&["no DS leads to a key that signs the DNSKEY set at ns2.b.test. (fd00::12)"]);
}

#[test]
fn a_cds_that_would_break_one_delegated_server_is_refused() {
    let mut world = World::at_rest();
    let records = ds(&[&world.a]);
    world.set_cds(A, records.clone());
    world.set_cds(B, records);
    world.refuses(&["would break ns2.b.test. (fd00::12)", "refused"]);
}

#[test]
fn an_algorithm_that_does_not_sign_at_every_server_is_refused() {
    let mut world = World::at_rest();
    let other = pair_of(Algorithm::ECDSAP384SHA384);
    let records = ds(&[&world.a, &world.b, &other]);
    world.set_cds(A, records.clone());
    world.set_cds(B, records);
    world.refuses(&["no key of algorithm 14 signs its DNSKEY set"]);
}

#[test]
fn a_digest_of_a_key_that_is_not_published_yet_is_carried_over() {
    let mut world = World::at_rest();
    let coming = pair();
    let records = ds(&[&world.a, &world.b, &coming]);
    world.set_cds(A, records.clone());
    world.set_cds(B, records.clone());
    assert_eq!(world.decide().ds.expect("a change").new, records);
}

#[test]
fn an_older_signature_than_the_one_acted_on_last_is_ignored() {
    let mut world = World::asking_for_c();
    world.acted_on = world.decide().ds.expect("a change").acted_on;
    assert!(world.decide().ds.is_some(), "the same signature again is no replay");
    let records = ds(&[&world.a, &world.b, &world.c]);
    world.observed.servers[B].cds = Ok(signed(&child(), RecordType::CDS, records, &[&world.b], HOUR_S + 1));
    world.refuses(&["CDS of child.example. at ns2.b.test. (fd00::12) was signed at", "acted on last", "ignored"]);
}

#[test]
fn an_old_set_stays_old_though_a_key_that_nothing_is_known_of_signed_it_too() {
    let mut world = World::asking_for_c();
    let change = world.decide().ds.expect("a change");
    world.acted_on = change.acted_on;
    world.observed.parent.ds.records = change.new;
    let keys = world.observed.servers[B].dnskey.as_ref().unwrap().records.clone();
    let both = [&world.b, &world.c];
    world.observed.servers[B].dnskey = Ok(signed(&child(), RecordType::DNSKEY, keys, &both, HOUR_S));
    let records = ds(&[&world.a, &world.b]);
    let old = signed(&child(), RecordType::CDS, records, &both, 2 * HOUR_S);
    world.observed.servers[B].cds = Ok(old);
    world.set_cds(A, ds(&[&world.a, &world.b]));
    for server in [A, B] {
        world.observed.servers[server].cdnskey = Ok(Rrset::default());
    }
    world.refuses(&["CDS of child.example. at ns2.b.test. (fd00::12) was signed at", "ignored"]);
}

#[test]
fn signers_that_back_date_differently_both_get_two_changes_through() {
    let mut world = World::asking_for_c();
    // B is let in by a change that A alone asks for; its signatures look older than A's from then on.
    let b = world.observed.servers.remove(B);
    world.observed.parent.ds.records = ds(&[&world.a]);
    let first = world.decide().ds.expect("a change");
    world.acted_on.merge(first.acted_on);
    world.observed.servers.push(b);
    for (wanted, current, ahead_s) in [
        (ds(&[&world.a, &world.b]), ds(&[&world.a, &world.b, &world.c]), 60),
        (ds(&[&world.a, &world.b, &world.c]), ds(&[&world.a, &world.b]), 120),
    ] {
        world.observed.parent.ds.records = current;
        for (server, back_s) in [(A, HOUR_S), (B, HOUR_S + HOUR_S / 2)] {
            let key = world.operators()[server];
            let cds = signed(&child(), RecordType::CDS, wanted.clone(), &[key], back_s - ahead_s);
            world.observed.servers[server].cds = Ok(cds);
            world.observed.servers[server].cdnskey = Ok(Rrset::default());
        }
        let decision = world.decide();
        let change = decision.ds.unwrap_or_else(|| panic!("no change: {:?}", decision.verdict));
        assert_eq!(change.new, wanted);
        world.acted_on.merge(change.acted_on);
    }
}

#[test]
fn a_delete_request_is_refused_unless_it_is_allowed() {
    let mut world = World::at_rest();
    for server in [A, B] {
        world.set_cds(server, set([Rdata::from_canonical(DELETE_CDS.to_vec())]));
        world.set_cdnskey(server, set([Rdata::from_canonical(DELETE_CDNSKEY.to_vec())]));
    }
    world.refuses(&["remove all DS", "refused (allow_delete is false)"]);
    world.rules.allow_delete = true;
    assert!(world.decide().ds.expect("a change").new.is_empty());
}

#[test]
fn a_delete_request_at_one_server_only_is_no_change_even_if_it_is_allowed() {
    let mut world = World::asking_for_c();
    world.rules.allow_delete = true;
    world.set_cds(B, set([Rdata::from_canonical(DELETE_CDS.to_vec())]));
    world.refuses(&["differs from the others"]);
}

#[test]
fn a_delete_record_beside_others_is_an_error() {
    let mut world = World::asking_for_c();
    world.rules.allow_delete = true;
    let mut records = ds(&[&world.a, &world.b]);
    records.insert(Rdata::from_canonical(DELETE_CDS.to_vec()));
    world.set_cds(B, records);
    world.refuses(&["CDS at ns2.b.test. (fd00::12) holds a delete record beside others"]);
}

#[test]
fn a_child_that_publishes_cdnskey_only_gets_sha_256_digests() {
    let mut world = World::asking_for_c();
    for server in [A, B] {
        world.observed.servers[server].cds = Ok(Rrset::default());
    }
    assert_eq!(world.decide().ds.expect("a change").new, ds(&[&world.a, &world.b, &world.c]));
}

#[test]
fn servers_that_list_other_digests_of_the_same_keys_agree() {
    let mut world = World::asking_for_c();
    let keys = [&world.a.rdata, &world.b.rdata, &world.c.rdata];
    let both = cds_for(&child(), keys, &[2, 4]);
    world.set_cds(B, both);
    assert_eq!(world.decide().ds.expect("a change").new, ds(&[&world.a, &world.b, &world.c]));
}

#[test]
fn digests_of_types_that_do_not_count_are_ignored() {
    let mut world = World::asking_for_c();
    let mut records = ds(&[&world.a, &world.b, &world.c]);
    records.extend(cds_for(&child(), [&world.c.rdata], &[1]));
    world.set_cds(B, records);
    assert_eq!(world.decide().ds.expect("a change").new, ds(&[&world.a, &world.b, &world.c]));
}

/// A DS with another digest type than the agent computes.
fn ds_of_another_type(key: &Pair, digest_type: u8) -> Rdata {
    let mut wire = ds(&[key]).pop_first().expect("a DS").as_wire().to_vec();
    wire[3] = digest_type;
    Rdata::from_canonical(wire)
}

#[test]
fn a_ds_of_a_type_that_does_not_count_stays_with_its_key_and_goes_without_it() {
    for digest_type in [3, 200] {
        let mut world = World::asking_for_c();
        let asked = ds(&[&world.a, &world.b, &world.c]);
        world.observed.parent.ds.records = asked.clone();
        let kept = ds_of_another_type(&world.a, digest_type);
        world.observed.parent.ds.records.insert(kept);
        assert_eq!(world.decide().ds, None, "type {digest_type}");
        let gone = ds_of_another_type(&pair(), digest_type);
        world.observed.parent.ds.records.insert(gone);
        assert_eq!(world.decide().ds.expect("a change").new, asked, "type {digest_type}");
    }
}

#[test]
fn a_cds_with_no_digest_that_counts_never_empties_the_ds_set() {
    let mut world = World::at_rest();
    for server in [A, B] {
        let records = cds_for(&child(), [&world.a.rdata, &world.b.rdata], &[1]);
        world.set_cds(server, records);
    }
    world.refuses(&["holds no digest of a type that counts"]);
}

#[test]
fn a_child_without_ds_is_not_bootstrapped() {
    let mut world = World::asking_for_c();
    world.observed.parent.ds = Held::default();
    world.refuses(&["the first DS is put in by hand"]);
}
