//! What deSEC makes of a record's text before it stores it, and what it refuses. It checks form, and nothing that DNSSEC asks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Types that nobody may write.
pub const MANAGED: [&str; 7] = ["SOA", "NSEC", "NSEC3", "NSEC3PARAM", "RRSIG", "OPT", "KEY"];

/// Types that the stand-in knows.
pub const KNOWN: [&str; 10] = ["A", "AAAA", "CDNSKEY", "CDS", "CNAME", "CSYNC", "DNSKEY", "DS", "NS", "TXT"];

/// Numbers of types, as they stand in a CSYNC record.
const NUMBERS: [(&str, u16); 5] = [("A", 1), ("NS", 2), ("AAAA", 28), ("DS", 43), ("DNSKEY", 48)];

fn number<T: std::str::FromStr>(word: Option<&&str>) -> Result<T, String> {
    word.and_then(|word| word.parse().ok()).ok_or_else(|| "Cannot parse record contents: not a number.".to_owned())
}

pub fn canonical(rtype: &str, text: &str) -> Result<String, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match rtype {
        "DNSKEY" | "CDNSKEY" => {
            let (flags, protocol): (u16, u8) = (number(words.first())?, number(words.get(1))?);
            let algorithm: u8 = match words.get(2) {
                Some(&"ECDSAP256SHA256") => 13,
                other => number(other)?,
            };
            let key = words.get(3..).unwrap_or_default().concat();
            let octets = STANDARD.decode(&key).map_err(|_| "Cannot parse record contents: base64.".to_owned())?;
            if octets.is_empty() {
                return Err("Cannot parse record contents: no key.".to_owned());
            }
            Ok(format!("{flags} {protocol} {algorithm} {key}"))
        }
        "CDS" => {
            let (tag, algorithm, kind): (u16, u8, u8) =
                (number(words.first())?, number(words.get(1))?, number(words.get(2))?);
            let digest = words.get(3..).unwrap_or_default().concat().to_ascii_lowercase();
            let length = match kind {
                1 => Some(40),
                2 | 3 => Some(64),
                4 => Some(96),
                _ => None,
            };
            let hexadecimal =
                !digest.is_empty() && digest.len() % 2 == 0 && digest.chars().all(|c| c.is_ascii_hexdigit());
            let fits = length.is_none_or(|length| length == digest.len());
            let deletes = (tag, algorithm, digest.as_str()) == (0, 0, "00");
            if !hexadecimal || !fits || (kind == 0 && !deletes) {
                return Err("Cannot parse record contents: digest.".to_owned());
            }
            Ok(format!("{tag} {algorithm} {kind} {digest}"))
        }
        "CSYNC" => {
            let (serial, flags): (u32, u16) = (number(words.first())?, number(words.get(1))?);
            let mut types = Vec::new();
            for word in words.get(2..).unwrap_or_default() {
                let name = word.to_ascii_uppercase();
                let known = NUMBERS.iter().find(|(other, _)| *other == name).map(|(_, number)| *number);
                let number = known.or_else(|| name.strip_prefix("TYPE")?.parse().ok());
                types.push((number.ok_or("Cannot parse record contents: unknown type.")?, name));
            }
            types.sort();
            types.dedup();
            let names: Vec<String> = types.into_iter().map(|(_, name)| name).collect();
            Ok(format!("{serial} {flags} {}", names.join(" ")).trim_end().to_owned())
        }
        "NS" => {
            let name = text.trim();
            let plain = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            let labels = name.strip_suffix('.').unwrap_or_default();
            match labels.split('.').all(plain) {
                true => Ok(name.to_owned()),
                false => Err("Cannot parse record contents: not an absolute host name.".to_owned()),
            }
        }
        _ => Ok(text.trim().to_owned()),
    }
}

/// Two records with the same are the same.
pub fn compared(rtype: &str, canonical: &str) -> String {
    if rtype == "NS" { canonical.to_ascii_lowercase() } else { canonical.to_owned() }
}
