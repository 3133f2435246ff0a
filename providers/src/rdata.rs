//! RDATA between wire form and presentation format, for interfaces that speak text.
//!
//! Invariant: what is compared is always the wire form; text is only what is sent and received. Whatever cannot be read
//! without a doubt is an error, never a guess. Owner names and TTLs belong elsewhere.

use crate::Rdata;
pub(crate) use crate::names::{name_text, wire_from_text as name_from_text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinEncodable, BinEncoder, NameEncoding, RDataEncoding};
use std::fmt::Write;

/// Canonical form (RFC 4034 §6.2): uncompressed, and names in lower case for the types that this holds for.
pub(crate) fn canonical(data: &RData) -> Result<Rdata, String> {
    let mut wire = Vec::new();
    let mut encoder = BinEncoder::new(&mut wire);
    encoder.set_canonical_form(true);
    encoder.set_name_encoding(NameEncoding::UncompressedLowercase);
    let mut encoder = encoder.with_rdata_behavior(RDataEncoding::Canonical);
    data.emit(&mut encoder).map_err(|e| e.to_string())?;
    drop(encoder);
    Ok(wire)
}

/// The wire form of a record's text. The error is for a person, and names the type.
pub(crate) fn from_text(rtype: RecordType, text: &str) -> Result<Rdata, String> {
    let unreadable = |why: String| format!("{rtype} record {text:?}: {why}");
    let parsed = match rtype {
        RecordType::DNSKEY | RecordType::CDNSKEY => key_from_text(text),
        RecordType::CDS => digest_from_text(text),
        RecordType::CSYNC => csync_from_text(text),
        // The library takes the digits of an escape for octal ones.
        RecordType::NS => name_from_text(text).map_err(|e| e.to_string()),
        RecordType::TXT => strings_from_text(text),
        other => RData::try_from_str(other, text).map_err(|e| e.to_string()).and_then(|data| canonical(&data)),
    };
    parsed.map_err(unreadable)
}

/// The text of a record of one of the types that are written; `None` for what is no such record.
pub(crate) fn to_text(rtype: RecordType, rdata: &[u8]) -> Option<String> {
    match (rtype, rdata) {
        (RecordType::DNSKEY | RecordType::CDNSKEY, [f, g, protocol, algorithm, key @ ..]) => {
            Some(format!("{} {protocol} {algorithm} {}", u16::from_be_bytes([*f, *g]), BASE64.encode(key)))
        }
        (RecordType::CDS, [t, u, algorithm, digest_type, digest @ ..]) => {
            let tag = u16::from_be_bytes([*t, *u]);
            let mut text = format!("{tag} {algorithm} {digest_type} ");
            digest.iter().try_for_each(|octet| write!(text, "{octet:02x}")).ok()?;
            Some(text)
        }
        (RecordType::CSYNC, [a, b, c, d, e, f, bitmap @ ..]) => {
            let serial = u32::from_be_bytes([*a, *b, *c, *d]);
            let mut text = format!("{serial} {}", u16::from_be_bytes([*e, *f]));
            for number in types_of_bitmap(bitmap)? {
                match RecordType::from(number) {
                    RecordType::Unknown(_) => write!(text, " TYPE{number}"),
                    known => write!(text, " {known}"),
                }
                .ok()?;
            }
            Some(text)
        }
        (RecordType::NS, _) => {
            let mut name = Name::from_bytes(rdata).ok()?;
            name.set_fqdn(true);
            Some(name_text(&name))
        }
        _ => None,
    }
}

fn number<T: std::str::FromStr>(part: Option<&str>, what: &str) -> Result<T, String> {
    part.ok_or_else(|| format!("no {what}"))?.parse().map_err(|_| format!("its {what} is no number, or too large"))
}

fn key_from_text(text: &str) -> Result<Rdata, String> {
    let mut parts = text.split_ascii_whitespace();
    let flags: u16 = number(parts.next(), "flags")?;
    let (protocol, algorithm): (u8, u8) = (number(parts.next(), "protocol")?, number(parts.next(), "algorithm")?);
    let key = BASE64.decode(parts.collect::<String>()).map_err(|_| String::from("its key is not base64"))?;
    Ok([&flags.to_be_bytes()[..], &[protocol, algorithm], &key].concat())
}

fn digest_from_text(text: &str) -> Result<Rdata, String> {
    let mut parts = text.split_ascii_whitespace();
    let tag: u16 = number(parts.next(), "key tag")?;
    let (algorithm, kind): (u8, u8) = (number(parts.next(), "algorithm")?, number(parts.next(), "digest type")?);
    let mut wire = [&tag.to_be_bytes()[..], &[algorithm, kind]].concat();
    let digits = parts.collect::<String>();
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    for pair in digits.as_bytes().chunks(2) {
        let octet = match pair {
            [high, low] => value(*high).zip(value(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        wire.push(octet.ok_or("its digest is not hexadecimal")?);
    }
    Ok(wire)
}

fn csync_from_text(text: &str) -> Result<Rdata, String> {
    let mut parts = text.split_ascii_whitespace();
    let (serial, flags): (u32, u16) = (number(parts.next(), "serial")?, number(parts.next(), "flags")?);
    let mut wire = [&serial.to_be_bytes()[..], &flags.to_be_bytes()].concat();
    let mut windows: std::collections::BTreeMap<u8, Vec<u8>> = std::collections::BTreeMap::new();
    for name in parts {
        let number = match name.strip_prefix("TYPE") {
            Some(digits) => digits.parse().ok(),
            None => name.parse::<RecordType>().ok().map(u16::from),
        };
        let [window, low] = number.ok_or_else(|| format!("{name} is no type that is known here"))?.to_be_bytes();
        let bits = windows.entry(window).or_default();
        let at = usize::from(low / 8);
        bits.resize(bits.len().max(at + 1), 0);
        if let Some(octet) = bits.get_mut(at) {
            *octet |= 0x80 >> (low % 8);
        }
    }
    for (window, bits) in windows {
        wire.push(window);
        wire.push(u8::try_from(bits.len()).unwrap_or(32));
        wire.extend(bits);
    }
    Ok(wire)
}

/// Of RFC 4034 §4.1.2; `None` where it is malformed.
fn types_of_bitmap(mut bitmap: &[u8]) -> Option<Vec<u16>> {
    let mut types = Vec::new();
    while let [window, length, rest @ ..] = bitmap {
        let (bits, further) = rest.split_at_checked(usize::from(*length))?;
        for (at, octet) in (0u16..).zip(bits) {
            let set = (0..8u16).filter(|bit| octet & (0x80 >> bit) != 0);
            types.extend(set.map(|bit| u16::from(*window) << 8 | (at * 8 + bit)));
        }
        bitmap = further;
    }
    bitmap.is_empty().then_some(types)
}

/// Character strings (RFC 1035 §5.1), quoted or not.
fn strings_from_text(text: &str) -> Result<Rdata, String> {
    let mut wire = Vec::new();
    let mut octets = text.bytes().peekable();
    loop {
        while octets.next_if(u8::is_ascii_whitespace).is_some() {}
        let Some(first) = octets.peek().copied() else { break };
        let quoted = first == b'"';
        if quoted {
            octets.next();
        }
        let mut string = Vec::new();
        let ended = loop {
            match octets.next() {
                Some(b'"') if quoted => break true,
                Some(b'\\') => string.push(escaped(&mut octets)?),
                Some(blank) if !quoted && blank.is_ascii_whitespace() => break true,
                Some(octet) => string.push(octet),
                None => break !quoted,
            }
        };
        if !ended {
            return Err(String::from("a string does not end"));
        }
        wire.push(u8::try_from(string.len()).map_err(|_| "a string is longer than 255 octets")?);
        wire.extend(string);
    }
    if wire.is_empty() { Err(String::from("it is empty")) } else { Ok(wire) }
}

/// What stands after a backslash: three decimal digits, or any other character for itself.
fn escaped(octets: &mut impl Iterator<Item = u8>) -> Result<u8, String> {
    let first = octets.next().ok_or("it ends with a backslash")?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let digits: Option<Vec<u8>> = [Some(first), octets.next(), octets.next()].into_iter().collect();
    let number = digits.and_then(|digits| String::from_utf8(digits).ok()).and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| String::from("a backslash with digits that are no octet"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use RecordType::{CDS, CSYNC, DNSKEY, NS, SOA, TXT};

    fn there_and_back(rtype: RecordType, text: &str) -> Rdata {
        let wire = from_text(rtype, text).unwrap();
        assert_eq!(to_text(rtype, &wire).unwrap(), text);
        wire
    }

    #[test]
    fn what_is_written_is_read_as_the_same_octets() {
        assert_eq!(there_and_back(DNSKEY, "257 3 13 AQID"), [1, 1, 3, 13, 1, 2, 3]);
        assert_eq!(there_and_back(CDS, "0 0 0 00"), [0; 5]);
        assert_eq!(there_and_back(CSYNC, "66 3 A NS AAAA"), [0, 0, 0, 66, 0, 3, 0, 4, 0x60, 0, 0, 8]);
        assert_eq!(there_and_back(CSYNC, "66 3 NS TYPE65534")[6..10], [0, 1, 0x20, 0xff]);
        assert_eq!(there_and_back(NS, "ns\\.1.b.test."), b"\x04ns.1\x01b\x04test\x00");
    }

    #[test]
    fn text_that_looks_different_and_means_the_same_is_the_same() {
        assert_eq!(from_text(CDS, "7 13 2 ABCD 01").unwrap(), from_text(CDS, "7 13 2 abcd01").unwrap());
        assert_eq!(from_text(DNSKEY, "257 3 13 AQ ID").unwrap(), from_text(DNSKEY, "257 3 13 AQID").unwrap());
        assert_eq!(from_text(NS, "Ns1.B.Test.").unwrap(), from_text(NS, "ns1.b.test.").unwrap());
        assert_eq!(from_text(TXT, r#""a\"b" "\195\164; c""#).unwrap(), b"\x03a\"b\x05\xc3\xa4; c");
        let soa = from_text(SOA, "A.test. b.test. 1 2 3 4 5").unwrap();
        assert_eq!(soa[soa.len() - 4..], [0, 0, 0, 5]);
    }

    #[test]
    fn what_is_no_record_is_an_error_that_names_the_type() {
        let wrong = [
            (NS, "relative"),
            (DNSKEY, "257 3 13 A"),
            (DNSKEY, "70000 3 13 AQID"),
            (DNSKEY, ""),
            (CDS, "7 13 2 abc"),
            (CDS, "7 13 2 ag"),
            (CSYNC, "1 3 NONSENSE"),
            (CSYNC, "1"),
            (TXT, "\"a"),
            (TXT, "\\999"),
            (NS, ""),
        ];
        for (rtype, text) in wrong {
            let error = from_text(rtype, text).unwrap_err();
            assert!(error.starts_with(&rtype.to_string()), "{error}");
        }
        assert_eq!(to_text(CSYNC, &[0, 0, 0, 0, 0, 3, 0, 9, 1]), None);
        assert_eq!(to_text(NS, &[9, 1]), None);
        assert_eq!(to_text(SOA, &[]), None);
    }
}
