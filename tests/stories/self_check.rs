//! The judges judged, without Chorus: what is done rightly by hand passes; what is done wrongly is seen by the observer
//! and by the resolvers. If one of these fails, no other story means anything.

use std::time::Duration;

use hickory_proto::rr::RecordType;

use crate::lab::resolvers::Kind;
use crate::lab::{
    AtEnds, CHILD, Lab, Observer, Operator, OperatorSpec, Parent, ParentSpec, Resolvers, in_own_network, ttl_passes,
    until,
};

const LIMIT: Duration = Duration::from_secs(150);

struct World {
    lab: Lab,
    parent: Parent,
    a: Operator,
    b: Operator,
}

/// The zone is delegated, securely, to operator a (BIND); b (Knot) serves it with keys of its own, known to nobody.
async fn delegated_to_a(name: &'static str, data_ttl_s: u32) -> World {
    let lab = Lab::new(name);
    let mut parent = lab.parent(ParentSpec::default());
    let mut a = lab.bind(OperatorSpec::new("a").data_ttl_s(data_ttl_s));
    let mut b = lab.knot(OperatorSpec::new("b").data_ttl_s(data_ttl_s));
    tokio::join!(parent.ready(), a.settled(), b.settled());
    parent.delegate(&[&a]).await;
    lab.tell("delegated to a");
    World { lab, parent, a, b }
}

impl World {
    async fn judges(&self) -> (Observer, Resolvers) {
        let observer = Observer::start(&self.parent, &[&self.a, &self.b]);
        let resolvers = Resolvers::start(&self.lab, &self.parent, &[&self.a, &self.b], &observer).await;
        until("the resolvers ask", Duration::from_secs(20), || !resolvers.so_far().probes.is_empty()).await;
        (observer, resolvers)
    }

    /// Every operator has its own and the other's keys, and the parent has the DS of both; nobody can ask b yet.
    async fn trust_b(&self) {
        self.a.update(&self.b.key_lines(true));
        self.b.update(&self.a.key_lines(true));
        self.lab.tell("DNSKEY union");
        ttl_passes(5).await;
        self.a.update(&self.b.cds_lines(true));
        self.b.update(&self.a.cds_lines(true));
        until("one CDS set", Duration::from_secs(5), || {
            self.a.served(RecordType::CDS) == self.b.served(RecordType::CDS)
        })
        .await;
        self.parent.set_ds(&[&self.a, &self.b]).await;
        self.lab.tell("DS of both");
        ttl_passes(5).await;
    }

    async fn ns_union(&self) {
        self.b.update(&self.a.ns_lines(true));
        self.a.update(&self.b.ns_lines(true));
        self.parent.set_ns(&[&self.a, &self.b]).await;
        self.lab.tell("NS union");
    }

    async fn ns_without_b(&self) {
        let mut lines = self.a.ns_lines(true);
        lines.extend(self.b.ns_lines(false));
        self.b.update(&lines);
        self.a.update(&self.b.ns_lines(false));
        self.parent.set_ns(&[&self.a]).await;
        self.lab.tell("NS without b");
    }
}

#[test]
fn a_join_and_a_leave_by_hand_with_all_waits_pass_both_judges() {
    in_own_network(LIMIT, || async {
        let world = delegated_to_a("hand-made", 5).await;
        let (observer, resolvers) = world.judges().await;
        world.trust_b().await;
        world.ns_union().await;
        until("every pair is probed", Duration::from_secs(30), || {
            let report = resolvers.so_far();
            [("a", "b"), ("b", "a")].iter().all(|(from, to)| {
                [Kind::Switched, Kind::OldData].iter().all(|kind| report.count(*kind, from, to) >= 20)
            })
        })
        .await;
        world.ns_without_b().await;
        ttl_passes(5).await; // nobody asks b any more
        ttl_passes(5).await; // DNSKEY of b, and answers of b, are dead
        world.parent.set_ds(&[&world.a]).await;
        world.a.update(&world.b.key_lines(false));
        world.lab.tell("keys and DS of b are gone");
        ttl_passes(5).await;
        let report = resolvers.finish();
        let verdict = observer.finish();
        world.lab.tell(&format!("{verdict}; {report}"));
        verdict.assert_clean();
        report.assert_clean(&[("a", "b"), ("b", "a")]);
    });
}

#[test]
fn a_join_with_ns_first_is_seen_by_both_judges() {
    in_own_network(LIMIT, || async {
        let world = delegated_to_a("ns-first", 5).await;
        let (observer, resolvers) = world.judges().await;
        world.ns_union().await;
        until("a resolver fails", Duration::from_secs(20), || resolvers.so_far().failures_of(Kind::Switched) > 0).await;
        let report = resolvers.finish();
        let verdict = observer.finish();
        world.lab.tell(&format!("{verdict}\n{report}"));
        assert!(verdict.certain().any(|exposure| exposure.rule.contains("DS set signs the DNSKEY set")), "{verdict}");
        assert!(verdict.certain().any(|exposure| exposure.rule.contains("DNSKEY set signs the answer")), "{verdict}");
    });
}

#[test]
fn a_join_that_does_not_wait_for_old_dnskey_sets_is_seen_by_both_judges() {
    in_own_network(LIMIT, || async {
        let world = delegated_to_a("no-dnskey-wait", 5).await;
        world.parent.set_ds(&[&world.a, &world.b]).await;
        let (observer, resolvers) = world.judges().await;
        ttl_passes(5).await;
        world.a.update(&world.b.key_lines(true));
        world.b.update(&world.a.key_lines(true));
        world.ns_union().await;
        until("a resolver fails", Duration::from_secs(20), || resolvers.so_far().failures_of(Kind::Switched) > 0).await;
        ttl_passes(5).await;
        let report = resolvers.finish();
        let verdict = observer.finish();
        world.lab.tell(&format!("{verdict}\n{report}"));
        assert!(verdict.certain().all(|exposure| exposure.rule.contains("DNSKEY set signs the answer")), "{verdict}");
        assert!(verdict.certain().next().is_some(), "{verdict}");
    });
}

#[test]
fn a_leave_that_does_not_wait_for_data_is_seen_by_both_judges() {
    in_own_network(LIMIT, || async {
        let world = delegated_to_a("no-data-wait", 25).await;
        world.trust_b().await;
        world.ns_union().await;
        let (observer, resolvers) = world.judges().await;
        ttl_passes(5).await;
        world.ns_without_b().await;
        ttl_passes(5).await; // nobody asks b any more
        ttl_passes(5).await; // DNSKEY of b is dead, its answers are not
        world.parent.set_ds(&[&world.a]).await;
        world.a.update(&world.b.key_lines(false));
        world.lab.tell("keys and DS of b are gone, too early");
        until("a resolver fails", Duration::from_secs(20), || resolvers.so_far().failures_of(Kind::OldData) > 0).await;
        let report = resolvers.finish();
        let verdict = observer.finish();
        world.lab.tell(&format!("{verdict}\n{report}"));
        assert!(verdict.certain().next().is_some(), "{verdict}");
        assert!(verdict.exposures.iter().all(|exposure| exposure.rule.contains("signs the answer")), "{verdict}");
    });
}

#[test]
fn a_join_that_does_not_wait_for_old_ds_sets_is_seen_by_both_judges() {
    in_own_network(LIMIT, || async {
        let world = delegated_to_a("no-ds-wait", 5).await;
        let (observer, resolvers) = world.judges().await;
        world.a.update(&world.b.key_lines(true));
        world.b.update(&world.a.key_lines(true));
        ttl_passes(5).await;
        world.parent.set_ds(&[&world.a, &world.b]).await;
        world.ns_union().await;
        until("a resolver fails", Duration::from_secs(20), || resolvers.so_far().failures_of(Kind::OldDs) > 0).await;
        let report = resolvers.finish();
        let verdict = observer.finish();
        world.lab.tell(&format!("{verdict}\n{report}"));
        assert!(verdict.certain().next().is_some(), "{verdict}");
        assert!(verdict.exposures.iter().all(|exposure| exposure.rule.contains("DS set signs")), "{verdict}");
    });
}

#[test]
fn a_leave_that_takes_the_ds_before_dnskey_sets_are_dead_is_seen_by_both_judges() {
    in_own_network(LIMIT, || async {
        let world = delegated_to_a("early-ds", 5).await;
        world.trust_b().await;
        world.ns_union().await;
        let (observer, resolvers) = world.judges().await;
        ttl_passes(5).await;
        world.ns_without_b().await;
        ttl_passes(5).await; // nobody asks b any more
        world.parent.set_ds(&[&world.a]).await;
        world.lab.tell("the DS of b is gone, too early");
        until("a resolver fails", Duration::from_secs(20), || resolvers.so_far().failures_of(Kind::OldDnskey) > 0)
            .await;
        let report = resolvers.finish();
        let verdict = observer.finish();
        world.lab.tell(&format!("{verdict}\n{report}"));
        assert!(verdict.certain().next().is_some(), "{verdict}");
        assert!(verdict.exposures.iter().all(|exposure| exposure.rule.contains("DS set signs")), "{verdict}");
    });
}

/// All four questions, at both resolvers, with an empty cache: right answers pass, and a DS of nobody's key fails each.
#[test]
fn fresh_resolvers_see_what_validates_and_what_does_not() {
    in_own_network(LIMIT, || async {
        let world = delegated_to_a("fresh-resolvers", 5).await;
        let fresh = AtEnds::new(&world.lab, &world.parent);
        let failed = fresh.failures(CHILD);
        assert!(failed.is_empty(), "{failed:#?}");
        world.parent.set_ds(&[&world.b]).await;
        let failed = fresh.failures(CHILD);
        assert!(failed.len() == 8 && failed.iter().all(|failed| failed.is_certain), "{failed:#?}");
        // Without a DS it is insecure: every answer is there, and none is authentic.
        world.parent.update(&[format!("delete {CHILD} DS")]);
        let failed = fresh.failures(CHILD);
        assert!(failed.len() == 8 && failed.iter().all(|failed| failed.why.contains("AD false")), "{failed:#?}");
    });
}
