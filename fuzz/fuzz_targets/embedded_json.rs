//! Any target and any body, as the embedded Cognito reads them: JSON, then the model's constraints.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (target, body) = input;
    let _ = mfagate::embedded::parse(target, body);
    let _ = mfagate::embedded::parse(&format!("AWSCognitoIdentityProviderService.{target}"), body);
});
