//! The picture of a zone: on the left the chain of trust of each operator, on the right what every address shows of its keys.
//!
//! ```text
//!   DS at the parent → key-signing key ─┐                      ns1.a   ns2.a  │  ns1.b   ns2.b
//!                                       └→ zone-signing key → answers     ●       ●   │    ○       ○
//! ```
//!
//! Invariant: a row is a key and a column an address, whatever there is more or less of; a key stands in the band of whom it
//! belongs to. What the states look like is in `marks`.

use super::axis::age;
use super::legend;
use super::marks::{self, Cell};
use super::svg::{Anchor, Look, Paint, Svg, Type};
use crate::api::wire::{DsState, KeyRole, KeyShow, RollState, ServerShow, Standing, ZoneShow};
use crate::model::group::algorithm_name;
use std::net::SocketAddr;

const EDGE: f64 = 12.0;
/// The head above the rows.
const HEAD: f64 = 98.0;
const ROW: f64 = 60.0;
const BAND_HEAD: f64 = 30.0;
const BAND_FOOT: f64 = 8.0;
const BAND_GAP: f64 = 12.0;
const BOX: f64 = 140.0;
const BOX_HEIGHT: f64 = 42.0;
const DS_X: f64 = EDGE + 44.0;
const KSK_X: f64 = EDGE + 112.0;
const ZSK_X: f64 = KSK_X + BOX + 38.0;
const DATA_X: f64 = ZSK_X + BOX + 28.0;
const DATA: f64 = 80.0;
const GRID_X: f64 = DATA_X + DATA + 24.0;
/// An address' column: wide enough for every word, and no wider than this for the sake of a name.
const COLUMN: (f64, f64) = (80.0, 132.0);

/// The keys of one owner.
struct Band<'a> {
    owner: Option<&'a str>,
    standing: Option<Standing>,
    /// Wanted in the group: every address should have its keys.
    wanted: bool,
    keys: Vec<&'a KeyShow>,
    y: f64,
}

impl Band<'_> {
    fn height(&self) -> f64 {
        BAND_HEAD + ROW * self.keys.len().max(1) as f64 + BAND_FOOT
    }

    fn row(&self, nth: usize) -> f64 {
        self.y + BAND_HEAD + ROW * nth as f64 + ROW / 2.0
    }
}

struct Column<'a> {
    server: &'a ServerShow,
    x: f64,
    wanted: bool,
}

/// The drawing, for a page that has the classes; see [`picture_alone`].
pub fn picture(zone: &ZoneShow) -> String {
    let sets = (Type::plain(Paint::Ink), Type::plain(Paint::Muted));
    let own: Vec<&ServerShow> = columns_of(zone);
    let labels = own.iter().map(|s| sets.0.width(&s.host).max(sets.1.width(&s.address.ip().to_string())) + 12.0);
    let column = labels.fold(0.0, f64::max).clamp(COLUMN.0, if own.len() > 6 { COLUMN.0 } else { COLUMN.1 });
    let wanted = |who: &str| zone.operators.iter().any(|o| o.operator == who && o.wanted >= Standing::Trusted);
    let place = |nth: usize| (nth as f64).mul_add(column, GRID_X);
    let columns = own.iter().enumerate();
    let columns: Vec<Column<'_>> =
        columns.map(|(nth, server)| Column { server, x: place(nth), wanted: wanted(&server.who) }).collect();
    let bands = bands(zone);
    let bottom = bands.last().map_or(HEAD, |band| band.y + band.height());
    let width = (columns.len() as f64).mul_add(column, GRID_X) + EDGE;
    let height = bottom + legend::height(width - 2.0 * EDGE);
    let title = format!("Keys of {}", zone.zone);
    let mut svg = Svg::new("d-picture", "d-picture", width, height, (&title, &described(zone, &bands)));
    let mut draw = Draw { svg: &mut svg, zone, column, width };
    for band in &bands {
        draw.panel(band, &columns);
    }
    draw.heads(&columns, bottom);
    for band in &bands {
        draw.band(band, &columns);
    }
    legend::draw(&mut svg, (EDGE, bottom), width - 2.0 * EDGE);
    svg.finish()
}

/// The same as a file of its own.
pub fn picture_alone(zone: &ZoneShow) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", picture(zone))
}

/// The operators' addresses, by operator as the zone lists them; those of others last.
fn columns_of(zone: &ZoneShow) -> Vec<&ServerShow> {
    let rank = |who: &str| zone.operators.iter().position(|o| o.operator == who).unwrap_or(usize::MAX);
    let mut own: Vec<&ServerShow> = zone.servers.iter().filter(|server| server.who != "parent").collect();
    own.sort_by(|a, b| (rank(&a.who), &a.who, &a.host, a.address).cmp(&(rank(&b.who), &b.who, &b.host, b.address)));
    own
}

/// Whose a key is: a key that its operator gave up, and that others keep, is still that operator's.
fn owner_of<'a>(zone: &'a ZoneShow, key: &'a KeyShow) -> Option<&'a str> {
    let kept = || zone.rolls.iter().find(|roll| (roll.tag, roll.algorithm) == (key.tag, key.algorithm));
    key.owner.as_deref().or_else(|| kept().map(|roll| roll.operator.as_str()))
}

fn roll_of(zone: &ZoneShow, key: &KeyShow) -> Option<RollState> {
    let is = |roll: &&crate::api::wire::RollShow| (roll.tag, roll.algorithm) == (key.tag, key.algorithm);
    zone.rolls.iter().find(is).map(|roll| roll.state)
}

fn bands(zone: &ZoneShow) -> Vec<Band<'_>> {
    let mut bands: Vec<Band<'_>> = Vec::new();
    for member in &zone.operators {
        let (owner, standing) = (Some(member.operator.as_str()), Some(member.standing));
        bands.push(Band { owner, standing, wanted: member.wanted >= Standing::Trusted, keys: Vec::new(), y: 0.0 });
    }
    for key in &zone.keys {
        let owner = owner_of(zone, key);
        match bands.iter_mut().find(|band| band.owner == owner) {
            Some(band) => band.keys.push(key),
            None => bands.push(Band { owner, standing: None, wanted: false, keys: vec![key], y: 0.0 }),
        }
    }
    let rank = |role: KeyRole| match role {
        KeyRole::Ksk => 0,
        KeyRole::Csk => 1,
        KeyRole::Zsk => 2,
    };
    let mut y = HEAD;
    for band in &mut bands {
        band.keys.sort_by_key(|key| (rank(key.role), key.tag, key.algorithm));
        band.y = y;
        y += band.height() + BAND_GAP;
    }
    bands
}

fn cell(band: &Band<'_>, column: &Column<'_>, key: &KeyShow, given_up: bool) -> Cell {
    let at = |addresses: &[SocketAddr]| addresses.contains(&column.server.address);
    let has = at(&key.published_at) || at(&key.signing_at);
    match (has, band.owner) {
        _ if column.server.last_seen.is_none() => Cell::Unknown,
        (true, Some(_)) if band.standing.is_some() => {
            if at(&key.signing_at) {
                Cell::Signs
            } else {
                Cell::Published
            }
        }
        (true, _) => Cell::Unexpected,
        (false, _) if band.wanted && column.wanted && !given_up => Cell::Missing,
        (false, _) => Cell::Without,
    }
}

fn described(zone: &ZoneShow, bands: &[Band<'_>]) -> String {
    let mut text = format!("{} ", zone.verdict);
    for band in bands {
        let owner = band.owner.unwrap_or("nobody known");
        for key in &band.keys {
            text += &format!("{} {} of {owner}: ", key.role.name(), key.tag);
            if let Some(ds) = key.ds {
                text += &format!("DS {}, ", marks::ds_word(ds));
            }
            let (published, signing) = (key.published_at.len(), key.signing_at.len());
            text += &format!("published at {published} addresses, signing at {signing}. ");
        }
    }
    for server in zone.servers.iter().filter(|server| server.trouble.is_some()) {
        text += &format!("{} ({}): {}. ", server.host, server.address, server.trouble.as_deref().unwrap_or_default());
    }
    text.trim_end().to_owned()
}

struct Draw<'d, 'a> {
    svg: &'d mut Svg,
    zone: &'a ZoneShow,
    column: f64,
    width: f64,
}

impl Draw<'_, '_> {
    /// The ground of a band; the addresses of whom its keys belong to are set off.
    fn panel(&mut self, band: &Band<'_>, columns: &[Column<'_>]) {
        let size = (self.width - 2.0 * EDGE, band.height());
        self.svg.rect(Look::fill(Paint::Panel), (EDGE, band.y), size, 8.0);
        let own: Vec<&Column<'_>> = columns.iter().filter(|c| Some(c.server.who.as_str()) == band.owner).collect();
        if let (Some(first), Some(last)) = (own.first(), own.last()) {
            let size = (last.x + self.column - first.x - 4.0, band.height());
            self.svg.rect(Look::fill(Paint::Tint), (first.x + 2.0, band.y), size, 8.0);
        }
    }

    fn heads(&mut self, columns: &[Column<'_>], bottom: f64) {
        let caption = Type::plain(Paint::Muted);
        let middle = caption.at(Anchor::Middle);
        self.svg.text_in(Type::bold(Paint::Ink), (EDGE, 24.0), GRID_X - 3.0 * EDGE, &self.zone.zone);
        let parent: Vec<&ServerShow> = self.zone.servers.iter().filter(|server| server.who == "parent").collect();
        let silent: Vec<&&ServerShow> = parent.iter().filter(|server| server.trouble.is_some()).collect();
        let whole: Vec<String> = silent
            .iter()
            .map(|s| format!("{} ({}): {}", s.host, s.address, s.trouble.as_deref().unwrap_or_default()))
            .collect();
        self.svg.group("d-head", &whole.join("; "));
        let at = format!("DS at {}", self.zone.parent.zone);
        self.svg.text_in(middle, (DS_X, 68.0), 92.0, &at);
        if silent.is_empty() {
            let count = if parent.len() == 1 { "1 server".to_owned() } else { format!("{} servers", parent.len()) };
            self.svg.text(middle, (DS_X, 84.0), &count);
        } else {
            marks::trouble(self.svg, (DS_X - 38.0, 80.0));
            let text = format!("{} of {} silent", silent.len(), parent.len());
            self.svg.text_in(Type::plain(Paint::Bad), (DS_X - 29.0, 84.0), 78.0, &text);
        }
        self.svg.close();
        for (x, text) in [
            (KSK_X + BOX / 2.0, "key-signing key"),
            (ZSK_X + BOX / 2.0, "zone-signing key"),
            (DATA_X + DATA / 2.0, "answers"),
        ] {
            self.svg.text(middle, (x, 84.0), text);
        }
        let mut nth = 0;
        while let Some(first) = columns.get(nth) {
            let count = columns.iter().skip(nth).take_while(|c| c.server.who == first.server.who).count();
            let room = self.column * count as f64;
            self.svg.text_in(
                Type::bold(Paint::Ink).at(Anchor::Middle),
                (first.x + room / 2.0, 24.0),
                room - 8.0,
                &format!("servers of {}", first.server.who),
            );
            self.svg.line(Look::line(Paint::Muted, 1.5), (first.x + 6.0, 33.0), (first.x + room - 6.0, 33.0));
            if nth > 0 {
                self.svg.line(Look::line(Paint::Line, 1.0).dashed(), (first.x, 14.0), (first.x, bottom));
            }
            nth += count;
        }
        for column in columns {
            self.head(column);
        }
    }

    fn head(&mut self, column: &Column<'_>) {
        let ServerShow { host, address, last_seen, trouble, .. } = column.server;
        let seen = last_seen.map_or("never seen".to_owned(), |seen| age(seen, self.zone.now));
        let title = match trouble {
            Some(trouble) => format!("{host} ({address}): {trouble}; last answer {seen}"),
            None => format!("{host} ({address}): last answer {seen}"),
        };
        self.svg.group("d-head", &title);
        let (x, room) = (column.x + self.column / 2.0, self.column - 8.0);
        self.svg.text_in(Type::plain(Paint::Ink).at(Anchor::Middle), (x, 52.0), room, host);
        let shown = short_address(*address, room);
        self.svg.text(Type::plain(Paint::Muted).at(Anchor::Middle), (x, 68.0), &shown);
        if trouble.is_some() {
            let set = Type::plain(Paint::Bad);
            let left = x - (set.width(&seen) + 14.0) / 2.0;
            marks::trouble(self.svg, (left + 5.5, 80.0));
            self.svg.text(set, (left + 14.0, 84.0), &seen);
        } else {
            self.svg.text(Type::plain(Paint::Muted).at(Anchor::Middle), (x, 84.0), &seen);
        }
        self.svg.close();
    }

    fn band(&mut self, band: &Band<'_>, columns: &[Column<'_>]) {
        let name = match (band.owner, band.standing) {
            (Some(owner), Some(_)) => format!("Keys of {owner}"),
            (Some(owner), None) => format!("Keys of {owner}, not in the group"),
            (None, _) => "Keys of nobody known".to_owned(),
        };
        let room = GRID_X - EDGE * 4.0 - 90.0;
        let set = Type::bold(Paint::Ink);
        self.svg.text_in(set, (EDGE * 2.0, band.y + 20.0), room, &name);
        let standing = match band.standing {
            Some(standing) => standing.label(),
            None => "",
        };
        let after = EDGE * 2.0 + set.width(&set.cut(&name, room)) + 8.0;
        self.svg.text(Type::plain(Paint::Muted), (after, band.y + 20.0), standing);
        if band.keys.is_empty() {
            self.svg.text(Type::plain(Paint::Muted), (KSK_X, band.row(0) + 4.0), "no key of its own seen yet");
        }
        self.chain(band);
        for (nth, key) in band.keys.iter().enumerate() {
            let y = band.row(nth);
            self.key(band, key, y);
            let given_up = roll_of(self.zone, key) == Some(RollState::Kept);
            for column in columns {
                self.cell(band, column, key, cell(band, column, key, given_up), y);
            }
        }
    }

    /// The arrows: green where the chain is whole from the parent on.
    fn chain(&mut self, band: &Band<'_>) {
        let rows = || band.keys.iter().enumerate().map(|(nth, key)| (*key, band.row(nth)));
        let vouched = |key: &KeyShow| {
            let has_ds = matches!(key.ds, Some(DsState::Present | DsState::Partial | DsState::Leaving));
            has_ds && !key.signing_at.is_empty()
        };
        let zone_signing: Vec<(&KeyShow, f64)> = rows().filter(|(key, _)| key.role == KeyRole::Zsk).collect();
        let ksk: Vec<(&KeyShow, f64)> = rows().filter(|(key, _)| key.role == KeyRole::Ksk).collect();
        let secure = ksk.iter().any(|(key, _)| vouched(key));
        for (key, y) in rows() {
            let look = match key.ds {
                Some(DsState::Present | DsState::Partial) => Look::line(Paint::Good, 2.0),
                Some(DsState::Awaited) => Look::line(Paint::Wait, 1.6).dashed(),
                Some(DsState::Leaving) => Look::line(Paint::Odd, 1.6),
                Some(DsState::Absent) | None => continue,
            };
            let paint = key.ds.map_or(Paint::Muted, |ds| match ds {
                DsState::Present | DsState::Partial => Paint::Good,
                other => marks::ds_paint(other),
            });
            self.arrow(look, paint, &[(DS_X + 34.0, y), (KSK_X, y)]);
        }
        let bus = KSK_X + BOX + 16.0;
        for (key, from) in ksk.iter().filter(|(key, _)| !key.signing_at.is_empty()) {
            let paint = if vouched(key) { Paint::Good } else { Paint::Muted };
            for (_, to) in &zone_signing {
                let corners = [(KSK_X + BOX, *from), (bus, *from), (bus, *to), (ZSK_X, *to)];
                self.arrow(Look::line(paint, 2.0), paint, &corners);
            }
        }
        let answering: Vec<(bool, f64)> = rows()
            .filter(|(key, _)| key.role != KeyRole::Ksk && !key.signing_at.is_empty())
            .map(|(key, y)| (if key.role == KeyRole::Csk { vouched(key) } else { secure }, y))
            .collect();
        let (Some(first), Some(last)) = (answering.first(), answering.last()) else { return };
        for (secure, y) in &answering {
            let paint = if *secure { Paint::Good } else { Paint::Muted };
            self.arrow(Look::line(paint, 2.0), paint, &[(ZSK_X + BOX, *y), (DATA_X, *y)]);
        }
        let paint = if answering.iter().any(|(secure, _)| *secure) { Paint::Good } else { Paint::Muted };
        let (top, size) = (first.1 - BOX_HEIGHT / 2.0, (DATA, last.1 - first.1 + BOX_HEIGHT));
        self.svg.rect(Look::fill(Paint::Ground).and_line(paint, 1.5), (DATA_X, top), size, 16.0);
        let (x, y) = (DATA_X + DATA / 2.0, (first.1 + last.1) / 2.0);
        self.svg.text(Type::plain(Paint::Ink).at(Anchor::Middle), (x, y - 3.0), "answers");
        let whose = format!("of {}", band.owner.unwrap_or("nobody"));
        self.svg.text_in(Type::plain(Paint::Ink).at(Anchor::Middle), (x, y + 13.0), DATA - 12.0, &whose);
    }

    fn arrow(&mut self, look: Look, paint: Paint, corners: &[(f64, f64)]) {
        self.svg.path(look, corners, false);
        if let Some((x, y)) = corners.last() {
            self.svg.path(Look::fill(paint), &[(*x, *y), (x - 8.0, y - 4.5), (x - 8.0, y + 4.5)], true);
        }
    }

    fn key(&mut self, band: &Band<'_>, key: &KeyShow, y: f64) {
        let (x, size) = match key.role {
            KeyRole::Ksk => (KSK_X, BOX),
            KeyRole::Zsk => (ZSK_X, BOX),
            KeyRole::Csk => (KSK_X, ZSK_X + BOX - KSK_X),
        };
        let owner = band.owner.unwrap_or("nobody known");
        let (role, algorithm) = (key.role.name(), algorithm_name(key.algorithm));
        if let Some(ds) = key.ds {
            self.svg.group("d-ds", &format!("{role} {}: {}", key.tag, marks::ds_meaning(ds)));
            marks::draw_ds(self.svg, ds, (DS_X, y - 9.0));
            self.svg.text(Type::plain(marks::ds_paint(ds)).at(Anchor::Middle), (DS_X, y + 16.0), marks::ds_word(ds));
            self.svg.close();
        }
        let roll = roll_of(self.zone, key).map_or("", |roll| match roll {
            RollState::New => "new",
            RollState::Signing | RollState::Other => "",
            RollState::Retired => "retired",
            RollState::Kept => "given up",
        });
        self.svg.group("d-key", &format!("{role} {} of {owner}, {algorithm} {roll}", key.tag));
        let paint = if key.signing_at.is_empty() { Paint::Muted } else { Paint::Ink };
        let look = Look::fill(Paint::Ground).and_line(paint, 1.5);
        let look = if key.signing_at.is_empty() { look.dashed() } else { look };
        self.svg.rect(look, (x, y - BOX_HEIGHT / 2.0), (size, BOX_HEIGHT), 5.0);
        self.svg.text(Type::bold(Paint::Ink), (x + 10.0, y - 3.0), &format!("{role} {}", key.tag));
        self.svg.text_in(Type::plain(Paint::Muted), (x + 10.0, y + 13.0), size - 16.0, &algorithm);
        self.svg.text(Type::plain(Paint::Wait).at(Anchor::End), (x + size - 8.0, y - 3.0), roll);
        self.svg.close();
    }

    fn cell(&mut self, band: &Band<'_>, column: &Column<'_>, key: &KeyShow, state: Cell, y: f64) {
        let server = column.server;
        let x = column.x + self.column / 2.0;
        let old = server.trouble.is_some() && server.last_seen.is_some();
        let owner = band.owner.unwrap_or("nobody known");
        let seen = server.last_seen.map_or("never".to_owned(), |seen| age(seen, self.zone.now));
        let title = format!(
            "{} {} of {owner} at {} ({}): {}, seen {seen}{}",
            key.role.name(),
            key.tag,
            server.host,
            server.address,
            state.meaning(),
            if old { "; it does not answer now" } else { "" }
        );
        self.svg.group("d-cell", &title);
        let set = Type::plain(state.paint()).at(Anchor::Middle);
        if old {
            let look = Look::fill(Paint::Haze).and_line(Paint::Wait, 1.0).dashed();
            self.svg.rect(look, (x - 23.0, y - 26.0), (46.0, 20.0), 10.0);
            state.draw(self.svg, (x - 9.0, y - 16.0));
            marks::hourglass(self.svg, (x + 11.0, y - 16.0));
            self.svg.text(set, (x, y + 8.0), state.word());
            self.svg.text(Type::plain(Paint::Wait).at(Anchor::Middle), (x, y + 22.0), "old answer");
        } else {
            state.draw(self.svg, (x, y - 9.0));
            self.svg.text(set, (x, y + 16.0), state.word());
        }
        self.svg.close();
    }
}

/// An address without its port; of a long one the end, which tells it from its neighbours.
fn short_address(address: SocketAddr, room: f64) -> String {
    let whole = address.ip().to_string();
    let set = Type::plain(Paint::Muted);
    let ends = whole.char_indices().filter(|(_, c)| *c == ':').filter_map(|(at, _)| whole.get(at..));
    let mut shown = std::iter::once(whole.clone()).chain(ends.map(|end| format!("…{end}")));
    shown.find(|text| set.width(text) <= room).unwrap_or_else(|| set.cut(&whole, room))
}
