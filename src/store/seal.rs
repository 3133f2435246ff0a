//! Secrets at rest: XChaCha20-Poly1305 with a key that is not in the database.
//!
//! Invariant: a sealed secret opens only in the place it was sealed for. Table, row and field are its associated data, so
//! that a ciphertext that is moved to another row fails instead of being used there.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

const KEY_OCTETS: usize = 32;
const NONCE_OCTETS: usize = 24;
/// First octet of what is sealed: the form of the rest.
const VERSION: u8 = 1;

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the master key {path}: {reason}")]
    KeyFile { path: String, reason: String },
    #[error("the secret of {place} does not open: it was sealed with another master key, or moved or changed")]
    DoesNotOpen { place: String },
}

/// The key that seals. It has no Debug, no Display, and is wiped when dropped.
pub struct MasterKey(Zeroizing<[u8; KEY_OCTETS]>);

impl MasterKey {
    pub fn from_octets(octets: [u8; KEY_OCTETS]) -> MasterKey {
        MasterKey(Zeroizing::new(octets))
    }

    /// Reads `path`, or makes it, readable by its owner only, with octets from `random`.
    pub fn from_file(path: &Path, mut random: impl FnMut(&mut [u8])) -> Result<MasterKey, SealError> {
        let failed = |reason: String| SealError::KeyFile { path: path.display().to_string(), reason };
        let mut octets = Zeroizing::new([0u8; KEY_OCTETS]);
        match std::fs::read(path) {
            Ok(mut read) => {
                let mode = std::fs::metadata(path).map_err(|e| failed(e.to_string()))?.permissions().mode();
                if mode & 0o077 != 0 {
                    return Err(failed(format!("others may read it (mode {:o}): chmod 0400", mode & 0o777)));
                }
                if read.len() != KEY_OCTETS {
                    return Err(failed(format!("{} octets instead of {KEY_OCTETS}", read.len())));
                }
                octets.copy_from_slice(&read);
                read.zeroize();
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                random(octets.as_mut_slice());
                let mut file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o400)
                    .open(path)
                    .map_err(|e| failed(e.to_string()))?;
                file.write_all(octets.as_slice()).and_then(|()| file.sync_all()).map_err(|e| failed(e.to_string()))?;
            }
            Err(e) => return Err(failed(e.to_string())),
        }
        Ok(MasterKey(octets))
    }

    /// Seals a secret for one place, `table/row/field`. `nonce` must be random.
    pub fn seal(&self, place: &str, secret: &[u8], nonce: [u8; NONCE_OCTETS]) -> Result<Vec<u8>, SealError> {
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: place.as_bytes() });
        let sealed = sealed.map_err(|_| SealError::DoesNotOpen { place: place.to_owned() })?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the same place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let failed = || SealError::DoesNotOpen { place: place.to_owned() };
        let (version, rest) = sealed.split_first().ok_or_else(failed)?;
        let (nonce, text) = rest.split_at_checked(NONCE_OCTETS).ok_or_else(failed)?;
        let nonce: [u8; NONCE_OCTETS] = nonce.try_into().map_err(|_| failed())?;
        if *version != VERSION {
            return Err(failed());
        }
        let opened = self.cipher().decrypt(&XNonce::from(nonce), Payload { msg: text, aad: place.as_bytes() });
        opened.map(Zeroizing::new).map_err(|_| failed())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
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
    fn a_key_file_is_made_for_its_owner_only_and_refused_when_others_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let made = MasterKey::from_file(&path, |octets| octets.fill(3)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        let again = MasterKey::from_file(&path, |_| panic!("it is there")).unwrap();
        assert_eq!(*made.0, *again.0);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(MasterKey::from_file(&path, |_| ()).err().unwrap().to_string().contains("chmod 0400"));
    }
}
