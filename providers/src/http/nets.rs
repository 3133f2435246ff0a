//! Which addresses an HTTP interface may have.
//!
//! Whoever may add an operator says where this process connects to, with which the networks behind it would be open to
//! them: services on this machine, the metadata service of a cloud. So without a word from whoever runs the process,
//! only public addresses are connected to, and only with TLS. Names are resolved elsewhere.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that may be connected to: all public ones with TLS; those in the listed networks with and without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedNets {
    listed: Vec<IpNet>,
}

impl AllowedNets {
    pub fn public_only() -> AllowedNets {
        AllowedNets::default()
    }

    /// Public addresses, and these networks.
    pub fn with(listed: Vec<IpNet>) -> AllowedNets {
        AllowedNets { listed }
    }

    pub(super) fn permit(&self, address: IpAddr, tls: bool) -> bool {
        // An IPv4 address that is written as an IPv6 one is connected to as what it is.
        let address = address.to_canonical();
        self.listed.iter().any(|net| net.contains(&address)) || (tls && is_public(address))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !V4_SPECIAL.iter().any(|(net, bits)| covers(u32::from(v4) ^ u32::from(*net), *bits)),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn covers(difference: u32, bits: u32) -> bool {
    difference.leading_zeros() >= bits
}

/// Not globally reachable by the IANA registry of special-purpose addresses (RFC 6890), multicast and reserved ones.
const V4_SPECIAL: [(Ipv4Addr, u32); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Global unicast is 2000::/3; in it are protocol assignments and Teredo (2001::/23), documentation (2001:db8::/32,
/// 3fff::/20) and 6to4 (2002::/16), which leads to any IPv4 address. NAT64 (64:ff9b::/96) is outside, and would, too.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let special = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    a & 0xe000 == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_only_public_addresses_are_permitted_and_only_with_tls() {
        let nets = AllowedNets::public_only();
        for public in ["9.9.9.9", "172.32.0.1", "100.128.0.1", "2620:fe::fe", "2a00::1", "::ffff:9.9.9.9"] {
            let address = public.parse().unwrap();
            assert!(nets.permit(address, true) && !nets.permit(address, false), "{public}");
        }
        let inside = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.19.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "fe80::1",
            "fec0::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
        ];
        for address in inside {
            assert!(!nets.permit(address.parse().unwrap(), true), "{address}");
        }
    }

    #[test]
    fn what_is_listed_is_permitted_with_and_without_tls_and_nothing_beside_it() {
        let nets = AllowedNets::with(vec!["10.0.0.0/24".parse().unwrap(), "fd00::/16".parse().unwrap()]);
        for listed in ["10.0.0.9", "::ffff:10.0.0.9", "fd00::1"] {
            let address = listed.parse().unwrap();
            assert!(nets.permit(address, true) && nets.permit(address, false), "{listed}");
        }
        for other in ["10.0.1.9", "127.0.0.1", "fd01::1", "169.254.169.254"] {
            assert!(!nets.permit(other.parse().unwrap(), true), "{other}");
        }
        assert!(nets.permit("9.9.9.9".parse().unwrap(), true) && !nets.permit("9.9.9.9".parse().unwrap(), false));
    }
}
