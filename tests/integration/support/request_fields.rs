//! Every text, enum and number of every request, each in a request that is otherwise valid.

use std::ops::RangeInclusive;

use mfagate::api::Rpc;
use mfagate::api::v1::mfa_preference_service_server::MfaPreferenceService as _;
use mfagate::api::v1::passkey_service_server::PasskeyService as _;
use mfagate::api::v1::pool_config_service_server::PoolConfigService as _;
use mfagate::api::v1::software_token_service_server::SoftwareTokenService as _;
use mfagate::api::v1::{
    AdminDeleteSoftwareTokenRequest, AdminGetUserAuthFactorsRequest, AdminGetUserRequest,
    AdminSetUserMfaPreferenceRequest, AdminSetUserSettingsRequest, AssociateSoftwareTokenRequest,
    CompleteWebAuthnRegistrationRequest, DeleteWebAuthnCredentialRequest, EmailMfaConfiguration, EumsSmsConfiguration,
    GetUserAuthFactorsRequest, GetUserPoolMfaConfigRequest, GetUserRequest, ListWebAuthnCredentialsRequest, MfaFactor,
    MfaOption, SetUserMfaPreferenceRequest, SetUserPoolMfaConfigRequest, SetUserSettingsRequest, SmsConfiguration,
    SmsMfaConfiguration, StartWebAuthnRegistrationRequest, VerifySoftwareTokenRequest, WebAuthnConfiguration,
    associate_software_token_request as associate, verify_software_token_request as verify,
};
use tonic::Request;

use crate::support::constraint_oracle::{self as oracle, Constraint};
use crate::support::handler_harness::HandlerHarness;
use crate::support::pool_config;
use crate::support::rpc_call::{ANY_SETTING, any_credential, unsigned_token};
use crate::support::test_cognito::{POOL, USER};

/// A text in a request, and the fields that are refused when it has a given value.
pub(crate) struct TextField {
    pub(crate) rpc: Rpc,
    pub(crate) path: &'static str,
    pub(crate) constraint: Constraint,
    pub(crate) refused: fn(&HandlerHarness, String) -> Vec<String>,
}

/// An enum or a number in a request, and the fields that are refused when it has a given value.
pub(crate) struct NumberField {
    pub(crate) rpc: Rpc,
    pub(crate) path: &'static str,
    pub(crate) allows: fn(i32) -> bool,
    pub(crate) refused: fn(&HandlerHarness, i32) -> Vec<String>,
}

macro_rules! fields {
    ($field:ident.$rule:ident of $($rpc:ident.$method:ident($request:expr) {
        $($path:literal: $reading:expr => |$changed:ident, $value:ident| $change:expr;)*
    })*) => {
        vec![$($($field {
            rpc: Rpc::$rpc,
            path: $path,
            $rule: $reading,
            refused: |harness, $value| {
                let mut $changed = $request;
                $change;
                harness.refused_fields(harness.facade.$method(Request::new($changed)))
            },
        },)*)*]
    };
}

/// Every text of every request.
pub(crate) fn texts() -> Vec<TextField> {
    fields! { TextField.constraint of
        AdminSetUserMfaPreference.admin_set_user_mfa_preference(set_preference()) {
            "user_pool_id": oracle::POOL_ID => |r, text| r.user_pool_id = text;
            "username": oracle::USERNAME => |r, text| r.username = text;
        }
        AdminGetUserAuthFactors.admin_get_user_auth_factors(admin_factors()) {
            "user_pool_id": oracle::POOL_ID => |r, text| r.user_pool_id = text;
            "username": oracle::USERNAME => |r, text| r.username = text;
        }
        AdminGetUser.admin_get_user(admin_user()) {
            "user_pool_id": oracle::POOL_ID => |r, text| r.user_pool_id = text;
            "username": oracle::USERNAME => |r, text| r.username = text;
        }
        AdminSetUserSettings.admin_set_user_settings(admin_settings()) {
            "user_pool_id": oracle::POOL_ID => |r, text| r.user_pool_id = text;
            "username": oracle::USERNAME => |r, text| r.username = text;
            "mfa_options[0].attribute_name": oracle::PHONE_NUMBER => |r, text| r.mfa_options[0].attribute_name = text;
        }
        AdminDeleteSoftwareToken.admin_delete_software_token(delete_token()) {
            "user_pool_id": oracle::POOL_ID => |r, text| r.user_pool_id = text;
            "username": oracle::USERNAME => |r, text| r.username = text;
        }
        SetUserMfaPreference.set_user_mfa_preference(set_own_preference()) {
            "access_token": oracle::ACCESS_TOKEN => |r, text| r.access_token = text;
        }
        GetUserAuthFactors.get_user_auth_factors(own_factors()) {
            "access_token": oracle::ACCESS_TOKEN => |r, text| r.access_token = text;
        }
        GetUser.get_user(own_user()) {
            "access_token": oracle::ACCESS_TOKEN => |r, text| r.access_token = text;
        }
        SetUserSettings.set_user_settings(settings()) {
            "access_token": oracle::ACCESS_TOKEN => |r, text| r.access_token = text;
            "mfa_options[0].attribute_name": oracle::PHONE_NUMBER => |r, text| r.mfa_options[0].attribute_name = text;
        }
        StartWebAuthnRegistration.start_web_authn_registration(start()) {
            "access_token": oracle::ACCESS_TOKEN => |r, text| r.access_token = text;
        }
        CompleteWebAuthnRegistration.complete_web_authn_registration(complete()) {
            "access_token": oracle::ACCESS_TOKEN => |r, text| r.access_token = text;
        }
        ListWebAuthnCredentials.list_web_authn_credentials(list()) {
            "access_token": oracle::ACCESS_TOKEN => |r, text| r.access_token = text;
            "next_token": oracle::NEXT_TOKEN => |r, text| r.next_token = Some(text);
        }
        DeleteWebAuthnCredential.delete_web_authn_credential(delete_credential()) {
            "access_token": oracle::ACCESS_TOKEN => |r, text| r.access_token = text;
            "credential_id": oracle::CREDENTIAL_ID => |r, text| r.credential_id = text;
        }
        AssociateSoftwareToken.associate_software_token(associate()) {
            "access_token": oracle::ACCESS_TOKEN
                => |r, text| { r.credential = Some(associate::Credential::AccessToken(text)); r.user_pool_id.clear() };
            "session": oracle::SESSION => |r, text| r.credential = Some(associate::Credential::Session(text));
            "user_pool_id": oracle::POOL_ID => |r, text| r.user_pool_id = text;
            "issuer": oracle::LABEL => |r, text| r.issuer = Some(text);
            "account_name": oracle::LABEL => |r, text| r.account_name = Some(text);
        }
        VerifySoftwareToken.verify_software_token(verify()) {
            "access_token": oracle::ACCESS_TOKEN
                => |r, text| { r.credential = Some(verify::Credential::AccessToken(text)); r.user_pool_id.clear() };
            "session": oracle::SESSION => |r, text| r.credential = Some(verify::Credential::Session(text));
            "user_pool_id": oracle::POOL_ID => |r, text| r.user_pool_id = text;
            "user_code": oracle::USER_CODE => |r, text| r.user_code = text;
            "friendly_device_name": oracle::ANY_TEXT => |r, text| r.friendly_device_name = Some(text);
        }
        GetUserPoolMfaConfig.get_user_pool_mfa_config(pool()) {
            "user_pool_id": oracle::POOL_ID => |r, text| r.user_pool_id = text;
        }
        SetUserPoolMfaConfig.set_user_pool_mfa_config(config()) {
            "user_pool_id": oracle::POOL_ID => |r, text| r.user_pool_id = text;
            "sms_mfa_configuration.sms_authentication_message": oracle::SMS_MESSAGE
                => |r, text| sms(&mut r).sms_authentication_message = Some(text);
            "sms_mfa_configuration.sms_configuration.sns_caller_arn": oracle::OPTIONAL_ARN
                => |r, text| { if text.is_empty() { eums(&mut r); } sns(&mut r).sns_caller_arn = Some(text) };
            "sms_mfa_configuration.sms_configuration.external_id": oracle::ANY_TEXT
                => |r, text| sns(&mut r).external_id = Some(text);
            "sms_mfa_configuration.sms_configuration.sns_region": oracle::REGION
                => |r, text| sns(&mut r).sns_region = Some(text);
            "sms_mfa_configuration.sms_configuration.eums_sms.caller_arn": oracle::REQUIRED_ARN
                => |r, text| eums(&mut r).caller_arn = text;
            "sms_mfa_configuration.sms_configuration.eums_sms.external_id": oracle::ANY_TEXT
                => |r, text| eums(&mut r).external_id = Some(text);
            "sms_mfa_configuration.sms_configuration.eums_sms.origination_identity": oracle::ANY_TEXT
                => |r, text| eums(&mut r).origination_identity = Some(text);
            "sms_mfa_configuration.sms_configuration.eums_sms.configuration_set_name": oracle::ANY_TEXT
                => |r, text| eums(&mut r).configuration_set_name = Some(text);
            "sms_mfa_configuration.sms_configuration.eums_sms.in_entity_id": oracle::ANY_TEXT
                => |r, text| eums(&mut r).in_entity_id = Some(text);
            "sms_mfa_configuration.sms_configuration.eums_sms.in_template_id": oracle::ANY_TEXT
                => |r, text| eums(&mut r).in_template_id = Some(text);
            "sms_mfa_configuration.sms_configuration.eums_sms.region": oracle::REGION
                => |r, text| eums(&mut r).region = Some(text);
            "email_mfa_configuration.message": oracle::EMAIL_MESSAGE => |r, text| email(&mut r).message = Some(text);
            "email_mfa_configuration.subject": oracle::EMAIL_SUBJECT => |r, text| email(&mut r).subject = Some(text);
            "web_authn_configuration.relying_party_id": oracle::RELYING_PARTY
                => |r, text| web_authn(&mut r).relying_party_id = Some(text);
        }
    }
}

/// Every enum and number of every request, with the numbers that Cognito has a value for.
pub(crate) fn numbers() -> Vec<NumberField> {
    fields! { NumberField.allows of
        AdminSetUserSettings.admin_set_user_settings(admin_settings()) {
            "mfa_options[0].delivery_medium": |number| number == 2
                => |r, number| r.mfa_options[0].delivery_medium = number;
        }
        SetUserSettings.set_user_settings(settings()) {
            "mfa_options[0].delivery_medium": |number| number == 2
                => |r, number| r.mfa_options[0].delivery_medium = number;
        }
        ListWebAuthnCredentials.list_web_authn_credentials(list()) {
            "max_results": |number| (0..=20).contains(&number) => |r, number| r.max_results = Some(number);
        }
        SetUserPoolMfaConfig.set_user_pool_mfa_config(config()) {
            "mfa_configuration": |number| (2..=4).contains(&number) => |r, number| r.mfa_configuration = number;
            "unconfigured_factors[0]": |number| MFA_FACTORS.contains(&number)
                => |r, number| r.unconfigured_factors.insert(0, number);
            "web_authn_configuration.user_verification": |number| (2..=3).contains(&number)
                => |r, number| web_authn(&mut r).user_verification = Some(number);
            "web_authn_configuration.factor_configuration": |number| (2..=3).contains(&number)
                => |r, number| web_authn(&mut r).factor_configuration = Some(number);
        }
    }
}

fn set_preference() -> AdminSetUserMfaPreferenceRequest {
    AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        sms_mfa_settings: Some(ANY_SETTING),
        ..Default::default()
    }
}

fn set_own_preference() -> SetUserMfaPreferenceRequest {
    SetUserMfaPreferenceRequest {
        access_token: unsigned_token(POOL),
        sms_mfa_settings: Some(ANY_SETTING),
        ..Default::default()
    }
}

fn own_factors() -> GetUserAuthFactorsRequest {
    GetUserAuthFactorsRequest { access_token: unsigned_token(POOL) }
}

fn own_user() -> GetUserRequest {
    GetUserRequest { access_token: unsigned_token(POOL) }
}

fn start() -> StartWebAuthnRegistrationRequest {
    StartWebAuthnRegistrationRequest { access_token: unsigned_token(POOL) }
}

fn pool() -> GetUserPoolMfaConfigRequest {
    GetUserPoolMfaConfigRequest { user_pool_id: POOL.to_owned() }
}

fn admin_factors() -> AdminGetUserAuthFactorsRequest {
    AdminGetUserAuthFactorsRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }
}

fn admin_user() -> AdminGetUserRequest {
    AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }
}

fn admin_settings() -> AdminSetUserSettingsRequest {
    AdminSetUserSettingsRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        mfa_options: vec![MfaOption { delivery_medium: 2, attribute_name: "phone_number".to_owned() }],
        clear_mfa_options: false,
    }
}

fn delete_token() -> AdminDeleteSoftwareTokenRequest {
    AdminDeleteSoftwareTokenRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }
}

fn settings() -> SetUserSettingsRequest {
    SetUserSettingsRequest {
        access_token: unsigned_token(POOL),
        mfa_options: admin_settings().mfa_options,
        clear_mfa_options: false,
    }
}

fn complete() -> CompleteWebAuthnRegistrationRequest {
    CompleteWebAuthnRegistrationRequest { access_token: unsigned_token(POOL), credential: Some(any_credential()) }
}

fn list() -> ListWebAuthnCredentialsRequest {
    ListWebAuthnCredentialsRequest { access_token: unsigned_token(POOL), ..Default::default() }
}

fn delete_credential() -> DeleteWebAuthnCredentialRequest {
    DeleteWebAuthnCredentialRequest { access_token: unsigned_token(POOL), credential_id: "id".to_owned() }
}

fn associate() -> AssociateSoftwareTokenRequest {
    let session = associate::Credential::Session("s".repeat(20));
    AssociateSoftwareTokenRequest { credential: Some(session), user_pool_id: POOL.to_owned(), ..Default::default() }
}

fn verify() -> VerifySoftwareTokenRequest {
    VerifySoftwareTokenRequest {
        credential: Some(verify::Credential::Session("s".repeat(20))),
        user_pool_id: POOL.to_owned(),
        user_code: "012345".to_owned(),
        friendly_device_name: None,
    }
}

fn config() -> SetUserPoolMfaConfigRequest {
    SetUserPoolMfaConfigRequest {
        user_pool_id: POOL.to_owned(),
        mfa_configuration: 4,
        unconfigured_factors: MFA_FACTORS.collect(),
        ..Default::default()
    }
}

/// The numbers of SMS, software token, e-mail and passkey.
const MFA_FACTORS: RangeInclusive<i32> = 2..=5;

/// A factor that is configured is no longer listed as unconfigured.
fn configure(request: &mut SetUserPoolMfaConfigRequest, factor: MfaFactor) {
    request.unconfigured_factors.retain(|unconfigured| *unconfigured != i32::from(factor));
}

fn sms(request: &mut SetUserPoolMfaConfigRequest) -> &mut SmsMfaConfiguration {
    configure(request, MfaFactor::Sms);
    request.sms_mfa_configuration.get_or_insert_with(pool_config::sms)
}

fn sns(request: &mut SetUserPoolMfaConfigRequest) -> &mut SmsConfiguration {
    sms(request).sms_configuration.get_or_insert_default()
}

fn eums(request: &mut SetUserPoolMfaConfigRequest) -> &mut EumsSmsConfiguration {
    let eums = || EumsSmsConfiguration { caller_arn: "arn:aws:iam::1:role/a".to_owned(), ..Default::default() };
    let sms = sms(request).sms_configuration.get_or_insert_default();
    sms.sns_caller_arn = None;
    sms.eums_sms.get_or_insert_with(eums)
}

fn email(request: &mut SetUserPoolMfaConfigRequest) -> &mut EmailMfaConfiguration {
    configure(request, MfaFactor::Email);
    request.email_mfa_configuration.get_or_insert_default()
}

fn web_authn(request: &mut SetUserPoolMfaConfigRequest) -> &mut WebAuthnConfiguration {
    configure(request, MfaFactor::WebAuthn);
    request.web_authn_configuration.get_or_insert_with(pool_config::web_authn)
}
