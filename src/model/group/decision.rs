//! What comes out of a decision: steps, writes, waits. Plain values; why they come out is in `ladder` and `guards`.

use super::Standing;
use crate::model::dns::RecordSet;
use crate::model::history::{Kind, Server};
use crate::model::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a transition is: what is being brought about or awaited, in the order in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Every operator signs with the new algorithm as well as with the old one: an operator's own doing.
    SignWithBoth,
    /// Every operator serves the keys of all.
    ShareKeys,
    /// Every operator serves the CDS and CDNSKEY set of all.
    AskForDs,
    /// The parent's servers have a DS for every key-signing key.
    AwaitDs,
    /// What does not know the newcomer's keys is dead.
    AwaitOldKeysAndDs,
    /// Every operator serves the same name server set.
    NameServers,
    /// The parent delegates to that set.
    AwaitDelegation,
    /// The leaver cannot be asked any more.
    AwaitLastQuestion,
    /// The leaver's keys are dead, its DS may go.
    AwaitLeaverKeys,
    /// The parent's servers have no DS of the leaver.
    AwaitDsGone,
    /// No operator has keys of the old algorithm any more: an operator's own doing.
    AwaitOldAlgorithm,
    /// The leaver's answers are dead, its keys may go.
    AwaitLeaverAnswers,
    /// All is as desired.
    Settled,
}

impl Step {
    /// What of the parent's it is that is awaited in this step.
    pub(super) fn at_the_parent(self) -> Option<Kind> {
        match self {
            Step::AwaitDs | Step::AwaitDsGone => Some(Kind::Ds),
            Step::AwaitDelegation => Some(Kind::Delegation),
            _ => None,
        }
    }
}

/// Something that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    pub step: Step,
    /// Stable, kebab-case.
    pub code: &'static str,
    pub text: String,
    /// When it ends by itself; `None`: when something else has been seen.
    pub until: Option<Time>,
}

/// A change of one RRset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Exactly(RecordSet),
    /// Of an RRset that the operator has records of its own in.
    Partly {
        with: RecordSet,
        without: RecordSet,
    },
}

/// What should be written at one operator, in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub step: Step,
    pub operator: String,
    pub sets: Vec<(Kind, u32, Change)>,
    pub why: String,
    /// The addresses that did not show it, or could not be asked.
    pub missing_at: Vec<Server>,
    /// Nothing waits for it: it is tried once, and not read back.
    pub is_courtesy: bool,
}

impl Write {
    /// Without the sets that are not of keys; whether anything is left.
    pub fn leave_keys_only(&mut self) -> bool {
        self.sets.retain(|(kind, ..)| matches!(kind, Kind::Dnskey | Kind::Cds | Kind::Cdnskey));
        !self.sets.is_empty()
    }
}

/// What follows from the world.
#[derive(Clone, Debug)]
pub struct Decision {
    pub step: Step,
    pub writes: Vec<Write>,
    pub waits: Vec<Wait>,
    pub standings: BTreeMap<String, Standing>,
    /// The DS keys and NS set that the parent may have now, for a person to hand over where the parent does not scan. Never
    /// what only a later step allows: whoever is shown it may do it at once.
    pub parent_ds_keys: RecordSet,
    pub parent_ns: RecordSet,
}

impl Decision {
    /// Nothing to write and nothing to wait for: the zone is as desired, at rest.
    pub fn is_settled(&self) -> bool {
        self.writes.is_empty() && self.waits.is_empty()
    }
}
