//! Answers as text: tables on a terminal, plain columns in a pipe, sentences where a sentence says it better.
//!
//! Invariant: strings that reach this module were made fit for a terminal (`client::understand`); [`escape`] is how.
//! Nothing is fetched or judged here.

mod access;
mod check;
mod grid;
mod operator;
mod past;
mod plan;
mod reports;
mod zone;

pub use access::{account_link, accounts, audit, audit_verified, token_made, tokens};
pub use check::check;
pub use operator::{
    capabilities, capabilities_markdown, key_rotated, operator, operator_rotated, operator_test, operators,
};
pub use past::{certificate, history};
pub use plan::plan;
pub use reports::{parents, statistics};
pub use zone::{policy, set, zone, zones};

use crate::api::wire::At;
use serde_json::Value;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

/// What stdout is.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub terminal: bool,
    pub colour: bool,
    /// In columns; of no use when it is no terminal.
    pub width: u16,
}

impl Look {
    /// A pipe: no frames, no colours.
    pub const PIPE: Look = Look { terminal: false, colour: false, width: 0 };

    pub fn of_stdout(no_colour: bool) -> Look {
        let terminal = std::io::stdout().is_terminal();
        let unwanted = no_colour
            || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Look { terminal, colour: terminal && !unwanted, width: console::Term::stdout().size().1 }
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Bold => "1",
            Colour::Good => "1;32",
            Colour::Waiting => "1;33",
            Colour::Bad => "1;31",
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[derive(Clone, Copy)]
enum Colour {
    Bold,
    Good,
    Waiting,
    Bad,
}

/// Whether a terminal may act on it instead of showing it: C0, C1, DEL, and what turns the direction of text around.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

/// The text with everything that a terminal would act on written out as `\u{1b}`.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// [`escape`] for every string in a JSON value, keys too.
pub fn escape_all(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().any(acts) => *text = escape(text),
        Value::Array(values) => values.iter_mut().for_each(escape_all),
        Value::Object(fields) => {
            if fields.keys().any(|key| key.chars().any(acts)) {
                *fields = std::mem::take(fields).into_iter().map(|(key, value)| (escape(&key), value)).collect();
            }
            fields.values_mut().for_each(escape_all);
        }
        _ => {}
    }
}

/// The API's object as it is, indented. What a terminal would act on is in JSON's own escapes.
pub fn json(value: &Value) -> String {
    let mut text = String::new();
    for c in format!("{value:#}").chars() {
        if acts(c) && c != '\n' {
            // All of them are in the basic plane, and all are inside strings: line feeds there are escaped already.
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

/// `3h 10m`: the two largest units, which is as much as one reads.
pub fn length(duration: Duration) -> String {
    units(duration.as_secs(), 2)
}

/// `1d 1h 1m 1s`, nothing left out: what was set, in the form that it is set in.
pub fn exactly(seconds: u64) -> String {
    units(seconds, 4)
}

fn units(seconds: u64, most: usize) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let shown = parts.iter().skip_while(|(count, _)| *count == 0).take(most).filter(|(count, _)| *count > 0);
    let text = shown.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ");
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// `2026-11-23T04:00:00Z (in 3h 10m)`.
fn ahead(at: At, now: At) -> String {
    let left = now.time().until(at.time());
    if left.is_zero() { format!("{at} (now due)") } else { format!("{at} (in {})", length(left)) }
}

fn ago(at: At, now: At) -> String {
    format!("{} ago", length(at.time().until(now.time())))
}

/// `a`, `a and b`, `a, b and c`; `nobody` for none.
pub fn people(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_terminal_would_act_on_is_written_out() {
        assert_eq!(
            escape("a\u{1b}]0;x\u{7}\r\n\u{9b}2J\u{202e}ü"),
            "a\\u{1b}]0;x\\u{7}\\u{d}\\u{a}\\u{9b}2J\\u{202e}ü"
        );
        let mut value = json!({"a\u{1b}": ["\u{9b}", {"b": "ok"}]});
        let shown = super::json(&value);
        assert!(!shown.chars().any(|c| acts(c) && c != '\n'), "{shown}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        escape_all(&mut value);
        assert_eq!(value, json!({"a\\u{1b}": ["\\u{9b}", {"b": "ok"}]}));
    }

    #[test]
    fn lengths_have_two_units_at_most() {
        assert_eq!(length(Duration::from_secs(3 * 3600 + 601)), "3h 10m");
        assert_eq!(length(Duration::from_millis(4900)), "4s");
        assert_eq!(length(Duration::from_secs(3 * 86_400 + 30)), "3d");
        assert_eq!(length(Duration::ZERO), "0s");
        assert_eq!(exactly(86_400 + 61), "1d 1m 1s");
    }
}
