use super::super::keys::{DELETE_CDNSKEY, DELETE_CDS};
use super::*;
use hickory_proto::dnssec::crypto::EcdsaSigningKey;
use hickory_proto::dnssec::{SigningKey, TBS};
use std::str::FromStr;

const NOW: Time = Time(1_800_000_000_000);

struct Signer {
    key: EcdsaSigningKey,
    dnskey: Rdata,
}

impl Signer {
    fn new(flags: u16) -> Signer {
        let pkcs8 = EcdsaSigningKey::generate_pkcs8(Algorithm::ECDSAP256SHA256).unwrap();
        let key = EcdsaSigningKey::from_pkcs8(&pkcs8, Algorithm::ECDSAP256SHA256).unwrap();
        let mut wire = flags.to_be_bytes().to_vec();
        wire.extend([3, 13]);
        wire.extend(key.to_public_key().unwrap().into_inner());
        Signer { key, dnskey: Rdata::from_canonical(wire) }
    }

    fn tag(&self) -> u16 {
        Dnskey::read(&self.dnskey).unwrap().key_tag()
    }

    fn keys(&self) -> RecordSet {
        RecordSet::from([self.dnskey.clone()])
    }

    /// An RRSIG whose fields may be bent before it is signed.
    fn sign_bent(&self, set: SignedSet<'_>, bend: impl Fn(&mut Fields)) -> Rdata {
        let now_s = (NOW.0 / 1000) as u32;
        let mut fields = Fields {
            rtype: set.rtype,
            algorithm: 13,
            labels: set.owner.num_labels(),
            ttl: 3600,
            expiration: now_s + 1000,
            inception: now_s - 1000,
            tag: self.tag(),
            signer: zone(),
        };
        bend(&mut fields);
        let unsigned = fields.rdata(&[]);
        let octets = signed_octets(set, &Rrsig::read(&unsigned).unwrap());
        fields.rdata(&self.key.sign(&TBS::from(octets.as_slice())).unwrap())
    }

    fn sign(&self, set: SignedSet<'_>) -> Rdata {
        self.sign_bent(set, |_| {})
    }
}

struct Fields {
    rtype: RecordType,
    algorithm: u8,
    labels: u8,
    ttl: u32,
    expiration: u32,
    inception: u32,
    tag: u16,
    signer: Name,
}

impl Fields {
    fn rdata(&self, signature: &[u8]) -> Rdata {
        let mut wire = u16::from(self.rtype).to_be_bytes().to_vec();
        wire.extend([self.algorithm, self.labels]);
        for number in [self.ttl, self.expiration, self.inception] {
            wire.extend(number.to_be_bytes());
        }
        wire.extend(self.tag.to_be_bytes());
        wire.extend_from_slice(ns_rdata(&self.signer).as_wire());
        wire.extend_from_slice(signature);
        Rdata::from_canonical(wire)
    }
}

fn zone() -> Name {
    Name::from_str("example.").unwrap()
}

fn ns_set(hosts: &[&str]) -> RecordSet {
    hosts.iter().map(|host| ns_rdata(&Name::from_str(host).unwrap())).collect()
}

/// Signs an NS set, bent, and says what becomes of it.
fn outcome_of(signer: &Signer, bend: impl Fn(&mut Fields)) -> Result<Time, Refusal> {
    let (owner, records, none) = (zone(), ns_set(&["ns1.example."]), RecordSet::new());
    let set = SignedSet { owner: &owner, rtype: RecordType::NS, records: &records, signatures: &none };
    let signatures = RecordSet::from([signer.sign_bent(set, bend)]);
    let verification = verify(SignedSet { signatures: &signatures, ..set }, &zone(), &signer.keys(), NOW);
    assert_eq!(verification.is_verified(), verification.verdicts[0].outcome.is_ok());
    verification.verdicts[0].outcome.clone().map(|(_, expires)| expires)
}

#[test]
fn a_good_signature_names_its_key_and_its_end() {
    let signer = Signer::new(256);
    assert_eq!(outcome_of(&signer, |_| {}), Ok(NOW.plus_s(1000)));
}

#[test]
fn each_wrong_field_has_a_reason_of_its_own() {
    let signer = Signer::new(256);
    let now_s = (NOW.0 / 1000) as u32;
    assert_eq!(outcome_of(&signer, |f| f.rtype = RecordType::MX), Err(Refusal::OtherType(RecordType::MX)));
    let other = Name::from_str("org.").unwrap();
    assert_eq!(outcome_of(&signer, |f| f.signer = other.clone()), Err(Refusal::OtherSigner(other.clone())));
    assert_eq!(outcome_of(&signer, |f| f.labels = 2), Err(Refusal::Labels(2, 1)));
    assert_eq!(outcome_of(&signer, |f| f.labels = 0), Err(Refusal::Labels(0, 1)));
    assert_eq!(outcome_of(&signer, |f| f.inception = now_s + 1), Err(Refusal::NotYetValid(NOW.plus_s(1))));
    let past = Time(NOW.0 - 1000);
    assert_eq!(outcome_of(&signer, |f| f.expiration = now_s - 1), Err(Refusal::Expired(past)));
    assert_eq!(outcome_of(&signer, |f| f.tag = f.tag.wrapping_add(1)), Err(Refusal::NoKey));
    assert_eq!(outcome_of(&signer, |f| f.algorithm = 14), Err(Refusal::NoKey));
    for algorithm in [1, 5, 7, 12, 16, 17, 253] {
        assert_eq!(outcome_of(&signer, |f| f.algorithm = algorithm), Err(Refusal::Algorithm(algorithm)));
    }
}

#[test]
fn validity_ends_exactly_at_its_ends_and_survives_the_year_2106() {
    let signer = Signer::new(256);
    let now_s = (NOW.0 / 1000) as u32;
    assert_eq!(outcome_of(&signer, |f| (f.inception, f.expiration) = (now_s, now_s)), Ok(NOW));
    // So far apart that the end comes before the beginning, as serial numbers go.
    let apart = outcome_of(&signer, |f| (f.inception, f.expiration) = (now_s - (3 << 29), now_s + (3 << 29)));
    assert_eq!(apart, Err(Refusal::EndBeforeBeginning));
    let (owner, records, none) = (zone(), ns_set(&["ns1.example."]), RecordSet::new());
    let set = SignedSet { owner: &owner, rtype: RecordType::NS, records: &records, signatures: &none };
    // Ten seconds before the counter of 32 bits begins anew.
    let late = Time::from_s((1 << 32) - 10);
    let signatures = RecordSet::from([signer.sign_bent(set, |f| (f.inception, f.expiration) = (u32::MAX - 20, 30))]);
    let verification = verify(SignedSet { signatures: &signatures, ..set }, &zone(), &signer.keys(), late);
    assert_eq!(verification.expires, Some(late.plus_s(40)));
}

#[test]
fn a_key_that_may_not_validate_makes_no_signature_good() {
    for flags in [0, 1, 0x0180, 0x0181] {
        let refused = Refusal::Key { flags, protocol: 3 };
        assert_eq!(outcome_of(&Signer::new(flags), |_| {}), Err(refused), "flags {flags}");
    }
    assert!(outcome_of(&Signer::new(257), |_| {}).is_ok());
}

#[test]
fn other_records_than_those_signed_do_not_verify_and_an_unsigned_set_says_so() {
    let signer = Signer::new(256);
    let (owner, signed, none) = (zone(), ns_set(&["ns1.example."]), RecordSet::new());
    let set = SignedSet { owner: &owner, rtype: RecordType::NS, records: &signed, signatures: &none };
    let signatures = RecordSet::from([signer.sign(set)]);
    let served = ns_set(&["ns1.example.", "ns2.example."]);
    let set = SignedSet { owner: &owner, rtype: RecordType::NS, records: &served, signatures: &signatures };
    let verification = verify(set, &zone(), &signer.keys(), NOW);
    assert_eq!(verification.verdicts[0].outcome, Err(Refusal::Mathematics));
    let reason = format!("signature by key {} (alg 13): it does not match the records", signer.tag());
    assert_eq!(verification.reasons(), reason);
    let unsigned = verify(SignedSet { signatures: &none, ..set }, &zone(), &signer.keys(), NOW);
    assert_eq!((unsigned.is_verified(), unsigned.reasons().as_str()), (false, "it is not signed"));
}

/// `hickory-proto` sorts these by their names as they were served, capitals first, and finds another order than the
/// signer, which lowered them first. Duplicates and unequal TTLs upset it in the same way.
#[test]
fn names_of_mixed_case_unequal_ttls_and_duplicates_do_not_make_a_good_signature_bad() {
    let signer = Signer::new(256);
    let (owner, none) = (Name::from_str("Example.").unwrap(), RecordSet::new());
    let records = ns_set(&["b.Example.net.", "Ba.example.net.", "Z.example.org.", "z.EXAMPLE.org."]);
    assert_eq!(records.len(), 3, "a duplicate in other case is the same record");
    let order: Vec<_> = records.iter().map(|ns| super::super::rdata::ns_name(ns).unwrap().to_ascii()).collect();
    assert_eq!(order, ["b.example.net.", "z.example.org.", "ba.example.net."], "octet order of lowered RDATA");
    let set = SignedSet { owner: &owner, rtype: RecordType::NS, records: &records, signatures: &none };
    let signatures = RecordSet::from([signer.sign(set)]);
    assert!(verify(SignedSet { signatures: &signatures, ..set }, &zone(), &signer.keys(), NOW).is_verified());
}

#[test]
fn delete_records_are_signed_like_all_others() {
    let (signer, owner, none) = (Signer::new(257), zone(), RecordSet::new());
    for (rtype, wire) in [(RecordType::CDS, DELETE_CDS), (RecordType::CDNSKEY, DELETE_CDNSKEY)] {
        let records = RecordSet::from([Rdata::from_wire(rtype, &wire).unwrap()]);
        assert_eq!(records.first().unwrap().as_wire(), wire);
        let set = SignedSet { owner: &owner, rtype, records: &records, signatures: &none };
        let signatures = RecordSet::from([signer.sign(set)]);
        assert!(verify(SignedSet { signatures: &signatures, ..set }, &zone(), &signer.keys(), NOW).is_verified());
    }
}

#[test]
fn two_signers_are_both_found_and_the_later_end_counts() {
    let (one, two) = (Signer::new(256), Signer::new(256));
    let (owner, records, none) = (zone(), ns_set(&["ns1.example."]), RecordSet::new());
    let set = SignedSet { owner: &owner, rtype: RecordType::NS, records: &records, signatures: &none };
    let signatures = RecordSet::from([one.sign(set), two.sign_bent(set, |f| f.expiration += 5)]);
    let keys: RecordSet = one.keys().union(&two.keys()).cloned().collect();
    let verification = verify(SignedSet { signatures: &signatures, ..set }, &zone(), &keys, NOW);
    assert_eq!((verification.signers, verification.expires), (keys, Some(NOW.plus_s(1005))));
}

#[test]
fn colliding_key_tags_cost_a_bounded_number_of_operations() {
    // Swapping two octets that both stand at even places leaves the tag as it is.
    let signer = Signer::new(256);
    let good = signer.dnskey.as_wire().to_vec();
    let mut keys = RecordSet::new();
    for place in (6..good.len() - 2).step_by(2) {
        let mut wire = good.clone();
        wire.swap(place, place + 2);
        keys.insert(Rdata::from_canonical(wire));
    }
    keys.remove(&signer.dnskey);
    assert!(keys.iter().all(|key| Dnskey::read(key).unwrap().key_tag() == signer.tag()));
    let (owner, records, none) = (zone(), ns_set(&["ns1.example."]), RecordSet::new());
    let set = SignedSet { owner: &owner, rtype: RecordType::NS, records: &records, signatures: &none };
    let signatures: RecordSet = (0..40).map(|more| signer.sign_bent(set, |f| f.expiration += more)).collect();
    let verification = verify(SignedSet { signatures: &signatures, ..set }, &zone(), &keys, NOW);
    let not_tried = Err(Refusal::TooManyOperations);
    assert!(verification.verdicts.iter().filter(|verdict| verdict.outcome == not_tried).count() >= 38);
}

#[test]
fn signatures_that_cannot_be_read_are_refused() {
    let (signer, owner, records) = (Signer::new(256), zone(), ns_set(&["ns1.example."]));
    let cut = [vec![], vec![0; 17], vec![0; 18], [vec![0; 18], vec![63, 1]].concat()];
    let signatures: RecordSet = cut.into_iter().map(Rdata::from_canonical).collect();
    let set = SignedSet { owner: &owner, rtype: RecordType::NS, records: &records, signatures: &signatures };
    let verification = verify(set, &zone(), &signer.keys(), NOW);
    assert!(verification.verdicts.iter().all(|verdict| verdict.outcome == Err(Refusal::Unreadable)));
}

/// The key and tag of RFC 4034 §5.4's DS example (dskey.example.com, a published vector).
#[test]
fn key_tag_and_digest_are_those_of_the_published_example() {
    use base64::Engine;
    let text = "AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzK\
                BaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==";
    let mut wire = vec![1, 0, 3, 5];
    wire.extend(base64::engine::general_purpose::STANDARD.decode(text).unwrap());
    let rdata = Rdata::from_canonical(wire);
    let key = Dnskey::read(&rdata).unwrap();
    assert_eq!(key.key_tag(), 60485);
    let owner = Name::from_str("DSKEY.example.com.").unwrap();
    let sha256 = "d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a";
    assert_eq!(super::super::rdata::hex(&key.ds(&owner, 2).unwrap().as_wire()[4..]), sha256);
}
