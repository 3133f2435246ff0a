//! What speaks against a transition, or is worth knowing before it: functions from facts to findings.
//!
//! Invariant: a finding has a stable code, a sentence with names and numbers out of the facts, and what can be done. What
//! was not seen is no finding, and never counts as good either: whoever could not be asked is said to be so. Only
//! [`Severity::Error`] stands in the way of a transition; nothing here writes, asks or waits.
//!
//! What has to be true for the ladder to be entered at all is said by `group::preflight`, and is part of the outcome.

mod abilities;
mod addresses;
mod cds;
mod content;
mod ds;
mod facts;
mod keys;
mod listing;
mod parent;
mod servers;
mod signatures;
mod validity;
mod zone;

pub use facts::{Answered, Contents, Denial, Inspected, Inspection, Signature, Soa, Unanswered, Unlisted, Validity};
pub use signatures::signature_ends_in_caches;
pub use validity::of_address as data_findings;

use super::dns::{Name, RecordType, name_text, type_text};
use super::group::{Forecast, World, preflight as entry};
use std::time::Duration;

/// How bad it is. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A transition is refused.
    Error,
    /// Resolvers or people may be surprised, or a wait is longer than it has to be.
    Warning,
    /// Allowed, and good to know.
    Note,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable, kebab-case.
    pub code: &'static str,
    pub severity: Severity,
    /// The evidence: one sentence with names and numbers.
    pub text: String,
    /// What the user can do.
    pub fix: String,
}

fn error(code: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { code, severity: Severity::Error, text: text.into(), fix: fix.into() }
}

fn warning(code: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { code, severity: Severity::Warning, text: text.into(), fix: fix.into() }
}

fn note(code: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { code, severity: Severity::Note, text: text.into(), fix: fix.into() }
}

/// Everything that the findings are made of.
#[derive(Clone, Copy)]
struct Scene<'a> {
    world: &'a World<'a>,
    inspection: &'a Inspection,
    forecast: &'a Forecast,
}

/// All findings on the way to the desired group of this world, the worst first.
pub fn check(world: &World<'_>, inspection: &Inspection, forecast: &Forecast) -> Vec<Finding> {
    let scene = Scene { world, inspection, forecast };
    let refused = entry(world).into_iter();
    let mut findings: Vec<Finding> = refused.map(|refused| error(refused.code, refused.text, refused.fix)).collect();
    findings.extend(abilities::findings(scene));
    findings.extend(addresses::findings(scene));
    findings.extend(servers::findings(scene));
    findings.extend(keys::findings(scene));
    findings.extend(signatures::findings(scene));
    findings.extend(validity::findings(scene));
    findings.extend(zone::findings(scene));
    findings.extend(listing::findings(scene));
    findings.extend(content::findings(scene));
    findings.extend(parent::findings(scene));
    findings.extend(cds::findings(scene));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

impl<'a> Scene<'a> {
    /// The operators in the zone or on their way in or out, with the addresses of each that were inspected.
    fn inspected(self) -> impl Iterator<Item = (&'a String, Vec<&'a Inspected>)> {
        self.world.members.keys().map(move |operator| (operator, self.inspection.of(operator).collect()))
    }

    fn is_desired(self, operator: &str) -> bool {
        self.world.desired().any(|desired| desired == operator)
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: impl IntoIterator<Item = impl ToString>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.concat(),
    }
}

fn what(name: &Name, rtype: RecordType) -> String {
    format!("{} {}", name_text(name), type_text(rtype))
}

/// As exact as one reads it: days with hours, hours with minutes.
fn length(duration: Duration) -> humantime::FormattedDuration {
    let exact = match duration.as_secs() {
        s if s >= 86_400 => s - s % 3600,
        s if s >= 3600 => s - s % 60,
        s => s,
    };
    humantime::format_duration(Duration::from_secs(exact))
}

fn seconds(s: u64) -> String {
    if s < 120 { format!("{s} s") } else { format!("{s} s ({})", length(Duration::from_secs(s))) }
}
