//! The contract: what every provider does on every server that it claims, whatever its interface.

use crate::proxy::{Fault, Meddling, impostor, proxy};
use crate::records::{cds, csync, dnskeys, exactly, new_key, ns};
use crate::servers::{self, zone};
use crate::subjects::Subject;
use chorus_providers::{Category, Change, Provider, ProviderError, Rdata, Wanted};
use hickory_proto::rr::Name;
use hickory_proto::rr::RecordType::{self, A, CDNSKEY, CDS, CSYNC, DNSKEY, NS, SOA};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the name server answers, asked by DNS.
async fn served(rtype: RecordType) -> BTreeSet<Rdata> {
    let sets = servers::provider().read(&zone(), &[rtype]).await.unwrap();
    sets.into_iter().next().map(|set| set.records).unwrap_or_default()
}

async fn own_ksk() -> Rdata {
    served(DNSKEY).await.into_iter().find(|key| key[..2] == [1, 1]).unwrap()
}

fn types(changes: &[Change]) -> Vec<RecordType> {
    changes.iter().map(|change| change.rtype).collect()
}

pub async fn what_is_applied_is_served_and_applied_again_changes_nothing(subject: &dyn Subject) {
    let _server = subject.start().await;
    let provider = subject.provider();
    let (ksk, zsk, own) = (new_key(257), new_key(256), own_ksk().await);
    let (own_keys, name_servers) = (served(DNSKEY).await, served(NS).await);
    assert_eq!((own_keys.len(), name_servers.len()), (subject.own_keys(), 2));
    let with_own = |rtype, records: &[Rdata]| {
        let all = records.iter().cloned().chain(subject.always_served(rtype, &own));
        all.collect::<BTreeSet<Rdata>>()
    };

    let joined = [
        dnskeys(&[&ksk, &zsk], &[]),
        exactly(CDS, [cds(&own), cds(&ksk)]),
        exactly(CDNSKEY, [own.clone(), ksk.clone()]),
        exactly(CSYNC, [csync()]),
        exactly(NS, name_servers.iter().cloned().chain([ns("ns.b.test.")])),
    ];
    let changes = provider.apply(&zone(), &joined).await.unwrap();
    assert_eq!(types(&changes), [DNSKEY, CDNSKEY, CDS, CSYNC, NS]);
    assert!(changes.iter().all(|change| change.removed.is_empty()), "{changes:?}");
    assert_eq!(changes[0].added, BTreeSet::from([ksk.clone(), zsk.clone()]));
    let all_keys: BTreeSet<Rdata> = own_keys.iter().cloned().chain([ksk.clone(), zsk.clone()]).collect();
    let expected = [
        (DNSKEY, all_keys),
        (CDS, with_own(CDS, &[cds(&own), cds(&ksk)])),
        (CDNSKEY, with_own(CDNSKEY, &[own.clone(), ksk.clone()])),
        (CSYNC, BTreeSet::from([csync()])),
        (NS, name_servers.iter().cloned().chain([ns("ns.b.test.")]).collect()),
    ];
    for (rtype, records) in expected {
        assert_eq!(served(rtype).await, records, "{rtype} as served");
        let read = provider.read(&zone(), &[rtype]).await.unwrap();
        assert_eq!(read[0].records, records, "{rtype} as the interface shows it");
    }
    assert_eq!(provider.apply(&zone(), &joined).await.unwrap(), vec![]);

    let left = [
        dnskeys(&[], &[&ksk, &zsk]),
        exactly(CDS, [cds(&own)]),
        exactly(CDNSKEY, [own.clone()]),
        exactly(CSYNC, []),
        exactly(NS, name_servers.clone()),
    ];
    let changes = provider.apply(&zone(), &left).await.unwrap();
    assert_eq!(types(&changes), [DNSKEY, CDNSKEY, CDS, CSYNC, NS]);
    assert!(changes.iter().all(|change| change.added.is_empty()), "{changes:?}");
    let expected = [
        (DNSKEY, own_keys),
        (CDS, with_own(CDS, &[cds(&own)])),
        (CDNSKEY, with_own(CDNSKEY, std::slice::from_ref(&own))),
        (CSYNC, BTreeSet::new()),
        (NS, name_servers),
    ];
    for (rtype, records) in expected {
        assert_eq!(served(rtype).await, records, "{rtype} after the withdrawal");
    }
    assert_eq!(provider.apply(&zone(), &left).await.unwrap(), vec![]);
}

pub async fn only_what_differs_is_changed(subject: &dyn Subject) {
    let _server = subject.start().await;
    let provider = subject.provider();
    let (one, other) = (new_key(256), new_key(256));
    provider.apply(&zone(), &[dnskeys(&[&one], &[]), exactly(CSYNC, [csync()])]).await.unwrap();
    let wanted = [dnskeys(&[&one, &other], &[]), exactly(CSYNC, [csync()]), exactly(NS, [ns("ns1.b.test.")])];
    let changes = provider.apply(&zone(), &wanted).await.unwrap();
    assert_eq!(types(&changes), [DNSKEY, NS], "CSYNC is as wanted");
    assert_eq!(changes[0].added, BTreeSet::from([other.clone()]));
    assert_eq!((changes[1].added.len(), changes[1].removed.len()), (1, 2));
    assert_eq!(served(NS).await, BTreeSet::from([ns("ns1.b.test.")]));
    let changes = provider.apply(&zone(), &[dnskeys(&[&other], &[&one])]).await.unwrap();
    assert_eq!((changes[0].added.len(), &changes[0].removed), (0, &BTreeSet::from([one.clone()])));
    let keys = served(DNSKEY).await;
    assert!(keys.contains(&other) && !keys.contains(&one) && keys.len() == subject.own_keys() + 1);
}

pub async fn an_own_key_that_is_asked_away_stays_and_is_told(subject: &dyn Subject) {
    let _server = subject.start().await;
    let own = own_ksk().await;
    let ignored = subject.provider().apply(&zone(), &[dnskeys(&[], &[&own])]).await.unwrap_err();
    assert_eq!((ignored.code(), ignored.category()), ("update-ignored", Category::AskHuman), "{ignored}");
    assert!(ignored.advice().contains("key roll only"), "{}", ignored.advice());
    assert!(served(DNSKEY).await.contains(&own));
}

pub async fn what_no_interface_can_be_told_is_refused_before_anything_is_sent(subject: &dyn Subject) {
    let provider = subject.provider();
    let twice = [exactly(CDS, []), exactly(CDS, [vec![0, 0, 0, 0, 0]])];
    for wanted in [&twice[..], &[exactly(SOA, [])]] {
        // Nothing listens: an attempt to send would be another error.
        let refused = provider.apply(&zone(), wanted).await.unwrap_err();
        assert_eq!((refused.code(), refused.category()), ("unsupported", Category::AskHuman));
    }
}

pub async fn a_wrong_credential_is_for_a_person_and_changes_nothing(subject: &dyn Subject) {
    let _server = subject.start().await;
    let provider = subject.with_wrong_credential();
    let wanted = [exactly(CSYNC, [csync()]), exactly(NS, [ns("ns1.b.test.")])];
    for refused in [provider.apply(&zone(), &wanted).await.unwrap_err(), provider.probe(&zone()).await.unwrap_err()] {
        assert_eq!(refused.category(), Category::AskHuman, "{refused}");
        let all = format!("{refused:?} {refused} {}", refused.advice());
        for secret in [servers::SECRET, crate::pdns::KEY, crate::desec::TOKEN, "another secret", "another-key"] {
            assert!(!all.contains(secret), "{all}");
        }
    }
    assert_eq!((served(CSYNC).await.len(), served(NS).await.len()), (0, 2));
}

pub async fn another_zone_is_for_a_person(subject: &dyn Subject) {
    let _server = subject.start().await;
    let elsewhere = Name::from_ascii("not-there.example.").unwrap();
    let provider = subject.provider();
    let absent = [
        provider.apply(&elsewhere, &[exactly(CSYNC, [csync()])]).await.unwrap_err(),
        provider.read(&elsewhere, &[NS]).await.unwrap_err(),
        provider.probe(&elsewhere).await.unwrap_err(),
    ];
    for error in absent {
        assert_eq!(error.category(), Category::AskHuman, "{error}");
        assert!(error.to_string().contains("not-there.example."), "{error}");
    }
}

pub async fn a_server_that_is_down_is_tried_again(subject: &dyn Subject) {
    let server = subject.start().await;
    subject.provider().read(&zone(), &[NS]).await.unwrap();
    drop(server);
    let provider = subject.provider();
    let down = [
        provider.apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap_err(),
        provider.read(&zone(), &[NS]).await.unwrap_err(),
        provider.probe(&zone()).await.unwrap_err(),
    ];
    for error in down {
        assert_eq!((error.code(), error.category()), ("no-connection", Category::Retry), "{error}");
    }
}

/// Applies a CSYNC record through the fault; says what came of it and how many writes were sent.
async fn through(subject: &dyn Subject, fault: Fault) -> (Result<Vec<Change>, ProviderError>, usize) {
    let proxy = proxy(subject.address(), subject.is_write(), fault).await;
    let outcome = subject.provider_at(proxy.address).apply(&zone(), &[exactly(CSYNC, [csync()])]).await;
    (outcome, proxy.writes())
}

pub async fn a_write_whose_answer_is_lost_is_read_back_and_not_sent_again(subject: &dyn Subject) {
    let _server = subject.start().await;
    let provider = subject.provider();
    let (wanted, gone) = ([exactly(CSYNC, [csync()])], [exactly(CSYNC, [])]);

    let (outcome, writes) = through(subject, Fault::ReplyLost).await;
    assert_eq!((types(&outcome.unwrap()), writes), (vec![CSYNC], 1), "reading back shows that it is done");
    assert_eq!(provider.apply(&zone(), &wanted).await.unwrap(), vec![]);
    provider.apply(&zone(), &gone).await.unwrap();

    let (outcome, writes) = through(subject, Fault::ReplyLostForGood).await;
    let unknown = outcome.unwrap_err();
    assert_eq!((unknown.code(), unknown.category()), ("outcome-unknown", Category::ReadBack), "{unknown}");
    assert_eq!((writes, served(CSYNC).await), (1, BTreeSet::from([csync()])));
    assert_eq!(provider.apply(&zone(), &wanted).await.unwrap(), vec![]);
    provider.apply(&zone(), &gone).await.unwrap();

    for fault in [Fault::WriteLost, Fault::Silence] {
        let (outcome, writes) = through(subject, fault).await;
        let unknown = outcome.unwrap_err();
        assert_eq!((unknown.code(), unknown.category()), ("outcome-unknown", Category::ReadBack), "{unknown}");
        assert_eq!((writes, served(CSYNC).await), (1, BTreeSet::new()));
    }
}

/// Somebody else, who adds a name server and a key just before our first write arrives.
fn meddler(other: Arc<dyn Provider>, key: &Rdata) -> Fault {
    let key = key.clone();
    let meddling: Meddling = Arc::new(move |number| {
        let (other, key) = (other.clone(), key.clone());
        Box::pin(async move {
            if number == 0 {
                let with = BTreeSet::from([ns("ns.intruder.test.")]);
                let name_server = Wanted::Partly { rtype: NS, ttl_s: 5, with, without: BTreeSet::new() };
                other.apply(&zone(), &[name_server, dnskeys(&[&key], &[])]).await.unwrap();
            }
        })
    });
    Fault::Before(meddling)
}

pub async fn another_writer_at_the_same_moment_keeps_nothing_from_being_as_wanted(subject: &dyn Subject) {
    let _server = subject.start().await;
    let own_keys = served(DNSKEY).await;
    let (ours, theirs) = (new_key(256), new_key(256));
    let proxy = proxy(subject.address(), subject.is_write(), meddler(Arc::from(subject.provider()), &theirs)).await;
    let wanted = [dnskeys(&[&ours], &[]), exactly(NS, [ns("ns1.b.test.")])];
    let changes = subject.provider_at(proxy.address).apply(&zone(), &wanted).await.unwrap();
    assert_eq!(types(&changes), [DNSKEY, NS]);
    assert_eq!(served(NS).await, BTreeSet::from([ns("ns1.b.test.")]), "the intruder's is gone");
    let keys = served(DNSKEY).await;
    assert!(keys.contains(&ours) && keys.is_superset(&own_keys), "{keys:?}");
    assert_eq!(keys.contains(&theirs), subject.keeps_what_others_write());
    assert_eq!(subject.provider().apply(&zone(), &wanted).await.unwrap(), vec![]);
}

pub async fn a_probe_changes_nothing(subject: &dyn Subject) {
    let _server = subject.start().await;
    let provider = subject.provider();
    let (own, key) = (own_ksk().await, new_key(257));
    // What a server adds by itself at its first key event must not look like the probe's work.
    let wanted = [dnskeys(&[&key], &[]), exactly(CDS, [cds(&own), cds(&key)]), exactly(CDNSKEY, [own, key])];
    provider.apply(&zone(), &wanted).await.unwrap();
    let types = [DNSKEY, CDS, CDNSKEY, CSYNC, NS];
    let (before, serial) = (provider.read(&zone(), &types).await.unwrap(), served(SOA).await);
    provider.probe(&zone()).await.unwrap();
    assert_eq!(provider.read(&zone(), &types).await.unwrap(), before);
    if !subject.moves_its_serial() {
        assert_eq!(served(SOA).await, serial);
    }
}

pub async fn a_zone_is_listed_as_it_is_served_and_its_largest_ttl_is_found(subject: &dyn Subject) {
    let _server = subject.start().await;
    let provider = subject.provider();
    let ttl_s = subject.largest_ttl_s();
    assert_eq!(provider.largest_ttl_s(&zone()).await.unwrap(), Some(ttl_s));
    let listing = provider.list(&zone()).await.unwrap().expect("the zone is small");
    let www = Name::from_ascii("www.music1.example.").unwrap();
    let set = &listing[&(www, A)];
    assert_eq!((set.ttl_s, &set.records), (ttl_s, &BTreeSet::from([vec![192, 0, 2, 1]])));
    assert_eq!(listing[&(zone(), NS)].records, served(NS).await);
}

pub async fn an_answer_that_is_none_is_told_for_what_it_is(subject: &dyn Subject) {
    for bad in subject.bad_answers() {
        let shown = String::from_utf8_lossy(&bad.octets).chars().take(60).collect::<String>();
        let provider = subject.provider_at(impostor(bad.octets).await);
        let of_reading = provider.read(&zone(), &[NS]).await.unwrap_err();
        assert_eq!((of_reading.code(), of_reading.category()), (bad.code, bad.category), "{shown}: {of_reading}");
        let of_writing = provider.apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap_err();
        assert_eq!((of_writing.code(), of_writing.category()), (bad.code, bad.category), "{shown}: {of_writing}");
        assert!(!of_reading.advice().is_empty());
    }
}
