//! What users type, read and checked: names, addresses, durations, secret files. Each refusal names the right form.

use super::exit::{Exit, Failure};
use crate::api::wire::NameServer;
use crate::model::dns::{Name, is_wildcard, plain_text, read_name};
use base64::Engine;
use chorus_providers::http::ApiKey;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use zeroize::Zeroizing;

const DNS_PORT: u16 = 53;

/// A TSIG secret is some 90 characters; whoever names a disk image by mistake need not wait for it.
const SECRET_FILE_MAX: u64 = 16 * 1024;

/// `example.org` in lower case without the final dot.
pub fn zone_name(text: &str) -> Result<String, String> {
    let name = domain_name(text)?;
    match &name {
        root if root.is_root() => Err("the root cannot be managed, for it has no parent".to_owned()),
        wildcard if is_wildcard(wildcard) => Err("a wildcard is no zone that can be managed".to_owned()),
        _ => Ok(plain_text(&name)),
    }
}

fn domain_name(text: &str) -> Result<Name, String> {
    read_name(text).map_err(|why| format!("{why}; write a domain name such as example.org"))
}

/// Short, and fit for paths, tables and scripts.
pub fn operator_name(text: &str) -> Result<String, String> {
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 63 || !text.chars().all(fit) || text.starts_with(['-', '.']) {
        return Err("an operator's name is 1 to 63 letters, digits, '-', '_' or '.'".to_owned());
    }
    Ok(text.to_owned())
}

/// `192.0.2.1`, `192.0.2.1:5300`, `2001:db8::1`, `[2001:db8::1]:5300`. Port 53 unless given.
pub fn dns_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let refused = || "write an IP address, with a port if it is not 53: 192.0.2.1 or [2001:db8::1]:5300".to_owned();
    bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT)).map_err(|_| refused())
}

/// `ns1.a.example` or `ns1.a.example=192.0.2.1:5300`.
pub fn name_server(text: &str) -> Result<NameServer, String> {
    let (host, address) = match text.split_once('=') {
        Some((host, address)) => (host, Some(dns_address(address)?)),
        None => (text, None),
    };
    let host = plain_text(&domain_name(host)?);
    if host.parse::<IpAddr>().is_ok() {
        return Err(format!("write the name server's name before its address: ns1.example.net={host}"));
    }
    Ok(NameServer { host, addresses: address.into_iter().collect() })
}

/// Whole seconds: `60s`, `90m`, `3d`.
pub fn seconds(text: &str) -> Result<u64, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error}; write 60s, 90m or 3d"))?;
    if duration.subsec_nanos() == 0 { Ok(duration.as_secs()) } else { Err("write whole seconds".to_owned()) }
}

/// The base64 text in a file, or on stdin for `-`: checked here, so that a slip is found before anything is sent.
pub fn tsig_secret(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let what = Secret {
        what: "the TSIG secret",
        option: "--tsig-secret-file",
        is_not: "is not base64",
        form: "Put the secret in base64 into it and nothing else, as it stands between the quotes of the server's key file",
    };
    what.read(path, |secret| base64::engine::general_purpose::STANDARD.decode(secret).map(Zeroizing::new).is_ok())
}

/// The API key in a file, or on stdin for `-`.
pub fn api_key(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let what = Secret {
        what: "the API key",
        option: "--secret-file",
        is_not: "is no key",
        form: "Put the key into it and nothing else, as it stands in the server's configuration",
    };
    what.read(path, |key| ApiKey::from_text(key).is_ok())
}

/// A secret of whatever kind in a file, or on stdin for `-`: which kind it has to be, the daemon knows.
pub fn any_secret(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let what = Secret {
        what: "the secret",
        option: "--secret-file",
        is_not: "is no secret",
        form: "Put the secret or API key into it and nothing else",
    };
    what.read(path, |key| ApiKey::from_text(key).is_ok())
}

/// A secret in a file, and how it is spoken of.
struct Secret {
    what: &'static str,
    option: &'static str,
    is_not: &'static str,
    form: &'static str,
}

impl Secret {
    fn read(&self, path: &Path, fit: impl Fn(&str) -> bool) -> Result<Zeroizing<String>, Failure> {
        let Secret { what, option, is_not, form } = *self;
        let stdin = path.as_os_str() == "-";
        let shown = if stdin { "stdin".to_owned() } else { path.display().to_string() };
        let mut text = Zeroizing::new(String::new());
        let read = if stdin {
            io::stdin().take(SECRET_FILE_MAX).read_to_string(&mut text)
        } else {
            File::open(path).and_then(|file| file.take(SECRET_FILE_MAX).read_to_string(&mut text))
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Failure::new(Exit::Usage, format!("{what} in {shown} {is_not}"), form));
            }
            Err(error) => {
                let fix = format!("Name a file that you can read with {option}, or '-' for stdin");
                return Err(Failure::new(Exit::Error, format!("{what} file {shown} cannot be read: {error}"), &fix));
            }
            Ok(_) => {}
        }
        let secret = text.trim();
        if secret.is_empty() {
            return Err(Failure::new(Exit::Usage, format!("{what} file {shown} is empty"), form));
        }
        match fit(secret) {
            true => Ok(Zeroizing::new(secret.to_owned())),
            false => Err(Failure::new(Exit::Usage, format!("{what} in {shown} {is_not}"), form)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_port_53_unless_they_say_another() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1:53"),
            ("192.0.2.1:5300", "192.0.2.1:5300"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5300", "[2001:db8::1]:5300"),
        ] {
            assert_eq!(dns_address(text).unwrap().to_string(), address);
        }
        for text in ["", "ns1.example.org", "192.0.2.1:", "192.0.2.256", "192.0.2.1:99999"] {
            assert!(dns_address(text).unwrap_err().contains("192.0.2.1"), "{text}");
        }
    }

    #[test]
    fn names_are_lower_case_without_a_final_dot() {
        assert_eq!(zone_name("Example.ORG.").unwrap(), "example.org");
        assert_eq!(name_server("NS1.a.example=127.0.0.1:5301").unwrap().host, "ns1.a.example");
        for text in [".", "", "a b", "a..b", "../operators", "*.example", &"a".repeat(64)] {
            assert!(zone_name(text).is_err(), "{text}");
        }
        assert!(name_server("192.0.2.1").unwrap_err().contains("ns1.example.net=192.0.2.1"));
        assert!(operator_name("a/b").is_err() && operator_name("-a").is_err() && operator_name("").is_err());
    }

    #[test]
    fn durations_have_a_unit_and_are_whole_seconds() {
        assert_eq!(seconds("60s"), Ok(60));
        assert_eq!(seconds("3d"), Ok(259_200));
        assert!(seconds("60").unwrap_err().contains("60s"));
        assert!(seconds("1500ms").is_err());
    }
}
