//! The gate: who somebody is, by a session, a token, or a password.
//!
//! Invariants: an answer to a failed attempt does not tell whether the account is there, and comes no sooner for one that is
//! not; every secret is compared by its hash or in constant time; accounts, tokens and sessions are changed here alone, under
//! the name of whoever does it.

mod accounts;
mod sessions;
mod tokens;

pub use sessions::{ABOUT, SESSION_IDLE, SESSION_LONGEST, Session, Sessions};

use super::controller::of_store;
use super::service::{Refusal, RefusalKind};
use super::token::Token;
use super::wire::At;
use crate::access::{Attempts, Caller, Means, Password, Permission, one_time_code};
use crate::engine::{Clock, Random};
use crate::model::dns::hex;
use crate::model::time::Time;
use crate::store::{AccountRecord, Store};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Each takes 19 MiB and a core for some tens of milliseconds.
const HASHES_AT_ONCE: usize = 2;
/// So many more may wait for that; else everybody's would end too late.
const HASHES_AWAITED: usize = 30;

/// A token's last use is kept to the minute.
const USE_KEPT_TO: Duration = Duration::from_secs(60);

/// What tells an API token from other secrets when one turns up where it should not be.
const TOKEN_PREFIX: &str = "chorus_api_";

#[derive(Clone)]
pub struct Gate {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    token: Token,
    attempts: Arc<Mutex<Attempts>>,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// What somebody signs in with.
pub struct SignIn {
    pub name: String,
    pub password: Password,
    /// Empty where none is set up.
    pub code: String,
    pub address: Option<IpAddr>,
}

/// Whose attempts are counted together: an IPv4 address, or an IPv6 network of 64 bits, which one host may have all of.
fn neighbourhood(address: Option<IpAddr>) -> String {
    match address {
        None => String::new(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("{}/64", std::net::Ipv6Addr::from(u128::from(address) >> 64 << 64)),
    }
}

/// How the hash of a secret is stored.
fn fingerprint(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

impl Gate {
    /// `token`: the one in the daemon's data directory.
    pub fn new(store: Store, clock: Arc<dyn Clock>, random: Arc<dyn Random>, token: Token) -> Gate {
        let hashing = Arc::new(Semaphore::new(HASHES_AT_ONCE));
        let waiting = Arc::new(Semaphore::new(HASHES_AT_ONCE + HASHES_AWAITED));
        Gate { store, clock, random, token, attempts: Arc::default(), hashing, waiting }
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// What is committed, for whoever looks on.
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn signed(&self, caller: &Caller) -> Store {
        self.store.signed(caller.signature(self.now()))
    }

    /// 256 random bits behind a prefix.
    fn secret(&self, prefix: &str) -> Zeroizing<String> {
        let mut octets = Zeroizing::new([0; 32]);
        self.random.fill(octets.as_mut_slice());
        Zeroizing::new(format!("{prefix}{}", *Zeroizing::new(hex(octets.as_slice()))))
    }

    fn nonce(&self) -> [u8; 24] {
        let mut nonce = [0; 24];
        self.random.fill(&mut nonce);
        nonce
    }

    /// Whose token that is; `None`: nobody's, or one that is not good any more.
    pub async fn bearer(&self, presented: &[u8], address: Option<IpAddr>) -> Result<Option<Caller>, Refusal> {
        if self.token.is(presented) {
            return Ok(Some(Caller::local(address)));
        }
        let Some(text) = std::str::from_utf8(presented).ok().filter(|text| text.starts_with(TOKEN_PREFIX)) else {
            return Ok(None);
        };
        let now = self.now();
        let found = self.store.token_by_hash(&fingerprint(text)).await.map_err(of_store)?;
        let Some(token) = found.filter(|token| !token.revoked && token.expires_at > now) else { return Ok(None) };
        // What its owner may not do any more the token may not either.
        let permissions = match token.account.as_str() {
            LOCAL => Permission::ALL.to_vec(),
            name => match self.store.account(name).await.map_err(of_store)? {
                Some(account) if !account.disabled => account.role.permissions().to_vec(),
                _ => return Ok(None),
            },
        };
        if token.last_used_at.is_none_or(|at| at.until(now) >= USE_KEPT_TO) {
            self.store.token_was_used(&token.id, now).await.map_err(of_store)?;
        }
        Ok(Some(Caller {
            name: token.account,
            permissions: token.scopes.into_iter().filter(|scope| permissions.contains(scope)).collect(),
            means: Means::Token(token.id),
            below: token.below,
            address,
        }))
    }

    /// Whether these are an account's, with the limits on trying.
    pub async fn sign_in(&self, with: SignIn) -> Result<AccountRecord, Refusal> {
        self.attempt(&with.name, with.address)?;
        let hash = self.store.password_of(&with.name).await.map_err(of_store)?;
        let is = self.hashing(move || with.password.is(hash.as_ref().map(|hash| hash.as_str()))).await?;
        let account = self.store.account(&with.name).await.map_err(of_store)?;
        let account = account.filter(|account| is && !account.disabled);
        let coded = match &account {
            Some(account) if account.has_totp => self.code_is_good(account, &with.code).await?,
            _ => true,
        };
        let signature =
            Caller { address: with.address, ..Caller::signed_in(&with.name, crate::access::Role::Viewer, None) };
        let Some(account) = account.filter(|_| coded) else {
            // The name may be anything, a password that was typed into the wrong field among it.
            let text = "an attempt to sign in failed";
            let nobody = Caller { name: "nobody".to_owned(), ..signature };
            self.signed(&nobody).note("sign-in-failed", text, None, None).await.map_err(of_store)?;
            return Err(Refusal::new(RefusalKind::Invalid, "sign-in-failed", "name, password or code is wrong")
                .with_fix("try again; an admin can make another one-time link"));
        };
        self.succeeded(&account.name, with.address);
        self.signed(&signature).signed_in(&account.name).await.map_err(of_store)?;
        Ok(account)
    }

    async fn code_is_good(&self, account: &AccountRecord, code: &str) -> Result<bool, Refusal> {
        let secret = self.store.totp_secret(&account.name).await.map_err(of_store)?;
        let Some(step) = secret.and_then(|secret| one_time_code::step_of(&secret, code, self.now())) else {
            return Ok(false);
        };
        self.store.use_totp_step(&account.name, step).await.map_err(of_store)
    }

    /// Lets an attempt at a password through, or says when the next one is.
    fn attempt(&self, name: &str, address: Option<IpAddr>) -> Result<(), Refusal> {
        let (address, now) = (neighbourhood(address), self.now());
        // Names may be as long as a form; what is counted is short.
        let counted: String = name.chars().take(accounts::NAME_LONGEST).collect();
        let mut attempts = self.attempts();
        if let Some(until) = attempts.held_until(&counted, &address, now) {
            let text = format!("too many attempts: the next one counts after {until}");
            return Err(Refusal::new(RefusalKind::Unavailable, "too-many-attempts", text)
                .with_fix("wait until then; an admin can make another one-time link")
                .with_retry_at(At::known(until)));
        }
        // Counted before it is known, so that many at once are not let through together.
        attempts.failed(&counted, &address, now);
        Ok(())
    }

    fn succeeded(&self, name: &str, address: Option<IpAddr>) {
        self.attempts().succeeded(name, &neighbourhood(address), self.now());
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        // Counts are whole even if somebody panicked beside them.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs what takes a core, a few at a time.
    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let busy = || Refusal::new(RefusalKind::Unavailable, "internal", "this is a fault of Chorus itself");
        let _place = self.waiting.clone().try_acquire_owned().map_err(|_| {
            Refusal::new(RefusalKind::Unavailable, "too-many-attempts", "too many sign in at this moment")
                .with_fix("try again in some seconds")
        })?;
        let turn = self.hashing.clone().acquire_owned().await.map_err(|_| busy())?;
        // The turn goes with the work: whoever hangs up does not make room for another while the work goes on.
        let hashed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        hashed.await.map_err(|_| busy())
    }
}

/// The name of whoever has the token file.
const LOCAL: &str = "local";
