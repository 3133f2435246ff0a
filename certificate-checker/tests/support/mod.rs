//! Evidence of small zones, as tests write it.

use chorus_certificate_checker::evidence::{
    DataTtl, DataTtlSource, Evidence, FailedSpan, Failure, Gap, Kind, Policy, Signer, Span, Track, Whose,
};
use chorus_certificate_checker::{Exposure, ExposureKind, FORMAT, Judgement, judge};
use sha2::{Digest, Sha256};

pub const HOUR_S: i64 = 3600;
pub const ZONE: &str = "example.org";
const ZONE_WIRE: &[u8] = b"\x07example\x03org\x00";

/// A combined signing key, told apart by one octet.
#[derive(Clone, Copy)]
pub struct Key(pub u8);

impl Key {
    fn rdata(self) -> Vec<u8> {
        [vec![1, 1, 3, 13], vec![self.0; 64]].concat()
    }

    pub fn dnskey(self) -> String {
        hex(&self.rdata())
    }

    /// RFC 4034 appendix B.
    pub fn signer(self) -> Signer {
        let sum: u32 = self.rdata().chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
        Signer { key_tag: ((sum + (sum >> 16)) & 0xffff) as u16, algorithm: 13 }
    }

    pub fn ds(self) -> String {
        self.ds_of_type(2)
    }

    pub fn ds_of_type(self, digest_type: u8) -> String {
        let digest = Sha256::new().chain_update(ZONE_WIRE).chain_update(self.rdata()).finalize();
        hex(&[&self.signer().key_tag.to_be_bytes()[..], &[13, digest_type], &digest[..]].concat())
    }
}

pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// NS RDATA for `ns1.OPERATOR.example`.
pub fn ns(operator: &str) -> String {
    let host = format!("ns1.{operator}.example");
    let labels = host.split('.').flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat());
    hex(&labels.chain([0]).collect::<Vec<u8>>())
}

/// A zone with the operators a and b, and a transition from hour 0 until hour 100. TTLs are an hour, stale serving is none, and
/// the slack is a minute.
pub struct Scene(pub Evidence);

pub fn scene() -> Scene {
    let ttl = || DataTtl { ttl_s: 3600, source: DataTtlSource::Listing };
    let evidence = Evidence {
        format: FORMAT,
        transition: "t_1".into(),
        zone: ZONE.into(),
        from: vec!["a".into()],
        to: vec!["a".into(), "b".into()],
        started_ms: 0,
        ended_ms: 100 * HOUR_S * 1000,
        policy: Policy {
            slack_s: 60,
            resolver_max_ttl_s: 604_800,
            parent_pipeline_s: 172_800,
            gap_max_s: 3600,
            ..Policy::default()
        },
        data_ttls: [("a".to_owned(), ttl()), ("b".to_owned(), ttl())].into(),
        hosts: ["a", "b"].map(|op| (format!("ns1.{op}.example"), op.to_owned())).into(),
        ..Evidence::default()
    };
    Scene(evidence)
}

impl Scene {
    fn track(&mut self, whose: Whose, kind: Kind) -> &mut Track {
        let name = match &whose {
            Whose::Operator(name) => name.clone(),
            _ => "parent".to_owned(),
        };
        let number = self.0.tracks.iter().position(|track| track.whose == whose && track.kind == kind);
        let number = number.unwrap_or_else(|| {
            let address = if name == "parent" { "192.0.2.1:53" } else { "192.0.2.2:53" }.parse().unwrap();
            let host = format!("ns1.{name}.example");
            self.0.tracks.push(Track { address, host, whose, kind, spans: Vec::new(), failed: Vec::new() });
            self.0.tracks.len() - 1
        });
        &mut self.0.tracks[number]
    }

    /// From this hour on the server serves these records.
    fn serves(mut self, whose: Whose, kind: Kind, hour: i64, records: Vec<String>, signers: &[Key]) -> Scene {
        let track = self.track(whose, kind);
        let at_ms = hour * HOUR_S * 1000;
        let before = track.spans.last_mut().map(|before| {
            before.until_ms = Some(at_ms);
            // It was looked at a minute before.
            before.last_seen_ms = at_ms - 60_000;
            before.last_seen_ms
        });
        track.spans.push(Span {
            records,
            addresses: Vec::new(),
            ttl_s: 3600,
            signers: signers.iter().map(|key| key.signer()).collect(),
            signatures_end_ms: None,
            since_ms: before,
            first_seen_ms: at_ms,
            last_seen_ms: at_ms,
            until_ms: None,
            basis: Default::default(),
        });
        self
    }

    pub fn ds(self, hour: i64, keys: &[Key]) -> Scene {
        self.raw_ds(hour, keys.iter().map(|key| key.ds()).collect())
    }

    pub fn raw_ds(self, hour: i64, records: Vec<String>) -> Scene {
        self.serves(Whose::Parent, Kind::Ds, hour, records, &[])
    }

    pub fn delegation(self, hour: i64, operators: &[&str]) -> Scene {
        self.serves(Whose::Parent, Kind::Delegation, hour, operators.iter().map(|op| ns(op)).collect(), &[])
    }

    pub fn dnskey(self, operator: &str, hour: i64, keys: &[Key], signer: Key) -> Scene {
        let records = keys.iter().map(|key| key.dnskey()).collect();
        self.serves(Whose::Operator(operator.into()), Kind::Dnskey, hour, records, &[signer])
    }

    pub fn ns(self, operator: &str, hour: i64, operators: &[&str], signer: Key) -> Scene {
        let records = operators.iter().map(|op| ns(op)).collect();
        self.serves(Whose::Operator(operator.into()), Kind::Ns, hour, records, &[signer])
    }

    pub fn data(self, operator: &str, hour: i64, signers: &[Key]) -> Scene {
        self.serves(Whose::Operator(operator.into()), Kind::Data, hour, Vec::new(), signers)
    }

    pub fn failed(mut self, operator: &str, kind: Kind, hours: (i64, Option<i64>), code: &str) -> Scene {
        let ms = |hour: i64| hour * HOUR_S * 1000;
        let failure = Failure { code: code.into(), text: format!("fails ({code})") };
        let failed = FailedSpan {
            since_ms: Some(ms(hours.0)),
            first_seen_ms: ms(hours.0) + 60_000,
            until_ms: hours.1.map(ms),
            failure,
        };
        self.track(Whose::Operator(operator.into()), kind).failed.push(failed);
        self
    }

    pub fn without_looks(mut self, from_hour: i64, until_hour: i64) -> Scene {
        let ms = |hour: i64| hour * HOUR_S * 1000;
        self.0.longest_gap = Some(Gap { from_ms: ms(from_hour), until_ms: ms(until_hour) });
        self
    }

    pub fn judged(&self) -> Judgement {
        judge(&self.0).unwrap()
    }

    pub fn kinds(&self) -> Vec<ExposureKind> {
        let mut kinds: Vec<ExposureKind> = self.judged().exposures.iter().map(|exposure| exposure.kind).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// The exposure with this kind that begins first.
    pub fn first(&self, kind: ExposureKind) -> Exposure {
        self.judged().exposures.into_iter().find(|exposure| exposure.kind == kind).unwrap()
    }
}

pub const A: Key = Key(1);
pub const B: Key = Key(2);

/// The operator b joins as it should: keys at hour 10, DS at hour 20, name servers at hour 30.
pub fn clean_join() -> Scene {
    rest_of_join(scene().dnskey("a", -100, &[A], A).dnskey("a", 10, &[A, B], A), 10, 20, 30)
}

/// What belongs to a join beside the keys at a: the keys at b, the DS and the name servers, at these hours.
pub fn rest_of_join(scene: Scene, keys_hour: i64, ds_hour: i64, ns_hour: i64) -> Scene {
    scene
        .dnskey("b", -100, &[B], B)
        .dnskey("b", keys_hour, &[A, B], B)
        .ds(-100, &[A])
        .ds(ds_hour, &[A, B])
        .delegation(-100, &["a"])
        .delegation(ns_hour + 10, &["a", "b"])
        .ns("a", -100, &["a"], A)
        .ns("a", ns_hour, &["a", "b"], A)
        .ns("b", -100, &["b"], B)
        .ns("b", ns_hour - 1, &["a", "b"], B)
        .data("a", -100, &[A])
        .data("b", -100, &[B])
}
