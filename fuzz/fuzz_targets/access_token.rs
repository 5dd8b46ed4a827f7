//! Arbitrary text as an access token: the claimed pool and user are read before the token is verified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mfagate::request::credential::UnverifiedClaims;

fuzz_target!(|token: &str| {
    let Some(claims) = UnverifiedClaims::of(token) else { return };
    if let Some(pool) = claims.user_pool_id() {
        assert!(!pool.contains('/'), "the pool is the last path segment");
    }
});
