//! Pages of zones, and what the overview shows: read from summaries, in a handful of queries whatever there is.
//!
//! Invariant: nothing is counted or skipped over for a page: pages go by name from where the last one ended, and counters
//! are kept. A caller that is limited to the zones below a name sees no other, nor counts of others; that may be slower.

use super::summaries::ZoneState;
use super::transitions::{self, TransitionRecord};
use super::zones::{MemberRecord, read_members};
use super::{Store, StoreError, damaged};
use crate::model::time::Time;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use std::collections::{BTreeMap, HashMap};

/// Which states are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InState {
    One(ZoneState),
    /// Whatever waits for somebody.
    Attention,
}

/// Which zones; all of it at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneFilter {
    pub state: Option<InState>,
    /// A member, or on its way in or out.
    pub operator: Option<String>,
    /// As it is stored: absolute.
    pub parent: Option<String>,
    pub reason: Option<String>,
    /// What the stored name begins with.
    pub prefix: Option<String>,
    /// In this state since then, or longer.
    pub since: Option<Time>,
    /// Only this name, and those below it; absolute.
    pub below: Option<String>,
}

/// Where a page begins, by stored names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageFrom {
    First,
    /// The zones that follow this name.
    After(String),
    /// The zones up to this name, without it.
    Before(String),
}

/// One zone, with what a line about it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneRow {
    /// As it is stored: absolute.
    pub name: String,
    pub state: ZoneState,
    pub reason: String,
    pub since: Time,
    pub until: Option<Time>,
    pub parent_zone: String,
    pub status: String,
    pub members: BTreeMap<String, MemberRecord>,
    pub transition: Option<TransitionRecord>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZonePage {
    /// By name.
    pub zones: Vec<ZoneRow>,
    /// Whether there are others before these, and after these.
    pub before: bool,
    pub after: bool,
}

/// Over all zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredOverview {
    pub states: Vec<(ZoneState, u64)>,
    pub attention: Vec<ZoneRow>,
    pub guards: Vec<ZoneRow>,
    pub lagging: Vec<ZoneRow>,
    /// Operator, how many zones, one of the troubles.
    pub silent: Vec<(String, u64, String)>,
}

/// An operator with fewer zones than this is looked up by its zones, any other by theirs.
const FEW: i64 = if cfg!(test) { 5 } else { 2000 };

#[derive(sqlx::FromRow)]
struct Key {
    zone: String,
    state: String,
    reason: String,
    since: i64,
    until: Option<i64>,
    parent_zone: String,
}

const COLUMNS: &str = "SELECT s.zone, s.state, s.reason, s.since, s.until, s.parent_zone FROM ";

impl Store {
    /// At most `limit` zones. All of a page is of one moment.
    pub async fn zone_page(&self, filter: &ZoneFilter, from: &PageFrom, limit: u32) -> Result<ZonePage, StoreError> {
        let mut tx = self.readers.begin().await?;
        let is_few = match &filter.operator {
            Some(operator) => has_few(&mut tx, operator).await?,
            None => false,
        };
        let limit = i64::from(limit);
        let mut keys = self::keys(filter, is_few, from, limit + 1).build_query_as::<Key>().fetch_all(&mut *tx).await?;
        let more = keys.len() as i64 > limit;
        keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let backwards = matches!(from, PageFrom::Before(_));
        if backwards {
            keys.reverse();
        }
        // On the other side there is what the page was come to from, or something that has come there since.
        let other = match (from, keys.first(), keys.last()) {
            (PageFrom::First, ..) => None,
            (PageFrom::After(name), None, _) => Some(PageFrom::Before(format!("{name}\u{1}"))),
            (PageFrom::Before(_), None, _) => Some(PageFrom::First),
            (PageFrom::After(_), Some(first), _) => Some(PageFrom::Before(first.zone.clone())),
            (PageFrom::Before(_), _, Some(last)) => Some(PageFrom::After(last.zone.clone())),
            (PageFrom::Before(_), Some(_), None) => None,
        };
        let others = match &other {
            Some(other) => {
                let mut query = self::keys(filter, is_few, other, 1);
                query.build_query_as::<Key>().fetch_optional(&mut *tx).await?.is_some()
            }
            None => false,
        };
        let zones = rows(&mut tx, keys).await?;
        let (before, after) = if backwards { (more, others) } else { (others, more) };
        Ok(ZonePage { zones, before, after })
    }

    /// At most `limit` zones in each list; of guards those that open until `guards_until`.
    pub async fn zone_overview(
        &self,
        below: Option<&str>,
        guards_until: Time,
        limit: u32,
    ) -> Result<StoredOverview, StoreError> {
        let mut tx = self.readers.begin().await?;
        let states: Vec<(String, i64)> = match below {
            None => {
                sqlx::query_as("SELECT state, zones FROM zone_counts WHERE zones > 0 ORDER BY state")
                    .fetch_all(&mut *tx)
                    .await?
            }
            Some(below) => {
                let mut query = QueryBuilder::new("SELECT s.state, COUNT(*) FROM zone_summaries s WHERE 1 = 1");
                push_below(&mut query, "s.zone", below);
                query.push(" GROUP BY s.state ORDER BY s.state").build_query_as().fetch_all(&mut *tx).await?
            }
        };
        let states = states.into_iter().map(|(state, zones)| Ok((read_state(&state)?, unsigned(zones))));
        let states = states.collect::<Result<Vec<_>, StoreError>>()?;
        let mut list = async |condition: &str, moment: Option<Time>, order: &str| -> Result<Vec<ZoneRow>, StoreError> {
            let mut query = QueryBuilder::new(COLUMNS);
            query.push("zone_summaries s WHERE ").push(condition);
            if let Some(moment) = moment {
                query.push_bind(moment.0);
            }
            if let Some(below) = below {
                push_below(&mut query, "s.zone", below);
            }
            query.push(" ORDER BY ").push(order).push(", s.zone LIMIT ").push_bind(i64::from(limit));
            let keys = query.build_query_as::<Key>().fetch_all(&mut *tx).await?;
            rows(&mut tx, keys).await
        };
        let attention = list("s.attention = TRUE", None, "s.since").await?;
        let guards = list("s.state = 'waiting-guard' AND s.until <= ", Some(guards_until), "s.until").await?;
        let lagging = list("s.late_since IS NOT NULL", None, "s.late_since").await?;
        let silent: Vec<(String, i64)> = match below {
            None => {
                let kept = "SELECT operator, zones FROM trouble_counts WHERE zones > 0 ORDER BY zones DESC, operator";
                sqlx::query_as(kept).fetch_all(&mut *tx).await?
            }
            Some(below) => {
                let mut query = QueryBuilder::new("SELECT t.operator, COUNT(*) FROM zone_troubles t WHERE 1 = 1");
                push_below(&mut query, "t.zone", below);
                query.push(" GROUP BY t.operator ORDER BY COUNT(*) DESC, t.operator");
                query.build_query_as().fetch_all(&mut *tx).await?
            }
        };
        let mut troubles = Vec::new();
        for (operator, zones) in silent {
            let mut query = QueryBuilder::new("SELECT t.text FROM zone_troubles t WHERE t.operator = ");
            query.push_bind(&operator);
            if let Some(below) = below {
                push_below(&mut query, "t.zone", below);
            }
            let text: Option<(String,)> =
                query.push(" ORDER BY t.zone LIMIT 1").build_query_as().fetch_optional(&mut *tx).await?;
            troubles.push((operator, unsigned(zones), text.map(|(text,)| text).unwrap_or_default()));
        }
        Ok(StoredOverview { states, attention, guards, lagging, silent: troubles })
    }
}

async fn has_few(tx: &mut SqliteConnection, operator: &str) -> Result<bool, StoreError> {
    let (some,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM (SELECT 1 FROM members WHERE operator = $1 LIMIT $2) AS some")
            .bind(operator)
            .bind(FEW)
            .fetch_one(tx)
            .await?;
    Ok(some < FEW)
}

/// The query of one page. A join that is written as `CROSS JOIN` SQLite does from left to right.
fn keys<'q>(filter: &'q ZoneFilter, is_few: bool, from: &'q PageFrom, limit: i64) -> QueryBuilder<Sqlite> {
    let ZoneFilter { state, operator, parent, reason, prefix, since, below } = filter;
    let mut query = QueryBuilder::new(COLUMNS);
    let by = match operator {
        Some(_) if is_few => "m.zone",
        _ => "s.zone",
    };
    match operator {
        Some(operator) => {
            query.push(match is_few {
                true => "members m CROSS JOIN zone_summaries s WHERE s.zone = m.zone AND m.operator = ",
                false => "zone_summaries s CROSS JOIN members m WHERE m.zone = s.zone AND m.operator = ",
            });
            query.push_bind(operator.clone());
        }
        None => {
            query.push("zone_summaries s WHERE 1 = 1");
        }
    }
    match state {
        // Most zones are: reading on by name finds them sooner than an index, which an expression keeps out of it.
        Some(InState::One(ZoneState::Rest)) => {
            query.push(" AND s.state || '' = ").push_bind(ZoneState::Rest.name());
        }
        Some(InState::One(state)) => {
            query.push(" AND s.state = ").push_bind(state.name());
        }
        Some(InState::Attention) => {
            query.push(" AND s.attention = TRUE");
        }
        None => {}
    }
    for (column, wanted) in [(" AND s.parent_zone = ", parent), (" AND s.reason = ", reason)] {
        if let Some(wanted) = wanted {
            query.push(column).push_bind(wanted.clone());
        }
    }
    if let Some(since) = since {
        query.push(" AND s.since <= ").push_bind(since.0);
    }
    if let Some(prefix) = prefix {
        query.push(" AND ").push(by).push(" >= ").push_bind(prefix.clone());
        query.push(" AND ").push(by).push(" < ").push_bind(format!("{prefix}\u{10ffff}"));
    }
    if let Some(below) = below {
        push_below(&mut query, by, below);
    }
    let order = match from {
        PageFrom::First => "",
        PageFrom::After(name) => {
            query.push(" AND ").push(by).push(" > ").push_bind(name.clone());
            ""
        }
        PageFrom::Before(name) => {
            query.push(" AND ").push(by).push(" < ").push_bind(name.clone());
            " DESC"
        }
    };
    query.push(" ORDER BY ").push(by).push(order).push(" LIMIT ").push_bind(limit);
    query
}

/// This name, and those below it.
fn push_below(query: &mut QueryBuilder<Sqlite>, column: &'static str, below: &str) {
    if below == "." {
        return;
    }
    let mut pattern = String::from("%.");
    for c in below.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    query.push(" AND (").push(column).push(" = ").push_bind(below.to_owned());
    query.push(" OR ").push(column).push(" LIKE ").push_bind(pattern).push(" ESCAPE '\\')");
}

/// What else a line about each of these zones needs.
async fn rows(tx: &mut SqliteConnection, keys: Vec<Key>) -> Result<Vec<ZoneRow>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let among = |start: &str| {
        let mut query = QueryBuilder::<Sqlite>::new(start);
        let mut names = query.separated(", ");
        for key in &keys {
            names.push_bind(key.zone.clone());
        }
        query.push(")");
        query
    };
    let statuses: Vec<(String, String)> =
        among("SELECT name, status FROM zones WHERE name IN (").build_query_as().fetch_all(&mut *tx).await?;
    let mut statuses: HashMap<String, String> = statuses.into_iter().collect();
    let found: Vec<(String, String, String, bool, bool)> =
        among("SELECT zone, operator, wanted, unreachable, uncooperative FROM members WHERE zone IN (")
            .build_query_as()
            .fetch_all(&mut *tx)
            .await?;
    let mut members: HashMap<String, Vec<(String, String, bool, bool)>> = HashMap::new();
    for (zone, operator, wanted, unreachable, uncooperative) in found {
        members.entry(zone).or_default().push((operator, wanted, unreachable, uncooperative));
    }
    let running = among("SELECT * FROM transitions WHERE state = 'running' AND zone IN (");
    let mut running = transitions::by_zone(tx, running).await?;
    let rows = keys.into_iter().map(|key| {
        Ok(ZoneRow {
            state: read_state(&key.state)?,
            reason: key.reason,
            since: Time(key.since),
            until: key.until.map(Time),
            parent_zone: key.parent_zone,
            status: statuses.remove(&key.zone).unwrap_or_default(),
            members: read_members(&key.zone, members.remove(&key.zone).unwrap_or_default())?,
            transition: running.remove(&key.zone),
            name: key.zone,
        })
    });
    rows.collect()
}

fn read_state(name: &str) -> Result<ZoneState, StoreError> {
    ZoneState::of_name(name).ok_or_else(|| damaged("state", name, "no zone is in such a state"))
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

#[cfg(test)]
mod tests;
