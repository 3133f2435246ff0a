//! Limits on signing in: after some failures each further attempt has to wait, longer and longer.
//!
//! Invariants: an attempt counts as failed until it succeeds, so that many at once are not let through together; failures are
//! counted per account and per address, whether the account is there or not; a success forgets those of the account, and takes
//! itself back from the address. Where an account has signed in from lately it is not held for what others guess elsewhere: else
//! anybody who knows a name could keep its owner out. Time is an argument.

use crate::model::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Failures of an account that cost nothing: people mistype.
const FREE_OF_ACCOUNT: u32 = 4;
/// Several people may be behind one address.
const FREE_OF_ADDRESS: u32 = 20;
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// After so long without another one, failures are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);
/// For so long an address is one that the account signs in from.
const AT_HOME: Duration = Duration::from_secs(30 * 24 * 3600);
/// Of each kind; the oldest go first, of those that hold nobody before the others.
const KEPT: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Failures {
    times: u32,
    last: Time,
}

/// From where an account has signed in.
#[derive(Clone, Copy, Debug)]
struct Home {
    /// When it did last.
    since: Time,
    /// The account's from there, since then.
    failures: Failures,
}

/// Whom the failures of an attempt are counted against.
#[derive(Debug, Default)]
pub struct Attempts {
    accounts: BTreeMap<String, Failures>,
    addresses: BTreeMap<String, Failures>,
    homes: BTreeMap<(String, String), Home>,
}

/// The first wait is a second; each is twice as long as the one before.
fn wait_after(times: u32, free: u32) -> Duration {
    match times.checked_sub(free) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(20)).min(LONGEST),
    }
}

fn opens_at(failures: Option<&Failures>, free: u32) -> Option<Time> {
    failures.filter(|failures| failures.times >= free).map(|f| f.last.plus(wait_after(f.times, free)))
}

fn count(known: &mut BTreeMap<String, Failures>, who: &str, free: u32, now: Time) {
    if known.len() >= KEPT && !known.contains_key(who) {
        known.retain(|_, failures| failures.last.until(now) < FORGOTTEN);
        let oldest = known.iter().min_by_key(|(_, failures)| (failures.times >= free, failures.last));
        if let (true, Some(oldest)) = (known.len() >= KEPT, oldest.map(|(who, _)| who.clone())) {
            known.remove(&oldest);
        }
    }
    if known.get(who).is_some_and(|failures| failures.last.until(now) >= FORGOTTEN) {
        known.remove(who);
    }
    let failures = known.entry(who.to_owned()).or_insert(Failures { times: 0, last: now });
    failures.times = failures.times.saturating_add(1);
    failures.last = now;
}

impl Attempts {
    /// When the next attempt is let through; `None`: now.
    pub fn held_until(&self, account: &str, address: &str, now: Time) -> Option<Time> {
        let home = self.homes.get(&(account.to_owned(), address.to_owned()));
        let home = home.filter(|home| home.since.until(now) < AT_HOME);
        let failures = home.map_or_else(|| self.accounts.get(account), |home| Some(&home.failures));
        let of_account = opens_at(failures, FREE_OF_ACCOUNT);
        let of_address = opens_at(self.addresses.get(address), FREE_OF_ADDRESS);
        // A clock that was set back would hold somebody for ever.
        of_account.max(of_address).filter(|until| *until > now && now.until(*until) <= LONGEST)
    }

    pub fn failed(&mut self, account: &str, address: &str, now: Time) {
        count(&mut self.accounts, account, FREE_OF_ACCOUNT, now);
        count(&mut self.addresses, address, FREE_OF_ADDRESS, now);
        if let Some(home) = self.homes.get_mut(&(account.to_owned(), address.to_owned())) {
            let Failures { times, last } = home.failures;
            let times = if last.until(now) < FORGOTTEN { times.saturating_add(1) } else { 1 };
            home.failures = Failures { times, last: now };
        }
    }

    /// After [`Attempts::failed`], which counted it in advance.
    pub fn succeeded(&mut self, account: &str, address: &str, now: Time) {
        self.accounts.remove(account);
        if self.homes.len() >= KEPT {
            let oldest = self.homes.iter().min_by_key(|(_, home)| home.since).map(|(whose, _)| whose.clone());
            oldest.map(|whose| self.homes.remove(&whose));
        }
        let home = Home { since: now, failures: Failures { times: 0, last: now } };
        self.homes.insert((account.to_owned(), address.to_owned()), home);
        if let Some(failures) = self.addresses.get_mut(address) {
            failures.times = failures.times.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_some_failures_each_attempt_waits_twice_as_long_up_to_a_quarter_of_an_hour() {
        let mut attempts = Attempts::default();
        let mut now = Time::from_s(1_000_000);
        for _ in 0..3 {
            attempts.failed("ann", "192.0.2.1", now);
            assert_eq!(attempts.held_until("ann", "192.0.2.1", now), None);
        }
        let mut waits = Vec::new();
        for _ in 0..14 {
            attempts.failed("ann", "192.0.2.1", now);
            let until = attempts.held_until("ann", "192.0.2.9", now).unwrap();
            waits.push(now.until(until).as_secs());
            now = until;
        }
        assert_eq!(waits[..5], [1, 2, 4, 8, 16]);
        assert_eq!(waits[12..], [900, 900]);
        assert_eq!(attempts.held_until("ben", "192.0.2.9", now), None, "others are not concerned");
        attempts.failed("ann", "192.0.2.1", now);
        attempts.succeeded("ann", "192.0.2.1", now);
        assert_eq!(attempts.held_until("ann", "192.0.2.9", now), None);
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_held_too_and_in_the_end_forgotten() {
        let mut attempts = Attempts::default();
        let now = Time::from_s(1_000_000);
        for n in 0..30 {
            attempts.failed(&format!("account {n}"), "192.0.2.1", now);
        }
        assert!(attempts.held_until("ann", "192.0.2.1", now).is_some());
        assert_eq!(attempts.held_until("ann", "192.0.2.2", now), None);
        let later = now.plus(Duration::from_secs(25 * 3600));
        attempts.failed("ann", "192.0.2.1", later);
        assert_eq!(attempts.held_until("ann", "192.0.2.1", later), None);
    }

    #[test]
    fn an_address_from_which_many_people_sign_in_is_not_held() {
        let mut attempts = Attempts::default();
        let now = Time::from_s(1_000_000);
        for n in 0..100 {
            attempts.failed(&format!("account {n}"), "192.0.2.1", now);
            attempts.succeeded(&format!("account {n}"), "192.0.2.1", now);
        }
        assert_eq!(attempts.held_until("ann", "192.0.2.1", now), None);
    }

    #[test]
    fn whoever_knows_a_name_does_not_keep_its_owner_out() {
        let mut attempts = Attempts::default();
        let now = Time::from_s(1_000_000);
        attempts.failed("ann", "192.0.2.1", now);
        attempts.succeeded("ann", "192.0.2.1", now);
        for n in 0..50 {
            attempts.failed("ann", &format!("198.51.100.{n}"), now);
        }
        assert!(attempts.held_until("ann", "198.51.100.200", now).is_some());
        assert_eq!(attempts.held_until("ann", "192.0.2.1", now), None, "she signs in from there");
        for _ in 0..4 {
            attempts.failed("ann", "192.0.2.1", now);
        }
        assert!(attempts.held_until("ann", "192.0.2.1", now).is_some(), "whoever guesses there is held there");
        let later = now.plus(AT_HOME);
        for n in 0..20 {
            attempts.failed("ann", &format!("198.51.100.{n}"), later);
        }
        assert!(attempts.held_until("ann", "192.0.2.1", later).is_some(), "that was long ago");
    }

    #[test]
    fn who_is_held_stays_held_however_many_others_are_tried() {
        let mut attempts = Attempts::default();
        let now = Time::from_s(1_000_000);
        for _ in 0..10 {
            attempts.failed("ann", "192.0.2.1", now);
        }
        for n in 0..KEPT + 50 {
            attempts.failed(&format!("account {n}"), &format!("address {n}"), now.plus_s(1));
        }
        assert!(attempts.held_until("ann", "192.0.2.9", now.plus_s(2)).is_some());
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let mut attempts = Attempts::default();
        for n in 0..KEPT + 50 {
            attempts.failed(&format!("account {n}"), &format!("address {n}"), Time::from_s(1_000_000 + n as i64));
        }
        assert!(attempts.accounts.len() <= KEPT && attempts.addresses.len() <= KEPT);
    }
}
