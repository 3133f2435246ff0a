//! Domain names: from presentation format and wire form, compared without regard to case (RFC 4343).

use std::fmt;

/// A name in uncompressed wire form, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(Vec<u8>);

/// The longest name (RFC 1035 §2.3.4).
const OCTETS_MAX: usize = 255;

impl Name {
    /// Reads presentation format (RFC 1035 §5.1), with or without the last dot. `None` if it is not a name.
    pub fn from_text(text: &str) -> Option<Name> {
        let mut wire: Vec<u8> = Vec::new();
        let mut label: Vec<u8> = Vec::new();
        let mut octets = text.bytes();
        let mut ends_with_dot = text == ".";
        if text != "." {
            while let Some(octet) = octets.next() {
                ends_with_dot = octet == b'.';
                match octet {
                    b'.' => put_label(&mut wire, &mut label)?,
                    b'\\' => label.push(escaped(&mut octets)?),
                    plain => label.push(plain.to_ascii_lowercase()),
                }
            }
            if !ends_with_dot {
                put_label(&mut wire, &mut label)?;
            }
        }
        wire.push(0);
        (wire.len() <= OCTETS_MAX && !text.is_empty()).then_some(Name(wire))
    }

    /// Reads a whole RDATA field that is one uncompressed name.
    pub fn from_wire(octets: &[u8]) -> Option<Name> {
        let mut at = 0usize;
        loop {
            let length = usize::from(*octets.get(at)?);
            if length == 0 {
                break;
            }
            if length > 63 {
                return None;
            }
            at += length + 1;
        }
        let is_whole = at + 1 == octets.len() && octets.len() <= OCTETS_MAX;
        // The octets that tell lengths are below 64, and so no letters.
        is_whole.then(|| Name(octets.to_ascii_lowercase()))
    }

    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }
}

/// The octet behind a backslash: `\DDD` or the next character as it is.
fn escaped(octets: &mut std::str::Bytes<'_>) -> Option<u8> {
    let first = octets.next()?;
    if !first.is_ascii_digit() {
        return Some(first.to_ascii_lowercase());
    }
    let digits = [first, octets.next()?, octets.next()?];
    let number = std::str::from_utf8(&digits).ok()?.parse::<u16>().ok()?;
    u8::try_from(number).ok().map(|octet| octet.to_ascii_lowercase())
}

/// Ends a label of 1 to 63 octets.
fn put_label(wire: &mut Vec<u8>, label: &mut Vec<u8>) -> Option<()> {
    let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
    wire.push(length);
    wire.append(label);
    Some(())
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_slice();
        let mut is_root = true;
        while let Some((length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
            let Some((label, after)) = after.split_at_checked(usize::from(*length)) else { break };
            if !is_root {
                f.write_str(".")?;
            }
            is_root = false;
            for octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b';' | b'@' | b'$' | b'(' | b')' => write!(f, "\\{}", char::from(*octet))?,
                    0x21..=0x7e => write!(f, "{}", char::from(*octet))?,
                    other => write!(f, "\\{other:03}")?,
                }
            }
            rest = after;
        }
        if is_root { f.write_str(".") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_equal_whatever_their_case_and_last_dot() {
        let name = Name::from_text("NS1.Example.org.");
        assert_eq!(name, Name::from_text("ns1.example.org"));
        assert_eq!(name, Name::from_wire(b"\x03ns1\x07EXAMPLE\x03org\x00"));
        assert_eq!(name.map(|name| name.to_string()), Some("ns1.example.org".to_owned()));
        assert_eq!(Name::from_text(r"a\.b\032c."), Name::from_wire(b"\x05a.b c\x00"));
        assert_eq!(Name::from_text(".").map(|root| root.as_wire().to_vec()), Some(vec![0]));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", "a..b", ".a", r"a\", r"a\25", r"a\999", &"a".repeat(64), &"a.".repeat(200)] {
            assert_eq!(Name::from_text(bad), None, "{bad}");
        }
        for bad in [&b""[..], b"\x01a", b"\x01a\x00b", b"\xc0\x01"] {
            assert_eq!(Name::from_wire(bad), None, "{bad:?}");
        }
    }
}
