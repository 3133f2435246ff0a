//! Many zones at once: the list, and the overview.
//!
//! Invariant: a page costs the same however many zones there are: no history is read, nothing is counted, and no zone is
//! asked for by itself. A caller that is limited to the zones below a name is told of no other.

use super::gist::Gist;
use super::{Controller, of_store};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::{self, At};
use crate::engine::Status;
use crate::model::dns::{plain_of_stored, read_name, stored};
use crate::model::time::Time;
use crate::store::{InState, PageFrom, ZoneFilter, ZoneRow, ZoneState};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

const PAGE: u32 = 50;
const PAGE_MAX: u32 = 1000;
/// What each list of the overview has at most.
const SHORT: u32 = 20;
const DAY_S: u64 = 86_400;

impl Controller {
    /// `below`: the name, absolute, that the caller is limited to.
    pub(super) async fn list_zones(
        &self,
        query: wire::ZonesQuery,
        below: Option<&str>,
    ) -> Result<wire::ZoneList, Refusal> {
        let ports = self.engine.ports();
        let now = ports.clock.now();
        let from = match given(&query.cursor) {
            Some(cursor) => read_cursor(cursor).ok_or_else(|| bad_cursor(cursor))?,
            None => PageFrom::First,
        };
        let limit = match query.limit {
            Some(0) => return Err(nonsense("bad-limit", "a page of no zones is none", "say how many, up to 1000")),
            limit => limit.unwrap_or(PAGE).min(PAGE_MAX),
        };
        let filter = ZoneFilter { below: below.map(str::to_owned), ..filter(&query, now)? };
        let page = ports.store.zone_page(&filter, &from, limit).await.map_err(of_store)?;
        let ends = match (&from, page.zones.as_slice()) {
            (PageFrom::After(name), []) => (format!("{name}\u{1}"), String::new()),
            (_, []) => Default::default(),
            (_, [first, .., last]) => (first.name.clone(), last.name.clone()),
            (_, [only]) => (only.name.clone(), only.name.clone()),
        };
        Ok(wire::ZoneList {
            next: page.after.then(|| write_cursor('n', &ends.1)),
            previous: page.before.then(|| write_cursor('p', &ends.0)),
            zones: page.zones.into_iter().map(line).collect(),
            now: At::clock(now),
        })
    }

    pub(super) async fn show_overview(&self, below: Option<&str>) -> Result<wire::Overview, Refusal> {
        let ports = self.engine.ports();
        let now = ports.clock.now();
        let found = ports.store.zone_overview(below, now.plus_s(DAY_S), SHORT).await.map_err(of_store)?;
        let lines = |rows: Vec<ZoneRow>| rows.into_iter().map(line).collect();
        let silent = found.silent.into_iter();
        let states = found.states.into_iter();
        let states: Vec<wire::StateCount> =
            states.map(|(state, zones)| wire::StateCount { state: state.name().to_owned(), zones }).collect();
        Ok(wire::Overview {
            zones: states.iter().map(|count| count.zones).sum(),
            states,
            attention: lines(found.attention),
            guards: lines(found.guards),
            lagging: lines(found.lagging),
            silent: silent.map(|(operator, zones, text)| wire::OperatorTrouble { operator, zones, text }).collect(),
            now: At::clock(now),
        })
    }
}

fn line(row: ZoneRow) -> wire::ZoneSummary {
    let status = Status::read(&row.status);
    let gist = Gist { members: &row.members, status: &status, transition: row.transition.as_ref() };
    let transition = row.transition.as_ref().map(|running| gist.running(running));
    wire::ZoneSummary {
        zone: shown(&row.name),
        verdict: gist.verdict(),
        headline: gist.headline(),
        rest: gist.rest(),
        desired: gist.desired(),
        state: row.state.name().to_owned(),
        since: At::known(row.since),
        waiting_for: match &transition {
            Some(running) => running.waiting_for.clone(),
            None => gist.unsettled(),
        },
        operators: row.members.keys().cloned().collect(),
        parent: shown(&row.parent_zone),
        transition,
    }
}

/// A stored name, which has its labels as people write them, as all names are shown. One that cannot be read is shown as it
/// is: no zone keeps others from being listed.
fn shown(stored: &str) -> String {
    plain_of_stored(stored)
}

/// Forms send what was left empty, too.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn filter(query: &wire::ZonesQuery, now: Time) -> Result<ZoneFilter, Refusal> {
    let state = given(&query.state).map(|state| match state {
        "attention" => Ok(InState::Attention),
        name => ZoneState::of_name(name).map(InState::One).ok_or_else(|| {
            let names: Vec<&str> = ZoneState::ALL.into_iter().map(ZoneState::name).collect();
            let fix = format!("the states are attention, {}", names.join(", "));
            nonsense("bad-state", format!("{name} is no state of a zone"), fix)
        }),
    });
    let is_code = |code: &&str| code.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
    let reason = given(&query.reason).map(|code| match Some(code).filter(is_code) {
        Some(code) => Ok(code.to_owned()),
        None => Err(nonsense("bad-reason", format!("{code} is no reason code"), "write it like guard-ttl")),
    });
    let parent = given(&query.parent).map(|parent| {
        let name = read_name(parent).ok().map(|name| stored(&name));
        name.ok_or_else(|| {
            nonsense(
                "bad-name",
                format!("{parent} is not a domain name"),
                "write the parent like org, or . for the root",
            )
        })
    });
    let since = query.stuck_for_s.map(|s| {
        let ms = i64::try_from(s).unwrap_or(i64::MAX).saturating_mul(1000);
        Time(now.0.saturating_sub(ms))
    });
    Ok(ZoneFilter {
        state: state.transpose()?,
        operator: given(&query.operator).map(str::to_owned),
        parent: parent.transpose()?,
        reason: reason.transpose()?,
        prefix: given(&query.text).map(prefix),
        since,
        below: None,
    })
}

/// As names are stored: in lower case, and with the labels that people write.
fn prefix(text: &str) -> String {
    match read_name(text) {
        Ok(name) => {
            let whole = stored(&name);
            if text.ends_with('.') { whole } else { whole.trim_end_matches('.').to_owned() }
        }
        // The beginning of something, which need not be a name yet.
        Err(_) => text.to_lowercase(),
    }
}

fn nonsense(code: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Invalid, code, text).with_fix(fix)
}

fn bad_cursor(cursor: &str) -> Refusal {
    let text = format!("{cursor} is not where a page began or ended");
    nonsense("bad-cursor", text, "take `next` or `previous` of the page before as it is, or begin without a cursor")
}

/// So many octets show that a cursor is as it was given.
const CHECK: usize = 4;

fn check(said: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::digest(said);
    std::array::from_fn(|i| digest[i])
}

fn write_cursor(direction: char, name: &str) -> String {
    let said = format!("{direction}{name}").into_bytes();
    URL_SAFE_NO_PAD.encode([&check(&said)[..], &said].concat())
}

fn read_cursor(cursor: &str) -> Option<PageFrom> {
    let octets = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (sum, said) = octets.split_at_checked(CHECK)?;
    if sum != check(said) {
        return None;
    }
    let said = std::str::from_utf8(said).ok()?;
    match said.split_at_checked(1)? {
        ("n", name) => Some(PageFrom::After(name.to_owned())),
        ("p", name) => Some(PageFrom::Before(name.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_refused_when_a_bit_of_it_is_not() {
        let written = write_cursor('n', "bücher.example.");
        assert_eq!(read_cursor(&written), Some(PageFrom::After("bücher.example.".into())));
        assert_eq!(read_cursor(&write_cursor('p', "a.")), Some(PageFrom::Before("a.".into())));
        for i in 0..written.len() {
            let mut damaged = written.clone().into_bytes();
            damaged[i] = if damaged[i] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).unwrap();
            assert!(damaged == written || read_cursor(&damaged).is_none(), "{damaged}");
            assert_eq!(read_cursor(&written[..i]), None);
        }
        assert_eq!(read_cursor("n example.org."), None);
        assert_eq!(read_cursor(&URL_SAFE_NO_PAD.encode("....nexample.")), None);
    }

    #[test]
    fn a_prefix_is_looked_for_as_names_are_stored() {
        assert_eq!(prefix("ExAm"), "exam");
        assert_eq!(prefix("BÜCH"), "büch");
        assert_eq!(prefix("xn--bcher-kva.ex"), "bücher.ex");
        assert_eq!(prefix("_dmarc.x"), "_dmarc.x");
    }

    #[test]
    fn what_means_nothing_is_refused_with_a_sentence() {
        let asked = |change: fn(&mut wire::ZonesQuery, String), text: &str| {
            let mut query = wire::ZonesQuery::default();
            change(&mut query, text.to_owned());
            filter(&query, Time(0)).map_err(|refusal| (refusal.kind, refusal.code))
        };
        let refused = |code| Err((RefusalKind::Invalid, code));
        assert_eq!(asked(|q, t| q.state = Some(t), "waiting"), refused("bad-state"));
        assert_eq!(asked(|q, t| q.state = Some(t), "done"), refused("bad-state"));
        assert_eq!(asked(|q, t| q.reason = Some(t), "guard ttl"), refused("bad-reason"));
        assert_eq!(asked(|q, t| q.parent = Some(t), "a..b"), refused("bad-name"));
        // A form sends its empty fields, too.
        assert_eq!(asked(|q, t| q.state = Some(t), ""), Ok(ZoneFilter::default()));
        let guards = asked(|q, t| q.state = Some(t), "waiting-guard").unwrap();
        assert_eq!(guards.state, Some(InState::One(ZoneState::WaitingGuard)));
        assert_eq!(asked(|q, t| q.parent = Some(t), "Org").unwrap().parent.as_deref(), Some("org."));
        assert_eq!(asked(|q, t| q.parent = Some(t), ".").unwrap().parent.as_deref(), Some("."));
    }
}
