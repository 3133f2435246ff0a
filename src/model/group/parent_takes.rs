//! What the parent of a zone does by itself, as far as it is known: its mode, which a person says, and its profile.

use super::view::{ParentMode, World};
use crate::model::parent::ParentProfile;

impl World<'_> {
    /// What is known of what the parent takes.
    pub fn parent_profile(&self) -> ParentProfile {
        self.lifetimes.policy.parent_profile()
    }

    /// Whether the parent changes the delegation by CSYNC (RFC 7477). Most of those that scan for CDS do not.
    pub fn parent_follows_csync(&self) -> bool {
        self.parent == ParentMode::Scan && self.parent_profile().csync
    }
}
