//! What changes, while somebody looks: server-sent events that say which zone to look at again, and nothing else.
//!
//! Invariants: an event's id is the sequence of the log, and whoever comes back with one is told what happened since; nobody is
//! told of zones that they do not reach; a stream ends with the daemon, and by itself, so that a session that ended has no
//! stream for long.

use super::Web;
use super::visit::Visit;
use crate::access::Caller;
use crate::api::controller::zone_name;
use crate::model::dns::{plain_of_stored, stored};
use crate::store::Changed;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A page that shows many zones is not made anew more often than this.
const NOT_MORE_OFTEN: Duration = Duration::from_millis(700);
/// The browser comes back by itself, and shows again who it is.
const LONGEST: Duration = Duration::from_secs(300);
const STREAMS_OF_ONE: usize = 20;
const STREAMS: usize = 2000;
/// How much of what happened meanwhile is told to whoever comes back.
const CAUGHT_UP: i64 = 200;

/// How many streams each account has open, and how long one lasts.
#[derive(Clone, Debug)]
pub struct Streams {
    open: Arc<Mutex<BTreeMap<String, usize>>>,
    longest: Duration,
}

impl Default for Streams {
    fn default() -> Streams {
        Streams::lasting(LONGEST)
    }
}

/// One of them, until it is dropped.
struct Open {
    streams: Streams,
    account: String,
}

impl Streams {
    pub fn lasting(longest: Duration) -> Streams {
        Streams { open: Arc::default(), longest }
    }

    fn open(&self, account: &str) -> Option<Open> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let of_one = open.entry(account.to_owned()).or_default();
        if *of_one >= STREAMS_OF_ONE || all >= STREAMS {
            return None;
        }
        *of_one += 1;
        Some(Open { streams: self.clone(), account: account.to_owned() })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_one) = open.get_mut(&self.account) {
            *of_one -= 1;
            if *of_one == 0 {
                open.remove(&self.account);
            }
        }
    }
}

#[derive(Deserialize)]
pub struct Wanted {
    zone: Option<String>,
}

/// `GET /events?zone=`
pub async fn events(
    State(web): State<Web>,
    visit: Visit,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Response {
    let zone = match wanted.zone.filter(|zone| !zone.is_empty()).map(|zone| zone_name(&zone)).transpose() {
        Ok(zone) => zone.map(|name| stored(&name)),
        Err(refusal) => return (StatusCode::BAD_REQUEST, format!("{refusal}\n")).into_response(),
    };
    let Some(open) = web.streams.open(&visit.caller.name) else {
        return (StatusCode::TOO_MANY_REQUESTS, "too many pages are open: this one looks every 30 seconds\n")
            .into_response();
    };
    let wanted = Wishes { caller: visit.caller, zone };
    // Heard from before it is read what happened meanwhile, so that nothing falls in between.
    let live = web.gate.store().changes();
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse::<i64>().ok());
    let missed = match last {
        None => Vec::new(),
        Some(last) => match web.gate.store().audit_after(last, wanted.zone.as_deref(), CAUGHT_UP).await {
            // More than that: whoever looks again sees all of it, and what is not read here is told, too.
            Ok(entries) if entries.len() as i64 >= CAUGHT_UP => match web.gate.store().audit_head().await {
                Ok((sequence, _)) => vec![Changed { zone: wanted.zone.clone(), sequence }],
                Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            },
            Ok(entries) => entries.into_iter().map(|e| Changed { zone: e.zone, sequence: e.sequence }).collect(),
            Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        },
    };
    let mut latest: BTreeMap<Option<String>, i64> = BTreeMap::new();
    for changed in missed.into_iter().filter(|changed| wanted.has(changed)) {
        latest.insert(changed.zone, changed.sequence);
    }
    let mut missed: Vec<Changed> = latest.into_iter().map(|(zone, sequence)| Changed { zone, sequence }).collect();
    missed.sort_by_key(|changed| changed.sequence);
    // So that a thousand pages do not come back in the same moment after a restart.
    let retry = Duration::from_millis(5000 + u64::from(rand::random::<u16>()) % 2000);
    let first = stream::iter(std::iter::once(Event::default().retry(retry).comment("chorus")));
    let told = stream::iter(missed).map(|changed| event(&changed)).chain(live_events(live, wanted));
    let (mut stopping, longest) = (web.stopping.clone(), web.streams.longest);
    let end = async move {
        let stopped = async { while stopping.changed().await.is_ok() {} };
        // Whichever is first.
        let _ = tokio::time::timeout(longest, stopped).await;
    };
    let all = first.chain(told).map(move |event| {
        // The count goes down when the stream is dropped.
        let _open = &open;
        Ok::<Event, Infallible>(event)
    });
    let sse = Sse::new(Box::pin(all.take_until(Box::pin(end)))).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let mut answer = sse.into_response();
    answer.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    answer
}

struct Wishes {
    caller: Caller,
    /// With the final dot.
    zone: Option<String>,
}

impl Wishes {
    fn has(&self, changed: &Changed) -> bool {
        match (&self.zone, &changed.zone) {
            (Some(wanted), Some(zone)) => wanted == zone && self.caller.reaches(zone),
            (Some(_), None) => false,
            (None, Some(zone)) => self.caller.reaches(zone),
            (None, None) => true,
        }
    }
}

fn event(changed: &Changed) -> Event {
    let zone = changed.zone.as_deref().map(plain_of_stored);
    let data = serde_json::json!({ "zone": zone, "sequence": changed.sequence });
    let event = Event::default().event("changed").data(data.to_string());
    // One without a sequence leaves the browser's as it is: it comes back with what it knew before.
    if changed.sequence > 0 { event.id(changed.sequence.to_string()) } else { event }
}

fn live_events(live: Receiver<Changed>, wanted: Wishes) -> impl Stream<Item = Event> + Send {
    stream::unfold((live, wanted, false), |(mut live, wanted, told)| async move {
        if told {
            tokio::time::sleep(NOT_MORE_OFTEN).await;
        }
        loop {
            let mut last = match live.recv().await {
                Ok(changed) if wanted.has(&changed) => changed,
                Ok(_) => continue,
                // So much was missed that everything may be another.
                Err(RecvError::Lagged(_)) => Changed { zone: wanted.zone.clone(), sequence: 0 },
                Err(RecvError::Closed) => return None,
            };
            // What has piled up is one change: whoever looks again sees all of it.
            while let Ok(changed) = live.try_recv() {
                if wanted.has(&changed) {
                    let zone = if changed.zone == last.zone { changed.zone } else { wanted.zone.clone() };
                    last = Changed { zone, sequence: changed.sequence.max(last.sequence) };
                }
            }
            return Some((event(&last), (live, wanted, true)));
        }
    })
}
