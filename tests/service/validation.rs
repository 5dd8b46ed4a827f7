//! Every constrained field of every request against the independent reading of the constraints in `rule.rs`.

use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;
use mfagate::proto::v1::mfa_preference_service_server::MfaPreferenceService as _;
use mfagate::proto::v1::passkey_service_server::PasskeyService as _;
use mfagate::proto::v1::pool_config_service_server::PoolConfigService as _;
use mfagate::proto::v1::software_token_service_server::SoftwareTokenService as _;
use mfagate::proto::v1::{
    AdminDeleteSoftwareTokenRequest, AdminGetUserAuthFactorsRequest, AdminGetUserRequest,
    AdminSetUserMfaPreferenceRequest, AdminSetUserSettingsRequest, AssociateSoftwareTokenRequest,
    CompleteWebAuthnRegistrationRequest, DeleteWebAuthnCredentialRequest, EmailMfaConfiguration, EumsSmsConfiguration,
    GetUserAuthFactorsRequest, GetUserPoolMfaConfigRequest, GetUserRequest, ListWebAuthnCredentialsRequest, MfaOption,
    SetUserMfaPreferenceRequest, SetUserPoolMfaConfigRequest, SetUserSettingsRequest, SmsConfiguration,
    SmsMfaConfiguration, StartWebAuthnRegistrationRequest, VerifySoftwareTokenRequest, WebAuthnConfiguration,
    associate_software_token_request as associate, verify_software_token_request as verify,
};
use mfagate::proto::{FILE_DESCRIPTOR_SET, Rpc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use prost_types::Struct;
use tonic::Request;

use crate::judge::Judge;
use crate::rule::{self, Rule, around};
use crate::support::{POOL, USER};

/// A text in a request, and how to ask for the request with it.
struct TextField {
    rpc: Rpc,
    path: &'static str,
    rule: Rule,
    refused: fn(&Judge, String) -> Vec<String>,
}

/// An enum or a number in a request.
struct NumberField {
    rpc: Rpc,
    path: &'static str,
    allows: fn(i32) -> bool,
    refused: fn(&Judge, i32) -> Vec<String>,
}

macro_rules! text {
    ($rpc:ident.$method:ident, $path:literal, $rule:ident, $request:expr, |$changed:ident, $value:ident| $change:expr) => {
        TextField {
            rpc: Rpc::$rpc,
            path: $path,
            rule: rule::$rule,
            refused: |judge, $value| {
                let mut $changed = $request;
                $change;
                judge.refused_fields(judge.facade.$method(Request::new($changed)))
            },
        }
    };
}

macro_rules! number {
    ($rpc:ident.$method:ident, $path:literal, $allows:expr, $request:expr, |$changed:ident, $value:ident| $change:expr) => {
        NumberField {
            rpc: Rpc::$rpc,
            path: $path,
            allows: $allows,
            refused: |judge, $value| {
                let mut $changed = $request;
                $change;
                judge.refused_fields(judge.facade.$method(Request::new($changed)))
            },
        }
    };
}

/// Every text of every request.
fn texts() -> Vec<TextField> {
    vec![
        text!(
            AdminSetUserMfaPreference.admin_set_user_mfa_preference,
            "user_pool_id",
            POOL_ID,
            set_preference(),
            |r, text| r.user_pool_id = text
        ),
        text!(
            AdminSetUserMfaPreference.admin_set_user_mfa_preference,
            "username",
            USERNAME,
            set_preference(),
            |r, text| r.username = text
        ),
        text!(
            AdminGetUserAuthFactors.admin_get_user_auth_factors,
            "user_pool_id",
            POOL_ID,
            admin_factors(),
            |r, text| r.user_pool_id = text
        ),
        text!(AdminGetUserAuthFactors.admin_get_user_auth_factors, "username", USERNAME, admin_factors(), |r, text| {
            r.username = text
        }),
        text!(AdminGetUser.admin_get_user, "user_pool_id", POOL_ID, admin_user(), |r, text| r.user_pool_id = text),
        text!(AdminGetUser.admin_get_user, "username", USERNAME, admin_user(), |r, text| r.username = text),
        text!(AdminSetUserSettings.admin_set_user_settings, "user_pool_id", POOL_ID, admin_settings(), |r, text| r
            .user_pool_id =
            text),
        text!(AdminSetUserSettings.admin_set_user_settings, "username", USERNAME, admin_settings(), |r, text| r
            .username =
            text),
        text!(
            AdminDeleteSoftwareToken.admin_delete_software_token,
            "user_pool_id",
            POOL_ID,
            delete_token(),
            |r, text| r.user_pool_id = text
        ),
        text!(AdminDeleteSoftwareToken.admin_delete_software_token, "username", USERNAME, delete_token(), |r, text| {
            r.username = text
        }),
        text!(
            SetUserMfaPreference.set_user_mfa_preference,
            "access_token",
            ACCESS_TOKEN,
            SetUserMfaPreferenceRequest::default(),
            |r, text| r.access_token = text
        ),
        text!(
            GetUserAuthFactors.get_user_auth_factors,
            "access_token",
            ACCESS_TOKEN,
            GetUserAuthFactorsRequest::default(),
            |r, text| r.access_token = text
        ),
        text!(GetUser.get_user, "access_token", ACCESS_TOKEN, GetUserRequest::default(), |r, text| r.access_token =
            text),
        text!(SetUserSettings.set_user_settings, "access_token", ACCESS_TOKEN, settings(), |r, text| r.access_token =
            text),
        text!(
            StartWebAuthnRegistration.start_web_authn_registration,
            "access_token",
            ACCESS_TOKEN,
            StartWebAuthnRegistrationRequest::default(),
            |r, text| r.access_token = text
        ),
        text!(
            CompleteWebAuthnRegistration.complete_web_authn_registration,
            "access_token",
            ACCESS_TOKEN,
            complete(),
            |r, text| r.access_token = text
        ),
        text!(ListWebAuthnCredentials.list_web_authn_credentials, "access_token", ACCESS_TOKEN, list(), |r, text| r
            .access_token =
            text),
        text!(
            DeleteWebAuthnCredential.delete_web_authn_credential,
            "access_token",
            ACCESS_TOKEN,
            delete_credential(),
            |r, text| r.access_token = text
        ),
        text!(
            AdminSetUserSettings.admin_set_user_settings,
            "mfa_options[0].attribute_name",
            PHONE_NUMBER,
            admin_settings(),
            |r, text| r.mfa_options[0].attribute_name = text
        ),
        text!(
            SetUserSettings.set_user_settings,
            "mfa_options[0].attribute_name",
            PHONE_NUMBER,
            settings(),
            |r, text| r.mfa_options[0].attribute_name = text
        ),
        text!(ListWebAuthnCredentials.list_web_authn_credentials, "next_token", NEXT_TOKEN, list(), |r, text| r
            .next_token =
            Some(text)),
        text!(
            DeleteWebAuthnCredential.delete_web_authn_credential,
            "credential_id",
            CREDENTIAL_ID,
            delete_credential(),
            |r, text| r.credential_id = text
        ),
        text!(AssociateSoftwareToken.associate_software_token, "access_token", ACCESS_TOKEN, associate(), |r, text| {
            r.credential = Some(associate::Credential::AccessToken(text));
            r.user_pool_id.clear();
        }),
        text!(AssociateSoftwareToken.associate_software_token, "session", SESSION, associate(), |r, text| r
            .credential =
            Some(associate::Credential::Session(text))),
        text!(AssociateSoftwareToken.associate_software_token, "user_pool_id", POOL_ID, associate(), |r, text| r
            .user_pool_id =
            text),
        text!(VerifySoftwareToken.verify_software_token, "access_token", ACCESS_TOKEN, verify(), |r, text| {
            r.credential = Some(verify::Credential::AccessToken(text));
            r.user_pool_id.clear();
        }),
        text!(VerifySoftwareToken.verify_software_token, "session", SESSION, verify(), |r, text| r.credential =
            Some(verify::Credential::Session(text))),
        text!(VerifySoftwareToken.verify_software_token, "user_pool_id", POOL_ID, verify(), |r, text| r.user_pool_id =
            text),
        text!(AssociateSoftwareToken.associate_software_token, "issuer", LABEL, associate(), |r, text| r.issuer =
            Some(text)),
        text!(AssociateSoftwareToken.associate_software_token, "account_name", LABEL, associate(), |r, text| r
            .account_name =
            Some(text)),
        text!(VerifySoftwareToken.verify_software_token, "user_code", USER_CODE, verify(), |r, text| r.user_code =
            text),
        text!(VerifySoftwareToken.verify_software_token, "friendly_device_name", FREE, verify(), |r, text| r
            .friendly_device_name =
            Some(text)),
        text!(
            GetUserPoolMfaConfig.get_user_pool_mfa_config,
            "user_pool_id",
            POOL_ID,
            GetUserPoolMfaConfigRequest::default(),
            |r, text| r.user_pool_id = text
        ),
        text!(SetUserPoolMfaConfig.set_user_pool_mfa_config, "user_pool_id", POOL_ID, config(), |r, text| r
            .user_pool_id =
            text),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_authentication_message",
            SMS_MESSAGE,
            config(),
            |r, text| sms(&mut r).sms_authentication_message = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_configuration.sns_caller_arn",
            OPTIONAL_ARN,
            config(),
            |r, text| {
                if text.is_empty() {
                    eums(&mut r);
                }
                sns(&mut r).sns_caller_arn = Some(text);
            }
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_configuration.external_id",
            FREE,
            config(),
            |r, text| sns(&mut r).external_id = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_configuration.sns_region",
            REGION,
            config(),
            |r, text| sns(&mut r).sns_region = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_configuration.eums_sms.caller_arn",
            REQUIRED_ARN,
            config(),
            |r, text| eums(&mut r).caller_arn = text
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_configuration.eums_sms.external_id",
            FREE,
            config(),
            |r, text| eums(&mut r).external_id = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_configuration.eums_sms.origination_identity",
            FREE,
            config(),
            |r, text| eums(&mut r).origination_identity = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_configuration.eums_sms.configuration_set_name",
            FREE,
            config(),
            |r, text| eums(&mut r).configuration_set_name = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_configuration.eums_sms.in_entity_id",
            FREE,
            config(),
            |r, text| eums(&mut r).in_entity_id = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_configuration.eums_sms.in_template_id",
            FREE,
            config(),
            |r, text| eums(&mut r).in_template_id = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "sms_mfa_configuration.sms_configuration.eums_sms.region",
            REGION,
            config(),
            |r, text| eums(&mut r).region = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "email_mfa_configuration.message",
            EMAIL_MESSAGE,
            config(),
            |r, text| email(&mut r).message = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "email_mfa_configuration.subject",
            EMAIL_SUBJECT,
            config(),
            |r, text| email(&mut r).subject = Some(text)
        ),
        text!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "web_authn_configuration.relying_party_id",
            RELYING_PARTY,
            config(),
            |r, text| web_authn(&mut r).relying_party_id = Some(text)
        ),
    ]
}

/// Every enum and number of every request, with the numbers that Cognito has a value for.
fn numbers() -> Vec<NumberField> {
    vec![
        number!(
            AdminSetUserSettings.admin_set_user_settings,
            "mfa_options[0].delivery_medium",
            |number| number == 2,
            admin_settings(),
            |r, number| r.mfa_options[0].delivery_medium = number
        ),
        number!(
            SetUserSettings.set_user_settings,
            "mfa_options[0].delivery_medium",
            |number| number == 2,
            settings(),
            |r, number| r.mfa_options[0].delivery_medium = number
        ),
        number!(
            ListWebAuthnCredentials.list_web_authn_credentials,
            "max_results",
            |number| (0..=20).contains(&number),
            list(),
            |r, number| r.max_results = Some(number)
        ),
        number!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "mfa_configuration",
            |number| (2..=4).contains(&number),
            config(),
            |r, number| r.mfa_configuration = number
        ),
        number!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "web_authn_configuration.user_verification",
            |number| (2..=3).contains(&number),
            config(),
            |r, number| web_authn(&mut r).user_verification = Some(number)
        ),
        number!(
            SetUserPoolMfaConfig.set_user_pool_mfa_config,
            "web_authn_configuration.factor_configuration",
            |number| (2..=3).contains(&number),
            config(),
            |r, number| web_authn(&mut r).factor_configuration = Some(number)
        ),
    ]
}

#[test]
fn every_text_enum_and_number_of_every_request_is_in_the_tables() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut declared = BTreeSet::new();
    for rpc in Rpc::ALL {
        let service = rpc.path().trim_start_matches('/').split('/').next().unwrap();
        let service = pool.get_service_by_name(service).unwrap();
        let method = service.methods().find(|method| method.name() == rpc.name()).unwrap();
        collect(rpc, &method.input(), "", &mut declared);
    }
    let texts = texts().into_iter().map(|field| (field.rpc, field.path.to_owned()));
    let numbers = numbers().into_iter().map(|field| (field.rpc, field.path.to_owned()));
    assert_eq!(texts.chain(numbers).collect::<BTreeSet<_>>(), declared);
}

fn collect(rpc: Rpc, message: &MessageDescriptor, prefix: &str, paths: &mut BTreeSet<(Rpc, String)>) {
    for field in message.fields() {
        let path = format!("{prefix}{}{}", field.name(), if field.is_list() { "[0]" } else { "" });
        match field.kind() {
            Kind::Message(inner) if inner.package_name() == "mfagate.v1" => {
                collect(rpc, &inner, &format!("{path}."), paths);
            }
            // Flags have no wrong value; the credential document has tests of its own.
            Kind::Bool | Kind::Message(_) => {}
            _ => assert!(paths.insert((rpc, path))),
        }
    }
}

#[test]
fn a_text_is_refused_exactly_where_the_constraints_refuse_it() {
    let judge = Judge::new();
    for field in texts() {
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) });
        let outcome = runner.run(&around(field.rule), |text| {
            prop_assert_eq!((field.refused)(&judge, text.clone()), expected(&field, &text));
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{} {}: {error}", field.rpc.name(), field.path));
    }
}

#[test]
fn lengths_are_counted_in_characters_and_not_in_bytes() {
    let judge = Judge::new();
    for field in texts() {
        let (fewest, most) = field.rule.length;
        let edges =
            [fewest.saturating_sub(1), fewest, fewest + 1, most.saturating_sub(1), most, most.saturating_add(1)];
        // One to four bytes; a letter and a mark on it are two.
        for filling in ['a', 'é', '中', '🦀', '\u{301}'] {
            for length in edges.into_iter().filter(|length| *length < 1 << 20) {
                let text = field.rule.of_length(length, filling);
                let refused = (field.refused)(&judge, text.clone());
                assert_eq!(refused, expected(&field, &text), "{} with {length} {filling:?}", field.rpc.name());
            }
        }
    }
}

#[test]
fn every_character_is_refused_exactly_where_the_constraints_refuse_it() {
    let judge = Judge::new();
    let ascii = (0..128_u8).map(char::from);
    let characters: Vec<char> = ascii.chain(rule::PRINTING.iter().chain(rule::OTHER).copied()).collect();
    for field in texts() {
        for character in &characters {
            let good = field.rule.of_length(field.rule.length.0.max(field.rule.prefix.chars().count() + 1), 'a');
            for text in [
                format!("{good}{character}"),
                format!("{character}{good}"),
                good.replacen('a', &character.to_string(), 1),
            ] {
                let refused = (field.refused)(&judge, text.clone());
                assert_eq!(refused, expected(&field, &text), "{} {} with {text:?}", field.rpc.name(), field.path);
            }
        }
    }
}

fn expected(field: &TextField, text: &str) -> Vec<String> {
    if field.rule.allows(text) { Vec::new() } else { vec![field.path.to_owned()] }
}

#[test]
fn a_number_is_refused_exactly_where_cognito_has_no_value_for_it() {
    let judge = Judge::new();
    for field in numbers() {
        for number in (-3..30).chain([i32::MIN, i32::MAX, 256 + 2, 1 << 16 | 2]) {
            let expected = if (field.allows)(number) { Vec::new() } else { vec![field.path.to_owned()] };
            let refused = (field.refused)(&judge, number);
            assert_eq!(refused, expected, "{} {} with {number}", field.rpc.name(), field.path);
        }
    }
}

/// An access token as far as the service reads it: its issuer names the demo pool.
pub(crate) fn token() -> String {
    let issuer = format!("https://cognito-idp.us-west-2.amazonaws.com/{POOL}");
    let claims = BASE64URL_NOPAD.encode(serde_json::json!({ "iss": issuer }).to_string().as_bytes());
    format!("header.{claims}.signature")
}

fn set_preference() -> AdminSetUserMfaPreferenceRequest {
    AdminSetUserMfaPreferenceRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned(), ..Default::default() }
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
    }
}

fn delete_token() -> AdminDeleteSoftwareTokenRequest {
    AdminDeleteSoftwareTokenRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }
}

fn settings() -> SetUserSettingsRequest {
    SetUserSettingsRequest { access_token: token(), mfa_options: admin_settings().mfa_options }
}

fn complete() -> CompleteWebAuthnRegistrationRequest {
    CompleteWebAuthnRegistrationRequest { access_token: token(), credential: Some(Struct::default()) }
}

fn list() -> ListWebAuthnCredentialsRequest {
    ListWebAuthnCredentialsRequest { access_token: token(), ..Default::default() }
}

fn delete_credential() -> DeleteWebAuthnCredentialRequest {
    DeleteWebAuthnCredentialRequest { access_token: token(), credential_id: "id".to_owned() }
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
    SetUserPoolMfaConfigRequest { user_pool_id: POOL.to_owned(), mfa_configuration: 4, ..Default::default() }
}

fn sms(request: &mut SetUserPoolMfaConfigRequest) -> &mut SmsMfaConfiguration {
    request.sms_mfa_configuration.get_or_insert_default()
}

fn sns(request: &mut SetUserPoolMfaConfigRequest) -> &mut SmsConfiguration {
    let sns = || SmsConfiguration { sns_caller_arn: Some("arn:a:b::1:c".to_owned()), ..Default::default() };
    sms(request).sms_configuration.get_or_insert_with(sns)
}

fn eums(request: &mut SetUserPoolMfaConfigRequest) -> &mut EumsSmsConfiguration {
    let eums = || EumsSmsConfiguration { caller_arn: "arn:aws:iam::1:role/a".to_owned(), ..Default::default() };
    sms(request).sms_configuration.get_or_insert_default().eums_sms.get_or_insert_with(eums)
}

fn email(request: &mut SetUserPoolMfaConfigRequest) -> &mut EmailMfaConfiguration {
    request.email_mfa_configuration.get_or_insert_default()
}

fn web_authn(request: &mut SetUserPoolMfaConfigRequest) -> &mut WebAuthnConfiguration {
    request.web_authn_configuration.get_or_insert_default()
}
