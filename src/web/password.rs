//! A password that is typed twice.

use super::trouble::Trouble;
use crate::access::Password;

pub fn twice_the_same(password: Password, again: &Password) -> Result<Password, Trouble> {
    if password.is_same(again) { Ok(password) } else { Err(Trouble::typed("the two passwords are not the same")) }
}
