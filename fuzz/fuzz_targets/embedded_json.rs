//! Arbitrary targets and bodies, parsed by the embedded Cognito: JSON, then the model's constraints.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (target, body) = input;
    let _ = cognito_emulator::parse(target, body);
    let _ = cognito_emulator::parse(&format!("AWSCognitoIdentityProviderService.{target}"), body);
});
