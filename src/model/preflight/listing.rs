//! Zones that could not be listed, and which largest TTL is counted with in their place.

use super::{Finding, Scene, note, seconds, warning};
use crate::model::history::DataTtl;

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let world = scene.world;
    let mut findings = Vec::new();
    for operator in world.members.keys() {
        let ttl = world.lifetimes.data_ttl(operator);
        if let Some(unlisted) = scene.inspection.unlisted.get(operator) {
            let (code, what) = match unlisted.forbidden {
                true => ("listing-refused", "its zone may not be listed"),
                false => ("listing-failed", "its zone could not be listed, and whether it may be is not known"),
            };
            let text = format!("{operator}: {what}: {}; no TTL there is taken to be longer than {ttl}", unlisted.why);
            // What nobody has said or seen may be wrong without anybody noticing.
            let assumed = matches!(ttl, DataTtl::Assumed(_));
            findings.push(if assumed { warning(code, text, &*unlisted.fix) } else { note(code, text, &*unlisted.fix) });
        }
        if let (DataTtl::Seen(seen), Some(said)) = (ttl, world.lifetimes.policy.data_ttl_max_s)
            && said < seen
        {
            findings.push(note(
                "data-ttl-too-small",
                format!(
                    "{operator}: a listing of its zone showed a TTL of {}, and the policy says that none is longer than {}: Chorus \
                     counts with {} until a later listing shows less and the old records have expired from caches",
                    seconds(seen),
                    seconds(said),
                    seconds(seen)
                ),
                "nothing has to be done; `chorus zone policy ZONE --data-ttl-max 0s` leaves it to what listings show",
            ));
        }
    }
    findings
}
