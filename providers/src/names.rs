//! Domain names as text (RFC 1035 §5.1): the one place that writes and reads them.
//!
//! Every sequence of labels is a name (RFC 2181 §11): a slash, a blank, a dot inside a label. Invariant: a name that is written
//! here is read here as the same name, and of two texts of one name only one is ever written.

use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::BinDecodable;
use std::fmt::Write;

/// Octets of a name on the wire, the root's included (RFC 1035 §2.3.4).
const NAME_OCTETS_MAX: usize = 255;
/// Octets of a label (RFC 1035 §2.3.4).
const LABEL_OCTETS_MAX: usize = 63;

/// Why a text is not a domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error("it is empty")]
    Empty,
    #[error("it has an empty label")]
    EmptyLabel,
    #[error("it has a label of {0} octets, and {LABEL_OCTETS_MAX} are the most")]
    LongLabel(usize),
    #[error("it has {0} octets, and {NAME_OCTETS_MAX} are the most")]
    Long(usize),
    #[error("a backslash in it is followed neither by a character nor by three digits from 000 to 255")]
    Escape,
    #[error("it has a blank or a control character, which are written as a backslash and three decimal digits (\\032)")]
    Blank,
    #[error("its label {0} is no internationalised label (RFC 5891)")]
    Idna(String),
    #[error("it has no final dot")]
    Relative,
}

/// One octet of a label. A dot and a backslash have a meaning of their own; octets that do not print have three decimal digits.
fn push_octet(text: &mut String, octet: u8) {
    match octet {
        b'.' | b'\\' => text.extend(['\\', char::from(octet)]),
        0x21..=0x7e => text.push(char::from(octet)),
        // Writing into a string does not fail.
        other => drop(write!(text, "\\{other:03}")),
    }
}

/// A label as it stands between the dots of a name.
pub fn label_text(label: &[u8]) -> String {
    let mut text = String::with_capacity(label.len());
    label.iter().for_each(|octet| push_octet(&mut text, *octet));
    text
}

/// The name with its final dot, in the case that it has.
pub fn name_text(name: &Name) -> String {
    let mut text = String::new();
    for label in name.iter() {
        label.iter().for_each(|octet| push_octet(&mut text, *octet));
        text.push('.');
    }
    if text.is_empty() { String::from(".") } else { text }
}

/// The name as people write it: in lower case, and without the final dot.
pub fn plain_text(name: &Name) -> String {
    let mut text = name_text(name).to_ascii_lowercase();
    if text.len() > 1 {
        text.pop();
    }
    text
}

/// Labels without escapes, in lower case: an absolute name.
pub fn from_labels(labels: &[Vec<u8>]) -> Result<Name, BadName> {
    let wire = wire_of(labels)?;
    let mut name = Name::from_bytes(&wire).map_err(|_| BadName::Long(wire.len()))?;
    name.set_fqdn(true);
    Ok(name)
}

fn wire_of(labels: &[Vec<u8>]) -> Result<Vec<u8>, BadName> {
    let mut wire = Vec::new();
    for label in labels {
        let length = match label.len() {
            0 => return Err(BadName::EmptyLabel),
            length if length > LABEL_OCTETS_MAX => return Err(BadName::LongLabel(length)),
            length => u8::try_from(length).map_err(|_| BadName::LongLabel(length))?,
        };
        wire.push(length);
        wire.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    wire.push(0);
    if wire.len() > NAME_OCTETS_MAX { Err(BadName::Long(wire.len())) } else { Ok(wire) }
}

/// A part of a label, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Char(char),
    /// Behind a backslash.
    Octet(u8),
}

/// The labels of a text, and whether it ends with a dot. `is_dot`: what separates labels.
pub fn split(text: &str, is_dot: impl Fn(char) -> bool) -> Result<(Vec<Vec<Part>>, bool), BadName> {
    if text.is_empty() {
        return Err(BadName::Empty);
    }
    let (mut labels, mut label, mut ended) = (Vec::new(), Vec::new(), false);
    let mut chars = text.chars();
    if text.chars().count() == 1 && text.chars().all(&is_dot) {
        return Ok((labels, true));
    }
    while let Some(char) = chars.next() {
        ended = is_dot(char);
        if ended {
            if label.is_empty() {
                return Err(BadName::EmptyLabel);
            }
            labels.push(std::mem::take(&mut label));
        } else if char == '\\' {
            label.push(Part::Octet(escaped(&mut chars)?));
        } else {
            label.push(Part::Char(char));
        }
    }
    if !ended {
        labels.push(label);
    }
    Ok((labels, ended))
}

/// What stands behind a backslash: three decimal digits, or any other character for itself.
fn escaped(chars: &mut impl Iterator<Item = char>) -> Result<u8, BadName> {
    let first = chars.next().ok_or(BadName::Escape)?;
    let Some(hundreds) = first.to_digit(10) else {
        return u8::try_from(first).ok().filter(u8::is_ascii).ok_or(BadName::Escape);
    };
    let mut digit = || chars.next().and_then(|char| char.to_digit(10)).ok_or(BadName::Escape);
    u8::try_from(hundreds * 100 + digit()? * 10 + digit()?).map_err(|_| BadName::Escape)
}

/// An absolute name in lower case, out of text of ASCII alone, with or without the final dot.
pub fn from_text(text: &str) -> Result<Name, BadName> {
    let (labels, _) = split(text, |char| char == '.')?;
    from_labels(&octets(labels)?)
}

fn octets(labels: Vec<Vec<Part>>) -> Result<Vec<Vec<u8>>, BadName> {
    let octet = |part: Part| match part {
        Part::Octet(octet) => Ok(octet),
        Part::Char(char) if char.is_ascii_graphic() => u8::try_from(char).map_err(|_| BadName::Blank),
        Part::Char(char) if char.is_ascii() => Err(BadName::Blank),
        Part::Char(char) => Err(BadName::Idna(char.to_string())),
    };
    labels.into_iter().map(|label| label.into_iter().map(octet).collect()).collect()
}

/// The wire form of a name, in lower case and uncompressed.
pub(crate) fn wire(name: &Name) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.iter() {
        wire.push(u8::try_from(label.len()).unwrap_or_default());
        wire.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    wire.push(0);
    wire
}

/// The wire form, in lower case, of a name that is written with its final dot.
pub(crate) fn wire_from_text(text: &str) -> Result<Vec<u8>, BadName> {
    let (labels, ended) = split(text.trim(), |char| char == '.')?;
    if !ended {
        return Err(BadName::Relative);
    }
    wire_of(&octets(labels)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::serialize::binary::BinEncodable;

    #[test]
    fn a_name_is_escaped_where_it_has_to_be_and_read_back() {
        let name = Name::from_labels([&b"128/26"[..], b"a.b", b"\\", b" \xff"]).unwrap();
        assert_eq!(name_text(&name), "128/26.a\\.b.\\\\.\\032\\255.");
        assert_eq!((name_text(&Name::root()), plain_text(&Name::root())), (".".into(), ".".into()));
        assert_eq!(wire_from_text(&name_text(&name)).unwrap(), name.to_bytes().unwrap());
        assert_eq!(from_text(&plain_text(&name)).unwrap(), name);
        assert_eq!(from_text("128\\04726.EXAMPLE").unwrap(), from_text("128/26.example.").unwrap());
        assert_eq!(from_text(".").unwrap(), Name::root());
        assert_eq!(wire_from_text("."), Ok(vec![0]));
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_reason() {
        let (label, name) = (format!("{}.", "a".repeat(64)), "a.".repeat(128));
        for (text, why) in [
            ("", BadName::Empty),
            ("a..", BadName::EmptyLabel),
            (".a.", BadName::EmptyLabel),
            ("a\\", BadName::Escape),
            ("a\\25.", BadName::Escape),
            ("a\\999.", BadName::Escape),
            ("a b.", BadName::Blank),
            (label.as_str(), BadName::LongLabel(64)),
            (name.as_str(), BadName::Long(257)),
        ] {
            assert_eq!(from_text(text), Err(why), "{text}");
        }
        assert_eq!(wire_from_text("a"), Err(BadName::Relative));
        let longest = format!("{}{}", format!("{}.", "a".repeat(63)).repeat(3), "b".repeat(61));
        assert_eq!(from_text(&longest).unwrap().to_bytes().unwrap().len(), 255);
    }
}
