//! The second factor: six digits that change every 30 seconds (RFC 6238).
//!
//! Invariant: what is accepted is the code of now, of the step before or after; whoever accepts it uses its step up.

use crate::model::time::Time;
use totp_rs::{Builder, Totp};

/// RFC 4226 §4 recommends 160 bits.
pub const SECRET_OCTETS: usize = 20;

fn totp(account: &str, secret: &[u8]) -> Option<Totp> {
    // A colon would end the name in the link.
    let account = account.replace(':', "_");
    let builder = Builder::new().with_secret(secret.to_vec()).with_account_name(account).with_issuer(Some("Chorus"));
    builder.build().ok()
}

/// The time step that this code is of; `None`: it is of none that counts now.
pub fn step_of(secret: &[u8], code: &str, now: Time) -> Option<i64> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let seconds = u64::try_from(now.0 / 1000).ok()?;
    let step = totp("", secret)?.check(&digits, seconds)?;
    i64::try_from(step).ok()
}

/// What an app on a telephone reads: `otpauth://totp/…`. Holds the secret.
pub fn link(account: &str, secret: &[u8]) -> Option<zeroize::Zeroizing<String>> {
    totp(account, secret)?.to_url().ok().map(zeroize::Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, cut to six digits.
    #[test]
    fn codes_are_those_of_the_rfc_and_good_for_a_step_around_now() {
        let secret = b"12345678901234567890";
        let at = Time::from_s(1_111_111_109);
        assert_eq!(step_of(secret, "081804", at), Some(37_037_036));
        assert_eq!(step_of(secret, "081 804", at.plus(std::time::Duration::from_secs(30))), Some(37_037_036));
        assert_eq!(step_of(secret, "081804", at.plus(std::time::Duration::from_secs(61))), None);
        assert_eq!(step_of(secret, "081805", at), None);
        assert_eq!(step_of(secret, "", at), None);
    }

    #[test]
    fn the_link_names_account_and_issuer() {
        let link = link("a:b", b"12345678901234567890").unwrap();
        assert!(link.starts_with("otpauth://totp/Chorus:a_b?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{}", *link);
    }
}
