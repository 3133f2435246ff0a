//! A certificate held against what the evidence proves.

use crate::certificate::{Certificate, ClaimedExposure};
use crate::clock;
use crate::evidence::Evidence;
use crate::judge::{Judgement, judge};
use crate::names::Name;
use std::collections::BTreeSet;
use std::fmt;

/// Which claim of a certificate the evidence contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// The transition's id.
    Transition,
    /// The zone's name.
    Zone,
    /// The operators before or after.
    Operators,
    /// When it started or ended.
    Times,
    /// The evidence contradicts itself.
    Evidence,
    /// The sentence of the verdict does not say what the certificate lists.
    Verdict,
    /// There were exposures that the certificate does not admit.
    Exposures,
    /// Something is not known that the certificate does not admit.
    Completeness,
    /// The margin is smaller than the certificate claims.
    Margin,
}

/// A claim that the evidence contradicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Which claim.
    pub claim: Claim,
    /// What the certificate claims and what the evidence shows: one sentence.
    pub what: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Returns every claim of the certificate that the evidence contradicts; nothing if they agree.
pub fn verify(certificate: &Certificate, evidence: &Evidence) -> Vec<Disagreement> {
    let mut found = Vec::new();
    identity(certificate, evidence, &mut found);
    sentence(certificate, &mut found);
    match judge(evidence) {
        Err(what) => add(&mut found, Claim::Evidence, format!("the evidence cannot be used: {what}")),
        Ok(judgement) => {
            seen_after_the_end(evidence, &mut found);
            exposures(certificate, &judgement, &mut found);
            completeness(certificate, &judgement, &mut found);
            margin(certificate, &judgement, &mut found);
        }
    }
    found
}

fn add(found: &mut Vec<Disagreement>, claim: Claim, what: String) {
    found.push(Disagreement { claim, what });
}

/// Whether the certificate and the evidence are about the same transition.
fn identity(certificate: &Certificate, evidence: &Evidence, found: &mut Vec<Disagreement>) {
    if certificate.transition != evidence.transition {
        let (claimed, shown) = (&certificate.transition, &evidence.transition);
        add(found, Claim::Transition, format!("the certificate is of transition {claimed}, the evidence of {shown}"));
    }
    let zone = Name::from_text(&certificate.zone);
    if zone.is_none() || zone != Name::from_text(&evidence.zone) {
        let (claimed, shown) = (&certificate.zone, &evidence.zone);
        add(found, Claim::Zone, format!("the certificate is of the zone {claimed}, the evidence of {shown}"));
    }
    let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<String>>();
    let groups = [("before", &certificate.from, &evidence.from), ("after", &certificate.to, &evidence.to)];
    for (when, claimed, shown) in groups {
        if set(claimed) != set(shown) {
            let (claimed, shown) = (claimed.join(", "), shown.join(", "));
            add(
                found,
                Claim::Operators,
                format!("the certificate names the operators {claimed} {when} the transition, the evidence {shown}"),
            );
        }
    }
    let times =
        [("started", &certificate.started, evidence.started_ms), ("ended", &certificate.ended, evidence.ended_ms)];
    for (what, claimed, shown_ms) in times {
        if clock::read(claimed) != Some(shown_ms) {
            let shown = clock::text(shown_ms);
            add(
                found,
                Claim::Times,
                format!("by the certificate the transition {what} at {claimed}, by the evidence at {shown}"),
            );
        }
    }
}

/// What the sentence of a verdict says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Clean,
    Incomplete,
    Exposures,
}

impl Class {
    fn text(self) -> &'static str {
        match self {
            Class::Clean => "no resolver could have failed",
            Class::Incomplete => "nothing observed could make a resolver fail, and not everything was looked at",
            Class::Exposures => "resolvers could have failed",
        }
    }

    fn of_sentence(verdict: &str) -> Option<Class> {
        if verdict.starts_with("no resolver could have failed") {
            Some(Class::Clean)
        } else if verdict.starts_with("nothing that was observed could make a resolver fail") {
            Some(Class::Incomplete)
        } else if verdict.starts_with("resolvers could fail") || verdict.contains("could have been cached together") {
            Some(Class::Exposures)
        } else {
            None
        }
    }

    fn of_lists(certificate: &Certificate) -> Class {
        match (certificate.exposures.is_empty(), certificate.not_looked_at.is_empty()) {
            (false, _) => Class::Exposures,
            (true, false) => Class::Incomplete,
            (true, true) => Class::Clean,
        }
    }
}

/// Whether the verdict's sentence says what the certificate's lists say.
fn sentence(certificate: &Certificate, found: &mut Vec<Disagreement>) {
    let listed = Class::of_lists(certificate);
    match Class::of_sentence(&certificate.verdict) {
        Some(said) if said == listed => {}
        Some(said) => add(
            found,
            Claim::Verdict,
            format!("the verdict says that {}, and the lists of the certificate that {}", said.text(), listed.text()),
        ),
        None => add(found, Claim::Verdict, format!("Chorus writes no such verdict: {:?}", certificate.verdict)),
    }
}

/// A certificate cannot rest on looks that came after it.
fn seen_after_the_end(evidence: &Evidence, found: &mut Vec<Disagreement>) {
    for track in &evidence.tracks {
        if let Some(span) = track.spans.iter().find(|span| span.last_seen_ms > evidence.ended_ms) {
            let (seen, end) = (clock::text(span.last_seen_ms), clock::text(evidence.ended_ms));
            let place = format!("{} ({})", track.host, track.address);
            add(
                found,
                Claim::Evidence,
                format!("the evidence shows {place} at {seen}, after the transition's end at {end}"),
            );
        }
    }
}

/// Each exposure is admitted. A certificate may admit more than the evidence shows: that claims no safety that there was not.
fn exposures(certificate: &Certificate, judgement: &Judgement, found: &mut Vec<Disagreement>) {
    let time = |claimed: &ClaimedExposure| {
        let until = claimed.until.as_deref().map_or(Some(i64::MAX), clock::read);
        // The end of what has no end in sight is not written, nor is a beginning before all records.
        (clock::read(&claimed.from).unwrap_or(i64::MIN), until.unwrap_or(i64::MAX))
    };
    for exposure in &judgement.exposures {
        let is_admitted = certificate
            .exposures
            .iter()
            .map(time)
            .any(|(from, until)| from < exposure.until_ms && exposure.from_ms < until);
        if !is_admitted {
            add(
                found,
                Claim::Exposures,
                format!("the certificate does not admit that resolvers could fail {exposure}"),
            );
        }
    }
}

/// The certificate admits that something is not known, where the evidence shows that. It may admit more: that claims no safety.
fn completeness(certificate: &Certificate, judgement: &Judgement, found: &mut Vec<Disagreement>) {
    if let (true, Some(unknown)) = (certificate.not_looked_at.is_empty(), judgement.unknown.first()) {
        add(found, Claim::Completeness, format!("the certificate does not admit what is not known: {unknown}"));
    }
}

/// The certificate claims no larger margin than the evidence shows. In an exposure there is none.
fn margin(certificate: &Certificate, judgement: &Judgement, found: &mut Vec<Disagreement>) {
    let Some(shown) = &judgement.smallest_margin else { return };
    match certificate.smallest_slack_s {
        Some(claimed_s) if claimed_s <= shown.ms / 1000 => {}
        Some(claimed_s) => {
            add(
                found,
                Claim::Margin,
                format!("the certificate claims a smallest margin of {claimed_s} s, the evidence shows {shown}"),
            );
        }
        None => add(
            found,
            Claim::Margin,
            format!("the certificate claims that nothing incompatible was served, the evidence shows {shown}"),
        ),
    }
}
