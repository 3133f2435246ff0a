//! CSYNC (RFC 7477): which records of the child's apex a parent should copy.
//!
//! Whether a parent may follow it is decided by whoever plays the parent; here it is only read and written.

use super::rdata::{Rdata, RdataError};
use hickory_proto::rr::rdata::CSYNC;
use hickory_proto::rr::{RData, RecordType};
use std::collections::BTreeSet;

/// Flag: act without waiting for somebody to approve.
pub const IMMEDIATE: u16 = 1;
/// Flag: act only once the SOA serial is at least the one given.
pub const SOA_MINIMUM: u16 = 2;

/// A CSYNC record, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csync {
    pub serial: u32,
    pub flags: u16,
    pub types: BTreeSet<RecordType>,
}

impl Csync {
    /// Acts at once, whatever the serial: serials of different signers have nothing to do with each other, so that
    /// [`SOA_MINIMUM`] would hold back the parent at one of them and not at another.
    pub fn immediate(types: impl IntoIterator<Item = RecordType>) -> Csync {
        Csync { serial: 0, flags: IMMEDIATE, types: types.into_iter().collect() }
    }

    /// Refuses what is not a CSYNC record, and flags that RFC 7477 does not define: §3.2.1 forbids to act on them.
    pub fn read(rdata: &Rdata) -> Result<Csync, RdataError> {
        let refused = |reason: &str| RdataError { rtype: RecordType::CSYNC, reason: reason.into() };
        let [s1, s2, s3, s4, f1, f2, bitmaps @ ..] = rdata.as_wire() else { return Err(refused("it is too short")) };
        let flags = u16::from_be_bytes([*f1, *f2]);
        if flags & !(IMMEDIATE | SOA_MINIMUM) != 0 {
            return Err(refused("it has flags that are not defined"));
        }
        let types = read_bitmaps(bitmaps).ok_or_else(|| refused("its type bitmaps are broken"))?;
        Ok(Csync { serial: u32::from_be_bytes([*s1, *s2, *s3, *s4]), flags, types })
    }

    pub fn to_rdata(&self) -> Result<Rdata, RdataError> {
        let [immediate, soa_minimum] = [IMMEDIATE, SOA_MINIMUM].map(|flag| self.flags & flag != 0);
        Rdata::of(&RData::CSYNC(CSYNC::new(self.serial, immediate, soa_minimum, self.types.iter().copied())))
    }

    pub fn is_immediate(&self) -> bool {
        self.flags & IMMEDIATE != 0
    }

    /// Whether a parent may act on it while the zone's SOA has this serial (RFC 1982 comparison).
    pub fn allows_serial(&self, serial: u32) -> bool {
        self.flags & SOA_MINIMUM == 0 || serial.wrapping_sub(self.serial) as i32 >= 0
    }
}

/// RFC 4034 §4.1.2. `hickory-proto` reads bitmaps that are cut short as if they were whole, hence this.
fn read_bitmaps(mut octets: &[u8]) -> Option<BTreeSet<RecordType>> {
    let mut types = BTreeSet::new();
    let mut next_window = 0;
    while let [window, length, rest @ ..] = octets {
        let (bitmap, rest) = rest.split_at_checked(usize::from(*length))?;
        if u16::from(*window) < next_window || !(1..=32).contains(length) {
            return None;
        }
        next_window = u16::from(*window) + 1;
        for (low, octet) in (0..=u8::MAX).step_by(8).zip(bitmap) {
            let set = (0..8u8).filter(|bit| octet & (0x80 >> bit) != 0);
            types.extend(set.map(|bit| RecordType::from(u16::from_be_bytes([*window, low | bit]))));
        }
        octets = rest;
    }
    octets.is_empty().then_some(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_asks_for_ns_and_addresses_has_the_octets_of_rfc_7477() {
        let csync = Csync::immediate([RecordType::AAAA, RecordType::A, RecordType::NS]);
        let rdata = csync.to_rdata().unwrap();
        assert_eq!(rdata.as_wire(), [0, 0, 0, 0, 0, 1, 0, 4, 0x60, 0, 0, 8]);
        assert_eq!(Csync::read(&rdata).unwrap(), csync);
        assert!(csync.is_immediate());
    }

    #[test]
    fn undefined_flags_and_broken_bitmaps_are_refused() {
        for wire in [
            &[0, 0, 0, 0, 0, 5, 0, 1, 0x20][..],
            &[0, 0, 0, 0, 0x80, 1, 0, 1, 0x20],
            &[0, 0, 0, 0, 0],
            &[0, 0, 0, 0, 0, 1, 0, 9, 0x20],
            &[0, 0, 0, 0, 0, 1, 0, 1, 0x20, 0, 1, 0x20],
            &[0, 0, 0, 0, 0, 1, 0, 0],
            &[0, 0, 0, 0, 0, 1, 0],
            &[],
        ] {
            assert!(Csync::read(&Rdata::from_canonical(wire.to_vec())).is_err(), "{wire:?}");
        }
    }

    #[test]
    fn types_of_the_highest_window_are_read() {
        let rdata = Rdata::from_canonical(vec![0, 0, 0, 0, 0, 0, 255, 32].into_iter().chain([255; 32]).collect());
        assert_eq!(Csync::read(&rdata).unwrap().types.len(), 256);
    }

    #[test]
    fn a_minimum_serial_is_compared_as_serial_numbers_are() {
        let csync = Csync { serial: u32::MAX - 1, flags: SOA_MINIMUM, types: BTreeSet::from([RecordType::NS]) };
        assert!(csync.allows_serial(3));
        assert!(!csync.allows_serial(u32::MAX - 2));
        assert!(Csync::immediate([RecordType::NS]).allows_serial(0));
        assert_eq!(Csync::read(&csync.to_rdata().unwrap()).unwrap(), csync);
    }
}
