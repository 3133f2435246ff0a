//! Transaction signatures (RFC 8945): keys, and whether an answer is signed with ours.
//!
//! Invariants: a secret is never printed, and an answer is believed only if its MAC verifies over the octets that came.
//! Refusals of a signature come without a MAC (RFC 8945 §5.3.2), so they cannot be verified; such an answer may
//! explain a failure, and never counts as success. Messages are put together and sent elsewhere.

use crate::rfc2136::records::RawMessage;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hickory_proto::op::Message;
use hickory_proto::rr::rdata::tsig as wire;
use hickory_proto::rr::{Name, TSigner};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// How far our clock and the server's may be apart. RFC 8945 §10 recommends 300 s.
pub const FUDGE_S: u16 = 300;

/// Of a message's header (RFC 1035 §4.1.1).
const HEADER_OCTETS: usize = 12;

/// How many messages in a row of a transfer may be unsigned (RFC 8945 §5.3.1).
const UNSIGNED_MESSAGES_MAX: usize = 99;

//----------- TsigAlgorithm --------------------------------------------------

/// The algorithms that are offered: those that RFC 8945 §6 does not advise against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TsigAlgorithm {
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    #[serde(rename = "hmac-sha384")]
    HmacSha384,
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("TSIG algorithm {0:?} is not supported: use hmac-sha256, hmac-sha384 or hmac-sha512")]
pub struct UnsupportedAlgorithm(pub String);

impl FromStr for TsigAlgorithm {
    type Err = UnsupportedAlgorithm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().trim_end_matches('.').to_ascii_lowercase().as_str() {
            "hmac-sha256" => Ok(TsigAlgorithm::HmacSha256),
            "hmac-sha384" => Ok(TsigAlgorithm::HmacSha384),
            "hmac-sha512" => Ok(TsigAlgorithm::HmacSha512),
            _ => Err(UnsupportedAlgorithm(text.to_owned())),
        }
    }
}

impl fmt::Display for TsigAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TsigAlgorithm::HmacSha256 => "hmac-sha256",
            TsigAlgorithm::HmacSha384 => "hmac-sha384",
            TsigAlgorithm::HmacSha512 => "hmac-sha512",
        })
    }
}

impl From<TsigAlgorithm> for wire::TsigAlgorithm {
    fn from(algorithm: TsigAlgorithm) -> Self {
        match algorithm {
            TsigAlgorithm::HmacSha256 => wire::TsigAlgorithm::HmacSha256,
            TsigAlgorithm::HmacSha384 => wire::TsigAlgorithm::HmacSha384,
            TsigAlgorithm::HmacSha512 => wire::TsigAlgorithm::HmacSha512,
        }
    }
}

//----------- Secret and TsigKey ---------------------------------------------

/// A shared secret. It is wiped from memory when dropped, and cannot be printed or stored by serde.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why a text holds no secret. Says nothing of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("the TSIG secret is empty: it should be base64 text, as in the server's key statement")]
    Empty,
    #[error("the TSIG secret is not base64: give the text between the quotes of the server's `secret` statement")]
    NotBase64,
}

impl Secret {
    /// Reads base64 text, with or without padding, blanks around it, or a whole BIND key statement as `tsig-keygen`
    /// writes it (of which only the secret is taken).
    pub fn from_base64_text(text: &str) -> Result<Secret, SecretError> {
        const STATEMENT: &str = "secret";
        let text = match text.find('{').and_then(|_| text.rfind(STATEMENT)) {
            Some(at) => text.get(at + STATEMENT.len()..).and_then(|rest| rest.split('"').nth(1)).unwrap_or_default(),
            None => text,
        };
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let engine = GeneralPurpose::new(&alphabet::STANDARD, lenient);
        let octets = engine.decode(text.trim()).map(Zeroizing::new).map_err(|_| SecretError::NotBase64)?;
        if octets.is_empty() { Err(SecretError::Empty) } else { Ok(Secret(octets)) }
    }

    pub fn from_octets(octets: Vec<u8>) -> Result<Secret, SecretError> {
        if octets.is_empty() { Err(SecretError::Empty) } else { Ok(Secret(Zeroizing::new(octets))) }
    }

    /// For sealing it into the store, and nothing else.
    pub fn expose_octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// A key that a server knows by name, algorithm and secret.
#[derive(Clone, Debug)]
pub struct TsigKey {
    name: Name,
    algorithm: TsigAlgorithm,
    secret: Secret,
}

impl TsigKey {
    pub fn new(name: Name, algorithm: TsigAlgorithm, secret: Secret) -> TsigKey {
        let mut name = name.to_lowercase();
        name.set_fqdn(true);
        TsigKey { name, algorithm, secret }
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    pub fn algorithm(&self) -> TsigAlgorithm {
        self.algorithm
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    fn signer(&self) -> Result<TSigner, String> {
        TSigner::new(self.secret.0.to_vec(), self.algorithm.into(), self.name.clone(), FUDGE_S)
            .map_err(|e| e.to_string())
    }

    /// The message's octets with its signature, and what its answers are checked against. `now` in Unix seconds.
    pub(crate) fn sign(&self, mut message: Message, now: u64) -> Result<(Vec<u8>, Signed), String> {
        let signer = self.signer()?;
        message.finalize(&signer, now).map_err(|e| e.to_string())?;
        let octets = message.to_vec().map_err(|e| e.to_string())?;
        let mac = message.signature().map(|tsig| tsig.data.mac.clone()).ok_or("the message could not be signed")?;
        Ok((octets, Signed { signer, previous_mac: mac, first: true, unsigned: Vec::new(), unsigned_messages: 0 }))
    }
}

//----------- Signed ---------------------------------------------------------

/// A request that was signed, waiting for its answers.
pub(crate) struct Signed {
    signer: TSigner,
    previous_mac: Vec<u8>,
    first: bool,
    /// The octets of the messages since the last signed one: the next MAC covers them (RFC 8945 §5.3.1).
    unsigned: Vec<u8>,
    unsigned_messages: usize,
}

/// Why an answer is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disbelief {
    BadKey,
    BadSig,
    /// The server's clock in Unix seconds, if it told.
    BadTime(Option<u64>),
    /// There is no signature at all.
    Unsigned,
    Wrong(String),
}

impl Signed {
    /// Whether `octets` is signed with the request's key, for this request, now.
    ///
    /// `message` must be what was parsed from `octets`: that it could be parsed is what makes the record counts in its
    /// header safe to add up.
    pub(crate) fn check(&mut self, octets: &[u8], message: &Message, now: u64) -> Result<(), Disbelief> {
        self.check_covered(message, now, |first| {
            let (covered, _) = wire::signed_bitmessage_to_buf(octets, None, first).map_err(|e| e.to_string())?;
            Ok(covered)
        })
    }

    /// `covered`: what the MAC was made over, the variables of the signature included, of a first message or a later one.
    fn check_covered(
        &mut self,
        message: &Message,
        now: u64,
        covered: impl FnOnce(bool) -> Result<Vec<u8>, String>,
    ) -> Result<(), Disbelief> {
        let Some(record) = message.signature() else { return Err(Disbelief::Unsigned) };
        let tsig = &record.data;
        match tsig.error {
            Some(wire::TsigError::BadKey) => return Err(Disbelief::BadKey),
            Some(wire::TsigError::BadSig) => return Err(Disbelief::BadSig),
            Some(wire::TsigError::BadTime) => return Err(Disbelief::BadTime(unix_time(&tsig.other))),
            _ => {}
        }
        let wrong = |reason: String| Err(Disbelief::Wrong(reason));
        if tsig.mac.is_empty() {
            return wrong(String::from("its signature is empty"));
        }
        if record.name != *self.signer.signer_name() || tsig.algorithm != *self.signer.algorithm() {
            return wrong(format!("it is signed with {} by {}", record.name, tsig.algorithm));
        }
        let covered =
            covered(self.first).map_err(|e| Disbelief::Wrong(format!("its signature cannot be read: {e}")))?;
        let mut signed = Vec::with_capacity(2 + self.previous_mac.len() + self.unsigned.len() + covered.len());
        let mac_length = u16::try_from(self.previous_mac.len()).unwrap_or(u16::MAX);
        signed.extend(mac_length.to_be_bytes());
        signed.extend(&self.previous_mac);
        signed.extend(&self.unsigned);
        signed.extend(covered);
        if self.signer.verify(&signed, &tsig.mac).is_err() {
            return wrong(String::from("its signature does not verify"));
        }
        if tsig.time.abs_diff(now) > u64::from(FUDGE_S) {
            return wrong(format!("it was signed {} s from now", tsig.time.abs_diff(now)));
        }
        if let Some(error) = tsig.error.map(u16::from).filter(|code| *code != 0) {
            return wrong(format!("it reports TSIG error {error}"));
        }
        self.previous_mac = tsig.mac.clone();
        self.first = false;
        self.unsigned.clear();
        self.unsigned_messages = 0;
        Ok(())
    }

    /// Takes a further message of a transfer, which may be unsigned; says whether everything so far is signed now. Its records
    /// need not be readable.
    pub(crate) fn check_next_raw(
        &mut self,
        octets: &[u8],
        message: &RawMessage<'_>,
        now: u64,
    ) -> Result<bool, Disbelief> {
        if message.covered.is_some() || self.first {
            let checked = self.check_covered(&message.envelope, now, |first| {
                // The envelope has nothing but the signature: behind its header are the variables of the signature alone.
                let envelope = message.envelope.to_vec().map_err(|e| e.to_string())?;
                let (variables, _) =
                    wire::signed_bitmessage_to_buf(&envelope, None, first).map_err(|e| e.to_string())?;
                let body = message.covered.clone().ok_or("there is none")?;
                Ok([&body, variables.get(HEADER_OCTETS..).unwrap_or_default()].concat())
            });
            return checked.map(|()| true);
        }
        self.unsigned_messages += 1;
        if self.unsigned_messages > UNSIGNED_MESSAGES_MAX {
            return Err(Disbelief::Unsigned);
        }
        self.unsigned.extend(octets);
        Ok(false)
    }
}

/// The 48-bit time that a BADTIME answer carries (RFC 8945 §5.2.3).
fn unix_time(octets: &[u8]) -> Option<u64> {
    (octets.len() == 6).then(|| octets.iter().fold(0, |time, octet| time << 8 | u64::from(*octet)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{MessageType, OpCode};

    const NOW: u64 = 1_700_000_000;

    fn key() -> TsigKey {
        let secret = Secret::from_base64_text("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTAxMjM=").unwrap();
        TsigKey::new(Name::from_ascii("CTL").unwrap(), TsigAlgorithm::HmacSha384, secret)
    }

    /// A server's answers to a request, chained by hand: MACs only on those messages that `signed` names.
    fn transfer(signed: &[bool], spoil: Option<usize>) -> Result<bool, Disbelief> {
        let key = key();
        let signer = key.signer().unwrap();
        let (_, mut request) = key.sign(Message::new(7, MessageType::Query, OpCode::Query), NOW).unwrap();
        let mut previous = request.previous_mac.clone();
        let mut unsigned: Vec<u8> = Vec::new();
        let mut complete = Ok(false);
        for (n, sign) in signed.iter().enumerate() {
            let mut answer = Message::new(7, MessageType::Response, OpCode::Query);
            if *sign {
                let stub =
                    wire::TSIG::new(TsigAlgorithm::HmacSha384.into(), NOW, FUDGE_S, vec![0; 48], 7, None, vec![]);
                answer.set_signature(Box::new(wire::make_tsig_record(key.name.clone(), stub.clone())));
                let (covered, _) = wire::signed_bitmessage_to_buf(&answer.to_vec().unwrap(), None, n == 0).unwrap();
                let mut data = (previous.len() as u16).to_be_bytes().to_vec();
                data.extend(&previous);
                data.append(&mut unsigned);
                data.extend(covered);
                previous = signer.sign(&data).unwrap();
                answer
                    .set_signature(Box::new(wire::make_tsig_record(key.name.clone(), stub.set_mac(previous.clone()))));
            } else {
                unsigned.extend(answer.to_vec().unwrap());
            }
            if spoil == Some(n) {
                answer.metadata.authoritative = true;
            }
            let octets = answer.to_vec().unwrap();
            complete = Ok(request.check_next_raw(&octets, &RawMessage::read(&octets).unwrap(), NOW)?);
        }
        complete
    }

    #[test]
    fn a_transfer_may_leave_messages_unsigned_but_not_the_first_nor_a_hundred() {
        assert_eq!(transfer(&[true, false, false, true], None), Ok(true));
        assert_eq!(transfer(&[true, false], None), Ok(false), "the last message has to be signed");
        assert_eq!(transfer(&[false, true], None), Err(Disbelief::Unsigned));
        let mut long = vec![true];
        long.extend([false; 99]);
        assert_eq!(transfer(&long, None), Ok(false));
        long.push(false);
        assert_eq!(transfer(&long, None), Err(Disbelief::Unsigned));
    }

    #[test]
    fn a_change_in_an_unsigned_message_shows_at_the_next_signature() {
        for spoiled in [0, 1, 2] {
            let outcome = transfer(&[true, false, true], Some(spoiled));
            assert!(matches!(outcome, Err(Disbelief::Wrong(_))), "message {spoiled}: {outcome:?}");
        }
    }

    #[test]
    fn an_answer_that_is_changed_or_cut_anywhere_is_not_believed_and_does_no_harm() {
        let key = key();
        let signer = key.signer().unwrap();
        let request = |mac: &[u8]| Signed {
            signer: signer.clone(),
            previous_mac: mac.to_vec(),
            first: true,
            unsigned: Vec::new(),
            unsigned_messages: 0,
        };
        let (_, asked) = key.sign(Message::query(), NOW).unwrap();
        let mut answer = Message::new(7, MessageType::Response, OpCode::Update);
        answer.add_query(hickory_proto::op::Query::query(
            Name::from_ascii("music1.example.").unwrap(),
            hickory_proto::rr::RecordType::SOA,
        ));
        let unsigned_length = answer.to_vec().unwrap().len();
        let stub = wire::TSIG::new(TsigAlgorithm::HmacSha384.into(), NOW, FUDGE_S, Vec::new(), 7, None, Vec::new());
        let data = signer.encode_response_tbs(&asked.previous_mac, &answer.to_vec().unwrap(), &stub).unwrap();
        let mac = signer.sign(&data).unwrap();
        answer.set_signature(Box::new(wire::make_tsig_record(key.name.clone(), stub.set_mac(mac))));
        let octets = answer.to_vec().unwrap();
        let believed = |octets: &[u8], now| {
            Message::from_vec(octets)
                .is_ok_and(|message| request(&asked.previous_mac).check(octets, &message, now).is_ok())
        };
        assert!(believed(&octets, NOW) && believed(&octets, NOW + 300));
        assert!(!believed(&octets, NOW + 301) && !believed(&octets, NOW - 301));
        for at in 0..octets.len() {
            assert!(!believed(&octets[..at], NOW), "cut at {at}");
            for change in [1, 0x0f, 0x80, 0xff] {
                let mut changed = octets.clone();
                changed[at] ^= change;
                // The id is replaced by the original id (RFC 8945 §4.3.2); it is compared elsewhere. Of the TSIG
                // record itself, what matters is its MAC: the last octets but for id, error and other length.
                let ours = (2..unsigned_length).contains(&at) || (octets.len() - 54..octets.len() - 6).contains(&at);
                let is_reserved_bit = at == 3 && change & 0x40 != 0;
                if ours && !is_reserved_bit {
                    assert!(!believed(&changed, NOW), "octet {at} changed by {change}");
                } else {
                    believed(&changed, NOW);
                }
            }
        }
    }

    #[test]
    fn secrets_are_read_with_blanks_without_padding_and_from_a_key_statement() {
        let octets = b"secret-secret-secret-secret-0123";
        let text = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTAxMjM";
        let statement = format!("key \"secret.\" {{\n\talgorithm hmac-sha256;\n\tsecret \"{text}=\";\n}};\n");
        for given in [format!("\n {text}=\n"), text.to_owned(), statement] {
            assert_eq!(Secret::from_base64_text(&given).unwrap().expose_octets(), octets);
        }
        assert_eq!(Secret::from_base64_text(" \n").unwrap_err(), SecretError::Empty);
        assert_eq!(Secret::from_base64_text("not base64!").unwrap_err(), SecretError::NotBase64);
    }

    #[test]
    fn an_unsupported_algorithm_is_refused_in_one_line_that_names_the_supported_ones() {
        assert_eq!("HMAC-SHA512.".parse::<TsigAlgorithm>().unwrap(), TsigAlgorithm::HmacSha512);
        let text = "hmac-md5".parse::<TsigAlgorithm>().unwrap_err().to_string();
        assert_eq!(text, "TSIG algorithm \"hmac-md5\" is not supported: use hmac-sha256, hmac-sha384 or hmac-sha512");
    }

    #[test]
    fn a_key_prints_its_name_and_not_its_secret() {
        let shown = format!("{:?} {:#?}", key(), key());
        assert!(shown.contains("ctl.") && shown.contains("hidden"), "{shown}");
        let octet = format!("{}", b's');
        assert!(!shown.contains("secret-secret") && !shown.contains("c2Vj") && !shown.contains(&octet), "{shown}");
    }
}
