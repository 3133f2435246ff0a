//! Asking one server one question, and reading keys, digests and signatures out of the answer. Blocking sockets, no
//! cache, no retry that could hide anything except a lost datagram. No judgement: that is `proof`'s.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use base64::Engine;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::dnssec::{DigestType, PublicKey, Verifier};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;

pub struct Answer {
    pub rcode: ResponseCode,
    pub authoritative: bool,
    pub authentic: bool,
    pub truncated: bool,
    pub answers: Vec<Record>,
    pub authorities: Vec<Record>,
    pub additionals: Vec<Record>,
    /// Extended DNS errors (RFC 8914): code and text.
    pub extended_errors: Vec<(u16, String)>,
}

#[derive(Clone, Copy)]
pub struct Ask {
    pub recursion: bool,
    pub checking_disabled: bool,
    pub limit: Duration,
}

/// To an authoritative server.
pub const DIRECT: Ask = Ask { recursion: false, checking_disabled: false, limit: Duration::from_millis(1500) };
/// To a resolver.
pub const RECURSIVE: Ask = Ask { recursion: true, checking_disabled: false, limit: Duration::from_secs(6) };

static NEXT_ID: AtomicU16 = AtomicU16::new(4711);

/// UDP with 4096 octets, TCP when that is truncated. `Err` says why there is no answer.
pub fn ask(server: IpAddr, name: &str, rtype: RecordType, how: Ask) -> Result<Answer, String> {
    let server = super::port53(server);
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = how.recursion;
    message.metadata.checking_disabled = how.checking_disabled;
    message.add_query(Query::query(self::name(name), rtype));
    let mut edns = Edns::new();
    edns.set_max_payload(4096).set_dnssec_ok(true);
    message.set_edns(edns);
    let query = message.to_vec().map_err(|error| error.to_string())?;
    let over_udp = udp(server, &query, id, how.limit).and_then(|bytes| read(&bytes))?;
    if !over_udp.truncated {
        return Ok(over_udp);
    }
    tcp(server, &query, how.limit).and_then(|bytes| read(&bytes))
}

/// From a server that is known to run: a datagram that a machine at its limit lost or delayed is asked for again.
pub fn ask_one_that_runs(server: IpAddr, name: &str, rtype: RecordType) -> Answer {
    (0..5).find_map(|_| ask(server, name, rtype, DIRECT).ok()).unwrap_or_else(|| panic!("{server} does not answer"))
}

fn udp(server: SocketAddr, query: &[u8], id: u16, limit: Duration) -> Result<Vec<u8>, String> {
    let any = if server.is_ipv4() { "127.0.0.1:0" } else { "[::]:0" };
    let exchange = || {
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(limit))?;
        socket.connect(server)?;
        socket.send(query)?;
        let mut buffer = vec![0; 65535];
        loop {
            let length = match socket.recv(&mut buffer) {
                // The end of a child of any story (SIGCHLD) interrupts what waits with a time limit, see signal(7).
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                received => received?,
            };
            if buffer.get(..2) == Some(&id.to_be_bytes()) {
                buffer.truncate(length);
                return Ok::<_, std::io::Error>(buffer);
            }
        }
    };
    exchange().map_err(|error| format!("no answer from {server}: {error}"))
}

fn tcp(server: SocketAddr, query: &[u8], limit: Duration) -> Result<Vec<u8>, String> {
    let exchange = || {
        let mut stream = TcpStream::connect_timeout(&server, limit)?;
        stream.set_read_timeout(Some(limit))?;
        let mut framed = (query.len() as u16).to_be_bytes().to_vec();
        framed.extend_from_slice(query);
        stream.write_all(&framed)?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut buffer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut buffer)?;
        Ok::<_, std::io::Error>(buffer)
    };
    exchange().map_err(|error| format!("no answer over TCP from {server}: {error}"))
}

fn read(bytes: &[u8]) -> Result<Answer, String> {
    let message = Message::from_vec(bytes).map_err(|error| format!("unreadable answer: {error}"))?;
    let extended_errors = message.edns.as_ref().map_or_else(Vec::new, |edns| {
        let all = edns.options().get_all(EdnsCode::from(15));
        all.into_iter()
            .filter_map(|option| match option {
                EdnsOption::Unknown(_, data) if data.len() >= 2 => {
                    Some((u16::from_be_bytes([data[0], data[1]]), String::from_utf8_lossy(&data[2..]).into_owned()))
                }
                _ => None,
            })
            .collect()
    });
    Ok(Answer {
        rcode: message.metadata.response_code,
        authoritative: message.metadata.authoritative,
        authentic: message.metadata.authentic_data,
        truncated: message.metadata.truncation,
        answers: message.answers,
        authorities: message.authorities,
        additionals: message.additionals,
        extended_errors,
    })
}

/// The records of one type among others, and the signatures over them.
pub fn rrset(records: &[Record], rtype: RecordType) -> (Vec<Record>, Vec<RRSIG>) {
    let set = records.iter().filter(|record| record.record_type() == rtype).cloned().collect();
    let signatures = records
        .iter()
        .filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) if rrsig.input().type_covered == rtype => Some(rrsig.clone()),
            _ => None,
        })
        .collect();
    (set, signatures)
}

pub fn dnskeys(records: &[Record]) -> Vec<DNSKEY> {
    let key = |record: &Record| match &record.data {
        RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key.clone()),
        _ => None,
    };
    records.iter().filter_map(key).collect()
}

/// A name without escapes, whose labels may have any other octet, such as `128/26`.
pub fn name(text: &str) -> Name {
    let labels = text.split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
    let mut name = Name::from_labels(labels).expect("names in stories are names");
    name.set_fqdn(true);
    name
}

/// Presentation form: `257 3 13 ...`.
pub fn dnskey_text(key: &DNSKEY) -> String {
    let data = base64::engine::general_purpose::STANDARD.encode(key.public_key().public_bytes());
    format!("{} 3 {} {data}", key.flags(), u8::from(key.public_key().algorithm()))
}

/// Presentation form of the DS with digest type 2; CDS looks the same.
pub fn ds_text(zone: &str, key: &DNSKEY) -> String {
    format!("{} {} 2 {}", key_tag(key), u8::from(key.public_key().algorithm()), digest(zone, key, DigestType::SHA256))
}

pub fn key_tag(key: &DNSKEY) -> u16 {
    key.calculate_key_tag().expect("a key that was read has a tag")
}

pub fn digest(zone: &str, key: &DNSKEY, digest_type: DigestType) -> String {
    let digest = key.to_digest(&name(zone), digest_type).expect("a known digest type");
    hex(digest.as_ref())
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

pub fn rdata_bytes(record: &Record) -> Vec<u8> {
    record.data.to_bytes().expect("what was parsed can be written")
}

/// Mathematics and validity window. hickory sorts before it levels TTLs, so they are levelled here; names in stories
/// are lower case already.
pub fn verifies(key: &DNSKEY, owner: &str, rrsig: &RRSIG, set: &[Record], unix_now: u32) -> bool {
    let levelled: Vec<Record> = set
        .iter()
        .map(|record| Record::from_rdata(record.name.clone(), rrsig.input().original_ttl, record.data.clone()))
        .collect();
    // With another algorithm hickory panics.
    let verifiable = rrsig.input().algorithm.is_supported();
    let in_window = rrsig.input().sig_inception.get() <= unix_now && unix_now <= rrsig.input().sig_expiration.get();
    let owner = name(owner);
    verifiable && in_window && key.verify_rrsig(&owner, DNSClass::IN, rrsig, levelled.iter()).is_ok()
}
