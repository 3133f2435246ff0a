//! Secrets at rest: XChaCha20-Poly1305 with a key that is not in the database.
//!
//! Invariant: a sealed secret opens only in the place it was sealed for. Table, row and field are its associated data, so
//! that a ciphertext that is moved to another row fails instead of being used there.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

pub(super) const KEY_OCTETS: usize = 32;
const NONCE_OCTETS: usize = 24;
/// First octet of what is sealed: the form of the rest. 1 had no key's id in it.
const VERSION: u8 = 2;
const VERSION_WITHOUT_ID: u8 = 1;
pub const KEY_ID_OCTETS: usize = 8;

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the master key {path}: {reason}")]
    KeyFile { path: String, reason: String },
    #[error("the secret of {place} does not open: it was sealed with another master key, or moved or changed")]
    DoesNotOpen { place: String },
    #[error("the master key comes from {from}, and only what Chorus keeps in a file of its own can it exchange")]
    NotOurs { from: String },
}

/// The key that seals. It has no Debug, no Display, and is wiped when dropped.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; KEY_OCTETS]>);

impl MasterKey {
    pub fn from_octets(octets: [u8; KEY_OCTETS]) -> MasterKey {
        MasterKey(Zeroizing::new(octets))
    }

    pub(super) fn octets(&self) -> &[u8; KEY_OCTETS] {
        &self.0
    }

    /// Tells keys apart, and says nothing of them: the tag of nothing, under a nonce that is used for this alone.
    pub fn id(&self) -> [u8; KEY_ID_OCTETS] {
        let payload = Payload { msg: &[], aad: b"chorus master key id" };
        let tag = self.cipher().encrypt(&XNonce::from([0; NONCE_OCTETS]), payload).unwrap_or_default();
        tag.first_chunk().copied().unwrap_or_default()
    }

    /// Seals a secret for one place, `table/row/field`. `nonce` must be random.
    pub fn seal(&self, place: &str, secret: &[u8], nonce: [u8; NONCE_OCTETS]) -> Result<Vec<u8>, SealError> {
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: place.as_bytes() });
        let sealed = sealed.map_err(|_| SealError::DoesNotOpen { place: place.to_owned() })?;
        Ok([&[VERSION], self.id().as_slice(), nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the same place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let failed = || SealError::DoesNotOpen { place: place.to_owned() };
        let (version, rest) = sealed.split_first().ok_or_else(failed)?;
        let rest = match *version {
            VERSION => rest.strip_prefix(self.id().as_slice()).ok_or_else(failed)?,
            VERSION_WITHOUT_ID => rest,
            _ => return Err(failed()),
        };
        let (nonce, text) = rest.split_first_chunk::<NONCE_OCTETS>().ok_or_else(failed)?;
        let opened = self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: place.as_bytes() });
        opened.map(Zeroizing::new).map_err(|_| failed())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }
}

/// Which key something was sealed with; `None` for what is older than that.
pub(super) fn sealed_with(sealed: &[u8]) -> Option<[u8; KEY_ID_OCTETS]> {
    match sealed.split_first() {
        Some((&VERSION, rest)) => rest.first_chunk().copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_where_it_was_sealed_and_nowhere_else() {
        let key = MasterKey::from_octets([7; 32]);
        let sealed = key.seal("operators/a/secret", b"canary", [9; 24]).unwrap();
        assert_eq!(key.open("operators/a/secret", &sealed).unwrap().as_slice(), b"canary");
        assert!(key.open("operators/b/secret", &sealed).is_err());
        assert!(MasterKey::from_octets([8; 32]).open("operators/a/secret", &sealed).is_err());
        assert!(!sealed.windows(6).any(|w| w == b"canary"));
        for cut in 0..sealed.len() {
            assert!(key.open("operators/a/secret", &sealed[..cut]).is_err());
        }
    }

    #[test]
    fn what_an_earlier_version_sealed_without_a_keys_id_still_opens() {
        let key = MasterKey::from_octets([7; 32]);
        let sealed = key.seal("operators/a/secret", b"canary", [9; 24]).unwrap();
        assert_eq!(sealed_with(&sealed), Some(key.id()));
        let old = [&[VERSION_WITHOUT_ID], &sealed[1 + KEY_ID_OCTETS..]].concat();
        assert_eq!(sealed_with(&old), None);
        assert_eq!(key.open("operators/a/secret", &old).unwrap().as_slice(), b"canary");
    }

    #[test]
    fn keys_differ_in_their_ids_which_hold_nothing_of_them() {
        let (one, two) = (MasterKey::from_octets([7; 32]), MasterKey::from_octets([8; 32]));
        assert_ne!(one.id(), two.id());
    }
}
