//! Whoever asks: by which means, with which permissions, for which zones.

use super::permission::{Permission, Role};
use crate::model::dns::is_at_or_below;
use crate::model::time::Time;
use crate::store::Signature;
use std::net::IpAddr;

/// How somebody showed who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// Signed in with a password, at the web interface.
    Session,
    /// With an API token: its id, which is no secret.
    Token(String),
    /// With the token in the daemon's data directory.
    TokenFile,
    /// Nobody asked: it is the daemon's own doing.
    Itself,
}

/// Whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account's name; for the token file `local`.
    pub name: String,
    pub means: Means,
    pub permissions: Vec<Permission>,
    /// Only zones at or below this name (absolute, lower case); a token can be limited so.
    pub below: Option<String>,
    pub address: Option<IpAddr>,
}

impl Caller {
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Whether `zone` (as the store names it: absolute, lower case) is among those that this caller may see at all.
    pub fn reaches(&self, zone: &str) -> bool {
        self.below.as_deref().is_none_or(|above| is_at_or_below(zone, above))
    }

    /// Somebody with a role, signed in.
    pub fn signed_in(name: &str, role: Role, address: Option<IpAddr>) -> Caller {
        let permissions = role.permissions().to_vec();
        Caller { name: name.to_owned(), means: Means::Session, permissions, below: None, address }
    }

    /// The owner of the daemon's data directory.
    pub fn local(address: Option<IpAddr>) -> Caller {
        let permissions = Permission::ALL.to_vec();
        Caller { name: "local".to_owned(), means: Means::TokenFile, permissions, below: None, address }
    }

    /// Under what they change at this moment.
    pub fn signature(&self, at: Time) -> Signature {
        let address = self.address.map(|address| address.to_string());
        Signature { who: self.name.clone(), via: self.via(), address, at }
    }

    /// What Chorus does by itself, and has to be allowed to.
    pub fn itself() -> Caller {
        Caller { name: "chorus".to_owned(), means: Means::Itself, ..Caller::local(None) }
    }

    /// As the log has it: `session`, `token tok_…`, `token-file`.
    pub fn via(&self) -> String {
        match &self.means {
            Means::Session => "session".to_owned(),
            Means::Token(id) => format!("token {id}"),
            Means::TokenFile => "token-file".to_owned(),
            Means::Itself => String::new(),
        }
    }
}
