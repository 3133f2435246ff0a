//! The commands around who may do what: accounts, tokens, the log.

use super::exit::{Exit, Failure};
use super::{Asker, client, render};
use crate::access::{Permission, Role};
use crate::api::wire::{
    AccountAdd, AccountChange, AccountLink, AccountList, AuditPage, AuditVerified, TokenAdd, TokenList, TokenMade,
};
use clap::{Args, Subcommand};
use reqwest::Method;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Add somebody; the answer has a link by which they choose their password, once, within a day
    #[command(after_help = "Example:\n  chorus account add ann --role operator")]
    Add {
        name: String,
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Everybody
    #[command(after_help = "Example:\n  chorus account list -o json")]
    List,
    /// Give somebody another role, or keep them out
    #[command(after_help = "Example:\n  chorus account set ann --role admin\n  chorus account set ann --disabled true")]
    Set {
        name: String,
        #[arg(long, value_enum)]
        role: Option<Role>,
        /// Nobody signs in with it, and its tokens do not work
        #[arg(long)]
        disabled: Option<bool>,
    },
    /// Take password and second factor away, and make another one-time link
    #[command(after_help = "Example:\n  chorus account reset ann")]
    Reset { name: String },
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token for a program; it is shown this once
    #[command(after_help = "\
Example:
  chorus token add --label 'nightly report' --scope zones:read --valid-for 90d
  chorus token add --label shop --scope zones:read --scope transitions:run --below shop.example --valid-for 30d")]
    Add(TokenAddArgs),
    /// Tokens: one's own, or for an admin everybody's
    #[command(after_help = "Example:\n  chorus token list")]
    List,
    /// From now on a token is good for nothing
    #[command(after_help = "Example:\n  chorus token revoke tok_5f2c0a77d1e94b36")]
    Revoke { id: String },
}

#[derive(Debug, Args)]
pub struct TokenAddArgs {
    /// What it is for
    #[arg(long)]
    pub label: String,
    /// What it may do; give each
    #[arg(long = "scope", value_enum, required = true)]
    pub scopes: Vec<Permission>,
    /// Only zones at or below this name
    #[arg(long, value_name = "ZONE")]
    pub below: Option<String>,
    /// A year at most
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub valid_for: Duration,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Who did what, the newest first
    #[command(after_help = "\
Example:
  chorus audit list --by people --limit 20
  chorus audit list --zone example.org -o json")]
    List(AuditListArgs),
    /// Reckon every entry's hash anew: whether the log is whole
    #[command(after_help = "\
Example:
  chorus audit verify
  chorus audit verify --head 812:9f2c...     # the head that was kept elsewhere is still in the log")]
    Verify {
        /// What an earlier `audit verify` gave as the head
        #[arg(long, value_name = "SEQUENCE:HASH")]
        head: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct AuditListArgs {
    #[arg(long)]
    pub who: Option<String>,
    #[arg(long)]
    pub kind: Option<String>,
    #[arg(long)]
    pub zone: Option<String>,
    /// `people`: without what Chorus did by itself
    #[arg(long)]
    pub by: Option<String>,
    #[arg(long)]
    pub limit: Option<u32>,
    /// Only what is before this entry
    #[arg(long, value_name = "SEQUENCE")]
    pub before: Option<i64>,
}

pub(super) async fn account(asker: &Asker, command: AccountCommand) -> Result<Exit, Failure> {
    let client = &asker.client;
    let answer = match command {
        AccountCommand::List => {
            let answer = client.get(&["accounts"], &[]).await?;
            asker.show::<AccountList>(answer, render::accounts)?;
            return Ok(Exit::Ok);
        }
        AccountCommand::Add { name, role } => {
            let body = client::body(&AccountAdd { name, role })?;
            client.send(Method::POST, &["accounts"], &[], Some(body)).await?
        }
        AccountCommand::Set { role: None, disabled: None, name } => {
            let fix = format!("Say --role or --disabled: see `chorus account set --help` for {name}");
            return Err(Failure::new(Exit::Usage, "nothing is named that is to change", fix));
        }
        AccountCommand::Set { name, role, disabled } => {
            let body = client::body(&AccountChange { role, disabled, reset: false })?;
            client.send(Method::PATCH, &["accounts", &name], &[], Some(body)).await?
        }
        AccountCommand::Reset { name } => {
            let body = client::body(&AccountChange { reset: true, ..AccountChange::default() })?;
            client.send(Method::PATCH, &["accounts", &name], &[], Some(body)).await?
        }
    };
    let url = asker.global.url.trim_end_matches('/').to_owned();
    asker.show::<AccountLink>(answer, |link, _| render::account_link(link, &url))?;
    Ok(Exit::Ok)
}

pub(super) async fn token(asker: &Asker, command: TokenCommand) -> Result<Exit, Failure> {
    let client = &asker.client;
    match command {
        TokenCommand::Add(TokenAddArgs { label, scopes, below, valid_for }) => {
            let body = client::body(&TokenAdd { label, scopes, below, valid_for_s: valid_for.as_secs() })?;
            let answer = client.send(Method::POST, &["tokens"], &[], Some(body)).await?;
            let made = asker.show::<TokenMade>(answer, |made, _| made.secret.clone())?;
            asker.chat(&render::token_made(&made.token));
        }
        TokenCommand::List => {
            let answer = client.get(&["tokens"], &[]).await?;
            asker.show::<TokenList>(answer, render::tokens)?;
        }
        TokenCommand::Revoke { id } => {
            client.send(Method::DELETE, &["tokens", &id], &[], None).await?;
            asker.chat(&format!("token {id} is good for nothing any more"));
        }
    }
    Ok(Exit::Ok)
}

pub(super) async fn audit(asker: &Asker, command: AuditCommand) -> Result<Exit, Failure> {
    let client = &asker.client;
    match command {
        AuditCommand::List(args) => {
            let (limit, before) = (args.limit.map(|n| n.to_string()), args.before.map(|n| n.to_string()));
            let asked = [
                ("who", args.who.as_deref()),
                ("kind", args.kind.as_deref()),
                ("zone", args.zone.as_deref()),
                ("by", args.by.as_deref()),
                ("limit", limit.as_deref()),
                ("before", before.as_deref()),
            ];
            let query: Vec<(&str, &str)> = asked.iter().filter_map(|(key, value)| Some((*key, (*value)?))).collect();
            let answer = client.get(&["audit"], &query).await?;
            asker.show::<AuditPage>(answer, render::audit)?;
        }
        AuditCommand::Verify { head } => {
            let answer = client.get(&["audit", "verify"], &[]).await?;
            let verified = asker.show::<AuditVerified>(answer, |verified, _| render::audit_verified(verified))?;
            if verified.broken.is_some() {
                return Ok(Exit::Blocked);
            }
            if let Some(head) = head {
                return still_there(asker, &head, &verified).await;
            }
        }
    }
    Ok(Exit::Ok)
}

/// Whether an entry that was the last one once is still what it was.
async fn still_there(asker: &Asker, head: &str, verified: &AuditVerified) -> Result<Exit, Failure> {
    let parsed = head.split_once(':').and_then(|(sequence, hash)| Some((sequence.parse::<i64>().ok()?, hash)));
    let Some((sequence, hash)) = parsed else {
        return Err(Failure::new(Exit::Usage, format!("'{head}' is no head of a log"), "Write SEQUENCE:HASH"));
    };
    let before = sequence.saturating_add(1).to_string();
    let answer = asker.client.get(&["audit"], &[("limit", "1"), ("before", &before)]).await?;
    let page: AuditPage = client::understand(answer)?;
    let is = page.entries.first().is_some_and(|entry| entry.sequence == sequence && entry.hash == hash);
    if is {
        asker.chat(&format!("entry {sequence} is what it was; {} have come since", verified.head_sequence - sequence));
        return Ok(Exit::Ok);
    }
    let text = format!("the log was made anew: entry {sequence} does not have the hash that was kept elsewhere");
    Err(Failure::new(Exit::Blocked, text, "Look for who could write to the database, and at a backup of it"))
}
