//! Domain names as people, URLs, files and the database have them. `chorus_providers::names` writes and reads labels; here is
//! what people may write beyond that (U-labels, RFC 5890 §2.3.2.1), and the form that the database keeps.
//!
//! Invariant: every name is the same name after it was written and read; `\047` and `/` are one name, and so are a U-label and
//! its A-label.

use super::Name;
pub use chorus_providers::names::{BadName, name_text, plain_text};
use chorus_providers::names::{Part, from_labels, label_text, split};

/// Characters that separate labels in an internationalised name (RFC 3490 §3.1; UTS 46 maps them to a full stop).
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// The name that a person writes, absolute and in lower case: with or without the final dot, with U-labels or A-labels.
pub fn read_name(text: &str) -> Result<Name, BadName> {
    let (labels, _) = split(text, |char| DOTS.contains(&char))?;
    let labels: Vec<Vec<u8>> = labels.iter().map(|label| octets(label)).collect::<Result<_, _>>()?;
    from_labels(&labels)
}

fn octets(label: &[Part]) -> Result<Vec<u8>, BadName> {
    let foreign = |part: &Part| matches!(part, Part::Char(char) if !char.is_ascii());
    if label.iter().any(foreign) {
        return a_label(label);
    }
    let octet = |part: &Part| match part {
        Part::Octet(octet) => Ok(*octet),
        Part::Char(char) => u8::try_from(*char).ok().filter(u8::is_ascii_graphic).ok_or(BadName::Blank),
    };
    label.iter().map(octet).collect()
}

/// The A-label of a U-label. It has no escapes: what they stand for is no letter.
fn a_label(label: &[Part]) -> Result<Vec<u8>, BadName> {
    let is_blank = |part: &Part| matches!(part, Part::Char(char) if char.is_ascii() && !char.is_ascii_graphic());
    if label.iter().any(is_blank) {
        return Err(BadName::Blank);
    }
    let shown = |part: &Part| match part {
        Part::Char(char) => char.to_string(),
        Part::Octet(octet) => label_text(&[*octet]),
    };
    let text: String = label.iter().map(shown).collect();
    let is_text = label.iter().all(|part| matches!(part, Part::Char(_)));
    let ascii = idna::domain_to_ascii(&text).ok().filter(|ascii| is_text && !ascii.is_empty() && !ascii.contains('.'));
    ascii.map(String::into_bytes).ok_or(BadName::Idna(text))
}

/// The U-label of an A-label, where reading it gives the A-label again.
fn u_label(label: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(label).ok()?.to_ascii_lowercase();
    if !text.starts_with("xn--") {
        return None;
    }
    let (unicode, outcome) = idna::domain_to_unicode(&text);
    let back = || unicode.chars().map(Part::Char).collect::<Vec<_>>();
    let same = outcome.is_ok()
        && !unicode.is_ascii()
        && !unicode.contains(DOTS)
        && !unicode.contains('\\')
        && octets(&back()).is_ok_and(|octets| octets == text.as_bytes());
    same.then_some(unicode)
}

/// The name as the database keeps it: absolute, in lower case, with U-labels. Databases have had this form from the beginning.
pub fn stored(name: &Name) -> String {
    let mut text = String::new();
    for label in name.iter() {
        text += &u_label(label).unwrap_or_else(|| label_text(&label.to_ascii_lowercase()));
        text.push('.');
    }
    if text.is_empty() { ".".into() } else { text }
}

/// What the database keeps, as people see it: A-labels, and no final dot. Text that is no name is left as it is.
pub fn plain_of_stored(text: &str) -> String {
    read_name(text).map_or_else(|_| text.to_owned(), |name| plain_text(&name))
}

/// Whether a name is another one or below it, both as they are stored. A dot inside a label separates nothing.
pub fn is_at_or_below(name: &str, above: &str) -> bool {
    name.strip_suffix(above).is_some_and(|rest| {
        let label = rest.strip_suffix('.');
        let is_escaped = |label: &str| label.chars().rev().take_while(|char| *char == '\\').count() % 2 == 1;
        rest.is_empty() || above == "." || label.is_some_and(|label| !is_escaped(label))
    })
}

/// Whether the first label is the asterisk label (RFC 4592 §2.1.1).
pub fn is_wildcard(name: &Name) -> bool {
    name.iter().next() == Some(b"*".as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_the_same_name_after_it_was_written_and_read() {
        for (text, plain, kept) in [
            ("128/26.2.0.192.in-addr.arpa", "128/26.2.0.192.in-addr.arpa", "128/26.2.0.192.in-addr.arpa."),
            ("128\\04726.2.0.192.IN-ADDR.arpa.", "128/26.2.0.192.in-addr.arpa", "128/26.2.0.192.in-addr.arpa."),
            ("a\\032b.example", "a\\032b.example", "a\\032b.example."),
            ("a\\.b.example", "a\\.b.example", "a\\.b.example."),
            ("\\..example", "\\..example", "\\..example."),
            ("_dmarc.a_b.example", "_dmarc.a_b.example", "_dmarc.a_b.example."),
            ("Bücher.EXAMPLE", "xn--bcher-kva.example", "bücher.example."),
            ("XN--bcher-kva.example", "xn--bcher-kva.example", "bücher.example."),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah", "例え.テスト."),
            ("xn--\\001.example", "xn--\\001.example", "xn--\\001.example."),
            ("xn--a\\.b.example", "xn--a\\.b.example", "xn--a\\.b.example."),
            ("\\255\\000.example", "\\255\\000.example", "\\255\\000.example."),
        ] {
            let name = read_name(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((plain_text(&name), stored(&name)), (plain.to_owned(), kept.to_owned()), "{text}");
            assert_eq!(read_name(plain).unwrap(), name);
            assert_eq!(read_name(kept).unwrap(), name);
            assert_eq!(plain_of_stored(kept), plain);
        }
    }

    #[test]
    fn what_is_no_name_says_why() {
        for (text, why) in [
            ("bü cher.example", "\\032"),
            ("\u{200d}.example", "internationalised"),
            ("ü\\032.example", "internationalised"),
            ("a b.example", "\\032"),
            ("a..example", "empty label"),
            ("", "empty"),
        ] {
            let error = read_name(text).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn a_dot_inside_a_label_separates_nothing() {
        assert!(is_at_or_below("a.example.", "example.") && is_at_or_below("example.", "example."));
        assert!(is_at_or_below("a\\\\.example.", "example.") && is_at_or_below("example.", "."));
        assert!(!is_at_or_below("a\\.example.", "example.") && !is_at_or_below("bexample.", "example."));
    }
}
