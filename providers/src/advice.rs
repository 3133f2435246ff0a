//! What a person should look at and change after a refusal: settings as BIND 9.18 to 9.21, Knot 3.2 to 3.5 and PowerDNS 4.7 to 5.1
//! call them.
//!
//! Advice is for the server at hand, as far as what it did tells which one it is: Knot says BADKEY where others say REFUSED,
//! PowerDNS does not sign that it refuses a key that it does not know, and only PowerDNS and BIND with `inline-signing yes`
//! compare prerequisites with another DNSKEY RRset than they serve.
//!
//! Each piece of advice was tried on those servers. Errors whose remedy is not a setting say what to wait for or whom to
//! ask. Nothing here decides anything: programs go by [`ProviderError::category`].

use crate::error::{CutShort, Doing, NotAsWanted, ProviderError};
use hickory_proto::rr::RecordType;

impl ProviderError {
    /// What to do where the zone could not be listed although the server answers other questions.
    pub fn listing_advice(&self) -> String {
        match self {
            ProviderError::Timeout { .. }
            | ProviderError::Connection { .. }
            | ProviderError::Malformed { .. }
            | ProviderError::ServFail { .. } => String::from(
                "Read the server's log of the zone transfer, and see whether a firewall ends long connections; then try again. Or \
                 give the zone's largest TTL by hand: `chorus zone policy ZONE --data-ttl-max`.",
            ),
            _ => self.advice(),
        }
    }

    /// What to do, in one to three sentences.
    pub fn advice(&self) -> String {
        match self {
            ProviderError::BadKey { key, zone, doing: Doing::Transferring, .. } => format!(
                "Check that the server has a key of the name {key} with the same algorithm. If it has, permit the \
                 transfer: BIND `allow-transfer {{ key \"{key}\"; }};`, Knot an acl of {zone} with `key: {key}` and \
                 `action: transfer`."
            ),
            ProviderError::BadKey { key, zone, .. } => format!(
                "Check that the server has a key of the name {key} with the same algorithm. If it has, it is Knot that \
                 does not permit the update (it says BADKEY for that too): {}",
                knot_acl(key, zone)
            ),
            ProviderError::BadSig { key, .. } => format!(
                "Compare the secret of {key} here with that in the server's configuration, and hand in the secret file \
                 again."
            ),
            ProviderError::BadTime { our_time, their_time, .. } => {
                let which = match their_time {
                    Some(theirs) if theirs > our_time => {
                        format!("This machine's clock is {} s behind the server's.", theirs - our_time)
                    }
                    Some(theirs) => format!("This machine's clock is {} s ahead of the server's.", our_time - theirs),
                    None => String::from("The clocks differ by more than five minutes."),
                };
                format!("{which} Let both machines keep time by NTP (for example `timedatectl set-ntp true`).")
            }
            ProviderError::Refused { zone, doing: Doing::Updating, keys_apart: true, .. } => {
                let at_powerdns = "PowerDNS refuses what its `lua-dnsupdate-policy-script` does not permit.";
                kept_apart(zone, at_powerdns)
            }
            ProviderError::Refused { zone, doing: Doing::Updating, signed: false, .. } => format!(
                "The refusal is not signed, as PowerDNS does: it does not know the key, its secret is another one, or the \
                 zone does not permit it. Compare name and secret with `pdnsutil list-tsig-keys`; {zone} needs the metadata \
                 `TSIG-ALLOW-DNSUPDATE` (the key's name) and `ALLOW-DNSUPDATE-FROM` (this machine's address), and the \
                 server `dnsupdate=yes`."
            ),
            ProviderError::Refused { zone, doing: Doing::Updating, .. } => format!(
                "BIND permits it with `update-policy {{ grant \"KEY.\" name {zone} DNSKEY CDS CDNSKEY CSYNC NS; }};` in \
                 the zone, PowerDNS with `dnsupdate=yes` and the zone's metadata `TSIG-ALLOW-DNSUPDATE` (the key's name) \
                 and `ALLOW-DNSUPDATE-FROM` (this machine's address). BIND before 9.20 also refuses CDS and CDNSKEY \
                 records in a zone with `inline-signing yes;` (write `inline-signing no;`). Every BIND refuses CDS records \
                 for an algorithm that no DNSKEY of the zone has, and name servers inside the zone that have no address."
            ),
            ProviderError::Refused { zone, doing: Doing::Reading, .. } => format!(
                "Check that {zone} is configured on that server, and that it answers queries from this machine \
                 (BIND: `allow-query`)."
            ),
            ProviderError::Refused { zone, doing: Doing::Transferring, .. } => format!(
                "Permit the transfer of {zone} with the key (BIND: `allow-transfer`; Knot: an acl with `action: \
                 transfer`), or give the zone's largest TTL by hand."
            ),
            ProviderError::NotAuth { zone, doing: Doing::Transferring, .. } => format!(
                "Check that {zone} is a zone on that server, and permit its transfer with the key (BIND: `allow-transfer`; \
                 Knot: an acl with `action: transfer`), or give the zone's largest TTL by hand."
            ),
            ProviderError::CutShort { why: CutShort::TooLarge { .. }, .. } => {
                String::from("Give the zone's largest TTL by hand: `chorus zone policy ZONE --data-ttl-max`.")
            }
            ProviderError::CutShort { why: CutShort::Unreadable { .. }, .. } => String::from(
                "Look for the record with a tool that prints unknown types (`dig AXFR`), or give the zone's largest TTL by hand.",
            ),
            ProviderError::CutShort { .. } => String::from(
                "Look at the server's log and at what is between (a firewall that ends long connections), then try again; or \
                 give the zone's largest TTL by hand.",
            ),
            ProviderError::NotAuth { zone, .. } => format!(
                "Check the address, and that {zone} is a zone on that server (a primary one for updates), spelled \
                 exactly so."
            ),
            ProviderError::ServFail { doing: Doing::Updating, zone, keys_apart: true, .. } => {
                let at_powerdns = "PowerDNS says SERVFAIL when `zone-metadata-cache-ttl` is 0 (leave it out), and when its \
                                   database fails.";
                kept_apart(zone, at_powerdns)
            }
            ProviderError::ServFail { doing: Doing::Updating, .. } => String::from(
                "The server's log has the reason. BIND says so for a DNSKEY whose public key is not a valid one, and BIND \
                 before 9.20 for every DNSKEY in a zone with `inline-signing yes;` (write `inline-signing no;`); PowerDNS \
                 when `zone-metadata-cache-ttl` is 0.",
            ),
            ProviderError::ServFail { zone, .. } => {
                format!("The server knows {zone} but has not loaded it; its log has the reason.")
            }
            ProviderError::Rcode { .. } => {
                String::from("The server may not support dynamic updates (RFC 2136); its log has more.")
            }
            ProviderError::PrerequisiteFailed { .. } => String::from(
                "Look for another program that writes the same records: a second controller, a script, a key roll that \
                 is just happening. It is tried again.",
            ),
            ProviderError::Ignored { sets, keys_apart, .. } => ignored(sets, *keys_apart),
            ProviderError::Connection { server, .. } => {
                format!("Check that the server listens on TCP at {server} and that no firewall is between.")
            }
            ProviderError::Timeout { .. } => String::from("Check that the server is running; it is asked again."),
            ProviderError::OutcomeUnknown { .. } => {
                String::from("Nothing needs to be done: the server is read again before anything else is sent.")
            }
            ProviderError::Unauthenticated { .. } => String::from(
                "Check that the address is that of the server itself and that nothing in between answers in its place \
                 or alters DNS messages.",
            ),
            ProviderError::Malformed { .. } => {
                String::from("Check that a DNS server listens at that address and port, over TCP.")
            }
            ProviderError::Unsupported { .. } => String::from("Use what the message names as possible."),
            ProviderError::Rest(error) => error.advice(),
        }
    }
}

fn knot_acl(key: &str, zone: &str) -> String {
    format!(
        "the zone {zone} needs an acl with `key: {key}`, `action: update`, `update-type: [DNSKEY, CDS, CDNSKEY, CSYNC, \
         NS]`, `update-owner: zone` and `update-owner-match: equal`."
    )
}

/// For a server that updates another copy of the zone than it serves. BIND and PowerDNS both do, and cannot be told apart by it.
fn kept_apart(zone: &str, at_powerdns: &str) -> String {
    format!(
        "The server updates another copy of {zone} than it serves, as PowerDNS does, and BIND with `inline-signing yes;`. \
         {at_powerdns} BIND before version 9.20 takes no other operators' keys and CDS there: write `inline-signing no;` in the \
         zone, or update BIND to 9.20 or later. The server's log has more."
    )
}

fn ignored(sets: &[NotAsWanted], keys_apart: bool) -> String {
    let any = |types: &[RecordType], pick: fn(&NotAsWanted) -> bool| {
        sets.iter().any(|set| types.contains(&set.rtype) && pick(set))
    };
    let mut parts = Vec::new();
    let keys_missing = any(&[RecordType::DNSKEY], |set| !set.missing.is_empty());
    if keys_missing && keys_apart {
        parts.push(
            "PowerDNS stores foreign keys and does not serve them unless `direct-dnskey=yes` is in its configuration. BIND with \
             `inline-signing yes` signs what it has accepted a moment later: if it still does not serve it, its log has the \
             reason.",
        );
    } else if any(&[RecordType::DNSKEY, RecordType::CDS, RecordType::CDNSKEY], |set| !set.missing.is_empty()) {
        parts.push(
            "Knot drops foreign keys unless the zone's policy has `dnskey-management: incremental` (with a \
             `delete-delay`). It also drops the CDS and CDNSKEY of its own key with `cds-cdnskey-publish: none`: set it \
             to `always`.",
        );
    }
    if any(&[RecordType::CDS, RecordType::CDNSKEY], |set| !set.left_over.is_empty()) {
        parts.push(
            "A server puts back the CDS and CDNSKEY of its own keys: BIND always does, Knot with `cds-cdnskey-publish` \
             other than `none`. Those have to be among the wanted records, or be switched off.",
        );
    }
    if any(&[RecordType::DNSKEY], |set| !set.left_over.is_empty()) {
        parts.push("A server keeps its own DNSKEYs that are in use: those are removed by its key roll only.");
    }
    if any(&[RecordType::NS], |set| !set.left_over.is_empty()) {
        parts.push("A server keeps the last NS record of a zone: another one has to be there first.");
    }
    if parts.is_empty() {
        parts.push("Look into the server's log for why it did not do the update.");
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servfail_where_keys_are_kept_apart_names_powerdns_and_bind() {
        let (server, zone) = ("192.0.2.1:53".parse().unwrap(), String::from("example.org."));
        let (doing, rtype) = (Doing::Updating, Some(RecordType::DNSKEY));
        let advice = ProviderError::ServFail { server, zone, doing, rtype, keys_apart: true }.advice();
        for setting in ["zone-metadata-cache-ttl", "inline-signing no;", "example.org."] {
            assert!(advice.contains(setting), "{advice}");
        }
    }
}
