//! Any bytes as any request: decoded, then parsed as the services do. Refusals never repeat a value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mfagate::api::v1;
use mfagate::domain::text::{CredentialIdKind, FreeTextKind, KeyUriLabelKind, NextTokenKind, UserCodeKind, UsernameKind};
use mfagate::request::Violations;
use mfagate::request::passkey::{parse_credential, parse_max_results};
use mfagate::request::pool_config::PoolMfaConfig;
use mfagate::request::preference::{FactorSettings, Preference, parse_mfa_options};
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let mut check = Violations::default();
    match kind % 6 {
        0 => {
            let Ok(request) = v1::AdminSetUserMfaPreferenceRequest::decode(bytes) else { return };
            let _ = format!("{request:?}");
            let _ = check.required::<UsernameKind>("username", request.username);
            let preference = Preference::parse(
                &mut check,
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
            if let Some(config) = PoolMfaConfig::parse(&mut check, request) {
                let _ = (config.texts(), format!("{config:?}"));
            }
        }
        2 => {
            let Ok(request) = v1::AssociateSoftwareTokenRequest::decode(bytes) else { return };
            let _ = check.optional::<KeyUriLabelKind>("issuer", request.issuer);
            let _ = check.optional::<KeyUriLabelKind>("account_name", request.account_name);
        }
        3 => {
            let Ok(request) = v1::VerifySoftwareTokenRequest::decode(bytes) else { return };
            let _ = check.required::<UserCodeKind>("user_code", request.user_code);
            let _ = check.optional::<FreeTextKind>("friendly_device_name", request.friendly_device_name);
        }
        4 => {
            let Ok(request) = v1::CompleteWebAuthnRegistrationRequest::decode(bytes) else { return };
            let _ = parse_credential(&mut check, request.credential);
        }
        _ => {
            let Ok(request) = v1::ListWebAuthnCredentialsRequest::decode(bytes) else { return };
            let _ = check.optional::<NextTokenKind>("next_token", request.next_token);
            let _ = parse_max_results(&mut check, request.max_results);
            if let Ok(request) = v1::AdminSetUserSettingsRequest::decode(bytes) {
                parse_mfa_options(&mut check, &request.mfa_options, request.clear_mfa_options);
            }
            let _ = check.required::<CredentialIdKind>("credential_id", String::from_utf8_lossy(bytes).into_owned());
        }
    }
    let _ = check.into_result(Some(()));
});
