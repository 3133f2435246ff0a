//! A name server that anybody may have who has a domain: it answers each question for a name with the next of the answers that
//! it is told to give, the last of them for good. All with a TTL of 0, so that nobody keeps them.
//!
//! What becomes of the answers is not its business.

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinDecodable;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;

/// The address that `resolv.conf` names.
pub const ADDRESS: &str = "127.0.0.1:53";

/// What a name is bound to, one moment after the other: at each, addresses, or names that stand for addresses.
pub type Bound = (&'static str, Vec<Vec<&'static str>>);

#[derive(Clone)]
pub struct Names {
    bound: Arc<Vec<Bound>>,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
}

impl Names {
    pub async fn start(bound: Vec<Bound>) -> Names {
        let names = Names { bound: Arc::new(bound), asked: Arc::default() };
        let socket = UdpSocket::bind(ADDRESS).await.expect("port 53 of a network of its own");
        let server = names.clone();
        tokio::spawn(async move {
            let mut question = vec![0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                let answer = server.answer(&Message::from_bytes(&question[..length]).unwrap());
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        names
    }

    /// How often it was asked for the IPv4 addresses of a name.
    pub fn asked(&self, name: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(asked, rtype)| asked == name && *rtype == RecordType::A).count()
    }

    fn answer(&self, question: &Message) -> Message {
        let query = question.queries.first().unwrap().clone();
        let mut message = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
        message.metadata.authoritative = true;
        message.metadata.recursion_available = true;
        message.add_query(query.clone());
        if !self.add_records(query.name(), query.query_type(), &mut message) {
            message.metadata.response_code = ResponseCode::NXDomain;
        }
        message
    }

    /// Whether there is such a name.
    fn add_records(&self, name: &Name, rtype: RecordType, message: &mut Message) -> bool {
        let text = name.to_ascii().trim_end_matches('.').to_lowercase();
        let Some((_, moments)) = self.bound.iter().find(|(bound, _)| *bound == text) else { return false };
        let nth = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((text.clone(), rtype));
            asked.iter().filter(|before| **before == (text.clone(), rtype)).count() - 1
        };
        for target in moments.get(nth).or(moments.last()).unwrap() {
            let data = match target.parse() {
                Ok(IpAddr::V4(v4)) if rtype == RecordType::A => RData::A(A(v4)),
                Ok(IpAddr::V6(v6)) if rtype == RecordType::AAAA => RData::AAAA(AAAA(v6)),
                Ok(_) => continue,
                Err(_) => {
                    let target = Name::from_str(&format!("{target}.")).unwrap();
                    let alias = RData::CNAME(CNAME(target.clone()));
                    message.add_answer(Record::from_rdata(name.clone(), 0, alias));
                    self.add_records(&target, rtype, message);
                    continue;
                }
            };
            message.add_answer(Record::from_rdata(name.clone(), 0, data));
        }
        true
    }
}
