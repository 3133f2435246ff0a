//! Lost answers, forged answers, and somebody else writing at the same time.

use crate::proxy::{Fault, impostor, proxy};
use crate::servers::{Kind, SECRET, Setting, alone, clock, config, provider, provider_at, start, zone};
use crate::{csync, exactly, ns, served};
use chorus_providers::rfc2136::Rfc2136;
use chorus_providers::{Category, Change, Provider, ProviderError, Wanted};
use hickory_proto::rr::RecordType::{CSYNC, NS};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Applies a CSYNC record through the fault. Says what came of it, whether the record is served, and how many updates
/// were sent.
async fn through(fault: Fault) -> (Result<Vec<Change>, ProviderError>, bool, usize) {
    let (address, updates) = proxy(fault).await;
    let mut config = config(&address, "ctl.", SECRET);
    config.answer_timeout_ms = 1000;
    let outcome = Rfc2136::new(config, clock()).apply(&zone(), &[exactly(CSYNC, [csync()])]).await;
    let done = served(CSYNC).await.contains(&csync());
    provider().apply(&zone(), &[exactly(CSYNC, [])]).await.unwrap();
    (outcome, done, updates.load(Ordering::SeqCst))
}

async fn judges_answers(kind: Kind) {
    let _server = start(kind, Setting::default()).await;

    for fault in [Fault::ReplyLost, Fault::SignatureLost, Fault::SignatureWrong, Fault::Garbage] {
        let (outcome, done, updates) = through(fault).await;
        let changes = outcome.expect("reading back shows that it is done");
        assert_eq!((changes.len(), done, updates), (1, true, 1));
    }

    for fault in [Fault::UpdateLost, Fault::Silence] {
        let (outcome, done, updates) = through(fault).await;
        let unknown = outcome.unwrap_err();
        assert_eq!((unknown.code(), unknown.category()), ("outcome-unknown", Category::ReadBack), "{unknown}");
        assert_eq!((done, updates), (false, 1), "it is not sent a second time");
    }

    let (outcome, done, updates) = through(Fault::ForgedYes).await;
    assert_eq!((outcome.unwrap_err().code(), done, updates), ("answer-unauthenticated", false, 1));
}

#[test]
fn f06_an_update_of_bind_counts_by_what_is_read_back_when_its_answer_is_lost_or_forged() {
    alone(|| judges_answers(Kind::Bind));
}

#[test]
fn f06_an_update_of_knot_counts_by_what_is_read_back_when_its_answer_is_lost_or_forged() {
    alone(|| judges_answers(Kind::Knot));
}

/// Adds a name server of its own, `times` times, each time just before our update arrives.
fn meddler(times: usize) -> Fault {
    Fault::Before(Arc::new(move |number| {
        Box::pin(async move {
            if number < times {
                let intruder = ns(&format!("ns{number}.intruder.test."));
                let with = BTreeSet::from([intruder]);
                let wanted = Wanted::Partly { rtype: NS, ttl_s: 5, with, without: BTreeSet::new() };
                provider().apply(&zone(), &[wanted]).await.unwrap();
            }
        })
    }))
}

async fn notices_another_writer(kind: Kind) {
    let _server = start(kind, Setting::default()).await;
    let ours = BTreeSet::from([ns("ns1.b.test.")]);

    let (address, updates) = proxy(meddler(usize::MAX)).await;
    let overtaken = provider_at(&address).apply(&zone(), &[exactly(NS, ours.clone())]).await.unwrap_err();
    assert!(matches!(overtaken, ProviderError::PrerequisiteFailed { tries: 3, .. }), "{overtaken:?}");
    // After each of the three tries an update that changes nothing asks whether the server keeps the set apart.
    assert_eq!((overtaken.category(), updates.load(Ordering::SeqCst)), (Category::Retry, 6));
    assert!(!served(NS).await.contains(&ns("ns1.b.test.")), "nothing of ours was done");

    let before = served(NS).await;
    let (address, updates) = proxy(meddler(1)).await;
    // The intruder's first name server is there already: this one is new.
    provider().apply(&zone(), &[exactly(NS, [ns("ns.elsewhere.test.")])]).await.unwrap();
    let changes = provider_at(&address).apply(&zone(), &[exactly(NS, ours.clone())]).await.unwrap();
    assert_eq!(updates.load(Ordering::SeqCst), 3);
    assert!(changes[0].removed.contains(&ns("ns0.intruder.test.")), "computed anew: {changes:?} from {before:?}");
    assert_eq!(served(NS).await, ours);
}

#[test]
fn another_writer_between_reading_and_updating_bind_is_noticed() {
    alone(|| notices_another_writer(Kind::Bind));
}

#[test]
fn another_writer_between_reading_and_updating_knot_is_noticed() {
    alone(|| notices_another_writer(Kind::Knot));
}

#[test]
fn what_is_no_name_server_gives_an_error_for_reading_and_for_listing() {
    alone(|| async {
        let short_of_everything = [&[0; 2][..], &[0x84, 0], &[0xff; 8]].concat();
        let answers =
            [(vec![0xff; 40], "answer-malformed"), (short_of_everything, "answer-malformed"), (vec![], "no-answer")];
        for (answer, code) in answers {
            let address = impostor(answer).await;
            let mut config = config(&address, "ctl.", SECRET);
            config.answer_timeout_ms = 300;
            let provider = Rfc2136::new(config, clock());
            assert_eq!(provider.apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap_err().code(), code);
            let error = provider.largest_ttl_s(&zone()).await.unwrap_err();
            assert_eq!((error.code(), error.category()), (code, Category::Retry));
        }
    });
}
