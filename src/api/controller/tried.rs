//! A new credential, tried in every zone of its operator.
//!
//! Invariant: a credential is good when it was good in all zones. Permissions may be given for each zone by itself (deSEC's
//! policies are), so that one zone says nothing of another. Where an account's limits let only some zones be tried in one go,
//! what was tried is remembered for the next one with the same credential.

use super::{Controller, of_engine, plain};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::SecretText;
use crate::model::dns::Name;
use crate::store::OperatorRecord;
use chorus_providers::ProviderError;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;

/// So long a request waits for limits in all; who asks waits for two minutes.
const WAITS_MAX: Duration = Duration::from_secs(90);

/// Where a limit does not say for how long it holds.
const WAIT_UNKNOWN: Duration = Duration::from_secs(60);

/// The zones in which a credential was good that is not used yet.
#[derive(Default)]
pub(super) struct Tried {
    /// The operator, and the credential's hash.
    of: Option<(String, [u8; 32])>,
    good_in: BTreeSet<Name>,
}

impl Tried {
    fn begin(&mut self, operator: &str, secret: &SecretText) {
        let of = Some((operator.to_owned(), Sha256::digest(secret.expose().as_bytes()).into()));
        if self.of != of {
            *self = Tried { of, good_in: BTreeSet::new() };
        }
    }
}

impl Controller {
    /// Tries the credential in the second slot.
    pub(super) async fn try_staged(
        &self,
        operator: &OperatorRecord,
        zones: &[Name],
        secret: &SecretText,
    ) -> Result<(), Refusal> {
        let ports = self.engine.ports();
        let provider = ports.providers.staged(operator).await.map_err(|e| of_engine(e.into()))?;
        let mut tried = self.tried.lock().await;
        tried.begin(&operator.name, secret);
        let mut left = WAITS_MAX;
        for zone in zones {
            while !tried.good_in.contains(zone) {
                let refused = match provider.probe(zone).await {
                    Ok(()) => {
                        tried.good_in.insert(zone.clone());
                        continue;
                    }
                    Err(refused) => refused,
                };
                let wait = refused.retry_after_s().map_or(WAIT_UNKNOWN, |wait_s| Duration::from_secs(wait_s.into()));
                if !refused.is_put_off() {
                    *tried = Tried::default();
                    return Err(no_good(&refused, zone));
                }
                left = left.checked_sub(wait).ok_or_else(|| {
                    let good = zones.iter().filter(|zone| tried.good_in.contains(*zone)).count();
                    put_off(operator, &refused, good, zones.len())
                })?;
                ports.clock.sleep_until(ports.clock.now().plus(wait)).await;
            }
        }
        *tried = Tried::default();
        Ok(())
    }
}

fn no_good(error: &ProviderError, zone: &Name) -> Refusal {
    let text = format!("the new credential is not used, the old one stays: in {}, {error}", plain(zone));
    Refusal::new(RefusalKind::Preflight, error.code(), text).with_fix(error.advice()).with_zone(plain(zone))
}

fn put_off(operator: &OperatorRecord, error: &ProviderError, good: usize, all: usize) -> Refusal {
    let name = &operator.name;
    let text = format!(
        "the new credential is not used yet, the old one stays: it is good in {good} of {all} zones of {name}, and the others \
         could not be tried: {error}"
    );
    let fix =
        format!("run `chorus operator rotate {name}` with the same credential again later: it goes on with the others");
    Refusal::new(RefusalKind::Unavailable, error.code(), text).with_fix(fix)
}
