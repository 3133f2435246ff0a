//! How text, moments and lengths of time get into a page.
//!
//! Invariants: whatever a template writes goes through [`Visible`] (`askama.toml`): HTML cannot be made with it, and no
//! character in it is invisible or turns others around. The only things that templates take as they are (`|safe`) are
//! the answers of [`when`], [`until`] and [`ago`], which hold digits and letters of ours alone, and the drawings of
//! [`super::draw`] and [`super::reports`], which escape what they write themselves by [`escaped`].

use crate::api::wire::At;
use crate::cli::render::{exactly, length as short};
use askama::filters::Escaper;
use std::fmt::{self, Write};
use std::time::Duration;

/// The escaper of all templates.
#[derive(Clone, Copy, Debug)]
pub struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (index, c) in text.char_indices() {
            let entity = match c {
                '<' => "&#60;",
                '>' => "&#62;",
                '&' => "&#38;",
                '"' => "&#34;",
                '\'' => "&#39;",
                _ if hides(c) => "",
                _ => continue,
            };
            dest.write_str(&text[plain..index])?;
            plain = index + c.len_utf8();
            match entity {
                "" => write!(dest, "[U+{:04X}]", u32::from(c))?,
                _ => dest.write_str(entity)?,
            }
        }
        dest.write_str(&text[plain..])
    }
}

/// Characters that act on others, or that nobody can see: controls, marks of direction, and what has no width.
pub fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// For what is not written by a template: drawings.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Writing into a string does not fail.
    let _ = Visible.write_escaped_str(&mut out, text);
    out
}

/// A moment, by however many references: templates hand them over so.
pub trait AsAt {
    fn at(&self) -> At;
}

impl AsAt for At {
    fn at(&self) -> At {
        *self
    }
}

impl<T: AsAt + ?Sized> AsAt for &T {
    fn at(&self) -> At {
        (**self).at()
    }
}

/// Seconds, by however many references.
pub trait AsSeconds {
    fn seconds(&self) -> u64;
}

impl AsSeconds for u64 {
    fn seconds(&self) -> u64 {
        *self
    }
}

impl AsSeconds for u32 {
    fn seconds(&self) -> u64 {
        u64::from(*self)
    }
}

impl<T: AsSeconds + ?Sized> AsSeconds for &T {
    fn seconds(&self) -> u64 {
        (**self).seconds()
    }
}

/// `2026-11-25 10:02 UTC`, as markup.
pub fn when(at: impl AsAt) -> String {
    element(at.at(), "")
}

/// `2026-11-25 10:02 UTC (in 2h 10m)`, or `(now due)`; as markup. The script lets it tick.
pub fn until(at: impl AsAt, now: impl AsAt) -> String {
    let (at, now) = (at.at(), now.at());
    let left = now.time().until(at.time());
    let left = if left.is_zero() { "now due".to_owned() } else { format!("in {}", short(left)) };
    // In seconds: the script counts them down, and needs no clock that is right.
    let countdown = format!(" data-countdown=\"{}\"", now.time().until(at.time()).as_secs());
    format!("{} <span class=\"left\">({left})</span>", element(at, &countdown))
}

/// `2026-11-25 10:02 UTC (3m ago)`, as markup.
pub fn ago(at: impl AsAt, now: impl AsAt) -> String {
    let (at, now) = (at.at(), now.at());
    format!("{} <span class=\"left\">({} ago)</span>", element(at, ""), short(at.time().until(now.time())))
}

fn element(at: At, more: &str) -> String {
    let iso = at.to_string();
    // Without the seconds: nobody waits for a guard to the second, and a row is shorter.
    let minute = iso.get(..16).map_or_else(|| iso.clone(), |minute| minute.replacen('T', " ", 1));
    format!("<time datetime=\"{iso}\"{more}>{minute}&nbsp;UTC</time>")
}

/// `3h 10m`.
pub fn length(seconds: impl AsSeconds) -> String {
    short(Duration::from_secs(seconds.seconds()))
}

/// `1d 1h 1m 1s`: what was set, in the form that it is set in.
pub fn exact(seconds: impl AsSeconds) -> String {
    exactly(seconds.seconds())
}

/// `a`, `a and b`; `nobody` for none.
pub fn people(names: impl AsRef<[String]>) -> String {
    crate::cli::render::people(names.as_ref())
}

/// An internationalised name as people write it, where that is another text than `name`.
pub fn unicode(name: impl AsRef<str>) -> Option<String> {
    let name = name.as_ref();
    if !name.to_ascii_lowercase().split('.').any(|label| label.starts_with("xn--")) {
        return None;
    }
    let (text, outcome) = idna::domain_to_unicode(name);
    (outcome.is_ok() && text != name).then_some(text)
}

/// A value inside a path or a query.
pub fn encoded(text: impl AsRef<str>) -> String {
    let mut out = String::new();
    for octet in text.as_ref().bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(octet)),
            // Writing into a string does not fail.
            _ => drop(write!(out, "%{octet:02X}")),
        }
    }
    out
}

/// A zone's name inside a path. Names that pages of ours have, too, are written with their final dot.
pub fn zone_path(zone: impl AsRef<str>) -> String {
    let zone = zone.as_ref();
    let dot = if matches!(zone, "add" | "export.csv") { "." } else { "" };
    encoded(zone) + dot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Time;

    #[test]
    fn what_acts_or_hides_is_written_out_and_html_cannot_be_made() {
        assert_eq!(
            escaped("<img onerror='x' a=\"b\">&\u{1b}\n\u{9b}\u{202e}ü"),
            "&#60;img onerror=&#39;x&#39; a=&#34;b&#34;&#62;&#38;[U+001B][U+000A][U+009B][U+202E]ü"
        );
        let all: String = (0..=0x2100).filter_map(char::from_u32).collect();
        assert!(!escaped(&all).chars().any(|c| hides(c) || "<>\"'".contains(c)));
    }

    #[test]
    fn a_moment_has_its_iso_form_and_what_is_left_of_it() {
        let at = |s: i64| At::clock(Time::from_s(1_795_341_600 + s));
        assert_eq!(when(at(0)), "<time datetime=\"2026-11-22T10:00:00Z\">2026-11-22 10:00&nbsp;UTC</time>");
        assert!(until(at(7800), at(0)).ends_with("(in 2h 10m)</span>"));
        assert!(until(at(-1), at(0)).ends_with("(now due)</span>"));
        assert!(ago(at(-180), at(0)).ends_with("(3m ago)</span>"));
    }

    #[test]
    fn an_internationalised_name_is_shown_beside_its_form_on_the_wire_only_if_it_is_one() {
        assert_eq!(unicode("xn--mnchen-3ya.example").as_deref(), Some("münchen.example"));
        assert_eq!(unicode("example.org"), None);
        assert_eq!(unicode("xn--\\001.example"), None);
    }

    #[test]
    fn nothing_in_a_name_can_leave_its_part_of_a_path() {
        assert_eq!(encoded("a/b?c#d%\u{e9}"), "a%2Fb%3Fc%23d%25%C3%A9");
        assert_eq!(zone_path("128/26.2.0.192.in-addr.arpa"), "128%2F26.2.0.192.in-addr.arpa");
        assert_eq!((zone_path("a\\.b\\032c"), zone_path("add")), ("a%5C.b%5C032c".into(), "add.".into()));
    }
}
