//! Where the master key comes from, and its exchange for another one while everything goes on.
//!
//! Invariant: at every moment there is a key for every sealed row, on disk as well. In an exchange the new key lies beside the
//! old one until no row is sealed with the old one any more; which one a row needs, the row says.

use super::seal::{KEY_OCTETS, MasterKey, SealError, sealed_with};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// In the data directory.
const FILE: &str = "master.key";
const NEXT_FILE: &str = "master.key.next";
/// In the directory that systemd names (`LoadCredential=chorus-master-key:...`, `LoadCredentialEncrypted=`).
const CREDENTIAL: &str = "chorus-master-key";
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// 64 hexadecimal digits.
const VARIABLE: &str = "CHORUS_MASTER_KEY";

/// The master key, and in an exchange the one that takes its place.
pub struct Keyring {
    current: MasterKey,
    next: Option<MasterKey>,
    from: From,
}

enum From {
    /// The data directory, which keeps it in [`FILE`].
    Directory(PathBuf),
    Elsewhere(String),
}

impl Keyring {
    pub fn of(key: MasterKey) -> Keyring {
        Keyring { current: key, next: None, from: From::Elsewhere("the program itself".into()) }
    }

    /// A systemd credential, or else the environment, or else a file in `dir`, which is made with octets from `random` if it
    /// is not there.
    pub fn find(dir: &Path, random: impl FnMut(&mut [u8])) -> Result<Keyring, SealError> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let credential = variable(CREDENTIALS_DIRECTORY).map(|dir| Path::new(&dir).join(CREDENTIAL));
        if let Some(path) = credential.filter(|path| path.exists()) {
            let from = From::Elsewhere(format!("the systemd credential {CREDENTIAL}"));
            return Ok(Keyring { current: read(&path)?, next: None, from });
        }
        if let Some(text) = variable(VARIABLE) {
            let failed =
                || SealError::KeyFile { path: VARIABLE.into(), reason: "it is not 64 hexadecimal digits".into() };
            let octets = text.to_str().and_then(crate::model::dns::unhex).map(Zeroizing::new).ok_or_else(failed)?;
            let octets = <[u8; KEY_OCTETS]>::try_from(octets.as_slice()).map_err(|_| failed())?;
            let from = From::Elsewhere(format!("the environment ({VARIABLE})"));
            return Ok(Keyring { current: MasterKey::from_octets(octets), next: None, from });
        }
        let current = read_or_make(&dir.join(FILE), random)?;
        let next = dir.join(NEXT_FILE);
        // An exchange that was interrupted.
        let next = if next.exists() { Some(read(&next)?) } else { None };
        Ok(Keyring { current, next, from: From::Directory(dir.to_owned()) })
    }

    pub fn is_exchanging(&self) -> bool {
        self.next.is_some()
    }

    /// Begins an exchange, or goes on with one that was interrupted.
    pub fn begin(&mut self, random: impl FnMut(&mut [u8])) -> Result<(), SealError> {
        let From::Directory(dir) = &self.from else { return Err(self.not_ours()) };
        if self.next.is_none() {
            self.next = Some(read_or_make(&dir.join(NEXT_FILE), random)?);
        }
        Ok(())
    }

    /// No row is sealed with the old key any more.
    pub fn finish(&mut self) -> Result<(), SealError> {
        let From::Directory(dir) = &self.from else { return Err(self.not_ours()) };
        let Some(next) = self.next.take() else { return Ok(()) };
        let (from, to) = (dir.join(NEXT_FILE), dir.join(FILE));
        let moved = std::fs::rename(&from, &to).and_then(|()| File::open(dir)?.sync_all());
        if let Err(e) = moved {
            self.next = Some(next);
            return Err(failed(&to, e.to_string()));
        }
        self.current = next;
        Ok(())
    }

    fn not_ours(&self) -> SealError {
        let from = match &self.from {
            From::Elsewhere(from) => from.clone(),
            From::Directory(dir) => dir.display().to_string(),
        };
        SealError::NotOurs { from }
    }

    /// With the newest key.
    pub fn seal(&self, place: &str, secret: &[u8], nonce: [u8; 24]) -> Result<Vec<u8>, SealError> {
        self.newest().seal(place, secret, nonce)
    }

    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let with = sealed_with(sealed);
        let next = self.next.as_ref().filter(|next| Some(next.id()) == with);
        next.unwrap_or(&self.current).open(place, sealed)
    }

    /// Whether something is sealed with the newest key already.
    pub fn is_new(&self, sealed: &[u8]) -> bool {
        sealed_with(sealed) == Some(self.newest().id())
    }

    pub fn newest(&self) -> &MasterKey {
        self.next.as_ref().unwrap_or(&self.current)
    }
}

fn failed(path: &Path, reason: String) -> SealError {
    SealError::KeyFile { path: path.display().to_string(), reason }
}

fn read(path: &Path) -> Result<MasterKey, SealError> {
    let mut octets = std::fs::read(path).map_err(|e| failed(path, e.to_string()))?;
    let mode = std::fs::metadata(path).map_err(|e| failed(path, e.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        octets.zeroize();
        return Err(failed(path, format!("others may read it (mode {:o}): chmod 0400", mode & 0o777)));
    }
    let key = <[u8; KEY_OCTETS]>::try_from(octets.as_slice());
    let key = key.map_err(|_| failed(path, format!("{} octets instead of {KEY_OCTETS}", octets.len())));
    octets.zeroize();
    Ok(MasterKey::from_octets(key?))
}

fn read_or_make(path: &Path, mut random: impl FnMut(&mut [u8])) -> Result<MasterKey, SealError> {
    if path.exists() {
        return read(path);
    }
    let mut octets = Zeroizing::new([0u8; KEY_OCTETS]);
    random(octets.as_mut_slice());
    let key = MasterKey::from_octets(*octets);
    // Under another name first: a key of which only a part was written would be the end of every secret.
    let unfinished = path.with_extension("unfinished");
    let written = || {
        let _ = std::fs::remove_file(&unfinished);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&unfinished)?;
        file.write_all(key.octets()).and_then(|()| file.sync_all())?;
        std::fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    written().map_err(|e| failed(path, e.to_string()))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(dir: &Path, fill: u8) -> Result<Keyring, SealError> {
        Keyring::find(dir, |octets| octets.fill(fill))
    }

    #[test]
    fn a_key_file_is_made_for_its_owner_only_and_refused_when_others_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let made = keyring(dir.path(), 3).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        let again = keyring(dir.path(), 4).unwrap();
        assert_eq!(made.newest().octets(), again.newest().octets());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(keyring(dir.path(), 3).err().unwrap().to_string().contains("chmod 0400"));
    }

    #[test]
    fn in_an_exchange_what_either_key_sealed_opens_after_a_restart_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut keys = keyring(dir.path(), 3).unwrap();
        let old = keys.seal("p", b"canary", [1; 24]).unwrap();
        keys.begin(|octets| octets.fill(5)).unwrap();
        let new = keys.seal("p", b"canary", [1; 24]).unwrap();
        assert!(keys.is_new(&new) && !keys.is_new(&old));
        for keys in [&keys, &keyring(dir.path(), 6).unwrap()] {
            assert!(keys.is_exchanging());
            assert_eq!(keys.open("p", &old).unwrap().as_slice(), b"canary");
            assert_eq!(keys.open("p", &new).unwrap().as_slice(), b"canary");
        }
        keys.finish().unwrap();
        for keys in [&keys, &keyring(dir.path(), 6).unwrap()] {
            assert!(!keys.is_exchanging());
            assert!(keys.open("p", &old).is_err());
            assert_eq!(keys.open("p", &new).unwrap().as_slice(), b"canary");
        }
        assert!(!dir.path().join(NEXT_FILE).exists());
    }

    #[test]
    fn a_key_that_is_given_to_chorus_is_not_exchanged_by_it() {
        let mut keys = Keyring::of(MasterKey::from_octets([1; 32]));
        assert!(matches!(keys.begin(|_| ()), Err(SealError::NotOurs { .. })));
    }
}
