//! A key for trials: one of which nobody has the private part, and that servers take for a key all the same.

use crate::model::dns::{Dnskey, Rdata, RecordSet, unhex};
use std::collections::BTreeSet;

/// A key like one of those that are served: none of them, and of no tag that one of them has, by which validators would take it
/// for that one.
pub(super) fn unlike(served: &RecordSet) -> Option<Rdata> {
    let tag = |key: &Rdata| Dnskey::read(key).map(|key| (key.key_tag(), key.algorithm));
    let tags: BTreeSet<_> = served.iter().map(tag).collect();
    // The flags are part of the tag.
    let like = served.iter().filter_map(like).flat_map(|key| [key.clone(), zone_signing(&key)]);
    like.into_iter().find(|key| !tags.contains(&tag(key)))
}

fn zone_signing(key: &Rdata) -> Rdata {
    let mut wire = key.as_wire().to_vec();
    if let Some(low) = wire.get_mut(1) {
        *low = 0;
    }
    Rdata::from_canonical(wire)
}

/// Another key of the same algorithm as one that is there, of which nobody has the private part: the same point mirrored, or
/// the same modulus with another exponent. Servers look at whether it can be a key at all.
fn like(key: &Rdata) -> Option<Rdata> {
    let read = Dnskey::read(key).filter(|key| key.is_usable())?;
    let mut public = read.public_key.to_vec();
    match read.algorithm {
        13 | 14 => mirror(&mut public)?,
        15 | 16 => *public.last_mut()? ^= 0x80,
        _ => public = with_exponent_3(&public)?,
    }
    Some(Rdata::from_canonical([&[1, 1, 3, read.algorithm], public.as_slice()].concat()))
}

/// (x, y) to (x, p − y), with the p of P-256 or P-384 (FIPS 186-4, D.1.2).
fn mirror(point: &mut [u8]) -> Option<()> {
    const P256: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    const P384: &str =
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff";
    let half = point.len() / 2;
    let prime = unhex(if half == 32 { P256 } else { P384 })?;
    let y = point.get_mut(half..).filter(|y| y.len() == prime.len())?;
    let mut borrow = false;
    for (octet, of_prime) in y.iter_mut().zip(prime).rev() {
        let (less, first) = of_prime.overflowing_sub(*octet);
        let (less, second) = less.overflowing_sub(u8::from(borrow));
        (*octet, borrow) = (less, first || second);
    }
    Some(())
}

/// RFC 3110 §2: the exponent's length, the exponent, the modulus.
fn with_exponent_3(public: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = match public {
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => return None,
    };
    let modulus = rest.get(length..)?;
    Some([&[1, 3], modulus].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_for_a_trial_has_the_tag_of_none_that_is_served() {
        let key = Rdata::from_canonical([&[1u8, 1, 3, 15][..], &[5; 32]].concat());
        let twin = like(&key).unwrap();
        let tag = |key: &Rdata| Dnskey::read(key).unwrap().key_tag();
        assert_eq!(unlike(&RecordSet::from([key.clone()])), Some(twin.clone()));
        // A served key has the tag of the one that would be taken: the octets of its tag's sum are moved.
        let mut wire = twin.as_wire().to_vec();
        (wire[4], wire[6]) = (wire[4] + 1, wire[6] - 1);
        let collides = Rdata::from_canonical(wire);
        assert_eq!(tag(&collides), tag(&twin));
        let served = RecordSet::from([key, collides, Rdata::from_canonical(vec![1, 1, 3])]);
        let found = unlike(&served).unwrap();
        assert!(served.iter().filter_map(Dnskey::read).all(|key| key.key_tag() != tag(&found)));
    }

    #[test]
    fn a_key_like_another_is_another_of_the_same_algorithm_and_mirrored_twice_the_same() {
        let key = |algorithm: u8, public: &[u8]| Rdata::from_canonical([&[1, 0, 3, algorithm], public].concat());
        let rsa = [&[1, 0xff][..], &[7; 128]].concat();
        for (algorithm, public) in [(13, vec![5; 64]), (14, vec![5; 96]), (15, vec![5; 32]), (8, rsa)] {
            let first = key(algorithm, &public);
            let other = like(&first).unwrap();
            assert_ne!(other, first);
            let read = Dnskey::read(&other).unwrap();
            assert_eq!((read.algorithm, read.flags), (algorithm, 257));
            if algorithm != 8 {
                let again = like(&other).unwrap();
                assert_eq!(Dnskey::read(&again).unwrap().public_key, public, "algorithm {algorithm}");
            }
        }
        assert_eq!(like(&Rdata::from_canonical(vec![1, 0, 3, 13, 1, 2, 3])), None);
    }
}
