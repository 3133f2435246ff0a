//! One question to one address: how it is asked, and which answers may be believed.
//!
//! Invariant: what comes out is an authoritative answer to exactly the question that was asked, or a [`Failure`] that
//! says what was wrong. "There is none" is believed only with the SOA record of the zone that should know. Answers are
//! hostile until judged; nothing here panics. Signatures are verified in `round`.

use crate::model::dns::{Name, Rdata, RecordSet, RecordType, Rrsig, name_text, type_text};
use crate::model::history::Failure;
use crate::model::time::Time;
use crate::observe::transport::{NoAnswer, Protocol, Transport};
use chorus_providers::rfc2136::read_message;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, RData, Record};
use std::net::SocketAddr;

/// What is offered for UDP answers: fits every path without fragments (DNS flag day 2020).
pub const EDNS_PAYLOAD: u16 = 1232;

/// Where the ids of questions come from.
pub trait QueryIds: Send + Sync {
    fn next(&self) -> u16;
}

/// Ids that nobody can guess.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl QueryIds for RandomIds {
    fn next(&self) -> u16 {
        rand::random()
    }
}

/// What observing needs of the world: a network, ids and a clock.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    pub transport: &'a dyn Transport,
    pub ids: &'a dyn QueryIds,
    pub clock: &'a (dyn Fn() -> Time + Send + Sync),
}

/// A question of class IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub name: Name,
    pub rtype: RecordType,
}

impl Question {
    pub fn new(name: &Name, rtype: RecordType) -> Question {
        let mut name = name.clone();
        // A name that was typed without its final dot would equal none that is read from a message.
        name.set_fqdn(true);
        Question { name, rtype }
    }

    /// The octets to send: EDNS with [`EDNS_PAYLOAD`], DO set, RD clear.
    pub fn to_message(&self, id: u16) -> Result<Vec<u8>, Failure> {
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(self.name.clone(), self.rtype));
        let mut edns = Edns::new();
        edns.set_max_payload(EDNS_PAYLOAD).set_dnssec_ok(true);
        message.set_edns(edns);
        message.to_vec().map_err(|e| Failure::Malformed(format!("the question cannot be written: {e}")))
    }
}

impl Question {
    /// The octets that ask for a transfer: without EDNS, which old primaries refuse with it.
    pub fn to_transfer(&self, id: u16) -> Result<Vec<u8>, Failure> {
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(self.name.clone(), self.rtype));
        message.to_vec().map_err(|e| Failure::Malformed(format!("the question cannot be written: {e}")))
    }
}

/// A message that answers the question that was asked, without an error code. Nothing is said of its sections yet.
#[derive(Clone, Debug)]
pub enum Reply {
    Whole(Message),
    /// Cut off: ask again over TCP.
    Truncated,
}

/// An RRset as it was answered, signatures not yet verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Empty: there is none, says the zone's own server.
    pub records: RecordSet,
    /// The largest TTL among the records; of an empty set, how long "there is none" may be kept.
    pub ttl_s: u32,
    /// RDATA of the RRSIG records that cover the type.
    pub signatures: RecordSet,
}

impl Asker<'_> {
    /// Asks, over TCP once more when the answer does not fit UDP, and judges the message as far as [`judge`] does.
    pub async fn ask(&self, server: SocketAddr, protocol: Protocol, question: &Question) -> Result<Message, Failure> {
        let message = self.ask_for_any(server, protocol, question).await?;
        refused(&message).map_or(Ok(message), Err)
    }

    /// [`Asker::ask`], for whoever wants to see what comes with a response code: that a name does not exist, above all.
    pub async fn ask_for_any(
        &self,
        server: SocketAddr,
        protocol: Protocol,
        question: &Question,
    ) -> Result<Message, Failure> {
        if protocol == Protocol::Udp
            && let Reply::Whole(message) = self.ask_once(server, protocol, question).await?
        {
            return Ok(message);
        }
        match self.ask_once(server, Protocol::Tcp, question).await? {
            Reply::Whole(message) => Ok(message),
            Reply::Truncated => Err(Failure::Malformed("the answer is cut off over TCP".into())),
        }
    }

    async fn ask_once(&self, server: SocketAddr, protocol: Protocol, question: &Question) -> Result<Reply, Failure> {
        let id = self.ids.next();
        let query = question.to_message(id)?;
        let octets = self.transport.exchange(server, protocol, &query).await.map_err(unanswered)?;
        read(id, question, &octets)
    }
}

/// What it means that no octets came back.
fn unanswered(why: NoAnswer) -> Failure {
    match why {
        NoAnswer::NoRoute => Failure::NoRoute,
        NoAnswer::Timeout | NoAnswer::Connection(_) => Failure::Silent,
    }
}

/// Whether `octets` are an answer to `question` with this id, and carry no error code.
pub fn judge(id: u16, question: &Question, octets: &[u8]) -> Result<Reply, Failure> {
    match read(id, question, octets)? {
        Reply::Whole(message) => refused(&message).map_or(Ok(Reply::Whole(message)), Err),
        Reply::Truncated => Ok(Reply::Truncated),
    }
}

/// What a response code other than NOERROR means.
pub(super) fn refused(message: &Message) -> Option<Failure> {
    Some(match message.metadata.response_code {
        ResponseCode::NoError => return None,
        ResponseCode::Refused => Failure::Refused,
        ResponseCode::ServFail => Failure::ServFail,
        ResponseCode::NXDomain if message.metadata.authoritative => Failure::NxDomain,
        ResponseCode::NXDomain => Failure::NotAuthoritative,
        other => Failure::Rcode(u16::from(other)),
    })
}

/// Whether `octets` are an answer to `question` with this id.
fn read(id: u16, question: &Question, octets: &[u8]) -> Result<Reply, Failure> {
    let malformed = |what: &str| Err(Failure::Malformed(what.into()));
    let Some([i1, i2, flags, rest @ ..]) = octets.get(..12) else { return malformed("fewer than 12 octets") };
    if u16::from_be_bytes([*i1, *i2]) != id {
        return malformed("an answer with another id");
    }
    // A message that was cut off may end in the middle of a record, so this is looked at before the rest is read.
    let (is_response, is_truncated) = (flags & 0x80 != 0, flags & 0x02 != 0);
    let has_question = matches!(rest, [_, q1, q2, ..] if u16::from_be_bytes([*q1, *q2]) == 1);
    if is_response && is_truncated && has_question {
        return Ok(Reply::Truncated);
    }
    let message = read_message(octets).map_err(Failure::Malformed)?;
    if message.metadata.message_type != MessageType::Response {
        return malformed("a question instead of an answer");
    }
    if message.metadata.op_code != OpCode::Query {
        return malformed("an answer to another kind of request");
    }
    let code = message.metadata.response_code;
    match message.queries.as_slice() {
        [echo] if is_same_question(echo, question) => {}
        // An error may come without the question it answers (RFC 1035 leaves it open, FORMERR often does).
        [] if code != ResponseCode::NoError => {}
        _ => return malformed("an answer to another question"),
    }
    Ok(Reply::Whole(message))
}

fn is_same_question(echo: &Query, question: &Question) -> bool {
    // Names compare without regard to case.
    echo.name == question.name && echo.query_type == question.rtype && echo.query_class == DNSClass::IN
}

/// The RRset that an authoritative server of zone `apex` answered. `apex` is the zone that holds the RRset: for DS the
/// parent zone.
pub fn answer(message: &Message, question: &Question, apex: &Name) -> Result<Answer, Failure> {
    if !message.metadata.authoritative {
        return Err(Failure::NotAuthoritative);
    }
    let answer = rrset(&message.answers, question)?;
    if answer.records.is_empty() {
        return match negative_ttl_s(message, apex) {
            Some(ttl_s) => Ok(Answer { ttl_s, ..Answer::default() }),
            // The child's own server, asked for DS, knows nothing of it: that is no "there is none".
            None if question.rtype == RecordType::DS && negative_ttl_s(message, &question.name).is_some() => {
                Err(Failure::NotAuthoritative)
            }
            None => Err(Failure::Malformed(format!(
                "it says that there is no {} record, without the SOA record of {}",
                type_text(question.rtype),
                name_text(apex)
            ))),
        };
    }
    let apex = apex.to_lowercase();
    let signed_elsewhere = |rdata: &Rdata| Rrsig::read(rdata).is_some_and(|rrsig| rrsig.signer_name != apex);
    if question.rtype == RecordType::DS && answer.signatures.iter().any(signed_elsewhere) {
        return Err(Failure::NotAuthoritative);
    }
    Ok(answer)
}

/// All records of the asked type out of an answer section. Duplicates collapse; of unequal TTLs the largest counts.
/// Anything that does not belong there (a CNAME, another name, another class) spoils the whole answer.
pub fn rrset(section: &[Record], question: &Question) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    for record in section {
        let rtype = record.record_type();
        if record.name != question.name || record.dns_class != DNSClass::IN {
            let owner = name_text(&record.name);
            return Err(Failure::Malformed(format!("the answer holds a record of another name or class: {owner}")));
        }
        let rdata = Rdata::of(&record.data).map_err(|e| Failure::Malformed(e.to_string()))?;
        if rtype == question.rtype {
            answer.records.insert(rdata);
            answer.ttl_s = answer.ttl_s.max(record.ttl);
        } else if rtype == RecordType::RRSIG {
            if Rrsig::read(&rdata).is_some_and(|rrsig| rrsig.type_covered == question.rtype) {
                answer.signatures.insert(rdata);
            }
        } else {
            return Err(Failure::Malformed(format!(
                "it answers with {} where {} was asked for",
                type_text(rtype),
                type_text(question.rtype)
            )));
        }
    }
    if answer.records.is_empty() && !section.is_empty() {
        return Err(Failure::Malformed(format!("it answers with signatures, without {}", type_text(question.rtype))));
    }
    Ok(answer)
}

/// How long resolvers may keep "there is none" (RFC 2308 §5): the smaller of TTL and minimum of the SOA record. An NSEC
/// or NSEC3 record that is kept for longer (servers older than RFC 9077) makes the same statement, so it counts too.
/// `None` without the SOA record of `apex`.
pub(super) fn negative_ttl_s(message: &Message, apex: &Name) -> Option<u32> {
    let mut negative = None;
    let mut denial = 0;
    for record in &message.authorities {
        match (&record.data, record.record_type()) {
            (RData::SOA(soa), _) if record.name == *apex => negative = Some(record.ttl.min(soa.minimum)),
            (_, RecordType::NSEC | RecordType::NSEC3) => denial = denial.max(record.ttl),
            _ => {}
        }
    }
    negative.map(|ttl_s: u32| ttl_s.max(denial))
}
