//! Arbitrary text as an access token: the claimed pool is read before the token is verified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mfagate::request::credential::unverified_user_pool_id;

fuzz_target!(|token: &str| {
    if let Some(pool) = unverified_user_pool_id(token) {
        assert!(!pool.contains('/'), "the pool is the last path segment");
    }
});
