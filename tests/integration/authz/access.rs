//! Access to the running program: who is authenticated, what they may do, and what is recorded of it.

use mfagate::api::Rpc;
use mfagate::api::v1::associate_software_token_request::Credential;
use mfagate::api::v1::pool_config_service_client::PoolConfigServiceClient;
use mfagate::api::v1::software_token_service_client::SoftwareTokenServiceClient;
use mfagate::api::v1::{
    AssociateSoftwareTokenRequest, EmailMfaConfiguration, SetUserPoolMfaConfigRequest, SmsConfiguration,
    SmsMfaConfiguration, SoftwareTokenMfaConfiguration, UserPoolMfaType, UserVerification, WebAuthnConfiguration,
    WebAuthnFactorConfiguration,
};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::support::policy_fixture::{PolicyFixture, bearer};
use crate::support::reflection::list_services;
use crate::support::refusal::refused;
use crate::support::serve_harness::{ServeHarness, credential_problem};
use crate::support::test_cognito::{NEW_USER, POOL, TestCognito, USER};

/// Support may read users of one pool and set preferences there that do not weaken MFA; nobody else may do anything.
const SUPPORT: &str = r#"
@id("support-reads")
permit (principal == Mfagate::Caller::"support", action == Mfagate::Action::"AdminGetUser",
        resource == Mfagate::UserPool::"us-west-2_EXAMPLE");
@id("support-sets")
permit (principal == Mfagate::Caller::"support", action == Mfagate::Action::"AdminSetUserMfaPreference",
        resource == Mfagate::UserPool::"us-west-2_EXAMPLE")
unless { context.weakens_mfa };
"#;

/// The error for a caller whose token has expired.
pub(crate) async fn expired() -> Status {
    let served = ServeHarness::with(SUPPORT).await;
    let token = served.fixture.token("support", json!({ "exp": 1_000_000_000 }));
    served.read(Some(&bearer(&token)), POOL).await.unwrap_err()
}

/// The error for a caller that no policy knows.
pub(crate) async fn forbidden() -> Status {
    ServeHarness::with(SUPPORT).await.read_as("stranger", POOL).await.unwrap_err()
}

/// The error for a change that cannot be recorded.
pub(crate) async fn unrecorded() -> Status {
    let fixture = PolicyFixture::with(SUPPORT);
    let options = fixture.options_with_audit_log("/dev/full");
    ServeHarness::with_options(fixture, options).await.set_sms_as("support", true).await.unwrap_err()
}

#[tokio::test]
async fn a_caller_learns_which_kind_of_problem_its_credential_has_and_no_more() {
    let served = ServeHarness::with(SUPPORT).await;
    let other = PolicyFixture::with(SUPPORT);
    for (authorization, kind) in [
        (None, "missing"),
        (Some("Basic c3VwcG9ydDo=".to_owned()), "malformed"),
        (Some(bearer("a.b.c")), "malformed"),
        (Some(bearer(&served.fixture.token("support", json!({ "exp": 1_000_000_000 })))), "expired"),
        (Some(bearer(&served.fixture.token("support", json!({ "aud": "another" })))), "not accepted"),
        (Some(bearer(&served.fixture.token("support", json!({ "iss": "https://another.example" })))), "not accepted"),
        (Some(other.bearer("support")), "not accepted"),
        (Some(served.fixture.bearer("spiffe://example.com/support")), "not accepted"),
    ] {
        assert_eq!(credential_problem(served.read(authorization.as_deref(), POOL).await), kind, "{authorization:?}");
    }
    assert_eq!(served.cognito.requests("AdminGetUser").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_permitted_call_goes_through_and_every_other_is_denied() {
    let served = ServeHarness::with(SUPPORT).await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    served.set_sms_as("support", true).await.unwrap();
    refused(served.read_as("support", "us-west-2_OTHER").await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    refused(served.set_sms_as("support", false).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    refused(served.read_as("stranger", POOL).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    refused(served.read_as("Support", POOL).await, Code::PermissionDenied, "CALLER_FORBIDDEN");

    let request = SetUserPoolMfaConfigRequest {
        user_pool_id: POOL.to_owned(),
        mfa_configuration: UserPoolMfaType::On.into(),
        software_token_mfa_configuration: Some(SoftwareTokenMfaConfiguration { enabled: Some(true) }),
        ..Default::default()
    };
    let caller = served.fixture.as_caller("support");
    let mut pools = PoolConfigServiceClient::with_interceptor(served.channel.clone(), caller);
    refused(pools.set_user_pool_mfa_config(request).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    assert_eq!(served.cognito.requests("AdminGetUser").await.len(), 1);
    assert_eq!(served.cognito.requests("AdminSetUserMFAPreference").await.len(), 1);
    assert_eq!(served.cognito.requests("SetUserPoolMfaConfig").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_pool_is_weakened_by_an_omitted_factor_as_by_a_disabled_one() {
    let policy = r#"
permit (principal, action == Mfagate::Action::"SetUserPoolMfaConfig", resource) unless { context.weakens_mfa };
"#;
    let served = ServeHarness::with(policy).await;
    let every_factor = SetUserPoolMfaConfigRequest {
        user_pool_id: POOL.to_owned(),
        mfa_configuration: UserPoolMfaType::On.into(),
        sms_mfa_configuration: Some(SmsMfaConfiguration::default()),
        software_token_mfa_configuration: Some(SoftwareTokenMfaConfiguration { enabled: Some(true) }),
        email_mfa_configuration: Some(EmailMfaConfiguration::default()),
        web_authn_configuration: Some(strict_passkeys()),
        unconfigured_factors: Vec::new(),
    };
    let sms_role = |arn: &str| SmsConfiguration { sns_caller_arn: Some(arn.to_owned()), ..Default::default() };
    let with_role = SmsMfaConfiguration {
        sms_configuration: Some(sms_role("arn:aws:iam::444455556666:role/theirs")),
        ..Default::default()
    };
    let passkeys = |change: fn(&mut WebAuthnConfiguration)| {
        let mut passkeys = strict_passkeys();
        change(&mut passkeys);
        SetUserPoolMfaConfigRequest { web_authn_configuration: Some(passkeys), ..every_factor.clone() }
    };
    let caller = served.fixture.as_caller("support");
    let mut pools = PoolConfigServiceClient::with_interceptor(served.channel.clone(), caller);
    let off = Some(SoftwareTokenMfaConfiguration { enabled: Some(false) });
    for weaker in [
        SetUserPoolMfaConfigRequest { mfa_configuration: UserPoolMfaType::Optional.into(), ..every_factor.clone() },
        SetUserPoolMfaConfigRequest { mfa_configuration: 0, ..every_factor.clone() },
        SetUserPoolMfaConfigRequest { sms_mfa_configuration: None, ..every_factor.clone() },
        SetUserPoolMfaConfigRequest { software_token_mfa_configuration: off, ..every_factor.clone() },
        SetUserPoolMfaConfigRequest { software_token_mfa_configuration: None, ..every_factor.clone() },
        SetUserPoolMfaConfigRequest { email_mfa_configuration: None, ..every_factor.clone() },
        SetUserPoolMfaConfigRequest { web_authn_configuration: None, ..every_factor.clone() },
        SetUserPoolMfaConfigRequest { sms_mfa_configuration: Some(with_role), ..every_factor.clone() },
        passkeys(|passkeys| passkeys.relying_party_id = Some("evil.example".to_owned())),
        passkeys(|passkeys| passkeys.user_verification = Some(UserVerification::Preferred.into())),
        passkeys(|passkeys| passkeys.user_verification = None),
        passkeys(|passkeys| {
            passkeys.factor_configuration = Some(WebAuthnFactorConfiguration::SingleFactor.into());
        }),
        passkeys(|passkeys| passkeys.factor_configuration = None),
    ] {
        refused(pools.set_user_pool_mfa_config(weaker).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    }
    assert_eq!(served.cognito.requests("SetUserPoolMfaConfig").await, Vec::<Value>::new());
    pools.set_user_pool_mfa_config(every_factor).await.unwrap();
}

/// Passkeys that must verify their user, and then satisfy MFA by themselves.
fn strict_passkeys() -> WebAuthnConfiguration {
    WebAuthnConfiguration {
        user_verification: Some(UserVerification::Required.into()),
        factor_configuration: Some(WebAuthnFactorConfiguration::MultiFactorWithUserVerification.into()),
        ..Default::default()
    }
}

/// Everybody may read pools and set what does not weaken them.
const NEVER_WEAKER: &str = r#"
permit (principal, action == Mfagate::Action::"GetUserPoolMfaConfig", resource);
permit (principal, action == Mfagate::Action::"SetUserPoolMfaConfig", resource) unless { context.weakens_mfa };
"#;

/// A request for software tokens alone.
fn totp(user_pool_id: &str, mfa_configuration: UserPoolMfaType) -> SetUserPoolMfaConfigRequest {
    SetUserPoolMfaConfigRequest {
        user_pool_id: user_pool_id.to_owned(),
        mfa_configuration: mfa_configuration.into(),
        software_token_mfa_configuration: Some(SoftwareTokenMfaConfiguration { enabled: Some(true) }),
        ..Default::default()
    }
}

/// A new pool: OPTIONAL, with software tokens alone.
async fn totp_pool(cognito: &TestCognito) -> String {
    let created = cognito.perform("CreateUserPool", json!({ "PoolName": "totp" })).await;
    let pool = created["UserPool"]["Id"].as_str().unwrap().to_owned();
    let body = json!({ "UserPoolId": pool, "MfaConfiguration": "OPTIONAL",
                       "SoftwareTokenMfaConfiguration": { "Enabled": true } });
    cognito.perform("SetUserPoolMfaConfig", body).await;
    pool
}

#[tokio::test]
async fn where_the_caller_may_read_the_pool_the_effect_is_the_difference() {
    let served = ServeHarness::with(NEVER_WEAKER).await;
    let pool = totp_pool(&served.cognito).await;
    let caller = served.fixture.as_caller("support");
    let mut pools = PoolConfigServiceClient::with_interceptor(served.channel.clone(), caller);

    // The pool has neither SMS nor e-mail nor passkeys to lose.
    pools.set_user_pool_mfa_config(totp(&pool, UserPoolMfaType::On)).await.unwrap();
    pools.set_user_pool_mfa_config(totp(&pool, UserPoolMfaType::On)).await.unwrap();
    let weaker = pools.set_user_pool_mfa_config(totp(&pool, UserPoolMfaType::Optional)).await;
    refused(weaker, Code::PermissionDenied, "CALLER_FORBIDDEN");
    let moved = WebAuthnConfiguration { relying_party_id: Some("evil.example".to_owned()), ..strict_passkeys() };
    let moved =
        SetUserPoolMfaConfigRequest { web_authn_configuration: Some(moved), ..totp(&pool, UserPoolMfaType::On) };
    refused(pools.set_user_pool_mfa_config(moved).await, Code::PermissionDenied, "CALLER_FORBIDDEN");

    let records = served.fixture.records();
    let first = &records[0];
    assert_eq!((&first["effect"]["factors_enabled"], &first["effect"]["factors_disabled"]), (&json!([]), &json!([])));
    assert_eq!(first["effect"]["weakens_mfa"], false);
    assert_eq!(first["before"], json!({ "mfa_configuration": "OPTIONAL", "factors": ["SOFTWARE_TOKEN_MFA"] }));
    assert_eq!((&records[1]["kind"], &records[1]["before"]), (&json!("mutation"), &first["before"]));
    let last = records.last().unwrap();
    assert_eq!((&last["effect"]["relying_party_id"], &last["decision"]), (&json!("evil.example"), &json!("deny")));
    // Each decision has one record, and the reads before them none.
    assert_eq!(records.len(), 6);
}

#[tokio::test]
async fn a_pool_that_cannot_be_read_is_judged_by_the_request_and_never_blamed_on_the_caller() {
    let served = ServeHarness::with(NEVER_WEAKER).await;
    let pool = totp_pool(&served.cognito).await;
    let caller = served.fixture.as_caller("support");
    let mut pools = PoolConfigServiceClient::with_interceptor(served.channel.clone(), caller);
    let read = "GetUserPoolMfaConfig";
    served.cognito.inject_error(read, "AccessDeniedException", "User is not authorized").await;
    let unread = pools.set_user_pool_mfa_config(totp(&pool, UserPoolMfaType::On)).await;
    refused(unread, Code::Internal, "MFAGATE_ACCESS_DENIED");
    served.cognito.clear_faults().await;
    served.cognito.inject_error(read, "TooManyRequestsException", "Rate exceeded").await;
    let unread = pools.set_user_pool_mfa_config(totp(&pool, UserPoolMfaType::On)).await;
    refused(unread, Code::ResourceExhausted, "RATE_LIMITED");
    let record = &served.fixture.records()[0];
    assert_eq!((&record["decision"], &record["effect"]["weakens_mfa"]), (&json!("deny"), &json!(true)));
    assert_eq!(record.get("before"), None);
    served.cognito.clear_faults().await;

    // Nothing is read for a caller who may not read it, nor for an invalid request.
    let reads = async |served: &ServeHarness| served.cognito.requests("GetUserPoolMfaConfig").await.len();
    let before = reads(&served).await;
    let invalid = SetUserPoolMfaConfigRequest { mfa_configuration: 0, ..totp(&pool, UserPoolMfaType::On) };
    refused(pools.set_user_pool_mfa_config(invalid).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    assert_eq!(reads(&served).await, before);
    let blind = ServeHarness::with(
        r#"permit (principal, action == Mfagate::Action::"SetUserPoolMfaConfig", resource) unless { context.weakens_mfa };"#,
    )
    .await;
    let pool = totp_pool(&blind.cognito).await;
    let caller = blind.fixture.as_caller("support");
    let mut pools = PoolConfigServiceClient::with_interceptor(blind.channel.clone(), caller);
    let denied = pools.set_user_pool_mfa_config(totp(&pool, UserPoolMfaType::On)).await;
    refused(denied, Code::PermissionDenied, "CALLER_FORBIDDEN");
    assert_eq!(reads(&blind).await, 0);
}

#[tokio::test]
async fn the_record_shows_role_domain_and_texts_of_a_pool() {
    let served = ServeHarness::with("permit (principal, action, resource);").await;
    let caller = served.fixture.as_caller("support");
    let mut pools = PoolConfigServiceClient::with_interceptor(served.channel.clone(), caller);
    let sms = SmsMfaConfiguration {
        sms_authentication_message: Some("Your code: {####}".to_owned()),
        sms_configuration: Some(SmsConfiguration {
            sns_caller_arn: Some("arn:aws:iam::444455556666:role/theirs".to_owned()),
            external_id: Some("facade".to_owned()),
            ..Default::default()
        }),
    };
    let passkeys = WebAuthnConfiguration {
        relying_party_id: Some("evil.example".to_owned()),
        user_verification: Some(UserVerification::Preferred.into()),
        factor_configuration: Some(WebAuthnFactorConfiguration::SingleFactor.into()),
    };
    let request = SetUserPoolMfaConfigRequest {
        sms_mfa_configuration: Some(sms),
        web_authn_configuration: Some(passkeys),
        ..totp(POOL, UserPoolMfaType::On)
    };
    pools.set_user_pool_mfa_config(request).await.unwrap();
    let text = served.fixture.read("audit.jsonl");
    assert!(!text.contains("Your code") && !text.contains("facade"), "{text}");
    let effect = &served.fixture.records()[0]["effect"];
    let shown = |field: &str| effect[field].as_str().unwrap().to_owned();
    assert_eq!(shown("sms_role_arn"), "arn:aws:iam::444455556666:role/theirs");
    assert_eq!(
        (shown("sms_role_account"), shown("relying_party_id")),
        ("444455556666".to_owned(), "evil.example".to_owned())
    );
    assert_eq!(
        (shown("user_verification"), shown("factor_configuration")),
        ("PREFERRED".to_owned(), "SINGLE_FACTOR".to_owned())
    );
    assert_eq!((&effect["texts_changed"], &effect["weakens_mfa"]), (&json!(true), &json!(true)));
    // printf 'Your code: {####}' | sha256sum
    let hash = "b75d19c1";
    assert!(effect["texts_sha256"]["sms_authentication_message"].as_str().unwrap().starts_with(hash), "{effect}");
    assert_eq!(effect["texts_sha256"]["sms_external_id"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn a_forbidden_caller_learns_nothing_about_its_input() {
    let served = ServeHarness::with(SUPPORT).await;
    for pool in ["", "no pool", "us-west-2_OTHER"] {
        refused(served.read_as("support", pool).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    }
    let everywhere = ServeHarness::with("permit (principal, action, resource);").await;
    refused(everywhere.read_as("support", "no pool").await, Code::InvalidArgument, "REQUEST_INVALID");
}

#[tokio::test]
async fn a_caller_without_the_rpc_is_denied_before_the_request_has_arrived() {
    let served = ServeHarness::with(SUPPORT).await;
    let authorization = served.fixture.bearer("stranger");
    // A body that never comes: a server that waits for it never replies.
    let body = tonic::body::Body::new(http_body_util::StreamBody::new(tokio_stream::pending::<
        Result<http_body::Frame<tonic::codegen::Bytes>, Status>,
    >()));
    let request = http::Request::post(format!("http://mfagate{}", Rpc::AdminGetUser.path()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", authorization)
        .body(body)
        .unwrap();
    let mut channel = served.channel.clone();
    std::future::poll_fn(|context| tower::Service::poll_ready(&mut channel, context)).await.unwrap();
    let answer = tower::Service::call(&mut channel, request).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "7");
}

#[tokio::test]
async fn health_is_public_and_reflection_needs_a_permission() {
    let served = ServeHarness::with(
        r#"permit (principal == Mfagate::Caller::"engineer", action == Mfagate::Action::"ReadReflection", resource);"#,
    )
    .await;
    HealthClient::new(served.channel.clone()).check(HealthCheckRequest::default()).await.unwrap();

    let mut nobody = ServerReflectionClient::new(served.channel.clone());
    refused(nobody.server_reflection_info(list_services()).await, Code::Unauthenticated, "CALLER_UNAUTHENTICATED");
    for (name, allowed) in [("support", false), ("engineer", true)] {
        let caller = served.fixture.as_caller(name);
        let mut client = ServerReflectionClient::with_interceptor(served.channel.clone(), caller);
        let answer = client.server_reflection_info(list_services()).await;
        if allowed {
            assert!(answer.unwrap().into_inner().message().await.unwrap().is_some());
        } else {
            refused(answer, Code::PermissionDenied, "CALLER_FORBIDDEN");
        }
    }
}

#[tokio::test]
async fn every_decision_and_every_change_is_recorded_once_and_without_a_secret() {
    let served = ServeHarness::with(SUPPORT).await;
    let token = served.fixture.token("support", json!({}));
    served.read(Some(&bearer(&token)), POOL).await.unwrap();
    served.set_sms_as("support", true).await.unwrap();
    served.set_sms_as("support", false).await.unwrap_err();
    served.read(None, POOL).await.unwrap_err();
    served.read_as("stranger", POOL).await.unwrap_err();

    let records = served.fixture.records();
    let told: Vec<_> = records
        .iter()
        .map(|record| (record["kind"].as_str().unwrap(), record["rpc"].as_str().unwrap(), record["decision"].as_str()))
        .collect();
    let set = "AdminSetUserMfaPreference";
    let expected = [
        ("decision", "AdminGetUser", Some("allow")),
        ("decision", set, Some("allow")),
        ("mutation", set, None),
        ("decision", set, Some("deny")),
        ("decision", "AdminGetUser", Some("unauthenticated")),
        ("decision", "AdminGetUser", Some("deny")),
    ];
    assert_eq!(told, expected);
    assert_eq!(records[0]["policy_ids"], json!(["support-reads"]));
    assert_eq!(records[0]["caller"], "support");
    assert_eq!(records[2]["operation"], "AdminSetUserMFAPreference");
    assert!(records[2]["aws_request_id"].is_string() && records[2]["request_id"] == records[1]["request_id"]);
    assert_eq!(records[2]["outcome"]["code"], "OK");
    assert_eq!(records[3]["effect"]["factors_disabled"], json!(["SMS_MFA"]));

    let exit = served.process.terminate().await;
    let everything = served.fixture.read("audit.jsonl") + &exit.stdout + &exit.stderr;
    assert!(!everything.contains(&token) && !everything.contains(USER), "{everything}");
}

#[tokio::test]
async fn changes_are_refused_and_reads_continue_while_nothing_can_be_recorded() {
    let fixture = PolicyFixture::with(SUPPORT);
    let options = fixture.options_with_audit_log("/dev/full");
    let served = ServeHarness::with_options(fixture, options).await;
    refused(served.set_sms_as("support", true).await, Code::Unavailable, "AUDIT_UNAVAILABLE");
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    assert_eq!(served.cognito.requests("AdminSetUserMFAPreference").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_sighup_activates_valid_policies_and_never_invalid_ones() {
    let mut served = ServeHarness::with(SUPPORT).await;
    served.fixture.write("policies/all.cedar", "permit (principal, action, resource) when { principal.age > 3 };");
    served.process.signal("HUP").await;
    served.process.wait_for_log("reload incomplete").await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);

    served.fixture.write("policies/all.cedar", &SUPPORT.replace("\"support\"", "\"helpdesk\""));
    served.process.signal("HUP").await;
    served.process.wait_for_log("policies replaced").await;
    refused(served.read_as("support", POOL).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    assert_eq!(served.read_as("helpdesk", POOL).await.unwrap(), USER);
}

#[tokio::test]
async fn a_policy_can_tell_a_session_with_a_claimed_pool_from_an_access_token() {
    let served = ServeHarness::with(
        r#"permit (principal, action == Mfagate::Action::"AssociateSoftwareToken", resource) unless { context.by_session };"#,
    )
    .await;
    let caller = served.fixture.as_caller("support");
    let mut client = SoftwareTokenServiceClient::with_interceptor(served.channel.clone(), caller);
    let mut associate = async |credential, user_pool_id: &str| {
        let user_pool_id = user_pool_id.to_owned();
        let credential = Some(credential);
        let request = AssociateSoftwareTokenRequest { credential, user_pool_id, ..Default::default() };
        client.associate_software_token(request).await.map(|_| ())
    };
    let token = served.cognito.token(NEW_USER).await;
    associate(Credential::AccessToken(token), "").await.unwrap();
    let session = associate(Credential::Session("s".repeat(20)), POOL).await;
    refused(session, Code::PermissionDenied, "CALLER_FORBIDDEN");

    let by_session: Vec<_> =
        served.fixture.records().iter().map(|record| record["effect"]["by_session"].clone()).collect();
    assert_eq!(by_session, [json!(false), json!(false), json!(true)]);
}
