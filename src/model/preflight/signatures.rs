//! Signatures against the waits ahead: they are absolute moments, and whoever caches an answer must not outlive them.
//!
//! Servers sign again by themselves, so a signature that ends early is a warning. It is an error when it ends before the
//! caches would let it go: a server that signs in time never lets it come to that.

use super::{Finding, Inspected, Scene, Signature, Soa, error, length, note, seconds, warning, what};
use crate::model::group::{Forecast, World};
use crate::model::switches::Switch;
use crate::model::time::Time;
use std::time::Duration;

/// How much longer than the longest wait a signature should last: a day in which somebody can mend the signer.
pub const MARGIN: Duration = Duration::from_secs(86_400);
/// How far back signers usually begin a signature, for validators whose clocks are late.
const INCEPTION_BACK: Duration = Duration::from_secs(3600);

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let wait = longest_wait(scene.forecast, scene.world.now);
    for (operator, servers) in scene.inspected() {
        let all = || servers.iter().flat_map(|seen| seen.signatures.iter().map(move |signature| (*seen, signature)));
        let first = all().filter(|_| !scene.world.leaves_out(Switch::SignatureLifetime));
        if let Some((seen, first)) = first.min_by_key(|(_, signature)| signature.expiration) {
            findings.extend(expiring(scene, operator, seen, first, &wait));
        }
        if let Some((seen, last)) = all().max_by_key(|(_, signature)| signature.inception) {
            findings.extend(young(scene.world.now, operator, seen, last));
        }
        let shortest = all().map(|(_, s)| s.inception.until(s.expiration)).min();
        let soa = servers.iter().find_map(|seen| seen.soa.as_ref());
        findings.extend(shortest.zip(soa).and_then(|(valid, soa)| soa_expire(operator, soa, valid)));
    }
    findings
}

/// The longest time between two steps, and what it ends with.
struct Wait {
    lasts: Duration,
    before: String,
}

fn longest_wait(forecast: &Forecast, now: Time) -> Wait {
    let mut longest = Wait { lasts: Duration::ZERO, before: String::new() };
    let mut before = now;
    for step in &forecast.steps {
        let lasts = before.until(step.earliest);
        if lasts > longest.lasts {
            longest = Wait { lasts, before: step.title.clone() };
        }
        before = before.max(step.earliest);
    }
    let lasts = before.until(forecast.ends);
    if lasts > longest.lasts {
        longest = Wait { lasts, before: "the end".into() };
    }
    longest
}

/// The signature that an address showed, and that has expired or ends before caches let go what it covers.
pub fn signature_ends_in_caches(world: &World<'_>, operator: &str, seen: &Inspected) -> Option<Finding> {
    let mut each = seen.signatures.iter();
    each.find_map(|signature| ends_in_caches(world, operator, seen, signature))
}

fn ends_in_caches(world: &World<'_>, operator: &str, seen: &Inspected, signature: &Signature) -> Option<Finding> {
    let (now, policy) = (world.now, &world.lifetimes.policy);
    let of = begins(operator, seen, signature);
    if signature.expiration <= now {
        return Some(error(
            "signature-expiring",
            format!("{of} has expired at {}", signature.expiration),
            "see why the zone is not signed again there",
        ));
    }
    let left = now.until(signature.expiration);
    (left < policy.cached(u64::from(signature.ttl_s)) + policy.slack()).then(|| {
        let ttl = seconds(u64::from(signature.ttl_s));
        error(
            "signature-expiring",
            format!("{of} {}: sooner than its TTL of {ttl} runs out in caches", ends(now, signature)),
            "see why the zone is not signed again in time there: the refresh must come sooner than a TTL before the end",
        )
    })
}

fn begins(operator: &str, seen: &Inspected, signature: &Signature) -> String {
    format!("{operator}: the signature of {} at {}", what(&signature.name, signature.covers), seen.server)
}

fn ends(now: Time, signature: &Signature) -> String {
    format!("ends at {}, in {}", signature.expiration, length(now.until(signature.expiration)))
}

fn expiring(scene: Scene<'_>, operator: &str, seen: &Inspected, signature: &Signature, wait: &Wait) -> Option<Finding> {
    let now = scene.world.now;
    let too_soon = ends_in_caches(scene.world, operator, seen, signature);
    if too_soon.is_some() || now.until(signature.expiration) >= wait.lasts + MARGIN {
        return too_soon;
    }
    let against = if wait.lasts.is_zero() {
        "that is less than a day".to_owned()
    } else {
        format!("the longest wait, before “{}”, is {} and a day should be left", wait.before, length(wait.lasts))
    };
    Some(warning(
        "signature-expiring",
        format!("{} {}; {against}", begins(operator, seen, signature), ends(now, signature)),
        "see that the server signs again by itself, or let its signatures last longer: one that stops signing in mid-transition breaks the zone",
    ))
}

fn young(now: Time, operator: &str, seen: &Inspected, signature: &Signature) -> Option<Finding> {
    let age = signature.inception.until(now);
    (age < INCEPTION_BACK).then(|| {
        note(
            "signature-inception",
            format!(
                "{operator}: the signature of {} at {} begins at {}, {} ago: a validator whose clock is later than that refuses it",
                what(&signature.name, signature.covers),
                seen.server,
                signature.inception,
                length(age)
            ),
            "let the signer date its signatures back by an hour",
        )
    })
}

/// A secondary that has lost its primary goes on serving until the SOA's expire time (RFC 6781 §4.4.2).
fn soa_expire(operator: &str, soa: &Soa, valid: Duration) -> Option<Finding> {
    let expire = Duration::from_secs(u64::from(soa.expire_s));
    let text = format!(
        "{operator}: secondaries may serve for {} without their primary (SOA expire), signatures are valid for {}",
        length(expire),
        length(valid)
    );
    let fix = "set SOA expire to a third or a quarter of the signatures' validity (RFC 6781 §4.4.2)";
    match () {
        () if expire >= valid => Some(warning("soa-expire", text, fix)),
        () if expire * 3 > valid => Some(note("soa-expire", text, fix)),
        () => None,
    }
}
