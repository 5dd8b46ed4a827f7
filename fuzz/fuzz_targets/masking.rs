//! Arbitrary AWS texts and requests: no value of the request survives masking.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mfagate::cognito::masking::{MAX_MESSAGE_LEN, for_caller, without_request};

fuzz_target!(|input: (&str, Vec<String>)| {
    let (text, request) = input;
    let masked = without_request(text, &request);
    // White space alone tells nothing, and is left as it is.
    let values = request.iter().filter(|value| !value.trim().is_empty());
    for value in values.filter(|value| value.chars().count() >= 16 && !"[masked]".contains(value.as_str())) {
        assert!(!masked.contains(value.as_str()), "{value:?} is not masked");
    }
    assert!(for_caller(text, &request).chars().count() <= MAX_MESSAGE_LEN);
});
