//! Whether the parent has a DS of the zone, and what is told when that changes.
//!
//! Without a DS a zone is insecure (RFC 4035 §5.2): resolvers answer, and validate nothing. No resolver fails by that.

use super::picture::Picture;
use super::status::Status;
use crate::model::dns::{Rdata, ds_label, is_ds_supported};
use crate::model::history::{Kind, Server};
use std::collections::BTreeSet;

/// Whether any server of the parent has a DS that validators support.
pub(super) fn is_secure(known: &Picture) -> bool {
    let ds = |server: &Server| {
        known.history.current(server, Kind::Ds).is_some_and(|ds| ds.served.records.iter().any(is_ds_supported))
    };
    known.places.parent.iter().any(ds)
}

/// The kind and the text of the event, where the zone became secure or insecure since the last look.
pub(super) fn change(known: &Picture, status: &Status) -> Option<(&'static str, String)> {
    let secure = is_secure(known);
    if status.secure.is_none_or(|before| before == secure) {
        return None;
    }
    let servers = &known.places.parent;
    let current = servers.iter().filter_map(|server| known.history.current(server, Kind::Ds));
    if secure {
        let ds: BTreeSet<&Rdata> = current.flat_map(|span| &span.served.records).collect();
        return Some(("zone-secure", format!("the zone became secure: the parent has {}", listed(ds))));
    }
    let at = current.map(|span| span.first_seen).max()?;
    let tracks = servers.iter().filter_map(|server| known.history.track(server, Kind::Ds));
    let last = tracks.filter_map(|track| track.spans.iter().rfind(|span| !span.served.records.is_empty()));
    let gone: BTreeSet<&Rdata> = last.flat_map(|span| &span.served.records).collect();
    let text = format!(
        "the zone became insecure at {at}: the parent has no DS any more (it had {}); resolvers take the zone for unsigned. Chorus \
         does not ask for that: look for who took it out, at the registrar for instance",
        listed(gone)
    );
    Some(("zone-insecure", text))
}

fn listed(ds: BTreeSet<&Rdata>) -> String {
    ds.into_iter().map(ds_label).collect::<Vec<_>>().join(", ")
}
