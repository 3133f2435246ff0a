//! The reasons that Chorus gives when signatures are about to end. At rest nothing else looks at them.

use super::picture::Picture;
use super::security::is_secure;
use super::status::WaitingFor;
use crate::model::group::{SIGNATURE_EXPIRING, Step, ending, is_present};

/// Of each operator that takes part the signature that ends first, with the operator's name. None in a zone that no resolver
/// validates.
pub(super) fn signatures_ending(known: &Picture) -> Vec<(String, WaitingFor)> {
    if !is_secure(known) {
        return Vec::new();
    }
    let world = known.world();
    let present = known.members.keys().filter(|operator| is_present(&world, operator));
    let ending = present.filter_map(|operator| {
        let ending = ending(&world, operator);
        let first = ending.first()?;
        let others = match ending.len() {
            1 => String::new(),
            2 => format!("; and 1 more of {operator} ends too soon"),
            all => format!("; and {} more of {operator} end too soon", all - 1),
        };
        let text = format!("{operator}: {first}{others}");
        let wait = WaitingFor { step: Step::Settled, code: SIGNATURE_EXPIRING.into(), text, until: None };
        Some((operator.clone(), wait))
    });
    ending.collect()
}
