//! What a route can ask for, and which roles have it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that somebody may be allowed to do: the scope of a token, and what every route declares.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
pub enum Permission {
    /// See zones, their pictures, histories and certificates; parents and statistics.
    #[serde(rename = "zones:read")]
    #[value(name = "zones:read")]
    ZonesRead,
    /// Adopt zones, and change what is assumed of them.
    #[serde(rename = "zones:write")]
    #[value(name = "zones:write")]
    ZonesWrite,
    /// Have a change checked and planned: questions, and writes that change nothing.
    #[serde(rename = "transitions:plan")]
    #[value(name = "transitions:plan")]
    TransitionsPlan,
    /// Begin, pause, resume, stop and undo transitions.
    #[serde(rename = "transitions:run")]
    #[value(name = "transitions:run")]
    TransitionsRun,
    /// See operators: where they are driven, and what their credentials are called.
    #[serde(rename = "operators:read")]
    #[value(name = "operators:read")]
    OperatorsRead,
    /// Add operators, change them, try them, exchange their credentials.
    #[serde(rename = "operators:write")]
    #[value(name = "operators:write")]
    OperatorsWrite,
    /// See who did what.
    #[serde(rename = "audit:read")]
    #[value(name = "audit:read")]
    AuditRead,
    /// Accounts, tokens, sessions of others, and the master key.
    #[serde(rename = "admin")]
    #[value(name = "admin")]
    Admin,
}

impl Permission {
    pub const ALL: [Permission; 8] = [
        Permission::ZonesRead,
        Permission::ZonesWrite,
        Permission::TransitionsPlan,
        Permission::TransitionsRun,
        Permission::OperatorsRead,
        Permission::OperatorsWrite,
        Permission::AuditRead,
        Permission::Admin,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Permission::ZonesRead => "zones:read",
            Permission::ZonesWrite => "zones:write",
            Permission::TransitionsPlan => "transitions:plan",
            Permission::TransitionsRun => "transitions:run",
            Permission::OperatorsRead => "operators:read",
            Permission::OperatorsWrite => "operators:write",
            Permission::AuditRead => "audit:read",
            Permission::Admin => "admin",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an account is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks on: a registry, a colleague.
    Viewer,
    /// The shift: runs transitions.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }

    /// What is not in the list of a role, it may not do.
    pub fn permissions(self) -> &'static [Permission] {
        use Permission::{AuditRead, OperatorsRead, TransitionsPlan, TransitionsRun, ZonesRead};
        match self {
            Role::Viewer => &[ZonesRead],
            Role::Operator => &[ZonesRead, TransitionsPlan, TransitionsRun, OperatorsRead, AuditRead],
            Role::Admin => &Permission::ALL,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
