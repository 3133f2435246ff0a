//! The cast of the stories, checked without Chorus: each kind of operator takes what a group puts into it and serves it,
//! the broken ones are broken in the way that stories rely on, and the foreign parental agent moves a DS set.

use std::time::Duration;

use hickory_proto::rr::RecordType;

use crate::lab::operator::Server;
use crate::lab::{
    CHILD, DnssecCdsAgent, Fault, Lab, Operator, OperatorSpec, ParentSpec, Second, dns, in_own_network, until,
};
use crate::stage::{BIND, BIND_CSK, BIND_RSA, KNOT, KNOT_CSK, KNOT_RSA, Player};

const LIMIT: Duration = Duration::from_secs(120);

async fn start(lab: &Lab, players: &[Player]) -> Vec<Operator> {
    let mut operators: Vec<Operator> = ["a", "b", "c", "d", "e"]
        .into_iter()
        .zip(players)
        .map(|(name, (server, keys, algorithm))| {
            Operator::start(lab, *server, OperatorSpec::new(name).keys(*keys).algorithm(*algorithm))
        })
        .collect();
    for operator in &mut operators {
        operator.settled().await;
    }
    operators
}

/// Everybody publishes everybody's keys, CDS and name servers; and serves them signed, at both addresses.
fn forms_a_group(name: &'static str, players: &'static [Player]) {
    in_own_network(LIMIT, move || async move {
        let lab = Lab::new(name);
        let operators = start(&lab, players).await;
        for operator in &operators {
            for other in operators.iter().filter(|other| other.name() != operator.name()) {
                let lines = [other.key_lines(true), other.cds_lines(true), other.ns_lines(true)].concat();
                operator.update(&lines);
            }
            operator.update(&[format!("add {CHILD} 5 CSYNC 1 1 NS")]);
        }
        let all = |of: fn(&Operator) -> usize| operators.iter().map(of).sum::<usize>();
        let wanted = [
            (RecordType::DNSKEY, all(|operator| operator.own_keys().len())),
            (RecordType::CDS, all(|operator| operator.own_ds().len())),
            (RecordType::CDNSKEY, all(|operator| operator.own_ds().len())),
            (RecordType::NS, 2 * operators.len()),
            (RecordType::CSYNC, 1),
        ];
        for operator in &operators {
            for ip in operator.addresses() {
                for (rtype, count) in wanted {
                    let answer = dns::ask_one_that_runs(ip, CHILD, rtype);
                    let (set, signatures) = dns::rrset(&answer.answers, rtype);
                    assert_eq!(set.len(), count, "{rtype} at {ip} ({:?})", operator.server);
                    assert!(!signatures.is_empty(), "{rtype} at {ip} is not signed");
                }
            }
        }
    });
}

#[test]
fn bind_and_knot_with_split_and_combined_keys_form_a_group() {
    forms_a_group("group-ecdsa", &[BIND, BIND_CSK, KNOT, KNOT_CSK]);
}

#[test]
fn three_operators_with_rsa_form_a_group() {
    forms_a_group("group-rsa", &[BIND_RSA, KNOT_RSA, BIND_RSA]);
}

#[test]
fn broken_operators_are_broken_as_promised() {
    in_own_network(LIMIT, || async {
        let lab = Lab::new("broken-cast");
        let spec = |name, fault| OperatorSpec::new(name).fault(fault);
        let mut good = lab.bind(OperatorSpec::new("a"));
        let mut inline = lab.bind(spec("b", Fault::InlineSigning));
        let mut full = lab.knot(spec("c", Fault::DefaultDnskeyManagement));
        let mut plain_bind = lab.bind(spec("d", Fault::Unsigned));
        let mut plain_knot = lab.knot(spec("e", Fault::Unsigned));
        for operator in [&mut good, &mut inline, &mut full, &mut plain_bind, &mut plain_knot] {
            operator.settled().await;
        }
        assert!(inline.try_update(&good.key_lines(true)).is_err(), "inline signing took a foreign DNSKEY");
        full.try_update(&good.key_lines(true)).expect("Knot's default policy says NOERROR");
        assert_eq!(full.served(RecordType::DNSKEY).len(), full.own_keys().len(), "and drops the foreign keys");
        assert!(plain_bind.served(RecordType::DNSKEY).is_empty() && plain_knot.served(RecordType::DNSKEY).is_empty());
    });
}

#[test]
fn second_addresses_are_silent_or_stale_as_promised() {
    in_own_network(LIMIT, || async {
        let lab = Lab::new("second-addresses");
        let mut silent = lab.knot(OperatorSpec::new("a").second(Second::Silent));
        let mut stale = lab.bind(OperatorSpec::new("b").second(Second::Stale));
        tokio::join!(silent.settled(), stale.settled());
        let at = |operator: &Operator, index: usize| {
            dns::ask(operator.addresses()[index], CHILD, RecordType::NS, dns::DIRECT).map(|answer| answer.answers.len())
        };
        assert!(at(&silent, 0).is_ok() && at(&silent, 1).is_err());
        assert_eq!(at(&stale, 0), at(&stale, 1));
        let before = at(&stale, 1);
        stale.update(&silent.ns_lines(true));
        until("the primary has changed", Duration::from_secs(5), || at(&stale, 0) != before).await;
        tokio::time::sleep(Duration::from_secs(2)).await; // long enough for a NOTIFY that must not come
        assert_eq!(at(&stale, 1), before);
    });
}

#[test]
fn dnssec_cds_follows_a_cds_set_that_all_delegated_servers_agree_on() {
    in_own_network(LIMIT, || async {
        let lab = Lab::new("dnssec-cds");
        let mut parent = lab.parent(ParentSpec::default());
        parent.ready().await;
        let operators = start(&lab, &[BIND, KNOT]).await;
        let [a, b] = &operators[..] else { unreachable!("two players") };
        assert_eq!((a.server, b.server), (Server::Bind, Server::Knot));
        parent.delegate(&[a]).await;
        let agent = DnssecCdsAgent::start(&lab, &parent, &[a, b]);
        let said = |what: &str| agent.said().iter().any(|line| line.contains(what));
        until("the agent finds nothing to do", Duration::from_secs(10), || said("nothing to do")).await;
        a.update(&[b.key_lines(true), b.cds_lines(true)].concat());
        until("the DS of both at every parent server", Duration::from_secs(20), || {
            parent.addresses().iter().all(|ip| parent.ds_count(*ip) == Some(2))
        })
        .await;
        // Now b is delegated to as well, but serves a CDS set of its own.
        parent.set_ns(&[a, b]).await;
        until("the agent sees that they differ", Duration::from_secs(10), || said("has other CDS")).await;
        assert!(parent.addresses().iter().all(|ip| parent.ds_count(*ip) == Some(2)));
    });
}
