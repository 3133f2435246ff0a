//! Keys that an operator rolls on its own, at any moment.
//!
//! Invariant: a well-behaved one waits for what its own side asks for (RFC 7583, and that every operator of the group has
//! the new key): that is what Chorus may assume of it. A hasty one does not wait; what breaks then is its own doing.

use super::address::Address;
use super::operator::Operator;
use super::oracle::Rrset;
use crate::model::history::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollKind {
    /// Signs answers only: pre-published.
    ZoneSigning,
    /// Signs keys only: both sign until the parent has a DS for the new one.
    KeySigning,
    /// The same, but the new one takes over from one moment to the next when its DS is known (RFC 7583 §3.3.3). For how long the
    /// old one's DS is needed is left to whoever sees to the DS.
    KeySigningSwapped,
    /// Signs everything.
    Combined,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The new key is in the set.
    Published,
    /// The new one signs answers; or keys, instead of the old one.
    Signing,
}

#[derive(Clone, Debug)]
pub struct Roll {
    pub kind: RollKind,
    pub new: u16,
    pub old: u16,
    pub stage: Stage,
    pub hasty: bool,
    /// How it signs anew, once the new key signs answers: all at once, or name by name (BIND does), the zone's apex first.
    pub resigning: Resigning,
    pub since_ms: i64,
    /// Since when what the next stage needs is so everywhere.
    pub ready_since_ms: Option<i64>,
}

/// So many of the zone's ordinary RRsets are still signed by the old key alone, and how long each of them takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resigning {
    pub left: u8,
    pub each_ms: i64,
}

/// What of a roll is up to the operator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way {
    pub resigning: Resigning,
    pub swaps: bool,
}

/// How long everything of a kind may be kept, at the most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lives {
    pub keys_ms: i64,
    /// DNSKEY, CDS and CDNSKEY sets.
    pub signed_by_keys_ms: i64,
    pub ds_ms: i64,
    pub data_ms: i64,
    /// Whoever watches sees every stage.
    pub watched_ms: i64,
}

impl Roll {
    /// When the next stage may begin, if nothing changes; `ready` is what [`Roll::is_ready`] says now.
    pub fn next_ms(&mut self, ready: bool, now_ms: i64, lives: Lives) -> i64 {
        if self.hasty {
            return self.since_ms + 20_000;
        }
        if self.is_resigning() {
            return self.since_ms + self.resigning.each_ms;
        }
        if !ready {
            self.ready_since_ms = None;
            return i64::MAX;
        }
        let ready_ms = *self.ready_since_ms.get_or_insert(now_ms);
        let lives_ms = match (self.stage, self.kind) {
            (Stage::Published, RollKind::ZoneSigning) => lives.keys_ms,
            (Stage::Published, _) => lives.keys_ms.max(lives.ds_ms).max(lives.data_ms),
            // With the old key goes the CDS of it: no cache may have a set any more that it alone signed.
            (Stage::Signing, RollKind::KeySigningSwapped) => lives.signed_by_keys_ms,
            (Stage::Signing, _) => lives.data_ms,
        };
        (ready_ms + lives_ms).max(self.since_ms + lives.watched_ms)
    }

    pub fn is_resigning(&self) -> bool {
        self.stage == Stage::Signing && self.resigning.left > 0 && self.kind != RollKind::KeySigningSwapped
    }

    /// Whether every address shows what the next stage needs to be known. `group`: operators that may be asked, or are to be.
    pub fn is_ready(&self, operator: u8, addresses: &[Address], group: &[bool]) -> bool {
        let of_group = |address: &&Address| {
            !address.is_gone
                && address
                    .operator
                    .is_some_and(|of| of == operator || group.get(usize::from(of)).copied().unwrap_or(false))
        };
        let own = || addresses.iter().filter(|address| address.operator == Some(operator) && !address.is_gone);
        let published = || {
            addresses
                .iter()
                .filter(of_group)
                .all(|at| at.shows(Kind::Dnskey).is_some_and(|set| set.set.records.contains(&self.new)))
        };
        let vouched = || {
            let mut parents = addresses.iter().filter(|address| address.operator.is_none());
            parents.all(|at| {
                let ds = at.shows(Kind::Ds).map(|ds| &ds.set.records);
                ds.is_some_and(|ds| ds.iter().any(|ds| ds & !super::catalogue::SHA384 == self.new))
            })
        };
        // Nothing of it is signed by the old key alone.
        let signed = |kinds: &[Kind]| {
            let by_others = |set: &Rrset| set.signers.is_empty() || set.signers.iter().any(|key| *key != self.old);
            own().all(|at| {
                let mut shown = kinds.iter().filter_map(|kind| at.shows(*kind));
                shown.all(|shown| by_others(&shown.set) && shown.answers.iter().all(|(_, set)| by_others(set)))
            })
        };
        let of_keys = [Kind::Dnskey, Kind::Cds, Kind::Cdnskey];
        match (self.stage, self.kind) {
            (Stage::Published, RollKind::ZoneSigning) => published(),
            (Stage::Published, RollKind::KeySigningSwapped) => published() && vouched(),
            (Stage::Signing, RollKind::KeySigningSwapped) => signed(&of_keys),
            (Stage::Published, _) => published() && vouched() && signed(&of_keys),
            (Stage::Signing, _) => signed(&[Kind::Ns, Kind::Data, Kind::Csync]),
        }
    }
}

impl Operator {
    /// Begins to roll a key; `false` when it cannot.
    pub fn begin_roll(&mut self, key_signing: bool, hasty: bool, way: Way, now_ms: i64) -> bool {
        let old = if key_signing { self.signs_keys.last() } else { self.signs_data.last() };
        let Some(old) = old.copied().filter(|_| self.roll.is_none() && self.serves && !self.dead) else { return false };
        let kind = match (self.ways.csk, key_signing) {
            (true, _) => RollKind::Combined,
            // Whoever publishes CDS by itself sees to the old DS by itself, too.
            (false, true) if way.swaps && self.ways.own_cds.is_none() => RollKind::KeySigningSwapped,
            (false, true) => RollKind::KeySigning,
            (false, false) => RollKind::ZoneSigning,
        };
        let Some(new) = self.next_key(kind != RollKind::ZoneSigning) else { return false };
        self.own.push(new);
        if matches!(kind, RollKind::KeySigning | RollKind::Combined) {
            self.signs_keys.push(new);
        }
        self.follow_own_keys(None);
        let (stage, since_ms, resigning) = (Stage::Published, now_ms, way.resigning);
        self.roll = Some(Roll { kind, new, old, stage, hasty, resigning, since_ms, ready_since_ms: None });
        true
    }

    /// Takes the next step of its roll.
    pub fn go_on_rolling(&mut self, now_ms: i64) {
        let Some(mut roll) = self.roll.take() else { return };
        if roll.stage == Stage::Published && roll.kind != RollKind::KeySigning {
            let signs =
                if roll.kind == RollKind::KeySigningSwapped { &mut self.signs_keys } else { &mut self.signs_data };
            *signs = vec![roll.new];
            roll.stage = Stage::Signing;
            (roll.since_ms, roll.ready_since_ms) = (now_ms, None);
            self.roll = Some(roll);
            return;
        }
        if roll.is_resigning() {
            roll.resigning.left -= 1;
            (roll.since_ms, roll.ready_since_ms) = (now_ms, None);
            self.roll = Some(roll);
            return;
        }
        self.own.retain(|key| *key != roll.old);
        self.signs_keys.retain(|key| *key != roll.old);
        self.follow_own_keys(Some(roll.old));
    }
}
