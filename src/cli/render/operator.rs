//! Operators as text.

use super::grid::Grid;
use super::{Colour, Look};
use crate::api::wire::{
    Capabilities, KeyRotated, NameServer, OperatorList, OperatorRotated, OperatorShow, OperatorTest, Outcome,
};
use std::fmt::Write;

fn name_server(server: &NameServer) -> String {
    if server.addresses.is_empty() {
        return server.host.clone();
    }
    let addresses: Vec<String> = server.addresses.iter().map(ToString::to_string).collect();
    format!("{}={}", server.host, addresses.join(","))
}

/// Where its interface is.
fn place(operator: &OperatorShow) -> String {
    match (&operator.update, &operator.api) {
        (Some(update), _) => update.to_string(),
        (None, Some(api)) => match api.server_id.as_deref() {
            None | Some("localhost") => api.url.clone(),
            Some(server_id) => format!("{} ({server_id})", api.url),
        },
        (None, None) => String::new(),
    }
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

pub fn operators(list: &OperatorList, look: &Look) -> String {
    if list.operators.is_empty() {
        return "no operators yet; add one with 'chorus operator add'\n".to_owned();
    }
    let mut grid = Grid::new(["NAME", "PROVIDER", "DRIVEN AT", "NAME SERVERS", "ZONES"]);
    for operator in &list.operators {
        grid.row(vec![
            operator.name.clone(),
            operator.provider.clone(),
            place(operator),
            operator.name_servers.iter().map(name_server).collect::<Vec<_>>().join(" "),
            operator.zones.len().to_string(),
        ]);
    }
    grid.draw(look)
}

pub fn capabilities(seen: &Capabilities, look: &Look) -> String {
    let by = if seen.way == "D" { "dynamic updates" } else { "a REST API" };
    let mut text = format!("{} ({}, driven by {by}) in {}\n", seen.operator, seen.provider, seen.zone);
    text.push_str(&checks(std::slice::from_ref(&seen.interface), look));
    let mut grid = Grid::new(["ABILITY", "", "WHAT IT IS", "SEEN"]);
    for ability in &seen.abilities {
        let verdict = match ability.is_there {
            Some(true) => look.paint(Colour::Good, "yes"),
            Some(false) => look.paint(Colour::Bad, "no"),
            None => "?".to_owned(),
        };
        grid.row(vec![ability.ability.clone(), verdict, ability.text.clone(), ability.evidence.clone()]);
    }
    text.push_str(&grid.draw(look));
    match &seen.oversteps {
        None => {}
        Some(none) if none.is_empty() => text.push_str("the credential may change nothing else that was tried\n"),
        Some(may) => {
            let _ = writeln!(text, "the credential may change more than Chorus needs: {}", may.join(", "));
        }
    }
    text
}

/// One column for each operator; a letter says by which way it can.
pub fn capabilities_markdown(seen: &[Capabilities]) -> String {
    let mut text = String::from("| ability |");
    for one in seen {
        let _ = write!(text, " {} |", one.operator);
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(seen.len()));
    for ability in seen.first().map(|one| one.abilities.as_slice()).unwrap_or_default() {
        let _ = write!(text, "| `{}`: {} |", ability.ability, ability.text);
        for one in seen {
            let of = one.abilities.iter().find(|other| other.ability == ability.ability);
            let cell = match of.map(|other| other.is_there) {
                Some(Some(true)) => one.way.as_str(),
                Some(Some(false)) => "–",
                _ => "?",
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text
}

pub fn operator_rotated(rotated: &OperatorRotated) -> String {
    let OperatorRotated { operator, tried_in } = rotated;
    format!("the new credential of {operator} is good in {}, and used from now on\n", or_none(tried_in))
}

pub fn key_rotated(rotated: &KeyRotated) -> String {
    match rotated.resealed {
        1 => "1 secret is sealed with a new master key\n".to_owned(),
        many => format!("{many} secrets are sealed with a new master key\n"),
    }
}

pub fn operator(operator: &OperatorShow) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", operator.name);
    let _ = match operator.update {
        Some(update) => writeln!(text, "provider      {}, updates to {update}", operator.provider),
        None => writeln!(text, "provider      {} at {}", operator.provider, place(operator)),
    };
    if let Some(tsig) = &operator.tsig {
        let _ = writeln!(text, "TSIG key      {} ({})", tsig.name, tsig.algorithm.name());
    }
    for (index, server) in operator.name_servers.iter().enumerate() {
        let label = if index == 0 { "name servers" } else { "" };
        let lookup = if server.addresses.is_empty() { " (addresses are looked up)" } else { "" };
        let _ = writeln!(text, "{label:12}  {}{lookup}", name_server(server));
    }
    let _ = writeln!(text, "zones         {}", or_none(&operator.zones));
    text
}

pub fn operator_test(test: &OperatorTest, look: &Look) -> String {
    let failed = test.checks.iter().filter(|check| check.outcome == Outcome::Fail).count();
    let untried = test.checks.iter().any(|check| check.outcome == Outcome::Untried);
    let verdict = match failed {
        0 if untried => look.paint(
            Colour::Waiting,
            &format!("Whether {} can take part in {} could not be tried.", test.operator, test.zone),
        ),
        0 => look.paint(Colour::Good, &format!("{} can take part in {}.", test.operator, test.zone)),
        1 => look.paint(Colour::Bad, &format!("{} cannot take part in {}: a check failed.", test.operator, test.zone)),
        n => {
            look.paint(Colour::Bad, &format!("{} cannot take part in {}: {n} checks failed.", test.operator, test.zone))
        }
    };
    format!("{verdict}\n{}", checks(&test.checks, look))
}

pub(super) fn checks(checks: &[crate::api::wire::Check], look: &Look) -> String {
    let width = checks.iter().map(|check| check.code.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let outcome = match check.outcome {
            Outcome::Pass => look.paint(Colour::Good, "pass"),
            Outcome::Warn => look.paint(Colour::Waiting, "warn"),
            Outcome::Fail => look.paint(Colour::Bad, "FAIL"),
            Outcome::Untried => look.paint(Colour::Waiting, "----"),
        };
        let _ = writeln!(text, "{outcome}  {:width$}  {}", check.code, check.text);
        if let Some(fix) = &check.fix {
            let _ = writeln!(text, "      {:width$}  do: {fix}", "");
        }
    }
    text
}
