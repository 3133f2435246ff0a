//! Accounts: added, changed, given a one-time link; their owners' passwords and second factors.

use super::super::controller::of_store;
use super::super::service::{Refusal, RefusalKind};
use super::super::wire::{AccountAdd, AccountChange, AccountLink, AccountList, AccountShow, At};
use super::{Gate, LOCAL, fingerprint};
use crate::access::{Caller, Password, Role, one_time_code};
use crate::store::AccountRecord;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a one-time link is good.
const LINK_VALID: Duration = Duration::from_secs(24 * 3600);

pub(super) const NAME_LONGEST: usize = 64;

fn shown(account: AccountRecord) -> AccountShow {
    AccountShow {
        name: account.name,
        role: account.role,
        totp: account.has_totp,
        disabled: account.disabled,
        has_password: account.has_password,
        created_at: At::clock(account.created_at),
        last_seen_at: account.last_seen_at.map(At::clock),
    }
}

/// As in a mail address, before the at: nothing that looks like something else.
fn name_is_fit(name: &str) -> bool {
    let fit = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
    !name.is_empty()
        && name.len() <= NAME_LONGEST
        && name.chars().all(fit)
        && !["chorus", "nobody", LOCAL].contains(&name)
}

fn no_account(name: &str) -> Refusal {
    Refusal::new(RefusalKind::NotFound, "unknown-account", format!("there is no account {name}"))
        .with_fix("see `chorus account list`")
}

fn link_is_gone() -> Refusal {
    let text = "this link is not good: it was used, it is older than a day, or another one took its place";
    Refusal::new(RefusalKind::NotFound, "link-gone", text)
        .with_fix("ask an admin for another one, or on the daemon's host: `chorus account reset NAME`")
}

impl Gate {
    pub async fn accounts(&self) -> Result<AccountList, Refusal> {
        let accounts = self.store.accounts().await.map_err(of_store)?;
        Ok(AccountList { accounts: accounts.into_iter().map(shown).collect(), now: At::clock(self.now()) })
    }

    pub async fn account(&self, name: &str) -> Result<AccountRecord, Refusal> {
        self.store.account(name).await.map_err(of_store)?.ok_or_else(|| no_account(name))
    }

    pub async fn add_account(&self, caller: &Caller, add: AccountAdd) -> Result<AccountLink, Refusal> {
        if !name_is_fit(&add.name) {
            let text = "a name has letters, digits and - _ . @ +, 64 at most, and is none of Chorus' own";
            return Err(Refusal::new(RefusalKind::Invalid, "bad-name", text).with_fix("choose another name"));
        }
        let (secret, until) = (self.secret(""), self.now().plus(LINK_VALID));
        self.signed(caller).add_account(&add.name, add.role, &fingerprint(&secret), until).await.map_err(of_store)?;
        self.linked(&add.name, &secret, until).await
    }

    pub async fn change_account(
        &self,
        caller: &Caller,
        name: &str,
        change: AccountChange,
    ) -> Result<AccountLink, Refusal> {
        let account = self.account(name).await?;
        let store = self.signed(caller);
        let (role, disabled) = (change.role.unwrap_or(account.role), change.disabled.unwrap_or(account.disabled));
        if (role, disabled) != (account.role, account.disabled) {
            store.set_account(name, role, disabled).await.map_err(of_store)?;
        }
        if change.reset {
            let (secret, until) = (self.secret(""), self.now().plus(LINK_VALID));
            match account.has_password {
                true => store.reset_account(name, &fingerprint(&secret), until).await.map_err(of_store)?,
                false => store.renew_link(name, &fingerprint(&secret), until).await.map_err(of_store)?,
            }
            return self.linked(name, &secret, until).await;
        }
        Ok(AccountLink { account: shown(self.account(name).await?), path: None, valid_until: None })
    }

    async fn linked(&self, name: &str, secret: &str, until: crate::model::time::Time) -> Result<AccountLink, Refusal> {
        let path = Some(format!("/welcome/{secret}"));
        Ok(AccountLink { account: shown(self.account(name).await?), path, valid_until: At::known(until) })
    }

    /// At the first start there is nobody yet: a link for the first admin, `admin`. Another one at each start until somebody can
    /// sign in, for the one before may have gone where nobody saw it.
    pub async fn first_link(&self) -> Result<Option<AccountLink>, Refusal> {
        let accounts = self.store.accounts().await.map_err(of_store)?;
        let chorus = Caller::itself();
        let first = accounts.iter().find(|account| account.role == Role::Admin);
        match first {
            None => {
                self.add_account(&chorus, AccountAdd { name: "admin".to_owned(), role: Role::Admin }).await.map(Some)
            }
            Some(first) if accounts.iter().all(|account| !account.has_password) => {
                let change = AccountChange { reset: true, ..AccountChange::default() };
                self.change_account(&chorus, &first.name, change).await.map(Some)
            }
            Some(_) => Ok(None),
        }
    }

    /// Whose link that is.
    pub async fn welcome(&self, secret: &str) -> Result<String, Refusal> {
        let found = self.store.account_of_link(&fingerprint(secret), self.now()).await.map_err(of_store)?;
        found.ok_or_else(link_is_gone)
    }

    /// Chooses the password by a one-time link, and uses that up.
    pub async fn choose_password(
        &self,
        secret: &str,
        password: Password,
        address: Option<std::net::IpAddr>,
    ) -> Result<AccountRecord, Refusal> {
        let name = self.welcome(secret).await?;
        let hash = self.hash_of(password).await?;
        let owner = Caller::signed_in(&name, Role::Viewer, address);
        let chosen = self.signed(&owner).choose_password(&fingerprint(secret), self.now(), &hash).await;
        let name = chosen.map_err(of_store)?.ok_or_else(link_is_gone)?;
        self.signed(&owner).signed_in(&name).await.map_err(of_store)?;
        self.account(&name).await
    }

    /// Its owner's other password, who has to say the present one.
    pub async fn change_password(&self, caller: &Caller, present: Password, new: Password) -> Result<(), Refusal> {
        self.is_its_owner(caller, present).await?;
        let hash = self.hash_of(new).await?;
        self.signed(caller).set_password(&caller.name, &hash).await.map_err(of_store)
    }

    async fn hash_of(&self, password: Password) -> Result<String, Refusal> {
        if let Some(text) = password.unfit() {
            return Err(Refusal::new(RefusalKind::Invalid, "unfit-password", text).with_fix("choose another one"));
        }
        let hashed = self.hashing(move || password.hash()).await?;
        hashed.map_err(|error| Refusal::new(RefusalKind::Unavailable, "internal", error.to_string()))
    }

    async fn is_its_owner(&self, caller: &Caller, password: Password) -> Result<(), Refusal> {
        self.attempt(&caller.name, caller.address)?;
        let hash = self.store.password_of(&caller.name).await.map_err(of_store)?;
        if self.hashing(move || password.is(hash.as_ref().map(|hash| hash.as_str()))).await? {
            self.succeeded(&caller.name, caller.address);
            return Ok(());
        }
        Err(Refusal::new(RefusalKind::Invalid, "wrong-password", "the present password is another one")
            .with_fix("try again; after some failures each attempt has to wait"))
    }

    /// A secret for a second factor, which counts once a code of it was shown.
    pub fn new_totp_secret(&self) -> Zeroizing<Vec<u8>> {
        let mut secret = Zeroizing::new(vec![0; one_time_code::SECRET_OCTETS]);
        self.random.fill(&mut secret);
        secret
    }

    /// Not in the place of another one: turning that off needs the password, which whoever took over a session does not have.
    pub async fn set_totp(&self, caller: &Caller, secret: &[u8], code: &str) -> Result<(), Refusal> {
        if self.account(&caller.name).await?.has_totp {
            let text = "this account is asked for a one-time code already";
            return Err(Refusal::new(RefusalKind::Conflict, "exists", text).with_fix("turn it off first"));
        }
        let Some(step) = one_time_code::step_of(secret, code, self.now()) else {
            let text = "that is not the code of now";
            return Err(Refusal::new(RefusalKind::Invalid, "wrong-code", text)
                .with_fix("see that the clocks of this host and of your device are right, and try the next code"));
        };
        let store = self.signed(caller);
        store.set_totp(&caller.name, Some(secret), self.nonce()).await.map_err(of_store)?;
        self.store.use_totp_step(&caller.name, step).await.map_err(of_store)?;
        Ok(())
    }

    pub async fn drop_totp(&self, caller: &Caller, present: Password) -> Result<(), Refusal> {
        self.is_its_owner(caller, present).await?;
        self.signed(caller).set_totp(&caller.name, None, self.nonce()).await.map_err(of_store)
    }

    pub async fn set_theme(&self, caller: &Caller, theme: &str) -> Result<(), Refusal> {
        let theme = if ["light", "dark"].contains(&theme) { theme } else { "" };
        self.store.set_theme(&caller.name, theme).await.map_err(of_store)
    }
}
