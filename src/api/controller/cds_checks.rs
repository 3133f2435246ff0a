//! What an address shows of CDS and CDNSKEY, as checks of an operator: without a zone's group or its parent.

use crate::api::wire::{Check, Outcome};
use crate::model::dns::{Name, is_delete_request};
use crate::model::group::{DELETE_FIX, SIGNER_FIX, entry_keys};
use crate::model::history::{History, Kind, Server};

/// What is wrong with the CDS and CDNSKEY sets of one address; empty where nothing is.
pub(super) fn of_server(zone: &Name, history: &History, server: &Server) -> Vec<Check> {
    let failed = |code: &str, text: String, fix: &str| Check {
        code: code.into(),
        outcome: Outcome::Fail,
        text,
        fix: Some(fix.into()),
    };
    let mut checks = Vec::new();
    let cds = history.current(server, Kind::Cds).map(|span| span.served.records.clone()).unwrap_or_default();
    let signers = history.current(server, Kind::Dnskey).map(|span| entry_keys(zone, &span.served.signers, &cds));
    for kind in [Kind::Cds, Kind::Cdnskey] {
        let Some(span) = history.current(server, kind).filter(|span| !span.served.records.is_empty()) else { continue };
        if span.served.records.iter().any(|rdata| is_delete_request(kind.record_type(), rdata)) {
            let text = format!("{server} serves a {kind} record that asks the parent to remove every DS (RFC 8078 §4)");
            checks.push(failed("cds-delete", text, DELETE_FIX));
        }
        if signers.as_ref().is_some_and(|signers| !signers.is_empty() && signers.is_disjoint(&span.served.signers)) {
            let text = format!(
                "{server} signs its {kind} set with none of the key-signing keys that sign its DNSKEY set: no parent acts on it (RFC 7344 \
                 §4.1)"
            );
            checks.push(failed("cds-signer", text, SIGNER_FIX));
        }
    }
    checks
}
