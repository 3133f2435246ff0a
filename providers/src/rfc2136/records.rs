//! The records of a message, whatever their RDATA is: owner, type, class, TTL and octets (RFC 1035 §4.1.3).
//!
//! A record of a type that is not known here, or with RDATA that does not fit its type, still has an owner and a TTL (RFC 3597
//! §3, §5). The library reads all records of a message or none; one odd record must not cost the listing of a zone.

use crate::rdata::canonical;
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

const HEADER: usize = 12;
const TSIG: u16 = 250;
/// A TTL with the highest bit set counts as zero (RFC 2181 §8).
const TTL_MAX: u32 = 0x7fff_ffff;

/// A record as it lies in its message.
#[derive(Debug)]
pub(crate) struct RawRecord<'m> {
    message: &'m [u8],
    at: usize,
    rdata: &'m [u8],
    pub owner: Name,
    pub rtype: RecordType,
    pub ttl_s: u32,
}

/// A message, its records not read.
#[derive(Debug)]
pub(crate) struct RawMessage<'m> {
    pub id: u16,
    pub is_response: bool,
    pub answers: Vec<RawRecord<'m>>,
    /// The header and the TSIG record, without anything else.
    pub envelope: Message,
    /// What of the message a TSIG record at its end covers (RFC 8945 §4.3.3); `None` without one.
    pub covered: Option<Vec<u8>>,
}

fn decoder(message: &[u8], at: usize) -> Result<BinDecoder<'_>, String> {
    // An index beyond the message would panic. A pointer leads back into the whole message.
    let index = u16::try_from(at).ok().filter(|_| at <= message.len()).ok_or("it ends too early")?;
    Ok(BinDecoder::new(message).clone(index))
}

/// The name at an index, and where it ends.
fn name(message: &[u8], at: usize) -> Result<(Name, usize), String> {
    let mut decoder = decoder(message, at)?;
    let mut name = Name::read(&mut decoder).map_err(|e| e.to_string())?.to_lowercase();
    name.set_fqdn(true);
    Ok((name, decoder.index()))
}

fn octets<const N: usize>(message: &[u8], at: usize) -> Result<[u8; N], String> {
    let found = message.get(at..at + N).and_then(|octets| octets.try_into().ok());
    found.ok_or_else(|| String::from("it ends in the middle of a record"))
}

fn number(message: &[u8], at: usize) -> Result<u16, String> {
    octets(message, at).map(u16::from_be_bytes)
}

/// The record at an index, and where it ends.
fn record(message: &[u8], at: usize) -> Result<(RawRecord<'_>, usize), String> {
    let (owner, fixed) = name(message, at)?;
    let rtype = RecordType::from(number(message, fixed)?);
    let ttl_s = u32::from_be_bytes(octets(message, fixed + 4)?);
    let start = fixed + 10;
    let end = start + usize::from(number(message, fixed + 8)?);
    let rdata = message.get(start..end).ok_or("it ends in the middle of a record")?;
    let ttl_s = if ttl_s > TTL_MAX { 0 } else { ttl_s };
    Ok((RawRecord { message, at, rdata, owner, rtype, ttl_s }, end))
}

impl<'m> RawMessage<'m> {
    pub fn read(message: &'m [u8]) -> Result<RawMessage<'m>, String> {
        let header: [u8; HEADER] = octets(message, 0)?;
        let [_, _, flags, _, q1, q2, n1, n2, a1, a2, x1, x2] = header;
        let count = |high, low| usize::from(u16::from_be_bytes([high, low]));
        let mut at = HEADER;
        for _ in 0..count(q1, q2) {
            at = name(message, at)?.1 + 4;
        }
        let mut answers = Vec::new();
        for _ in 0..count(n1, n2) {
            let (answer, end) = record(message, at)?;
            answers.push(answer);
            at = end;
        }
        let mut last = None;
        for _ in 0..count(a1, a2) + count(x1, x2) {
            let (other, end) = record(message, at)?;
            (last, at) = (Some(other), end);
        }
        let tsig = last.filter(|record| u16::from(record.rtype) == TSIG && count(x1, x2) > 0);
        let (envelope, covered) = match &tsig {
            Some(tsig) => (envelope(&header, Some(tsig))?, Some(covered(&header, tsig)?)),
            None => (envelope(&header, None)?, None),
        };
        Ok(RawMessage { id: number(message, 0)?, is_response: flags & 0x80 != 0, answers, envelope, covered })
    }
}

/// Stands for the type of a record that the library cannot read while it reads the others. Not assigned.
const UNREADABLE: u16 = 65_279;

/// A message as the library reads it, but for records whose RDATA it cannot read (a DNSKEY of another protocol than 3, for
/// instance): those have their RDATA as it came. A message with RDATA that should be a name and is none is refused.
pub fn read_message(octets: &[u8]) -> Result<Message, String> {
    let refused = match Message::from_vec(octets) {
        Ok(message) => return Ok(message),
        Err(e) => e.to_string(),
    };
    let header: [u8; HEADER] = self::octets(octets, 0)?;
    let counts = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
    let (mut copy, mut types, mut at) = (octets.to_vec(), Vec::new(), HEADER);
    for _ in 0..counts(4) {
        at = name(octets, at)?.1 + 4;
    }
    for _ in 0..counts(6) + counts(8) + counts(10) {
        let (raw, end) = record(octets, at)?;
        let (_, fixed) = name(octets, at)?;
        if u16::from(raw.rtype) == UNREADABLE {
            return Err(refused);
        }
        let readable = decoder(octets, at).is_ok_and(|mut decoder| Record::<RData>::read(&mut decoder).is_ok());
        if !readable && may_be_compressed(raw.rtype.into()) {
            return Err(refused);
        }
        if let (false, Some(rtype)) = (readable, copy.get_mut(fixed..fixed + 2)) {
            rtype.copy_from_slice(&UNREADABLE.to_be_bytes());
            types.push(raw.rtype);
        }
        at = end;
    }
    let mut message = Message::from_vec(&copy).map_err(|_| refused)?;
    let mut types = types.into_iter();
    for record in message.answers.iter_mut().chain(&mut message.authorities).chain(&mut message.additionals) {
        if let RData::Unknown { code, .. } = &mut record.data
            && u16::from(*code) == UNREADABLE
            && let Some(rtype) = types.next()
        {
            *code = rtype;
        }
    }
    Ok(message)
}

/// Whether RDATA of this type holds names that may be compressed (RFC 3597 section 4: the types of RFC 1035). Apart from
/// its message, such RDATA has no meaning.
fn may_be_compressed(rtype: u16) -> bool {
    matches!(rtype, 2..=9 | 12 | 14 | 15)
}

/// A message of the header and the TSIG record alone.
fn envelope(header: &[u8; HEADER], tsig: Option<&RawRecord<'_>>) -> Result<Message, String> {
    let [i1, i2, f1, f2, ..] = *header;
    let mut message = vec![i1, i2, f1, f2, 0, 0, 0, 0, 0, 0, 0, u8::from(tsig.is_some())];
    if let Some(tsig) = tsig {
        // Its owner may be a pointer into what is left out here.
        message.extend(crate::names::wire(&tsig.owner));
        let (_, fixed) = name(tsig.message, tsig.at)?;
        message.extend(octets::<10>(tsig.message, fixed)?);
        message.extend(tsig.rdata);
    }
    Message::from_vec(&message).map_err(|e| e.to_string())
}

/// The message without its TSIG record, under its original id, which stands behind the MAC (RFC 8945 §4.2).
fn covered(header: &[u8; HEADER], tsig: &RawRecord<'_>) -> Result<Vec<u8>, String> {
    let (_, after_algorithm) = name(tsig.rdata, 0)?;
    let mac_octets = usize::from(number(tsig.rdata, after_algorithm + 8)?);
    let [o1, o2]: [u8; 2] = octets(tsig.rdata, after_algorithm + 10 + mac_octets)?;
    let [_, _, f1, f2, q1, q2, n1, n2, a1, a2, x1, x2] = *header;
    let [x1, x2] = u16::from_be_bytes([x1, x2]).saturating_sub(1).to_be_bytes();
    let mut covered = vec![o1, o2, f1, f2, q1, q2, n1, n2, a1, a2, x1, x2];
    covered.extend(tsig.message.get(HEADER..tsig.at).unwrap_or_default());
    Ok(covered)
}

impl RawRecord<'_> {
    /// RDATA in canonical form, where it has the form of its type; else as it came.
    pub fn rdata(&self) -> Vec<u8> {
        let read = || {
            let record = Record::<RData>::read(&mut decoder(self.message, self.at)?).map_err(|e| e.to_string())?;
            canonical(&record.data)
        };
        read().unwrap_or_else(|_: String| self.rdata.to_vec())
    }

    /// How long "there is no such name" may be kept, for an SOA record (RFC 2308 §5): its last four octets.
    pub fn soa_minimum(&self) -> Option<u32> {
        let minimum = self.rdata.last_chunk::<4>().filter(|_| self.rtype == RecordType::SOA);
        minimum.map(|octets| u32::from_be_bytes(*octets)).map(|ttl_s| if ttl_s > TTL_MAX { 0 } else { ttl_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_the_library_cannot_read_does_not_cost_the_others() {
        // Two DNSKEYs: one of protocol 3, one of protocol 2 (RFC 4034 §2.1.2).
        let mut message = vec![0, 7, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0];
        for protocol in [3, 2] {
            message.extend(b"\x01a\x00\x00\x30\x00\x01\x00\x00\x00\x05\x00\x44\x01\x00");
            message.extend([protocol, 13]);
            message.extend([9; 64]);
        }
        let read = read_message(&message).unwrap();
        let rdata: Vec<Vec<u8>> = read.answers.iter().map(|record| canonical(&record.data).unwrap()).collect();
        assert_eq!(rdata.iter().map(|rdata| (rdata.len(), rdata[2])).collect::<Vec<_>>(), [(68, 3), (68, 2)]);
        assert!(read.answers.iter().all(|record| record.record_type() == RecordType::DNSKEY && record.ttl == 5));
        message.truncate(message.len() - 1);
        assert!(read_message(&message).is_err());
    }

    #[test]
    fn a_name_server_that_is_no_name_costs_the_message() {
        // An NS record whose RDATA is a label that the message does not hold.
        let mut message = vec![0, 7, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        message.extend(b"\x01a\x00\x00\x02\x00\x01\x00\x00\x00\x05\x00\x02\x3f\x01");
        assert!(read_message(&message).is_err());
    }
}
