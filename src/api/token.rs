//! Who may ask: one bearer token of 256 random bits, in a file that only the daemon's user can read.
//!
//! Invariant: the token is compared in constant time, never printed, and never used when others could have read it.

use rand::CryptoRng;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The file's name in the data directory.
pub const TOKEN_FILE: &str = "token";

/// Tells a token from other secrets when one turns up where it should not be.
const PREFIX: &str = "chorus_";

/// 64 hexadecimal digits follow the prefix.
const LENGTH: usize = PREFIX.len() + 64;

/// The API's bearer token. Wiped when dropped; cannot be printed.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    pub fn new(rng: &mut impl CryptoRng) -> Token {
        let mut random = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(random.as_mut_slice());
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        for octet in random.iter() {
            for digit in [octet >> 4, octet & 15] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        Token(text)
    }

    /// What was presented is the token. Takes as long for a near miss as for any other of that length.
    pub fn is(&self, presented: &[u8]) -> bool {
        bool::from(self.0.as_bytes().ct_eq(presented))
    }

    /// For the `Authorization` header.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Reads a token that somebody wrote. `None` if it is none.
    pub fn parse(text: &str) -> Option<Token> {
        let text = text.trim();
        let digits = text.strip_prefix(PREFIX)?;
        (text.len() == LENGTH && digits.bytes().all(|c| c.is_ascii_hexdigit()))
            .then(|| Token(Zeroizing::new(text.to_owned())))
    }
}

/// Why there is no token to use.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the token file {} cannot be read: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("the token file {} cannot be written: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("{} holds no token of Chorus: delete it, and 'chorus serve' writes a new one", path.display())]
    Malformed { path: PathBuf },
    #[error("others may read the token file {} (mode {mode:03o}): delete it, and 'chorus serve' writes a new one", path.display())]
    Open { path: PathBuf, mode: u32 },
}

/// The daemon's token: read from `dir`, or made and written there with mode 0600 if there is none yet.
pub fn create_or_read(dir: &Path, rng: &mut impl CryptoRng) -> Result<Token, TokenError> {
    let path = dir.join(TOKEN_FILE);
    match read(&path) {
        Err(TokenError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
        found => {
            let mode = fs::metadata(&path).map(|data| data.permissions().mode() & 0o777).unwrap_or(0o600);
            return match found {
                Ok(_) if mode & 0o077 != 0 => Err(TokenError::Open { path, mode }),
                other => other,
            };
        }
    }
    let token = Token::new(rng);
    // Written aside and moved into place: a crash leaves no half token.
    let aside = dir.join(".token.new");
    let written = (|| {
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(token.expose().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&aside, &path)
    })();
    written.map(|()| token).map_err(|error| TokenError::Write { path, error })
}

/// The token in a file, for those who ask.
pub fn read(path: &Path) -> Result<Token, TokenError> {
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| TokenError::Read { path: path.to_owned(), error })?;
    Token::parse(&text).ok_or_else(|| TokenError::Malformed { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_start_writes_a_token_that_only_its_user_reads_and_the_second_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = create_or_read(dir.path(), &mut rand::rng()).unwrap();
        let mode = fs::metadata(dir.path().join(TOKEN_FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let second = create_or_read(dir.path(), &mut rand::rng()).unwrap();
        assert!(second.is(first.expose().as_bytes()));
        assert!(!Token::new(&mut rand::rng()).is(first.expose().as_bytes()));
        assert!(!first.is(b"") && !first.is(&first.expose().as_bytes()[..70]));
    }

    #[test]
    fn a_token_that_others_can_read_or_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        create_or_read(dir.path(), &mut rand::rng()).unwrap();
        let path = dir.path().join(TOKEN_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = create_or_read(dir.path(), &mut rand::rng()).err().unwrap();
        assert!(refused.to_string().contains("mode 644"), "{refused}");
        fs::remove_file(&path).unwrap();
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap().write_all(b"x").unwrap();
        assert!(matches!(create_or_read(dir.path(), &mut rand::rng()), Err(TokenError::Malformed { .. })));
    }
}
