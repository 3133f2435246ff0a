//! Passwords: argon2id, and how long one has to be.
//!
//! Invariant: a password is never kept, and comparing takes as long for an account that is not there as for one that is.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// NIST SP 800-63B asks for 8 and advises more; nobody types these more than once a day.
pub const SHORTEST: usize = 12;
/// Octets: argon2 would take more, and a reader should not have to.
pub const LONGEST: usize = 256;

/// A password as somebody typed it. Cannot be printed; wiped when dropped.
#[derive(Clone, serde::Deserialize)]
#[serde(from = "String")]
pub struct Password(Zeroizing<String>);

impl From<String> for Password {
    fn from(text: String) -> Password {
        Password(Zeroizing::new(text))
    }
}

impl Password {
    /// Why it cannot be chosen, as a sentence; `None`: it can.
    pub fn unfit(&self) -> Option<String> {
        match (self.0.chars().count(), self.0.len()) {
            (characters, _) if characters < SHORTEST => {
                Some(format!("the password has {characters} characters, and needs {SHORTEST}"))
            }
            (_, octets) if octets > LONGEST => Some(format!("the password is longer than {LONGEST} octets")),
            _ => None,
        }
    }

    pub fn is_same(&self, other: &Password) -> bool {
        *self.0 == *other.0
    }

    /// As a PHC string. Takes some tens of milliseconds and 19 MiB (OWASP's parameters): not for an async thread.
    pub fn hash(&self) -> Result<String, argon2::password_hash::Error> {
        let hashed: PasswordHash = Argon2::default().hash_password(self.0.as_bytes())?;
        Ok(hashed.to_string())
    }

    /// Takes as long without a hash to compare with.
    pub fn is(&self, hash: Option<&str>) -> bool {
        static NOBODYS: OnceLock<String> = OnceLock::new();
        let nobodys = || {
            NOBODYS.get_or_init(|| Password::from("nobody signs in with this".to_owned()).hash().unwrap_or_default())
        };
        let parsed = PasswordHash::new(hash.unwrap_or_else(|| nobodys()));
        let same = parsed.is_ok_and(|parsed| Argon2::default().verify_password(self.0.as_bytes(), &parsed).is_ok());
        same && hash.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_recognised_by_its_hash_and_another_is_not() {
        let password = Password::from("correct horse battery".to_owned());
        let hash = password.hash().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(password.is(Some(&hash)));
        assert!(!Password::from("correct horse batterz".to_owned()).is(Some(&hash)));
        assert!(!password.is(None));
        assert!(!Password::from("nobody signs in with this".to_owned()).is(None));
        assert!(!password.is(Some("no hash at all")));
        assert_ne!(password.hash().unwrap(), hash, "each has a salt of its own");
    }

    #[test]
    fn a_short_password_cannot_be_chosen() {
        let unfit = |text: &str| Password::from(text.to_owned()).unfit();
        assert_eq!(unfit("elevenchars").unwrap(), "the password has 11 characters, and needs 12");
        assert!(unfit(&"x".repeat(257)).is_some());
        assert!(unfit("twelve chars").is_none());
    }
}
