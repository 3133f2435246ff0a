//! What the controller knows at the beginning: a zone that it adopted some time ago.
//!
//! Invariant: nothing is put down that adopting does not tell it; the rest it has to see.

use super::catalogue::{catalogue, label};
use super::edge::SPARE;
use super::operator::Operator;
use super::parent::Manner;
use super::records::Memory;
use super::world::World;
use crate::engine::Status;
use crate::model::group::{ParentMode, Standing};
use crate::model::time::Time;
use crate::store::{Interface, MemberRecord, OperatorRecord, ParentRecord, Records, ZoneRecord};
use futures::FutureExt;
use std::collections::BTreeMap;

/// The addresses that Chorus is given for an operator: all but those that it has to find out about.
pub fn settings_of(world: &World, operator: u8) -> Vec<String> {
    let addresses =
        world.addresses.iter().filter(|at| at.operator == Some(operator) && at.slot != SPARE && !at.is_frozen);
    addresses.map(|at| format!("{}={}", at.server.host.to_ascii(), at.server.address)).collect()
}

/// Puts operators and zone into the store, as a controller has them that adopted the zone some time ago.
pub fn adopt(memory: &Memory, world: &World) {
    let at = Time(world.now_ms);
    for op in &world.operators {
        let record = OperatorRecord {
            name: label(op.number),
            interface: Interface::Rfc2136 {
                // Operators are driven apart from each other.
                update: label(op.number),
                tsig_name: String::new(),
                tsig_algorithm: String::new(),
            },
            name_servers: settings_of(world, op.number),
            created_at: at,
        };
        // In memory, and without a crash point: it is there at once.
        let _ = memory.add_operator(&record, &[], [0; 24]).now_or_never();
    }
    let parents = world.addresses.iter().filter(|address| address.operator.is_none());
    let is_in = |op: &&Operator| world.wanted.get(usize::from(op.number)).copied().unwrap_or(false);
    let status = Status { parent_zone: catalogue().parent_zone.to_string(), ..Status::default() };
    let zone = ZoneRecord {
        name: catalogue().zone.clone(),
        parent: ParentRecord {
            mode: if world.parent.manner == Manner::Manual { ParentMode::Manual } else { ParentMode::Scan },
            servers: parents.map(|address| address.server.address.to_string()).collect(),
        },
        policy: world.policy.clone(),
        members: world
            .operators
            .iter()
            .filter(is_in)
            .map(|op| (label(op.number), MemberRecord::wanted(Standing::Serving)))
            .collect(),
        placements: BTreeMap::new(),
        in_flight: Vec::new(),
        zone_ttls: BTreeMap::new(),
        due_at: at,
        status: status.write(),
        created_at: at,
    };
    let _ = memory.add_zone(&zone).now_or_never();
}
