//! Zones and parents of other names: a classless reverse zone, with a slash in its name (RFC 2317), and a child of the root.

use hickory_proto::rr::RecordType;

use crate::lab::parent::referral_of;
use crate::lab::{AtEnds, Chorus, Lab, Operator, OperatorSpec, Parent, ParentSpec, in_own_network};
use crate::stage::{BIND, COMMAND_LIMIT, KNOT, LIMIT, POWERDNS, Player, zone_add_arguments};

struct Elsewhere {
    chorus: Chorus,
    operators: Vec<Operator>,
    parent: Parent,
}

impl Elsewhere {
    async fn runs(&self, command: &[&str]) {
        self.chorus.ok(&[command, &["--wait", "--timeout", COMMAND_LIMIT]].concat()).await;
    }

    /// The parent delegates to these operators with their DS, and each of them serves the keys of all.
    async fn assert_group(&self, names: &[&str]) {
        let group: Vec<&Operator> = self.operators.iter().filter(|operator| names.contains(&operator.name())).collect();
        let hosts: std::collections::BTreeSet<String> = group.iter().flat_map(|operator| operator.hosts()).collect();
        let keys: usize = group.iter().map(|operator| operator.own_keys().len()).sum();
        for ip in self.parent.addresses() {
            assert_eq!(referral_of(ip, self.parent.spec.child), Some(hosts.clone()), "delegation at {ip}");
            assert_eq!(self.parent.ds_count(ip), Some(group.len()), "DS records at {ip}");
        }
        for operator in group {
            assert_eq!(operator.served(RecordType::DNSKEY).len(), keys, "DNSKEY set of {}", operator.name());
        }
    }
}

fn joins_and_leaves(name: &'static str, parent_zone: &'static str, zone: &'static str, players: [Player; 2]) {
    in_own_network(LIMIT, move || async move {
        let lab = Lab::new(name);
        let mut parent = lab.parent(ParentSpec { zone: parent_zone, child: zone, ..ParentSpec::default() });
        let mut operators: Vec<Operator> = ["a", "b"]
            .into_iter()
            .zip(players)
            .map(|(name, (server, keys, algorithm))| {
                let spec = OperatorSpec { zone, ..OperatorSpec::new(name) };
                Operator::start(&lab, server, spec.keys(keys).algorithm(algorithm))
            })
            .collect();
        parent.ready().await;
        for operator in &mut operators {
            operator.settled().await;
        }
        parent.delegate(&[&operators[0]]).await;
        let net = ["--allow-provider-net", "127.0.0.0/8"].map(str::to_owned).to_vec();
        let mut chorus = lab.chorus_serving(&[], net).await;
        chorus.at_ends = Some(AtEnds::new(&lab, &parent));
        for operator in &operators {
            chorus.ok(&operator.add_arguments()).await;
        }
        let mut adopt = zone_add_arguments("a", &parent.server_arguments(), 5);
        adopt[2] = zone.to_owned();
        chorus.ok(&adopt).await;
        let _agent = lab.parent_agent(&parent, &operators.iter().collect::<Vec<_>>());
        let elsewhere = Elsewhere { chorus, operators, parent };
        elsewhere.runs(&["zone", "join", zone, "b"]).await;
        elsewhere.assert_group(&["a", "b"]).await;
        elsewhere.runs(&["zone", "leave", zone, "a"]).await;
        elsewhere.assert_group(&["b"]).await;
        let listed = elsewhere.chorus.ok(&["zone", "list"]).await;
        assert!(listed.contains(zone.trim_end_matches('.')), "{listed}");
    });
}

#[test]
fn a_classless_reverse_zone_changes_its_operators() {
    joins_and_leaves("rfc2317", "2.0.192.in-addr.arpa.", "128/26.2.0.192.in-addr.arpa.", [BIND, POWERDNS]);
}

#[test]
fn a_child_of_the_root_changes_its_operators() {
    joins_and_leaves("below-the-root", ".", "child.", [KNOT, BIND]);
}
