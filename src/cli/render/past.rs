//! What is over, as text: the history and the certificate.

use super::{Colour, Look, length, people};
use crate::api::wire::{Certificate, Exposure, History, Resolution};
use std::fmt::Write;

pub fn history(history: &History) -> String {
    if history.events.is_empty() {
        return format!("nothing has happened to {} yet\n", history.zone);
    }
    let width = history.events.iter().map(|event| event.kind.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    if history.more {
        text.push_str("(there are older events)\n");
    }
    for event in &history.events {
        // Most texts name the operator themselves: "wrote at a: ...", "a is serving".
        let named = |name: &&String| !event.text.split([' ', ':', ',']).take(3).any(|word| word == name.as_str());
        let operator = event.operator.as_ref().filter(named).map(|name| format!("{name}: ")).unwrap_or_default();
        let _ = writeln!(text, "{}  {:width$}  {operator}{}", event.at, event.kind, event.text);
    }
    text
}

pub fn certificate(certificate: &Certificate, look: &Look) -> String {
    let mut text = String::new();
    let colour = if certificate.exposures.is_empty() { Colour::Good } else { Colour::Bad };
    let took = certificate.started.time().until(certificate.ended.time());
    let _ = writeln!(text, "{}", look.paint(colour, &certificate.verdict));
    let _ = writeln!(text, "zone            {}", certificate.zone);
    let _ = writeln!(text, "transition      {}", certificate.transition);
    let _ = writeln!(text, "from            {}", people(&certificate.from));
    let _ = writeln!(text, "to              {}", people(&certificate.to));
    let _ = writeln!(text, "started         {}", certificate.started);
    let _ = writeln!(text, "ended           {} (took {})", certificate.ended, length(took));
    let _ = writeln!(text, "pairs checked   {}", certificate.pairs_checked);
    let margin = certificate.margin.as_deref().unwrap_or("nothing incompatible was ever served");
    let _ = writeln!(text, "margin          {margin}");
    text.push_str(&exposures("exposures       ", &certificate.exposures));
    if !certificate.not_looked_at.is_empty() {
        text.push_str("not looked at:\n");
    }
    for not in &certificate.not_looked_at {
        let _ = writeln!(text, "  - {not}");
    }
    text.push_str("assumed, not observed:\n");
    for assumption in &certificate.assumptions {
        let _ = writeln!(text, "  - {assumption}");
    }
    if let Some(resolution) = &certificate.resolution {
        text.push_str(&resolved(resolution));
    }
    text
}

fn resolved(resolution: &Resolution) -> String {
    let how = if resolution.validated { "resolved and validated" } else { "resolved, without validation" };
    let at = resolution.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
    let (answers, addresses) = (resolution.answers, resolution.addresses.len());
    let mut text = format!("{how} from the parent's servers down{at}: {answers} answers of {addresses} addresses\n");
    for address in &resolution.addresses {
        let _ = writeln!(text, "  - {address}");
    }
    let _ = writeln!(text, "  answers for: {}", resolution.resolved.join(", "));
    text.push_str("not tried:\n");
    for untried in &resolution.untried {
        let _ = writeln!(text, "  - {untried}");
    }
    text
}

/// `label` is as wide as the column it stands in.
pub(super) fn exposures(label: &str, exposures: &[Exposure]) -> String {
    if exposures.is_empty() {
        return format!("{label}none\n");
    }
    let mut text = String::new();
    let indent = " ".repeat(label.len());
    for (index, exposure) in exposures.iter().enumerate() {
        let start = if index == 0 { label } else { &indent };
        let until = exposure.until.map_or_else(|| "still".to_owned(), |until| format!("until {until}"));
        let _ = writeln!(text, "{start}from {} {until}: {} ({})", exposure.from, exposure.what, exposure.who);
    }
    text
}
