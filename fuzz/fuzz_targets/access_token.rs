//! Any text as an access token: the pool that it claims is read before anything is known of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mfagate::request::credential::unverified_user_pool_id;

fuzz_target!(|token: &str| {
    if let Some(pool) = unverified_user_pool_id(token) {
        assert!(!pool.contains('/'), "the pool is the last path segment");
    }
});
