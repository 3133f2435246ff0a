//! Findings as text: the verdict in one line, then by severity what was found, and what to do about each.

use super::{Colour, Look, people};
use crate::api::wire::{Finding, Severity, ZoneCheck};
use std::fmt::Write;

pub fn check(check: &ZoneCheck, look: &Look) -> String {
    let what = if check.from == check.to {
        format!("{} with {}", check.zone, people(&check.to))
    } else {
        format!("{}: from {} to {}", check.zone, people(&check.from), people(&check.to))
    };
    let of = |severity: Severity| check.findings.iter().filter(move |finding| finding.severity == severity);
    let counts: Vec<String> = [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Note, "note", "notes"),
    ]
    .into_iter()
    .filter_map(|(severity, one, many)| match of(severity).count() {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    })
    .collect();
    let counts = if counts.is_empty() { "nothing found".to_owned() } else { people(&counts) };
    let (colour, verdict) = match (check.refused, of(Severity::Warning).next()) {
        (true, _) => (Colour::Bad, "a change would be refused"),
        (false, Some(_)) => (Colour::Waiting, "nothing stands in the way"),
        (false, None) => (Colour::Good, "nothing stands in the way"),
    };
    let asked = match check.addresses {
        1 => "1 address".to_owned(),
        n => format!("{n} addresses"),
    };
    let mut text =
        format!("{}: {} ({counts}; {asked} asked)\n", look.paint(Colour::Bold, &what), look.paint(colour, verdict));
    for (severity, title, colour) in [
        (Severity::Error, "ERRORS", Colour::Bad),
        (Severity::Warning, "WARNINGS", Colour::Waiting),
        (Severity::Note, "NOTES", Colour::Bold),
    ] {
        if of(severity).next().is_some() {
            let _ = writeln!(text, "\n{}", look.paint(colour, title));
            of(severity).for_each(|finding| one(&mut text, finding, look));
        }
    }
    text
}

fn one(text: &mut String, finding: &Finding, look: &Look) {
    let _ = writeln!(text, "  {}", look.paint(Colour::Bold, &finding.code));
    let _ = writeln!(text, "    {}", finding.text);
    let _ = writeln!(text, "    do: {}", finding.fix);
}
