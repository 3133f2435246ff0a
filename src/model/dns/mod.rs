//! What the model needs of DNS: names, RDATA in canonical form, keys, digests, signatures. A thin layer over
//! `hickory-proto`, which parses and prints; comparison and verification always work on the canonical wire form.
//!
//! Nothing here knows servers, time of observation or operators.

mod address;
mod csync;
mod host;
mod keys;
mod names;
mod present;
pub mod proof;
mod rdata;
mod verify;

pub use address::{address_in, address_rdata, host_address};
pub use csync::{Csync, IMMEDIATE, SOA_MINIMUM};
pub use hickory_proto::rr::{Name, RecordType};
pub use host::Host;
pub use keys::{
    DELETE_CDNSKEY, DELETE_CDS, Dnskey, Ds, USABLE_DIGEST_TYPES, cds_for, is_delete_request, is_ds_supported,
    key_that_ds_belongs_to, key_that_ds_validates,
};
pub use names::{BadName, is_at_or_below, is_wildcard, name_text, plain_of_stored, plain_text, read_name, stored};
pub use present::{ds_label, key_label, rdata_text, record_label, set_label, type_text};
pub use rdata::{Rdata, RdataError, RecordSet, hex, ns_name, ns_rdata, unhex};
pub use verify::{CLOCK_SKEW_S, OPERATIONS_MAX, Refusal, Rrsig, SignedSet, Verdict, Verification, verify};
