//! Accounts, tokens and the log as text.

use super::Look;
use super::grid::Grid;
use crate::api::wire::{AccountLink, AccountList, AccountShow, AuditPage, AuditVerified, TokenList, TokenShow};

fn condition(account: &AccountShow) -> &'static str {
    match (account.disabled, account.has_password) {
        (true, _) => "kept out",
        (false, false) => "has not used its link",
        (false, true) => "signs in",
    }
}

pub fn accounts(list: &AccountList, look: &Look) -> String {
    if list.accounts.is_empty() {
        return "no accounts yet; add one with 'chorus account add'\n".to_owned();
    }
    let mut grid = Grid::new(["NAME", "ROLE", "", "SECOND FACTOR", "LAST SIGNED IN"]);
    for account in &list.accounts {
        grid.row(vec![
            account.name.clone(),
            account.role.to_string(),
            condition(account).to_owned(),
            if account.totp { "yes" } else { "no" }.to_owned(),
            account.last_seen_at.map_or("never".to_owned(), |at| at.to_string()),
        ]);
    }
    grid.draw(look)
}

/// `url`: the daemon's.
pub fn account_link(link: &AccountLink, url: &str) -> String {
    let account = &link.account;
    let mut text = format!("{}: {}, {}\n", account.name, account.role, condition(account));
    if let Some(path) = &link.path {
        let until = link.valid_until.map(|until| format!(", until {until}")).unwrap_or_default();
        text.push_str(&format!(
            "{url}{path}\n(hand this link to {}: it chooses the password, once{until})\n",
            account.name
        ));
    }
    text
}

fn scopes(token: &TokenShow) -> String {
    token.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
}

pub fn tokens(list: &TokenList, look: &Look) -> String {
    if list.tokens.is_empty() {
        return "no tokens yet; make one with 'chorus token add'\n".to_owned();
    }
    let mut grid = Grid::new(["ID", "LABEL", "OF", "MAY", "BELOW", "UNTIL", "LAST USED"]);
    for token in &list.tokens {
        let until = match token.revoked {
            true => "revoked".to_owned(),
            false if token.expires_at <= list.now => format!("over since {}", token.expires_at),
            false => token.expires_at.to_string(),
        };
        grid.row(vec![
            token.id.clone(),
            token.label.clone(),
            token.account.clone(),
            scopes(token),
            token.below.clone().unwrap_or_else(|| "all zones".to_owned()),
            until,
            token.last_used_at.map_or("never".to_owned(), |at| at.to_string()),
        ]);
    }
    grid.draw(look)
}

/// Beside the token itself, which stands alone.
pub fn token_made(token: &TokenShow) -> String {
    let below = token.below.as_ref().map(|below| format!(", for zones at or below {below}")).unwrap_or_default();
    format!("{} may {}{below}, until {}; it is not shown again", token.id, scopes(token), token.expires_at)
}

pub fn audit(page: &AuditPage, look: &Look) -> String {
    if page.entries.is_empty() {
        return "nothing in the log is like that\n".to_owned();
    }
    let mut grid = Grid::new(["ENTRY", "AT", "WHO", "BY", "ABOUT", "WHAT"]);
    for entry in &page.entries {
        let about: Vec<&str> = [&entry.zone, &entry.operator].into_iter().flatten().map(String::as_str).collect();
        let by = match &entry.address {
            Some(address) => format!("{} from {address}", entry.via),
            None => entry.via.clone(),
        };
        grid.row(vec![
            entry.sequence.to_string(),
            entry.at.to_string(),
            entry.who.clone(),
            by,
            about.join(", "),
            format!("{}: {}", entry.kind, entry.text),
        ]);
    }
    let mut text = grid.draw(look);
    if let Some(next) = page.next {
        text.push_str(&format!("older ones: --before {next}\n"));
    }
    text
}

pub fn audit_verified(verified: &AuditVerified) -> String {
    match &verified.broken {
        Some(broken) => format!("the log is NOT whole: {broken} ({} entries before that are)\n", verified.entries),
        None => format!(
            "the log is whole: {} entries\nhead {}:{}\n(keep the head elsewhere: `chorus audit verify --head` tests against it)\n",
            verified.entries, verified.head_sequence, verified.head_hash
        ),
    }
}
