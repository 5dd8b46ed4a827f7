//! Requests with several violations: all of them are reported at once, and nothing else.

use std::collections::BTreeSet;

use mfagate::api::v1::mfa_preference_service_server::MfaPreferenceService as _;
use mfagate::api::v1::pool_config_service_server::PoolConfigService as _;
use mfagate::api::v1::software_token_service_server::SoftwareTokenService as _;
use mfagate::api::v1::{
    AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, AdminSetUserSettingsRequest, AssociateSoftwareTokenRequest,
    EmailMfaConfiguration, EmailMfaSettings, EumsSmsConfiguration, GetUserRequest, ListWebAuthnCredentialsRequest,
    MfaOption, SetUserMfaPreferenceRequest, SetUserPoolMfaConfigRequest, SmsConfiguration, SmsMfaConfiguration,
    SmsMfaSettings, SoftwareTokenMfaConfiguration, SoftwareTokenMfaSettings, VerifySoftwareTokenRequest,
    WebAuthnConfiguration, WebAuthnMfaSettings, associate_software_token_request as associate,
    verify_software_token_request as verify,
};
use proptest::option::of as maybe;
use proptest::prelude::*;
use proptest::sample::select;
use tonic::{Code, Request};

use crate::support::constraint_oracle as oracle;
use crate::support::handler_harness::HandlerHarness;
use crate::support::refusal::{invalid_fields, refused};
use crate::support::rpc_call::unsigned_token;
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

fn text(choices: &[&str]) -> impl Strategy<Value = String> + use<> {
    select(choices.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
}

fn free() -> impl Strategy<Value = Option<String>> {
    maybe(prop_oneof![text(&["", "id"]), Just("x".repeat(131_073))])
}

prop_compose! {
    fn eums_sms()(
        caller_arn in text(&["arn:aws:iam::123456789012:role/sms", "", "arn:aws"]),
        external_id in free(),
        origination_identity in free(),
        configuration_set_name in free(),
        in_entity_id in free(),
        in_template_id in free(),
        region in maybe(text(&["us-west-2", "", "here"])),
    ) -> EumsSmsConfiguration {
        EumsSmsConfiguration {
            caller_arn, external_id, origination_identity, configuration_set_name, in_entity_id, in_template_id, region,
        }
    }
}

prop_compose! {
    fn sms_configuration()(
        sns_caller_arn in maybe(text(&["arn:aws:iam::123456789012:role/sms", "", "no arn"])),
        external_id in free(),
        sns_region in maybe(text(&["us-west-2", "", "here"])),
        eums_sms in maybe(eums_sms()),
    ) -> SmsConfiguration {
        SmsConfiguration { sns_caller_arn, external_id, sns_region, eums_sms }
    }
}

prop_compose! {
    fn pool_config()(
        user_pool_id in text(&[POOL, "", "nopool"]),
        mfa_configuration in 0..6,
        sms in maybe((maybe(text(&["Code {####}", "", "Code", "{####}\n"])), maybe(sms_configuration()))),
        software_token in maybe(maybe(any::<bool>())),
        email in maybe((maybe(text(&["Code {####}", "", "Code"])), maybe(text(&["Code", "", "\0"])))),
        web_authn in maybe((maybe(text(&["example.com", ""])), maybe(0..5), maybe(0..5))),
        unconfigured_factors in proptest::collection::vec(0..7, 0..5),
    ) -> SetUserPoolMfaConfigRequest {
        SetUserPoolMfaConfigRequest {
            user_pool_id,
            mfa_configuration,
            sms_mfa_configuration: sms.map(|(sms_authentication_message, sms_configuration)| {
                SmsMfaConfiguration { sms_authentication_message, sms_configuration }
            }),
            software_token_mfa_configuration: software_token.map(|enabled| SoftwareTokenMfaConfiguration { enabled }),
            email_mfa_configuration: email.map(|(message, subject)| EmailMfaConfiguration { message, subject }),
            web_authn_configuration: web_authn.map(|(relying_party_id, user_verification, factor_configuration)| {
                WebAuthnConfiguration { relying_party_id, user_verification, factor_configuration }
            }),
            unconfigured_factors,
        }
    }
}

/// The fields of a pool configuration that must be refused: by the constraints of its texts, and by P2.
fn expected_of_config(request: &SetUserPoolMfaConfigRequest) -> BTreeSet<String> {
    let mut refused = BTreeSet::new();
    let mut broken = |path: &str, is_broken: bool| {
        if is_broken {
            refused.insert(path.to_owned());
        }
    };
    let off = request.mfa_configuration == 2;
    broken("user_pool_id", request.user_pool_id != POOL);
    broken("mfa_configuration", !(2..=4).contains(&request.mfa_configuration));
    broken("sms_mfa_configuration", off && request.sms_mfa_configuration.is_some());
    broken("software_token_mfa_configuration", off && request.software_token_mfa_configuration.is_some());
    broken("email_mfa_configuration", off && request.email_mfa_configuration.is_some());

    for (factor, path, is_configured) in [
        (2, "sms_mfa_configuration", request.sms_mfa_configuration.is_some()),
        (3, "software_token_mfa_configuration", request.software_token_mfa_configuration.is_some()),
        (4, "email_mfa_configuration", request.email_mfa_configuration.is_some()),
        (5, "web_authn_configuration", request.web_authn_configuration.is_some()),
    ] {
        let is_required = !request.unconfigured_factors.is_empty() && (!off || factor == 5);
        broken(path, is_required && !is_configured && !request.unconfigured_factors.contains(&factor));
        for (position, unconfigured) in request.unconfigured_factors.iter().enumerate() {
            let is_wrong = !(2..=5).contains(unconfigured) || (is_configured && *unconfigured == factor);
            broken(&format!("unconfigured_factors[{position}]"), is_wrong);
        }
    }
    let without_enabled = |token: &SoftwareTokenMfaConfiguration| token.enabled.is_none();
    broken(
        "software_token_mfa_configuration.enabled",
        request.software_token_mfa_configuration.as_ref().is_some_and(without_enabled),
    );

    let not = |constraint: oracle::Constraint, text: &Option<String>| {
        text.as_ref().is_some_and(|text| !constraint.allows(text))
    };
    if let Some(sms) = &request.sms_mfa_configuration {
        let path = "sms_mfa_configuration";
        broken(
            &format!("{path}.sms_authentication_message"),
            not(oracle::SMS_MESSAGE, &sms.sms_authentication_message),
        );
        if let Some(sms) = &sms.sms_configuration {
            let path = format!("{path}.sms_configuration");
            let by_sns = sms.sns_caller_arn.as_ref().is_some_and(|arn| !arn.is_empty());
            broken(&path, by_sns == sms.eums_sms.is_some());
            broken(&format!("{path}.sns_caller_arn"), not(oracle::OPTIONAL_ARN, &sms.sns_caller_arn));
            broken(&format!("{path}.external_id"), not(oracle::ANY_TEXT, &sms.external_id));
            broken(&format!("{path}.sns_region"), not(oracle::REGION, &sms.sns_region));
            if let Some(eums) = &sms.eums_sms {
                let path = format!("{path}.eums_sms");
                broken(&format!("{path}.caller_arn"), !oracle::REQUIRED_ARN.allows(&eums.caller_arn));
                broken(&format!("{path}.external_id"), not(oracle::ANY_TEXT, &eums.external_id));
                broken(&format!("{path}.origination_identity"), not(oracle::ANY_TEXT, &eums.origination_identity));
                broken(&format!("{path}.configuration_set_name"), not(oracle::ANY_TEXT, &eums.configuration_set_name));
                broken(&format!("{path}.in_entity_id"), not(oracle::ANY_TEXT, &eums.in_entity_id));
                broken(&format!("{path}.in_template_id"), not(oracle::ANY_TEXT, &eums.in_template_id));
                broken(&format!("{path}.region"), not(oracle::REGION, &eums.region));
            }
        }
    }
    if let Some(email) = &request.email_mfa_configuration {
        broken("email_mfa_configuration.message", not(oracle::EMAIL_MESSAGE, &email.message));
        broken("email_mfa_configuration.subject", not(oracle::EMAIL_SUBJECT, &email.subject));
    }
    if let Some(web_authn) = &request.web_authn_configuration {
        let unknown = |number: Option<i32>| number.is_some_and(|number| number != 2 && number != 3);
        broken("web_authn_configuration.relying_party_id", not(oracle::RELYING_PARTY, &web_authn.relying_party_id));
        broken("web_authn_configuration.user_verification", unknown(web_authn.user_verification));
        broken("web_authn_configuration.factor_configuration", unknown(web_authn.factor_configuration));
    }
    refused
}

/// The setting of one factor: enabled, and preferred.
type Factor = Option<(Option<bool>, Option<bool>)>;

fn factor() -> impl Strategy<Value = Factor> {
    maybe((maybe(any::<bool>()), maybe(any::<bool>())))
}

/// Every factor states `enabled`, and there is one at least. U1 and U3: at most one factor is preferred, and none that is not
/// enabled.
fn expected_of_preference(factors: [(&str, Factor); 4]) -> BTreeSet<String> {
    let preferred = factors.into_iter().filter_map(|(name, factor)| match factor {
        Some((Some(enabled), Some(true))) => Some((name, enabled)),
        _ => None,
    });
    let wrong = preferred.enumerate().filter(|(position, (_, enabled))| *position > 0 || !enabled);
    let mut refused: BTreeSet<_> = wrong.map(|(_, (name, _))| format!("{name}.preferred_mfa")).collect();
    let without_enabled = factors.iter().filter(|(_, factor)| matches!(factor, Some((None, _))));
    refused.extend(without_enabled.map(|(name, _)| format!("{name}.enabled")));
    if factors.iter().all(|(_, factor)| factor.is_none()) {
        refused.insert(String::new());
    }
    refused
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn all_violations_of_a_pool_configuration_are_reported(request in pool_config()) {
        let harness = HandlerHarness::new();
        let refused = harness.refused_fields(harness.facade.set_user_pool_mfa_config(Request::new(request.clone())));
        prop_assert_eq!(BTreeSet::from_iter(refused), expected_of_config(&request));
    }

    #[test]
    fn all_violations_of_a_preference_are_reported(
        user_pool_id in text(&[POOL, "", "nopool"]),
        username in text(&[USER, "", " "]),
        sms in factor(),
        software_token in factor(),
        email in factor(),
        web_authn in maybe(maybe(any::<bool>())),
    ) {
        let factors = [
            ("sms_mfa_settings", sms),
            ("software_token_mfa_settings", software_token),
            ("email_mfa_settings", email),
            ("web_authn_mfa_settings", web_authn.map(|enabled| (enabled, None))),
        ];
        let mut expected = expected_of_preference(factors);
        let sms = sms.map(|(enabled, preferred_mfa)| SmsMfaSettings { enabled, preferred_mfa });
        let software_token =
            software_token.map(|(enabled, preferred_mfa)| SoftwareTokenMfaSettings { enabled, preferred_mfa });
        let email = email.map(|(enabled, preferred_mfa)| EmailMfaSettings { enabled, preferred_mfa });
        let web_authn = web_authn.map(|enabled| WebAuthnMfaSettings { enabled });
        let harness = HandlerHarness::new();
        let call = harness.facade.set_user_mfa_preference(Request::new(SetUserMfaPreferenceRequest {
            access_token: unsigned_token(POOL),
            sms_mfa_settings: sms,
            software_token_mfa_settings: software_token,
            email_mfa_settings: email,
            web_authn_mfa_settings: web_authn,
        }));
        prop_assert_eq!(BTreeSet::from_iter(harness.refused_fields(call)), expected.clone());

        expected.extend((user_pool_id != POOL).then(|| "user_pool_id".to_owned()));
        expected.extend((username != USER).then(|| "username".to_owned()));
        let call = harness.facade.admin_set_user_mfa_preference(Request::new(AdminSetUserMfaPreferenceRequest {
            user_pool_id,
            username,
            sms_mfa_settings: sms,
            software_token_mfa_settings: software_token,
            email_mfa_settings: email,
            web_authn_mfa_settings: web_authn,
        }));
        prop_assert_eq!(BTreeSet::from_iter(harness.refused_fields(call)), expected);
    }

    #[test]
    fn every_legacy_option_that_is_not_sms_to_the_phone_number_is_named(
        options in proptest::collection::vec((0..5, text(&["phone_number", "email", "", "PHONE_NUMBER"])), 0..6)
    ) {
        let mut expected = BTreeSet::new();
        expected.extend(options.is_empty().then(|| "mfa_options".to_owned()));
        for (position, (medium, attribute)) in options.iter().enumerate() {
            expected.extend((*medium != 2).then(|| format!("mfa_options[{position}].delivery_medium")));
            expected.extend((attribute != "phone_number").then(|| format!("mfa_options[{position}].attribute_name")));
        }
        let request = AdminSetUserSettingsRequest {
            user_pool_id: POOL.to_owned(),
            username: USER.to_owned(),
            mfa_options: options
                .into_iter()
                .map(|(delivery_medium, attribute_name)| MfaOption { delivery_medium, attribute_name })
                .collect(),
            clear_mfa_options: false,
        };
        let harness = HandlerHarness::new();
        let refused = harness.refused_fields(harness.facade.admin_set_user_settings(Request::new(request)));
        prop_assert_eq!(BTreeSet::from_iter(refused), expected);
    }
}

#[test]
fn an_enrolment_needs_exactly_one_credential_and_the_pool_of_a_session() {
    let harness = HandlerHarness::new();
    let session = || "s".repeat(20);
    let rows = [
        (None, "", &["credential"][..]),
        (None, POOL, &["credential"]),
        (Some((Some(unsigned_token(POOL)), None)), "", &[]),
        (Some((Some(unsigned_token(POOL)), None)), POOL, &["user_pool_id"]),
        (Some((None, Some(session()))), POOL, &[]),
        (Some((None, Some(session()))), "", &["user_pool_id"]),
        (Some((None, Some("short".to_owned()))), "", &["session", "user_pool_id"]),
        (Some((Some(String::new()), None)), "", &["access_token"]),
        (Some((None, Some(String::new()))), POOL, &["session"]),
    ];
    for (credential, pool, expected) in rows {
        let associated = AssociateSoftwareTokenRequest {
            credential: credential.clone().map(|credential| match credential {
                (Some(token), _) => associate::Credential::AccessToken(token),
                (None, session) => associate::Credential::Session(session.unwrap()),
            }),
            user_pool_id: pool.to_owned(),
            ..Default::default()
        };
        let refused = harness.refused_fields(harness.facade.associate_software_token(Request::new(associated)));
        assert_eq!(refused, expected, "{credential:?} {pool}");

        let verified = VerifySoftwareTokenRequest {
            credential: credential.clone().map(|credential| match credential {
                (Some(token), _) => verify::Credential::AccessToken(token),
                (None, session) => verify::Credential::Session(session.unwrap()),
            }),
            user_pool_id: pool.to_owned(),
            user_code: "000000".to_owned(),
            friendly_device_name: None,
        };
        let refused = harness.refused_fields(harness.facade.verify_software_token(Request::new(verified)));
        assert_eq!(refused, expected, "{credential:?} {pool}");
    }
}

#[tokio::test]
async fn all_violations_of_an_enrolment_reach_the_caller_and_nothing_reaches_cognito() {
    let service = TestService::start().await;
    let answer = service.software_tokens().verify_software_token(invalid_enrolment(None)).await;
    assert_eq!(invalid_fields(answer), ["user_pool_id", "session", "user_code"]);
    assert!(service.cognito.requests("VerifySoftwareToken").await.is_empty());
}

/// A message may not be as long as a name that is too long, so only the handler sees one.
#[test]
fn a_device_name_that_is_too_long_is_one_of_the_violations_of_an_enrolment() {
    let harness = HandlerHarness::new();
    let request = Request::new(invalid_enrolment(Some("x".repeat(131_073))));
    let refused = harness.refused_fields(harness.facade.verify_software_token(request));
    assert_eq!(refused, ["friendly_device_name", "session", "user_code", "user_pool_id"]);
}

fn invalid_enrolment(friendly_device_name: Option<String>) -> VerifySoftwareTokenRequest {
    VerifySoftwareTokenRequest {
        credential: Some(verify::Credential::Session("short".to_owned())),
        user_pool_id: "no pool".to_owned(),
        user_code: "12345x".to_owned(),
        friendly_device_name,
    }
}

#[tokio::test]
async fn all_violations_of_a_page_reach_the_caller_and_nothing_reaches_cognito() {
    let service = TestService::start().await;
    let request = ListWebAuthnCredentialsRequest {
        access_token: "nö".to_owned(),
        next_token: Some(" ".to_owned()),
        max_results: Some(21),
    };
    let answer = service.passkeys().list_web_authn_credentials(request).await;
    assert_eq!(invalid_fields(answer), ["access_token", "next_token", "max_results"]);
    assert!(service.cognito.requests("ListWebAuthnCredentials").await.is_empty());
}

#[tokio::test]
async fn no_description_repeats_the_value() {
    let service = TestService::start().await;
    let request = AdminGetUserRequest { user_pool_id: "canary pool".to_owned(), username: "canary user".to_owned() };
    let status = service.preferences().admin_get_user(request).await.unwrap_err();
    assert!(!format!("{status:?}").contains("canary"), "{status:?}");
    refused::<()>(Err(status), Code::InvalidArgument, "REQUEST_INVALID");
}

#[tokio::test]
async fn a_username_of_128_characters_of_four_bytes_reaches_cognito() {
    let service = TestService::start().await;
    let username = "🦀".repeat(128);
    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: username.clone() };
    let answer = service.preferences().admin_get_user(request).await;
    refused(answer, Code::NotFound, "USER_NOT_FOUND");
    assert_eq!(service.cognito.requests("AdminGetUser").await[0]["Body"]["Username"], username);
}

#[tokio::test]
async fn a_token_that_names_no_pool_is_rejected_without_a_call() {
    let service = TestService::start().await;
    let with_claims = |claims: &str| format!("e30.{}.c2ln", data_encoding::BASE64URL_NOPAD.encode(claims.as_bytes()));
    for access_token in [
        "token".to_owned(),
        "a.b".to_owned(),
        "a.b.c".to_owned(),
        "...".to_owned(),
        with_claims(""),
        with_claims("[]"),
        with_claims("{}"),
        with_claims(r#"{"iss":1}"#),
        with_claims(r#"{"iss":""}"#),
        with_claims(r#"{"iss":"us-west-2_EXAMPLE"}"#),
        with_claims(r#"{"iss":"https://issuer/"}"#),
        with_claims(r#"{"iss":"https://issuer/no pool"}"#),
        with_claims(r#"{"iss":"https://issuer/evil.example.com_a"}"#),
        with_claims(r#"{"iss":"https://issuer/us-west-2_A\n"}"#),
    ] {
        let answer = service.preferences().get_user(GetUserRequest { access_token: access_token.clone() }).await;
        let details = refused(answer, Code::Unauthenticated, "USER_TOKEN_REJECTED");
        assert_eq!(details.error_info().unwrap().metadata["fault"], "END_USER", "{access_token}");
    }
    assert!(service.cognito.requests("GetUser").await.is_empty());
}
