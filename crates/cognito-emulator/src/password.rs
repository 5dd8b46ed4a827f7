//! Password hashes and password policies.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::model::input::Input;
use crate::protocol::Failure;
use crate::random;

static ALGORITHM: pbkdf2::Algorithm = pbkdf2::PBKDF2_HMAC_SHA256;

/// Few, since these are passwords of tests and every test signs in.
const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

/// A password that can be verified but not read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PasswordHash {
    salt: String,
    hash: String,
}

impl PasswordHash {
    pub(crate) fn new(password: &str) -> Result<Self, Failure> {
        let salt = random::bytes::<16>()?;
        let mut hash = [0; 32];
        pbkdf2::derive(ALGORITHM, ITERATIONS, &salt, password.as_bytes(), &mut hash);
        Ok(Self { salt: BASE64.encode(&salt), hash: BASE64.encode(&hash) })
    }

    pub(crate) fn matches(&self, password: &str) -> bool {
        let (Ok(salt), Ok(hash)) = (BASE64.decode(self.salt.as_bytes()), BASE64.decode(self.hash.as_bytes())) else {
            return false;
        };
        pbkdf2::verify(ALGORITHM, ITERATIONS, &salt, password.as_bytes(), &hash).is_ok()
    }
}

/// Refuses a password that violates the `PasswordPolicy` of the pool, or Cognito's default without one.
pub(crate) fn check_policy(password: &str, policy: Option<Input<'_>>) -> Result<(), Failure> {
    let refused = |why: &str| {
        Err(Failure::new("InvalidPasswordException", format!("Password did not conform with policy: {why}")))
    };
    let min = policy.and_then(|policy| policy.integer("MinimumLength")).unwrap_or(8);
    let length = i64::try_from(password.chars().count()).unwrap_or(i64::MAX);
    if length < min {
        return refused("Password not long enough");
    }
    // A policy requires only what it names.
    let asks = |name| policy.is_none_or(|policy| policy.boolean(name).unwrap_or(false));
    if asks("RequireUppercase") && !password.contains(|c: char| c.is_ascii_uppercase()) {
        return refused("Password must have uppercase characters");
    }
    if asks("RequireLowercase") && !password.contains(|c: char| c.is_ascii_lowercase()) {
        return refused("Password must have lowercase characters");
    }
    if asks("RequireNumbers") && !password.contains(|c: char| c.is_ascii_digit()) {
        return refused("Password must have numeric characters");
    }
    if asks("RequireSymbols") && !password.contains(|c: char| c.is_ascii_punctuation()) {
        return refused("Password must have symbol characters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let hash = PasswordHash::new("Demo-Passw0rd!").unwrap();
        assert!(hash.matches("Demo-Passw0rd!"));
        assert!(!hash.matches("Demo-Passw0rd"));
    }

    #[test]
    fn a_password_is_judged_by_the_policy() {
        let policy = json!({ "MinimumLength": 6, "RequireNumbers": true });
        let policy = policy.as_object().map(Input);
        assert_eq!(check_policy("abcde1", policy), Ok(()));
        for (password, policy) in [("abcd1", policy), ("abcdef", policy), ("abcdefg1!", None), ("Abcdefg1", None)] {
            let refused = check_policy(password, policy).unwrap_err();
            assert_eq!(refused.code, "InvalidPasswordException", "{password}");
        }
    }
}
