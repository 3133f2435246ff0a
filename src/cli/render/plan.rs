//! A plan as numbered steps: what is awaited, what is then written, when that can be at the earliest.

use super::operator::checks;
use super::{Colour, Look, ahead, length, people};
use crate::api::wire::{Actor, At, Guard, Outcome, Plan, Requests, Step, StepState};
use std::fmt::Write;
use std::time::Duration;

pub fn plan(plan: &Plan, look: &Look) -> String {
    let mut text = String::new();
    let to: Vec<String> = plan
        .to
        .iter()
        .map(|op| if plan.trusted.contains(op) { format!("{op} (trusted only)") } else { op.clone() })
        .collect();
    let from_to = match &plan.algorithm {
        Some(change) => format!("{}: from {} to {}", plan.zone, change.from, change.to),
        None => format!("{}: from {} to {}", plan.zone, people(&plan.from), people(&to)),
    };
    let refused = plan.refusals.iter().any(|check| check.outcome == Outcome::Fail);
    let verdict = match (refused, plan.steps.len(), plan.ends_earliest) {
        (true, ..) => look.paint(Colour::Bad, "would be refused; nothing was changed"),
        (_, 0, _) => look.paint(Colour::Good, "nothing to change"),
        (_, n, Some(end)) => format!("{n} steps, ends {} at the earliest", ahead(end, plan.now)),
        (_, n, None) => format!("{n} steps; when it ends is not known: it depends on what has not been seen yet"),
    };
    let _ = writeln!(text, "{}: {verdict}", look.paint(Colour::Bold, &from_to));
    text.push_str(&checks(&plan.refusals, look));
    for requests in &plan.requests {
        let Requests { operator, writes, requests, zones_ahead, permitted_at } = requests;
        let behind = match zones_ahead {
            0 => String::new(),
            1 => ", behind 1 zone under way".to_owned(),
            many => format!(", behind {many} zones under way"),
        };
        let _ = writeln!(
            text,
            "{operator}: {writes} writes take {requests} requests of its account{behind}; permitted until {}",
            ahead(*permitted_at, plan.now)
        );
    }
    for step in &plan.steps {
        text.push('\n');
        one(&mut text, step, plan, look);
    }
    text
}

fn one(text: &mut String, step: &Step, plan: &Plan, look: &Look) {
    let state = match step.state {
        StepState::Done => look.paint(Colour::Good, " [done]"),
        StepState::Now => look.paint(Colour::Waiting, " [now]"),
        StepState::Ahead => String::new(),
    };
    let actor = match step.actor {
        Actor::Chorus => "",
        Actor::Operator => " (the operator acts)",
        Actor::Parent => " (the parent acts)",
        Actor::You => " (you act)",
    };
    let _ = writeln!(text, "{:>3}. {}{actor}{state}", step.number, look.paint(Colour::Bold, &step.title));
    for guard in &step.guards {
        awaited(text, guard, plan.now);
    }
    match step.earliest {
        Some(at) if step.state != StepState::Done => {
            let _ = writeln!(text, "     earliest  {}", ahead(at, plan.now));
        }
        _ => {}
    }
    for write in &step.writes {
        let _ = writeln!(text, "     at {}, {}:", write.operator, write.rtype);
        for record in &write.add {
            let _ = writeln!(text, "       + {record}");
        }
        for record in &write.remove {
            let _ = writeln!(text, "       - {record}");
        }
    }
}

fn awaited(text: &mut String, guard: &Guard, now: At) {
    let until = guard.until.map_or_else(String::new, |until| format!(", until {} at the earliest", ahead(until, now)));
    let _ = writeln!(text, "     before    {} ({}){until}", guard.text, guard.code);
    for number in &guard.numbers {
        let seconds = number.seconds;
        let readable =
            if seconds < 120 { String::new() } else { format!(" = {}", length(Duration::from_secs(seconds))) };
        let _ = writeln!(text, "               {}: {seconds} s{readable}", number.what);
    }
}
