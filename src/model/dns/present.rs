//! Records as people and zone files write them (RFC 1035 §5, RFC 3597 for types that are not known here).
//!
//! Invariant: whatever the octets are, a line comes out; what does not have its type's form is printed as `\# n hex`,
//! which every name server reads back. Nothing is ever compared in this form.

use super::keys::{Dnskey, Ds};
use super::names::name_text;
use super::rdata::{Rdata, RecordSet, hex, ns_name};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hickory_proto::rr::{RData, RecordType};

/// For the records of RFC 8078 §4.
const DELETE_LABEL: &str = "request to delete all DS records";

/// The type's mnemonic, or `TYPE66` for one that has none here.
pub fn type_text(rtype: RecordType) -> String {
    match rtype {
        RecordType::Unknown(number) => format!("TYPE{number}"),
        known => known.to_string(),
    }
}

/// The RDATA in presentation form.
pub fn rdata_text(rtype: RecordType, rdata: &Rdata) -> String {
    let text = match rtype {
        RecordType::DNSKEY | RecordType::CDNSKEY => Dnskey::read(rdata)
            .map(|key| format!("{} {} {} {}", key.flags, key.protocol, key.algorithm, BASE64.encode(key.public_key))),
        RecordType::DS | RecordType::CDS => {
            Ds::read(rdata).map(|ds| format!("{} {} {} {}", ds.key_tag, ds.algorithm, ds.digest_type, hex(ds.digest)))
        }
        RecordType::NS => ns_name(rdata).ok().map(|host| name_text(&host)),
        RecordType::A | RecordType::AAAA | RecordType::SOA | RecordType::CSYNC => parsed_text(rtype, rdata),
        _ => None,
    };
    text.unwrap_or_else(|| format!("\\# {} {}", rdata.as_wire().len(), hex(rdata.as_wire())).trim_end().to_owned())
}

fn parsed_text(rtype: RecordType, rdata: &Rdata) -> Option<String> {
    match rdata.parse(rtype).ok()? {
        RData::A(address) => Some(address.0.to_string()),
        RData::AAAA(address) => Some(address.0.to_string()),
        RData::SOA(soa) => Some(format!(
            "{} {} {} {} {} {} {}",
            name_text(&soa.mname),
            name_text(&soa.rname),
            soa.serial,
            soa.refresh,
            soa.retry,
            soa.expire,
            soa.minimum
        )),
        RData::CSYNC(csync) => {
            let types = csync.type_bit_maps.iter().map(|rtype| format!(" {}", type_text(rtype)));
            Some(format!("{} {}{}", csync.soa_serial, csync.flags(), types.collect::<String>()))
        }
        _ => None,
    }
}

/// `key 4711 (alg 13, KSK)`: a key, short enough for a sentence. KSK stands for the secure entry point bit, so a key
/// that does both is called so too: which keys sign the zone's data is seen in signatures only.
pub fn key_label(rdata: &Rdata) -> String {
    let Some(key) = Dnskey::read(rdata) else { return format!("unreadable key {}", hex(rdata.as_wire())) };
    let role = match key {
        _ if key.is_revoked() => "revoked",
        _ if !key.is_usable() => "not usable",
        _ if key.is_key_signing() => "KSK",
        _ => "ZSK",
    };
    format!("key {} (alg {}, {role})", key.key_tag(), key.algorithm)
}

/// `DS of key 4711 (alg 13, digest type 2)`, for DS and CDS.
pub fn ds_label(rdata: &Rdata) -> String {
    match Ds::read(rdata) {
        Some(ds) if ds.algorithm == 0 => DELETE_LABEL.into(),
        Some(ds) => format!("DS of key {} (alg {}, digest type {})", ds.key_tag, ds.algorithm, ds.digest_type),
        None => format!("unreadable DS {}", hex(rdata.as_wire())),
    }
}

/// One record of a set, as short as it can be said: the label for keys and digests, else the presentation form.
pub fn record_label(rtype: RecordType, rdata: &Rdata) -> String {
    match rtype {
        RecordType::CDNSKEY if Dnskey::read(rdata).is_some_and(|key| key.algorithm == 0) => DELETE_LABEL.into(),
        RecordType::DNSKEY | RecordType::CDNSKEY => key_label(rdata),
        RecordType::DS | RecordType::CDS => ds_label(rdata),
        _ => rdata_text(rtype, rdata),
    }
}

/// `{key 1 (alg 13, KSK), key 2 (alg 13, ZSK)}`; `nothing` for an empty set.
pub fn set_label(rtype: RecordType, records: &RecordSet) -> String {
    if records.is_empty() {
        return "nothing".into();
    }
    let labels: Vec<_> = records.iter().map(|rdata| record_label(rtype, rdata)).collect();
    format!("{{{}}}", labels.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::keys::{DELETE_CDNSKEY, DELETE_CDS};
    use super::super::rdata::{ns_rdata, unhex};
    use super::*;
    use hickory_proto::rr::Name;
    use std::str::FromStr;

    fn rdata(wire: &str) -> Rdata {
        Rdata::from_canonical(unhex(wire).unwrap())
    }

    #[test]
    fn every_type_that_is_shown_has_its_presentation_form() {
        let soa = "026e73076578616d706c650004686f7374076578616d706c6500000000010000000200000003000000040000000e";
        let csync = Rdata::from_wire(RecordType::CSYNC, &[0, 0, 0, 7, 0, 3, 0, 4, 0x60, 0, 0, 8]).unwrap();
        for (rtype, rdata, text) in [
            (RecordType::DNSKEY, rdata("0101030d00ff"), "257 3 13 AP8="),
            (RecordType::CDNSKEY, Rdata::from_canonical(DELETE_CDNSKEY.to_vec()), "0 3 0 AA=="),
            (RecordType::DS, rdata("12670d02abcd"), "4711 13 2 abcd"),
            (RecordType::CDS, Rdata::from_canonical(DELETE_CDS.to_vec()), "0 0 0 00"),
            (RecordType::NS, ns_rdata(&Name::from_str("NS1.b.example.").unwrap()), "ns1.b.example."),
            (RecordType::A, rdata("c0000201"), "192.0.2.1"),
            (RecordType::AAAA, rdata("20010db8000000000000000000000001"), "2001:db8::1"),
            (RecordType::SOA, rdata(soa), "ns.example. host.example. 1 2 3 4 14"),
            (RecordType::CSYNC, csync, "7 3 A NS AAAA"),
            (RecordType::Unknown(66), rdata("003b01"), "\\# 3 003b01"),
        ] {
            assert_eq!(rdata_text(rtype, &rdata), text);
        }
        assert_eq!(type_text(RecordType::Unknown(66)), "TYPE66");
        assert_eq!(type_text(RecordType::CDNSKEY), "CDNSKEY");
    }

    #[test]
    fn octets_of_a_wrong_form_are_printed_as_octets() {
        for rtype in [RecordType::DNSKEY, RecordType::DS, RecordType::NS, RecordType::A, RecordType::SOA] {
            assert_eq!(rdata_text(rtype, &rdata("0001")), "\\# 2 0001");
            assert_eq!(rdata_text(rtype, &rdata("")), "\\# 0");
        }
    }

    #[test]
    fn labels_are_short_and_name_the_tag() {
        assert_eq!(key_label(&rdata("0101030d00ff")), "key 1293 (alg 13, KSK)");
        assert_eq!(key_label(&rdata("0100030d00ff")), "key 1292 (alg 13, ZSK)");
        assert_eq!(key_label(&rdata("0181030d00ff")), "key 1421 (alg 13, revoked)");
        assert_eq!(key_label(&rdata("01")), "unreadable key 01");
        assert_eq!(ds_label(&rdata("12670d02abcd")), "DS of key 4711 (alg 13, digest type 2)");
        assert_eq!(set_label(RecordType::CDS, &RecordSet::new()), "nothing");
        let delete = RecordSet::from([Rdata::from_canonical(DELETE_CDNSKEY.to_vec())]);
        assert_eq!(set_label(RecordType::CDNSKEY, &delete), "{request to delete all DS records}");
    }
}
