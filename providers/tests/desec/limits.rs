//! The account's budget: asked before each request, and true to how the server throttles.

use crate::desec::{TOKEN, Throttle, config, provider_with, start};
use crate::records::{csync, exactly};
use crate::served;
use crate::servers::{alone, zone};
use chorus_providers::desec::{
    Budget, Day, Desec, Gate, InMemory, Limits, Planned, Queued, Request, Unlimited, by_day,
};
use chorus_providers::{Category, Provider, ProviderError};
use hickory_proto::rr::Name;
use hickory_proto::rr::RecordType::{CSYNC, NS};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const START_MS: u64 = 1_796_083_200_000;
const DAY_MS: u64 = 86_400_000;

//----------- With the provider ----------------------------------------------

fn gate(limits: Limits) -> (Arc<InMemory>, Arc<AtomicU64>) {
    let now_ms = Arc::new(AtomicU64::new(START_MS));
    let clock = now_ms.clone();
    (Arc::new(InMemory::new(Budget::new(limits), Arc::new(move || clock.load(Ordering::SeqCst)))), now_ms)
}

fn retry_after_s(error: &ProviderError) -> u64 {
    use chorus_providers::http::RestError::BudgetSpent;
    match error {
        ProviderError::Rest(BudgetSpent { retry_after_s, .. }) => u64::from(*retry_after_s),
        other => panic!("{other}"),
    }
}

#[test]
fn what_the_budget_forbids_is_not_sent() {
    alone(|| async {
        let server = start().await;
        let (gate, now_ms) = gate(Limits { user_per_day: 6, kept_free_per_day: 0 });
        let provider = provider_with(TOKEN, gate.clone());
        let wanted = [exactly(CSYNC, [csync()])];
        assert_eq!(provider.apply(&zone(), &wanted).await.unwrap().len(), 1);
        assert_eq!(provider.apply(&zone(), &[]).await.unwrap_err().code(), "request-budget-spent", "4 of 6 are made");
        provider.read(&zone(), &[NS]).await.unwrap();
        provider.read(&zone(), &[NS]).await.unwrap();
        assert_eq!(server.state().requests().len(), 6);
        let forbidden = [
            provider.read(&zone(), &[NS]).await.unwrap_err(),
            provider.apply(&zone(), &wanted).await.unwrap_err(),
            provider.probe(&zone()).await.unwrap_err(),
            provider.list(&zone()).await.unwrap_err(),
            provider.largest_ttl_s(&zone()).await.unwrap_err(),
        ];
        for error in forbidden {
            assert_eq!((error.code(), error.category()), ("request-budget-spent", Category::Retry), "{error}");
            assert!(error.to_string().contains("the account's limit user"), "{error}");
            assert!(!error.may_have_been_done());
            assert_eq!(retry_after_s(&error), DAY_MS / 1000 + 2);
        }
        assert_eq!(server.state().requests(), Vec::<String>::new());
        now_ms.fetch_add(DAY_MS + 2000, Ordering::SeqCst);
        provider.read(&zone(), &[NS]).await.unwrap();
    });
}

#[test]
fn what_was_permitted_and_not_needed_is_given_back() {
    alone(|| async {
        let server = start().await;
        let (gate, now_ms) = gate(Limits { user_per_day: 100, kept_free_per_day: 0 });
        let provider = provider_with(TOKEN, gate.clone());
        provider.apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap();
        now_ms.fetch_add(10_000, Ordering::SeqCst);
        for _ in 0..3 {
            assert_eq!(provider.apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap(), vec![]);
        }
        let made = server.state().requests().len();
        assert_eq!(made, 4 + 3 * 2);
        // So many are left, and not one more.
        now_ms.fetch_add(3_600_000, Ordering::SeqCst);
        let others = |count: usize| (0..count).map(|n| Request::Write { zone: n.to_string() }).collect::<Vec<_>>();
        assert!(gate.permit(&others(100 - made + 1)).await.is_err());
        assert_eq!(gate.permit(&others(100 - made)).await, Ok(()));
    });
}

/// Few requests a day: what is counted by mistake is missing at once.
#[test]
fn what_failed_before_it_was_sent_is_given_back() {
    alone(|| async {
        let mut server = start().await;
        let (gate, _) = gate(Limits { user_per_day: 5, kept_free_per_day: 0 });
        let nobody = Desec::new(&config("127.0.1.11:1".parse().unwrap(), TOKEN), gate.clone()).unwrap();
        for _ in 0..5 {
            let down = nobody.apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap_err();
            assert_eq!(down.code(), "no-connection");
        }
        let provider = provider_with(TOKEN, gate);
        let signer = server.signer.take();
        drop(signer);
        let failing = provider.apply(&zone(), &[exactly(CSYNC, [csync()])]).await.unwrap_err();
        assert_eq!((failing.code(), server.state().requests().len()), ("read-server-error", 1));
        for _ in 0..4 {
            provider.read(&zone(), &[NS]).await.unwrap();
        }
        assert_eq!(provider.read(&zone(), &[NS]).await.unwrap_err().code(), "request-budget-spent");
    });
}

#[test]
fn a_refusal_holds_the_account_back_and_what_comes_after_it_is_answered() {
    alone(|| async {
        let server = start().await;
        for retry_after in [true, false] {
            let (gate, now_ms) = gate(Limits::default());
            let provider = provider_with(TOKEN, gate);
            // Somebody else has used up the account.
            let mut throttle = Throttle::new(3);
            for _ in 0..3 {
                throttle.admit("dns_api_cheap", None, START_MS).unwrap();
            }
            server.with(|state| {
                (state.throttle, state.now_ms, state.retry_after) = (Some(throttle), START_MS, retry_after);
            });
            let refused = provider.read(&zone(), &[NS]).await.unwrap_err();
            assert_eq!((refused.code(), refused.category()), ("too-many-requests", Category::Retry));
            assert_eq!(server.state().requests().len(), 1);
            let held = provider.read(&zone(), &[NS]).await.unwrap_err();
            assert_eq!((server.state().requests().len(), held.code()), (0, "request-budget-spent"));
            let wait_s = retry_after_s(&held);
            assert_eq!(wait_s, if retry_after { DAY_MS / 1000 + 2 } else { 60 });
            now_ms.fetch_add(wait_s * 1000, Ordering::SeqCst);
            server.state().now_ms = START_MS + DAY_MS;
            provider.read(&zone(), &[NS]).await.unwrap();
            server.state().requests();
        }
    });
}

#[test]
fn many_changes_of_a_zone_are_never_refused() {
    alone(|| async {
        let server = start().await;
        server.with(|state| (state.throttle, state.now_ms) = (Some(Throttle::new(2000)), START_MS));
        let (gate, now_ms) = gate(Limits::default());
        let provider = provider_with(TOKEN, gate);
        let mut limits = BTreeSet::new();
        for n in 0..40 {
            let wanted = if n % 2 == 0 { vec![csync()] } else { vec![] };
            while let Err(error) = provider.apply(&zone(), &[exactly(CSYNC, wanted.clone())]).await {
                limits.insert(error.to_string().split(": ").nth(1).unwrap_or_default().to_owned());
                let now = now_ms.fetch_add(retry_after_s(&error) * 1000, Ordering::SeqCst);
                server.state().now_ms = now + retry_after_s(&error) * 1000;
            }
        }
        let log = server.state().log.clone();
        assert!(log.len() == 160 && log.iter().all(|line| line.ends_with(" 200")), "{log:?}");
        assert!(!limits.is_empty() && served(CSYNC).await.is_none());
    });
}

#[test]
fn without_limits_only_the_server_s_own_hold() {
    alone(|| async {
        let server = start().await;
        server.state().throttle = Some(Throttle::new(2000));
        let unlimited = provider_with(TOKEN, Arc::new(Unlimited));
        let mut last = None;
        for _ in 0..11 {
            last = unlimited.read(&zone(), &[NS]).await.err();
        }
        assert_eq!(last.unwrap().code(), "too-many-requests");
    });
}

//----------- Without ---------------------------------------------------------

/// What came of a queue that was worked off against the server's throttle.
struct Run {
    done_ms: BTreeMap<String, u64>,
    /// Requests that the server refused.
    refused: usize,
    /// Requests that it refused at the next attempt, too.
    twice: usize,
}

/// As the controller does it: each zone asks for its next request when it last was told to; the first in the queue goes
/// first. Requests are under way for up to half a second. `others` is when somebody else makes a request.
fn work_off(mut budget: Budget, queue: &[Queued], user_per_day: usize, others: &[u64]) -> Run {
    let mut throttle = Throttle::new(user_per_day);
    let mut others = others.iter().copied().peekable();
    let mut rows: Vec<(&Queued, usize, u64, bool)> = queue.iter().map(|queued| (queued, 0, START_MS, false)).collect();
    let mut run = Run { done_ms: BTreeMap::new(), refused: 0, twice: 0 };
    let (mut seed, mut steps, mut latest_ms) = (1_u64, 0_u64, 0);
    while let Some(row) = rows.iter_mut().filter(|row| row.1 < row.0.requests.len()).min_by_key(|row| row.2) {
        let (queued, next, at_ms, was_refused) = row;
        let request = &queued.requests[*next];
        steps += 1;
        if let Err(wait) = budget.permit(std::slice::from_ref(request), *at_ms) {
            assert!(wait.until_ms > *at_ms);
            *at_ms = wait.until_ms;
            continue;
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The server sees them in the order in which they arrive.
        let arrives_ms = (*at_ms + (seed >> 33) % 500).max(latest_ms);
        latest_ms = arrives_ms;
        while let Some(at) = others.next_if(|at| *at <= arrives_ms) {
            let _ = throttle.admit("dns_api_expensive", None, at);
        }
        let (scope, zone) = match request {
            Request::Read => ("dns_api_cheap", None),
            Request::Write { zone } => ("dns_api_per_domain_expensive", Some(zone.as_str())),
            other => panic!("{other:?}"),
        };
        match throttle.admit(scope, zone, arrives_ms) {
            Ok(()) => {
                *next += 1;
                *was_refused = false;
                run.done_ms.insert(queued.zone.clone(), *at_ms);
            }
            Err(retry_after_s) => {
                run.refused += 1;
                run.twice += usize::from(*was_refused);
                *was_refused = true;
                // Every other refusal comes without a word.
                budget.refused(request, *at_ms + 500, Some(retry_after_s).filter(|_| run.refused % 2 == 1));
            }
        }
        if steps % 500 == 0 {
            // A restart: what was kept is read again.
            budget = serde_json::from_str(&serde_json::to_string(&budget).unwrap()).unwrap();
        }
    }
    run
}

fn queue() -> Vec<Queued> {
    (0..300).map(|n| Queued::steps(&Name::from_ascii(format!("zone{n:03}.example.")).unwrap(), 6)).collect()
}

#[test]
fn three_hundred_zones_are_spread_over_days_as_planned_and_no_request_is_refused() {
    let budget = Budget::new(Limits::default());
    let planned = budget.plan(&queue(), START_MS);
    let run = work_off(budget, &queue(), 2000, &[]);
    assert_eq!((run.refused, run.done_ms.len()), (0, 300));
    // 300 zones, 24 requests each, 1800 a day.
    let days = by_day(&planned);
    let dates: Vec<String> = days.keys().map(Day::to_string).collect();
    assert_eq!(dates, ["2026-12-01", "2026-12-02", "2026-12-03", "2026-12-04"]);
    assert!(days.values().all(|zones| (70..=80).contains(&zones.len())), "{days:?}");
    for Planned { zone, begins_ms, done_ms } in &planned {
        assert!(begins_ms < done_ms);
        assert_eq!(Day::of(run.done_ms[zone]), Day::of(*done_ms), "{zone}");
    }
    let in_order: Vec<u64> = planned.iter().map(|one| one.done_ms).collect();
    assert!(in_order.is_sorted_by_key(|done_ms| done_ms / DAY_MS), "who comes first is done first");
}

#[test]
fn without_the_budget_they_would_be_refused() {
    let mut throttle = Throttle::new(2000);
    let mut refused = 0;
    for (n, queued) in queue().iter().enumerate() {
        for _ in &queued.requests {
            let at_ms = START_MS + 1200 * n as u64;
            refused += usize::from(throttle.admit("dns_api_cheap", None, at_ms).is_err());
        }
    }
    assert!(refused > 3000, "{refused}");
}

#[test]
fn while_somebody_else_uses_the_account_no_request_is_refused_twice_in_a_row() {
    // 1500 requests within an hour, on the first day and on the second.
    let burst = |day: u64| (0..1500).map(move |n| START_MS + day * DAY_MS + 600_000 + n * 2400);
    let others: Vec<u64> = burst(0).chain(burst(1)).collect();
    let run = work_off(Budget::new(Limits::default()), &queue(), 2000, &others);
    assert_eq!((run.done_ms.len(), run.twice), (300, 0), "{} refused", run.refused);
    assert!((1..200).contains(&run.refused), "{}", run.refused);
    let last_ms = run.done_ms.values().max().unwrap();
    assert!((*last_ms - START_MS) / DAY_MS < 12, "{}", Day::of(*last_ms));
}
