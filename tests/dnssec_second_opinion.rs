//! Our verification against two other implementations: what `domain` signs, we verify; what `hickory-proto` signs,
//! `domain` and we verify; key tags and digests agree. RRsets are generated, with names in mixed case.

#![allow(clippy::unwrap_used, clippy::panic)]

use chorus::model::dns::{Dnskey, Name, Rdata, RecordSet, RecordType, SignedSet, ns_name, verify};
use chorus::model::time::Time;
use domain::base::iana::{Class, DigestAlgorithm, Rtype};
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::base::{ParsedName, Record, Ttl};
use domain::crypto::sign::{GenerateParams, KeyPair, generate};
use domain::dep::octseq::Parser;
use domain::dnssec::sign::keys::SigningKey;
use domain::dnssec::sign::records::Rrset;
use domain::dnssec::sign::signatures::rrsigs::sign_rrset;
use domain::dnssec::validator::base::{DnskeyExt, RrsigExt};
use domain::rdata::dnssec::Timestamp;
use domain::rdata::{Dnskey as DomainDnskey, Rrsig as DomainRrsig, ZoneRecordData};
use hickory_proto::dnssec::crypto::{EcdsaSigningKey, Ed25519SigningKey};
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::dnssec::{Algorithm, DigestType, DnssecSigner};
use hickory_proto::rr::{DNSClass, RData, RecordSet as HickorySet};
use proptest::prelude::*;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

type DomainName = domain::base::Name<Vec<u8>>;
type DomainRecord<'a> = Record<DomainName, ZoneRecordData<&'a [u8], ParsedName<&'a [u8]>>>;

const NOW: Time = Time(1_800_000_000_000);
const NOW_S: u32 = 1_800_000_000;
const ZONE: &str = "Music1.Example.";

/// An RRset before anybody canonicalised it: names as they were typed.
#[derive(Clone, Debug)]
struct Typed {
    rtype: RecordType,
    wires: Vec<Vec<u8>>,
}

impl Typed {
    fn canonical(&self) -> RecordSet {
        self.wires.iter().map(|wire| Rdata::from_wire(self.rtype, wire).unwrap()).collect()
    }

    /// One TTL, no duplicates: what a signer makes of a zone file before it signs. The case stays as it was typed.
    fn domain(&self) -> Vec<DomainRecord<'_>> {
        let mut seen = RecordSet::new();
        let distinct = self.wires.iter().filter(|wire| seen.insert(Rdata::from_wire(self.rtype, wire).unwrap()));
        let records = distinct.map(|wire| {
            let mut parser = Parser::from_ref(wire.as_slice());
            let rtype = Rtype::from_int(u16::from(self.rtype));
            let data = ZoneRecordData::parse_rdata(rtype, &mut parser).unwrap().unwrap();
            Record::new(domain_zone(), Class::IN, Ttl::from_secs(300), data)
        });
        records.collect()
    }
}

fn domain_zone() -> DomainName {
    DomainName::from_str(ZONE).unwrap()
}

fn zone() -> Name {
    Name::from_str(ZONE).unwrap()
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec("[a-zA-Z0-9]{1,5}", 1..4).prop_map(|labels| {
        let labels = labels.iter().flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
        labels.chain([0]).collect()
    })
}

fn any_set() -> impl Strategy<Value = Typed> {
    let octets = |length: usize| prop::collection::vec(any::<u8>(), length);
    let mx = (any::<u16>(), any_name()).prop_map(|(preference, name)| [&preference.to_be_bytes()[..], &name].concat());
    let soa = (any_name(), any_name(), any::<[u8; 20]>()).prop_map(|(m, r, numbers)| [&m[..], &r, &numbers].concat());
    let key = (any::<bool>(), octets(64)).prop_map(|(ksk, key)| [&[1, u8::from(ksk), 3, 13][..], &key].concat());
    let cds = (any::<u16>(), octets(32)).prop_map(|(tag, d)| [&tag.to_be_bytes()[..], &[13, 2], &d].concat());
    let csync = prop::sample::select(vec![vec![0x60, 0, 0, 8], vec![0x20]])
        .prop_map(|bits| [&[0, 0, 0, 0, 0, 1, 0, bits.len() as u8][..], &bits].concat());
    let kinds: Vec<(RecordType, BoxedStrategy<Vec<u8>>)> = vec![
        (RecordType::NS, any_name().boxed()),
        (RecordType::MX, mx.boxed()),
        (RecordType::SOA, soa.boxed()),
        (RecordType::DNSKEY, key.clone().boxed()),
        (RecordType::CDNSKEY, prop_oneof![3 => key, 1 => Just(vec![0, 0, 3, 0, 0])].boxed()),
        (RecordType::CDS, prop_oneof![3 => cds, 1 => Just(vec![0; 5])].boxed()),
        (RecordType::A, octets(4).boxed()),
        (RecordType::CSYNC, csync.boxed()),
    ];
    prop::sample::select(kinds).prop_flat_map(|(rtype, wire)| {
        // A second SOA replaces the first in hickory's sets.
        let most = if rtype == RecordType::SOA { 1 } else { 6 };
        prop::collection::vec(wire, 1..=most).prop_map(move |wires| Typed { rtype, wires })
    })
}

struct DomainSigner {
    key: SigningKey<Vec<u8>, KeyPair>,
    dnskey: Rdata,
}

static DOMAIN_SIGNERS: LazyLock<Vec<DomainSigner>> = LazyLock::new(|| {
    let params = [GenerateParams::EcdsaP256Sha256, GenerateParams::EcdsaP384Sha384, GenerateParams::Ed25519];
    let signer = |params| {
        let (secret, public) = generate(&params, 257).unwrap();
        let pair = KeyPair::from_bytes(&secret, &public).unwrap();
        DomainSigner { key: SigningKey::new(domain_zone(), 257, pair), dnskey: Rdata::from_canonical(wire_of(&public)) }
    };
    params.into_iter().map(signer).collect()
});

fn wire_of(data: &impl ComposeRecordData) -> Vec<u8> {
    let mut wire = Vec::new();
    data.compose_rdata(&mut wire).unwrap();
    wire
}

fn hickory_signer(algorithm: Algorithm) -> DnssecSigner {
    let key: Box<dyn hickory_proto::dnssec::SigningKey> = match algorithm {
        Algorithm::ED25519 => {
            let pkcs8 = Ed25519SigningKey::generate_pkcs8().unwrap();
            Box::new(Ed25519SigningKey::from_pkcs8(&pkcs8).unwrap())
        }
        other => {
            let pkcs8 = EcdsaSigningKey::generate_pkcs8(other).unwrap();
            Box::new(EcdsaSigningKey::from_pkcs8(&pkcs8, other).unwrap())
        }
    };
    let dnskey = DNSKEY::with_flags(256, key.to_public_key().unwrap());
    DnssecSigner::new(dnskey, key, zone(), Duration::from_secs(3600))
}

static HICKORY_SIGNERS: LazyLock<Vec<DnssecSigner>> = LazyLock::new(|| {
    [Algorithm::ECDSAP256SHA256, Algorithm::ECDSAP384SHA384, Algorithm::ED25519].map(hickory_signer).into()
});

fn verified(typed: &Typed, records: &RecordSet, rrsig: &Rdata, dnskey: &Rdata) -> bool {
    let (signatures, keys) = (RecordSet::from([rrsig.clone()]), RecordSet::from([dnskey.clone()]));
    let set = SignedSet { owner: &zone(), rtype: typed.rtype, records, signatures: &signatures };
    let verification = verify(set, &zone(), &keys, NOW);
    assert_eq!(verification.is_verified(), verification.signers == keys);
    verification.is_verified()
}

/// The same records without their first, or `None` when there is only one.
fn without_first(records: &RecordSet) -> Option<RecordSet> {
    (records.len() > 1).then(|| records.iter().skip(1).cloned().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_domain_signs_verifies_here_and_less_than_it_does_not(typed in any_set(), which in 0..3usize) {
        let signer = &DOMAIN_SIGNERS[which];
        let records = typed.domain();
        let (inception, expiration) = (Timestamp::from(NOW_S - 10), Timestamp::from(NOW_S + 10));
        let rrsig = sign_rrset(&signer.key, &Rrset::new_from_owned(&records).unwrap(), inception, expiration).unwrap();
        // A signature comes over the network, so ours is read from its octets, and canonicalised like all others.
        let rrsig = Rdata::from_wire(RecordType::RRSIG, &wire_of(rrsig.data())).unwrap();
        let served = typed.canonical();
        prop_assert!(verified(&typed, &served, &rrsig, &signer.dnskey));
        if let Some(fewer) = without_first(&served) {
            prop_assert!(!verified(&typed, &fewer, &rrsig, &signer.dnskey));
        }
    }

    #[test]
    fn what_hickory_signs_verifies_with_domain_and_here(typed in any_set(), which in 0..3usize) {
        // Hickory sorts before it lowers names, which spoils what it signs; so it is given canonical records.
        let signer = &HICKORY_SIGNERS[which];
        let served = typed.canonical();
        let mut set = HickorySet::with_ttl(zone(), typed.rtype, 300);
        for rdata in &served {
            set.add_rdata(rdata.parse(typed.rtype).unwrap());
        }
        let inception = (std::time::UNIX_EPOCH + Duration::from_secs(u64::from(NOW_S) - 10)).into();
        let rrsig = RRSIG::from_rrset(&set, DNSClass::IN, inception, signer).unwrap();
        let rrsig = Rdata::of(&RData::DNSSEC(DNSSECRData::RRSIG(rrsig))).unwrap();
        let dnskey = Rdata::of(&RData::DNSSEC(DNSSECRData::DNSKEY(signer.to_dnskey()))).unwrap();
        let theirs = DomainRrsig::parse(&mut Parser::from_ref(rrsig.as_wire())).unwrap();
        let key = DomainDnskey::parse(&mut Parser::from_ref(dnskey.as_wire())).unwrap();
        let mut signed = Vec::new();
        theirs.signed_data(&mut signed, &mut typed.domain()).unwrap();
        prop_assert!(theirs.verify_signed_data(&key, &signed).is_ok());
        prop_assert!(verified(&typed, &served, &rrsig, &dnskey));
        if let Some(fewer) = without_first(&served) {
            prop_assert!(!verified(&typed, &fewer, &rrsig, &dnskey));
        }
    }

    #[test]
    fn key_tags_and_digests_agree_with_both(
        flags in any::<u16>(),
        algorithm in 2..=255u8,
        key in prop::collection::vec(any::<u8>(), 1..300),
        owner in any_name(),
    ) {
        let wire = [&flags.to_be_bytes()[..], &[3, algorithm], &key].concat();
        let rdata = Rdata::from_wire(RecordType::DNSKEY, &wire).unwrap();
        prop_assert_eq!(rdata.as_wire(), wire.as_slice(), "a key keeps every octet");
        let ours = Dnskey::read(&rdata).unwrap();
        let theirs = DomainDnskey::parse(&mut Parser::from_ref(wire.as_slice())).unwrap();
        let RData::DNSSEC(DNSSECRData::DNSKEY(hickory)) = rdata.parse(RecordType::DNSKEY).unwrap() else { panic!() };
        prop_assert_eq!(ours.key_tag(), theirs.key_tag());
        prop_assert_eq!(ours.key_tag(), hickory.calculate_key_tag().unwrap());

        let domain_owner = DomainName::from_octets(owner.clone()).unwrap();
        let owner = ns_name(&Rdata::from_canonical(owner)).unwrap();
        for (number, domain_type, hickory_type) in [
            (2, DigestAlgorithm::SHA256, DigestType::SHA256),
            (4, DigestAlgorithm::SHA384, DigestType::SHA384),
        ] {
            let ds = ours.ds(&owner, number).unwrap();
            let theirs = theirs.digest(&domain_owner, domain_type).unwrap();
            prop_assert_eq!(&ds.as_wire()[4..], theirs.as_ref());
            let hickory = hickory.to_digest(&owner, hickory_type).unwrap();
            prop_assert_eq!(&ds.as_wire()[4..], hickory.as_ref());
        }
    }
}
