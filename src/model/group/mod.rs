//! Standings, desired sets, guards, plan and forecast: what should be published where, and when the next step is allowed.
//!
//! ```text
//!              keys everywhere, DS at the parent,         NS everywhere,
//!              every version without them dead            CSYNC until the parent has it
//!   Outside ───────────────────────────────► Trusted ───────────────────────────► Serving
//!           ◄───────────────────────────────         ◄───────────────────────────
//!              nobody can ask it any more; its            NS without it everywhere, at the
//!              keys, then its answers, are dead           leaver too, then at the parent
//! ```
//!
//! Invariant: everything is derived from the history and the desired group, every time anew; nothing is remembered about
//! what was done before, but which records are placements. A set that may not be changed yet is left as it is.

mod addresses;
mod algorithm;
mod ask;
mod asked;
mod cds;
mod cds_waits;
mod course;
mod dead_leavers;
mod decision;
mod delegated;
mod denied;
mod desired;
mod farewell;
mod forecast;
mod guards;
mod hosts;
mod ladder;
mod missing;
mod name_servers;
mod parent_takes;
mod parents;
mod preflight;
mod reachable;
mod reached;
mod registrar;
mod repair;
mod rest;
mod roles;
mod rolls;
mod say;
mod scope;
mod second_writer;
mod signatures;
mod standing;
mod strangers;
mod uncooperative;
mod view;
mod whose;

pub use addresses::{
    GLUE_DIFFERS, Unequal, alias, glue_differs, has_no_address, listed as listed_addresses, unequal, wanted_addresses,
};
pub use algorithm::{algorithm_name, algorithm_number, algorithms_of};
pub use asked::{Asked, acted, asked};
pub use cds::{
    DELETE_FIX, SIGNER_FIX, Stripped, cds_not_accepted, delete_requests, entry_keys, strip_conflict, strip_fix,
    stripped,
};
pub use cds_waits::ds_not_usable;
pub use course::way;
pub use dead_leavers::{UNCOOPERATIVE, dead_leavers, leavers_without_help};
pub use decision::{Change, Decision, Step, Wait, Write};
pub use desired::digest_types;
pub use farewell::has_copies;
pub use forecast::{Forecast, ForecastStep, ForecastWait, ForecastWrite, forecast};
pub use guards::{Cause, Guard, REGISTRAR_PENDING, last_question};
pub use hosts::{ADDRESSES_DIFFER, ALIAS, NO_ADDRESS};
pub use ladder::{decide, is_admitted, is_present};
pub use missing::NEEDS_REPAIR;
pub use parents::PARENT_SERVES_ZONE;
pub use preflight::{Refused, preflight};
pub use reachable::{Known, known_by, reachable};
pub use reached::{NO_ROUTE, NO_ROUTE_FIX, UDP_UNANSWERED};
pub use registrar::{has_already, is_by_hand, pending_requests, shown_for_registrar};
pub use repair::{REPAIRS_MAX, WITHIN, held_until};
pub use rest::{Group, Rest, forecast_to, nearest_rest, parent_latency, wanting};
pub(crate) use roles::{UNSUPPORTED, UNSUPPORTED_FIX};
pub use rolls::{KeyRole, KeyTurn, OwnKey, Phase, Rolling, Turn, key_turns, rolling};
pub use scope::Scope;
pub use second_writer::{Loss, losses, second_writer};
pub use signatures::{Ending, SIGNATURE_EXPIRING, ending};
pub use standing::standing;
pub use view::{Member, Memo, ParentMode, Shown, World};
pub use whose::{Belongings, SharedKeys, belongings, copies, pusher, shared_keys};

use serde::{Deserialize, Serialize};

/// How far an operator is in (design: the ladder above).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    Outside,
    Trusted,
    Serving,
}

impl Standing {
    /// The membership in words that people read.
    pub fn label(self) -> &'static str {
        match self {
            Standing::Outside => "absent",
            Standing::Trusted => "keys published",
            Standing::Serving => "serving",
        }
    }
}
