//! One address of one host, as a record of a set of its own: glue and address RRsets of several hosts are one version.
//!
//! Invariant: a host is in lower case, so that equal addresses of equal hosts are equal records.

use super::{Name, Rdata, ns_rdata};
use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::{A, AAAA};
use std::net::IpAddr;

/// The host's name in canonical wire form, and the octets of its address after it.
pub fn address_rdata(host: &Name, address: IpAddr) -> Rdata {
    let mut wire = ns_rdata(host).as_wire().to_vec();
    match address {
        IpAddr::V4(v4) => wire.extend(v4.octets()),
        IpAddr::V6(v6) => wire.extend(v6.octets()),
    }
    Rdata::from_canonical(wire)
}

/// Reads what [`address_rdata`] wrote; `None` for anything else.
pub fn host_address(record: &Rdata) -> Option<(Name, IpAddr)> {
    let wire = record.as_wire();
    let mut end = 0;
    // Labels with their lengths, up to the empty one of the root (RFC 1035 §3.1).
    loop {
        let length = usize::from(*wire.get(end)?);
        end += 1 + length;
        if length == 0 {
            break;
        }
    }
    let (name, octets) = wire.split_at_checked(end)?;
    let host = super::ns_name(&Rdata::from_canonical(name.to_vec())).ok()?;
    let address = match <[u8; 4]>::try_from(octets) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
    };
    Some((host, address))
}

/// The address in an A or AAAA record.
pub fn address_in(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(A(v4)) => Some(IpAddr::V4(*v4)),
        RData::AAAA(AAAA(v6)) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn an_address_is_read_back_with_its_host() {
        for (host, address) in [("ns1.Child.example.", "192.0.2.1"), (".", "2001:db8::1"), ("n\\.s.example.", "::")] {
            let (host, address) = (Name::from_str(host).unwrap(), address.parse().unwrap());
            assert_eq!(host_address(&address_rdata(&host, address)), Some((host.to_lowercase(), address)));
        }
        for wire in [&[][..], &[3, b'n'], &[0], &[0, 1, 2, 3], &[0, 1, 2, 3, 4, 5]] {
            assert_eq!(host_address(&Rdata::from_canonical(wire.to_vec())), None);
        }
    }
}
