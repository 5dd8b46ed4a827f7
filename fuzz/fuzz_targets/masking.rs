//! Any text of AWS and any request: what the request held does not come out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mfagate::cognito::masking::{MAX_MESSAGE_LEN, for_caller, without_request};

fuzz_target!(|input: (&str, Vec<String>)| {
    let (text, request) = input;
    let masked = without_request(text, &request);
    for value in request.iter().filter(|value| value.chars().count() >= 16 && !"[masked]".contains(value.as_str())) {
        assert!(!masked.contains(value.as_str()), "{value:?} came out");
    }
    assert!(for_caller(text, &request).chars().count() <= MAX_MESSAGE_LEN);
});
