//! API tokens: made, listed, revoked.
//!
//! Invariant: a token never may more than whoever makes it, nor reach further; one that a token made lasts no longer than that.

use super::super::controller::{of_store, zone_name};
use super::super::service::{Refusal, RefusalKind};
use super::super::wire::{At, TokenAdd, TokenList, TokenMade, TokenShow};
use super::{Gate, TOKEN_PREFIX, fingerprint};
use crate::access::{Caller, Means, Permission};
use crate::model::dns::{hex, plain_of_stored, stored};
use crate::store::TokenRecord;

/// Longer than a year nobody remembers where a token is.
const LONGEST_S: u64 = 366 * 86_400;
const LABEL_LONGEST: usize = 100;

fn shown(token: TokenRecord) -> TokenShow {
    TokenShow {
        id: token.id,
        label: token.label,
        account: token.account,
        scopes: token.scopes,
        below: token.below.map(|below| plain_of_stored(&below)),
        created_at: At::clock(token.created_at),
        expires_at: At::clock(token.expires_at),
        last_used_at: token.last_used_at.map(At::clock),
        revoked: token.revoked,
    }
}

/// Whose tokens and sessions they see: their own, or an admin everybody's.
pub(super) fn whose(caller: &Caller) -> Option<&str> {
    (!caller.may(Permission::Admin)).then_some(caller.name.as_str())
}

impl Gate {
    pub async fn tokens(&self, caller: &Caller) -> Result<TokenList, Refusal> {
        let tokens = self.store.tokens(whose(caller)).await.map_err(of_store)?;
        Ok(TokenList { tokens: tokens.into_iter().map(shown).collect(), now: At::clock(self.now()) })
    }

    pub async fn add_token(&self, caller: &Caller, add: TokenAdd) -> Result<TokenMade, Refusal> {
        let invalid = |text: String, fix: &str| Refusal::new(RefusalKind::Invalid, "bad-token", text).with_fix(fix);
        let label = add.label.trim();
        if label.is_empty() || label.chars().count() > LABEL_LONGEST {
            let text = format!("a token needs a label of at most {LABEL_LONGEST} characters");
            return Err(invalid(text, "say what it is for"));
        }
        if add.scopes.is_empty() {
            return Err(invalid("a token without scopes is good for nothing".to_owned(), "choose what it may do"));
        }
        if let Some(scope) = add.scopes.iter().find(|scope| !caller.may(**scope)) {
            return Err(invalid(format!("{scope} is more than you may do"), "choose less, or ask an admin"));
        }
        if !(60..=LONGEST_S).contains(&add.valid_for_s) {
            return Err(invalid("a token is good for a minute at least and a year at most".to_owned(), "say how long"));
        }
        let below = add.below.filter(|below| !below.trim().is_empty()).map(|below| zone_name(below.trim()));
        let below = below.transpose()?.map(|name| stored(&name));
        if caller.below.is_some() && !below.as_deref().is_some_and(|below| caller.reaches(below)) {
            let text = "a token that is limited to some zones makes none for others".to_owned();
            return Err(invalid(text, "name zones that you reach"));
        }
        let now = self.now();
        let expires_at = now.plus_s(add.valid_for_s);
        if let Means::Token(maker) = &caller.means {
            let known = self.store.tokens(Some(&caller.name)).await.map_err(of_store)?;
            if known.iter().any(|token| token.id == *maker && token.expires_at < expires_at) {
                let text = "a token makes none that lasts longer than itself".to_owned();
                return Err(invalid(text, "choose a shorter time, or make it while you are signed in"));
            }
        }
        let mut id = [0; 8];
        self.random.fill(&mut id);
        let mut scopes = add.scopes;
        scopes.sort();
        scopes.dedup();
        let token = TokenRecord {
            id: format!("tok_{}", hex(&id)),
            label: label.to_owned(),
            account: caller.name.clone(),
            scopes,
            below,
            created_at: now,
            expires_at,
            last_used_at: None,
            revoked: false,
        };
        let secret = self.secret(TOKEN_PREFIX);
        self.signed(caller).add_token(&token, &fingerprint(&secret)).await.map_err(of_store)?;
        Ok(TokenMade { token: shown(token), secret: secret.as_str().to_owned() })
    }

    /// A token ends itself, and others only with the permission of an admin: a report's, once it is stolen, must not stop
    /// everything else of its owner.
    pub async fn revoke_token(&self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let own = self.store.tokens(Some(&caller.name)).await.map_err(of_store)?;
        let another = |used: &str| used != id && own.iter().any(|token| token.id == id && !token.revoked);
        let by_another = matches!(&caller.means, Means::Token(used) if another(used));
        if by_another && !caller.may(Permission::Admin) {
            let text = "a token revokes no other one";
            return Err(Refusal::new(RefusalKind::Forbidden, "not-permitted", text)
                .with_fix("sign in, or use a token that has the scope admin"));
        }
        match self.signed(caller).revoke_token(id, whose(caller)).await.map_err(of_store)? {
            true => Ok(()),
            false => {
                Err(Refusal::new(RefusalKind::NotFound, "unknown-token", "there is no such token that is still good")
                    .with_fix("see `chorus token list`"))
            }
        }
    }
}
