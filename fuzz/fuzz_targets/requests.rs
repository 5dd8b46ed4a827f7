//! Arbitrary bytes as each request: decoded, then parsed as the handlers do.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mfagate::api::v1;
use mfagate::domain::text::{
    CredentialIdKind, FreeTextKind, KeyUriLabelKind, NextTokenKind, UserCodeKind, UsernameKind,
};
use mfagate::request::Violations;
use mfagate::request::passkey::{parse_credential, parse_max_results};
use mfagate::request::pool_config::PoolMfaConfig;
use mfagate::request::preference::{FactorSettings, Preference, parse_mfa_options};
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let mut violations = Violations::default();
    match kind % 6 {
        0 => {
            let Ok(request) = v1::AdminSetUserMfaPreferenceRequest::decode(bytes) else { return };
            let _ = format!("{request:?}");
            let _ = violations.required::<UsernameKind>("username", request.username);
            let preference = Preference::parse(
                &mut violations,
                FactorSettings {
                    sms: request.sms_mfa_settings,
                    software_token: request.software_token_mfa_settings,
                    email: request.email_mfa_settings,
                    web_authn: request.web_authn_mfa_settings,
                },
            );
            let _ = preference.needs_current();
        }
        1 => {
            let Ok(request) = v1::SetUserPoolMfaConfigRequest::decode(bytes) else { return };
            if let Some(config) = PoolMfaConfig::parse(&mut violations, request) {
                let _ = (config.texts(), format!("{config:?}"));
            }
        }
        2 => {
            let Ok(request) = v1::AssociateSoftwareTokenRequest::decode(bytes) else { return };
            let _ = violations.optional::<KeyUriLabelKind>("issuer", request.issuer);
            let _ = violations.optional::<KeyUriLabelKind>("account_name", request.account_name);
        }
        3 => {
            let Ok(request) = v1::VerifySoftwareTokenRequest::decode(bytes) else { return };
            let _ = violations.required::<UserCodeKind>("user_code", request.user_code);
            let _ = violations.optional::<FreeTextKind>("friendly_device_name", request.friendly_device_name);
        }
        4 => {
            let Ok(request) = v1::CompleteWebAuthnRegistrationRequest::decode(bytes) else { return };
            let _ = parse_credential(&mut violations, request.credential);
        }
        _ => {
            let Ok(request) = v1::ListWebAuthnCredentialsRequest::decode(bytes) else { return };
            let _ = violations.optional::<NextTokenKind>("next_token", request.next_token);
            let _ = parse_max_results(&mut violations, request.max_results);
            if let Ok(request) = v1::AdminSetUserSettingsRequest::decode(bytes) {
                parse_mfa_options(&mut violations, &request.mfa_options, request.clear_mfa_options);
            }
            let _ =
                violations.required::<CredentialIdKind>("credential_id", String::from_utf8_lossy(bytes).into_owned());
        }
    }
    let _ = violations.into_result(Some(()));
});
