//! No secret in any log: canaries go through every RPC of the real program at `RUST_LOG=trace`, in success and failure, and
//! come out nowhere that they should not.

use std::collections::BTreeSet;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cognitoidentityprovider::types::{AuthFlowType, MessageActionType};
use http::Method;
use mfagate::embedded::demo;
use mfagate::proto::Rpc;
use mfagate::proto::v1::mfa_preference_service_client::MfaPreferenceServiceClient as Preferences;
use mfagate::proto::v1::passkey_service_client::PasskeyServiceClient as Passkeys;
use mfagate::proto::v1::pool_config_service_client::PoolConfigServiceClient as Pools;
use mfagate::proto::v1::software_token_service_client::SoftwareTokenServiceClient as Tokens;
use mfagate::proto::v1::{
    AdminDeleteSoftwareTokenRequest, AdminGetUserAuthFactorsRequest, AdminGetUserRequest,
    AdminSetUserMfaPreferenceRequest, AdminSetUserSettingsRequest, AssociateSoftwareTokenRequest,
    CompleteWebAuthnRegistrationRequest, DeleteWebAuthnCredentialRequest, EumsSmsConfiguration,
    GetUserAuthFactorsRequest, GetUserPoolMfaConfigRequest, GetUserRequest, ListWebAuthnCredentialsRequest,
    SetUserMfaPreferenceRequest, SetUserPoolMfaConfigRequest, SetUserSettingsRequest, SmsConfiguration,
    SmsMfaConfiguration, SoftwareTokenMfaConfiguration, StartWebAuthnRegistrationRequest, VerifySoftwareTokenRequest,
    associate_software_token_request as associate, verify_software_token_request as verify,
};
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use serde_json::json;
use tokio::task::JoinSet;
use tonic::codegen::BoxFuture;
use tonic::transport::Channel;
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

use crate::binary::{Binary, Ended};
use crate::support::{CognitoControl, POOL};

const USERNAME: &str = "canary-username";
const DEVICE: &str = "canary-device";
const EXTERNAL_ID: &str = "canary-external-id";
const DOCUMENT: &str = "canary-document";
const NEXT_TOKEN: &str = "canary-next-token";
const CREDENTIAL_ID: &str = "canary-credential-id";
const ACCOUNT: &str = "canary-account";
const ISSUER: &str = "canary-issuer";
const SESSION: &str = "canary-session-canary-session";
const CODE: &str = "918273";
const SECRET: &str = "CANARYSECRETCANARYSECRET";
const PHONE: &str = "+canary-phone";
const PASSWORD: &str = "Canary-passw0rd!";

/// The real program at `RUST_LOG=trace`, with a user of its own.
struct Planted {
    binary: Binary,
    channel: Channel,
    cognito: CognitoControl,
    sdk: Client,
    access_token: String,
}

impl Planted {
    async fn start() -> Self {
        let mut binary = Binary::dev(&[], &[("RUST_LOG", "trace")]).await;
        let cognito = CognitoControl { url: binary.greeted("embedded Cognito") };
        let config = aws_sdk_cognitoidentityprovider::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-west-2"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&cognito.url);
        let sdk = Client::from_conf(config.build());
        let created = sdk.admin_create_user().user_pool_id(POOL).username(USERNAME);
        created.message_action(MessageActionType::Suppress).send().await.unwrap();
        let set = sdk.admin_set_user_password().user_pool_id(POOL).username(USERNAME);
        set.password(PASSWORD).permanent(true).send().await.unwrap();
        let access_token = cognito.token(USERNAME).await;
        Self { channel: binary.channel().await, binary, cognito, sdk, access_token }
    }

    /// Ends the program and looks for the canaries in everything that it printed.
    async fn end(self, canaries: impl IntoIterator<Item = String>) -> Ended {
        let ended = self.binary.end().await;
        let (_, payload) = self.access_token.split_once('.').unwrap();
        let (payload, signature) = payload.split_once('.').unwrap();
        let known = ["canary", SECRET, PASSWORD, CODE, payload, signature].map(str::to_owned);
        for canary in canaries.into_iter().chain(known) {
            for (stream, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
                let line = text.lines().find(|line| holds(line, &canary));
                assert!(line.is_none(), "{canary} is on {stream}: {line:?}");
            }
        }
        assert!(ended.stderr.contains("call answered"), "the log is not on: {}", ended.stderr);
        ended
    }
}

/// Whether `text` holds `canary`, whatever its case. Codes of six digits count as words only, since clocks have digits too.
fn holds(text: &str, canary: &str) -> bool {
    let (text, canary) = (text.to_lowercase(), canary.to_lowercase());
    let is_code = canary.len() == 6 && canary.bytes().all(|byte| byte.is_ascii_digit());
    let edge = |c: Option<char>| !is_code || c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '.');
    text.match_indices(&canary).any(|(position, _)| {
        edge(text[..position].chars().next_back()) && edge(text[position + canary.len()..].chars().next())
    })
}

/// One RPC with canaries in all of its secret fields.
struct Call {
    rpc: Rpc,
    /// What Cognito could answer in success.
    answer: serde_json::Value,
    make: fn(Channel, String) -> BoxFuture<(), Status>,
}

macro_rules! call {
    ($rpc:ident, $client:ident.$method:ident, $answer:expr, |$token:ident| $request:expr) => {
        Call {
            rpc: Rpc::$rpc,
            answer: $answer,
            make: |channel, $token| {
                Box::pin(async move { $client::new(channel).$method($request).await.map(|_: Response<_>| ()) })
            },
        }
    };
}

#[expect(deprecated, reason = "the legacy RPCs are served as well")]
fn calls() -> Vec<Call> {
    let factors = json!({ "Username": USERNAME, "UserMFASettingList": [] });
    let attributes = json!([{ "Name": "phone_number", "Value": PHONE }]);
    let user = json!({ "Username": USERNAME, "UserAttributes": attributes });
    let listed = json!({
        "Credentials": [{
            "CredentialId": CREDENTIAL_ID, "FriendlyCredentialName": DEVICE, "RelyingPartyId": "localhost",
            "AuthenticatorTransports": [], "CreatedAt": 0.5,
        }],
        "NextToken": NEXT_TOKEN,
    });
    vec![
        call!(AdminSetUserMfaPreference, Preferences.admin_set_user_mfa_preference, json!({}), |_token| {
            AdminSetUserMfaPreferenceRequest {
                user_pool_id: POOL.to_owned(),
                username: USERNAME.to_owned(),
                ..Default::default()
            }
        }),
        call!(SetUserMfaPreference, Preferences.set_user_mfa_preference, json!({}), |token| {
            SetUserMfaPreferenceRequest { access_token: token, ..Default::default() }
        }),
        call!(AdminGetUserAuthFactors, Preferences.admin_get_user_auth_factors, factors.clone(), |_token| {
            AdminGetUserAuthFactorsRequest { user_pool_id: POOL.to_owned(), username: USERNAME.to_owned() }
        }),
        call!(GetUserAuthFactors, Preferences.get_user_auth_factors, factors, |token| {
            GetUserAuthFactorsRequest { access_token: token }
        }),
        call!(AdminGetUser, Preferences.admin_get_user, user.clone(), |_token| {
            AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USERNAME.to_owned() }
        }),
        call!(GetUser, Preferences.get_user, user, |token| GetUserRequest { access_token: token }),
        call!(AdminSetUserSettings, Preferences.admin_set_user_settings, json!({}), |_token| {
            AdminSetUserSettingsRequest {
                user_pool_id: POOL.to_owned(),
                username: USERNAME.to_owned(),
                mfa_options: Vec::new(),
            }
        }),
        call!(SetUserSettings, Preferences.set_user_settings, json!({}), |token| {
            SetUserSettingsRequest { access_token: token, mfa_options: Vec::new() }
        }),
        call!(
            AssociateSoftwareToken,
            Tokens.associate_software_token,
            json!({ "SecretCode": SECRET, "Session": SESSION }),
            |token| AssociateSoftwareTokenRequest {
                credential: Some(associate::Credential::AccessToken(token)),
                issuer: Some(ISSUER.to_owned()),
                account_name: Some(ACCOUNT.to_owned()),
                allow_reenrolment: true,
                ..Default::default()
            }
        ),
        call!(
            VerifySoftwareToken,
            Tokens.verify_software_token,
            json!({ "Status": "SUCCESS", "Session": SESSION }),
            |_token| VerifySoftwareTokenRequest {
                credential: Some(verify::Credential::Session(SESSION.to_owned())),
                user_pool_id: POOL.to_owned(),
                user_code: CODE.to_owned(),
                friendly_device_name: Some(DEVICE.to_owned()),
            }
        ),
        call!(AdminDeleteSoftwareToken, Tokens.admin_delete_software_token, json!({}), |_token| {
            AdminDeleteSoftwareTokenRequest { user_pool_id: POOL.to_owned(), username: USERNAME.to_owned() }
        }),
        call!(
            StartWebAuthnRegistration,
            Passkeys.start_web_authn_registration,
            json!({ "CredentialCreationOptions": { "challenge": DOCUMENT } }),
            |token| StartWebAuthnRegistrationRequest { access_token: token }
        ),
        call!(CompleteWebAuthnRegistration, Passkeys.complete_web_authn_registration, json!({}), |token| {
            let value = Value { kind: Some(Kind::StringValue(DOCUMENT.to_owned())) };
            CompleteWebAuthnRegistrationRequest {
                access_token: token,
                credential: Some(Struct { fields: [("rawId".to_owned(), value)].into() }),
            }
        }),
        call!(ListWebAuthnCredentials, Passkeys.list_web_authn_credentials, listed, |token| {
            ListWebAuthnCredentialsRequest {
                access_token: token,
                next_token: Some(NEXT_TOKEN.to_owned()),
                max_results: None,
            }
        }),
        call!(DeleteWebAuthnCredential, Passkeys.delete_web_authn_credential, json!({}), |token| {
            DeleteWebAuthnCredentialRequest { access_token: token, credential_id: CREDENTIAL_ID.to_owned() }
        }),
        call!(
            GetUserPoolMfaConfig,
            Pools.get_user_pool_mfa_config,
            json!({ "SmsMfaConfiguration": { "SmsConfiguration": { "SnsCallerArn": "", "ExternalId": EXTERNAL_ID } } }),
            |_token| GetUserPoolMfaConfigRequest { user_pool_id: POOL.to_owned() }
        ),
        call!(SetUserPoolMfaConfig, Pools.set_user_pool_mfa_config, json!({}), |_token| pool_config(3)),
    ]
}

/// A pool configuration with the mode of that number, and canaries in its external ids.
fn pool_config(mfa_configuration: i32) -> SetUserPoolMfaConfigRequest {
    let eums_sms = EumsSmsConfiguration {
        caller_arn: "arn:aws:iam::123456789012:role/sms".to_owned(),
        external_id: Some(EXTERNAL_ID.to_owned()),
        ..Default::default()
    };
    let sms_configuration = Some(SmsConfiguration {
        external_id: Some(EXTERNAL_ID.to_owned()),
        eums_sms: Some(eums_sms),
        ..Default::default()
    });
    SetUserPoolMfaConfigRequest {
        user_pool_id: POOL.to_owned(),
        mfa_configuration,
        sms_mfa_configuration: Some(SmsMfaConfiguration { sms_authentication_message: None, sms_configuration }),
        software_token_mfa_configuration: Some(SoftwareTokenMfaConfiguration { enabled: true }),
        ..Default::default()
    }
}

/// Cognito's name of the operation of that name.
fn operation(rpc: Rpc) -> String {
    rpc.name().replace("MfaPreference", "MFAPreference")
}

#[test]
fn every_rpc_is_called() {
    let called: BTreeSet<Rpc> = calls().into_iter().map(|call| call.rpc).collect();
    assert_eq!(called, Rpc::ALL.into());
}

#[tokio::test]
async fn the_log_holds_no_secret_of_calls_that_succeed() {
    let planted = Planted::start().await;
    for Call { rpc, answer, make } in calls() {
        planted.cognito.fault(json!({ "kind": "replace", "operation": operation(rpc), "body": answer })).await;
        make(planted.channel.clone(), planted.access_token.clone()).await.unwrap();
    }
    planted.end([]).await;
}

/// What a Cognito-compatible server may answer that repeats what it was sent: moto puts the access token into its messages.
fn faults(operation: &str, sent: &str) -> Vec<serde_json::Value> {
    let error = |code: &str, message: &str| json!({ "kind": "error", "operation": operation, "code": code, "message": message });
    let replaced = |body: serde_json::Value| json!({ "kind": "replace", "operation": operation, "body": body });
    let mistyped = json!({
        "Username": [SECRET], "SecretCode": [SECRET], "Status": [SECRET], "CredentialCreationOptions": SECRET,
        "Credentials": SECRET, "MfaConfiguration": [SECRET], "Unknown": SECRET,
    });
    vec![
        error("InvalidParameterException", sent),
        error("NotAuthorizedException", sent),
        error("UserNotFoundException", sent),
        error("AccessDeniedException", sent),
        error("SomethingNewException", sent),
        error(sent, "the code is what was sent"),
        replaced(mistyped),
        replaced(json!(SECRET)),
        json!({ "kind": "html", "operation": operation }),
        json!({ "kind": "truncated_json", "operation": operation }),
        json!({ "kind": "reset", "operation": operation }),
    ]
}

#[tokio::test]
async fn neither_the_log_nor_the_answer_holds_a_secret_of_calls_that_fail() {
    let planted = Planted::start().await;
    let mut tasks = JoinSet::new();
    for Call { rpc, make, .. } in calls() {
        let (cognito, channel) = (planted.cognito.clone(), planted.channel.clone());
        let token = planted.access_token.clone();
        tasks.spawn(async move {
            // Without a fault, to see what is sent; most calls fail for want of what they name.
            let _: Result<(), Status> = make(channel.clone(), token.clone()).await;
            let texts = [USERNAME, DEVICE, EXTERNAL_ID, DOCUMENT, NEXT_TOKEN, CREDENTIAL_ID, SESSION, CODE, &token];
            let body = cognito.requests(&operation(rpc)).await[0]["Body"].to_string();
            let sent: Vec<&str> = texts.into_iter().filter(|text| body.contains(text)).collect();
            for fault in faults(&operation(rpc), &sent.join(" ")) {
                let put = cognito.call(Method::PUT, "/_embedded/faults", fault.clone()).await;
                let answer = make(channel.clone(), token.clone()).await;
                let path = format!("/_embedded/faults?id={}", put["ids"][0]);
                cognito.call(Method::DELETE, &path, json!(null)).await;
                if let Err(status) = answer {
                    let told = format!("{} {:?}", status.message(), status.get_error_details());
                    let canary = sent.iter().find(|canary| holds(&told, canary));
                    assert_eq!(canary, None, "{} with {fault}: {told}", rpc.name());
                }
            }
        });
    }
    tasks.join_all().await;
    let ended = planted.end([]).await;
    assert!(ended.stderr.contains("call failed"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_log_holds_nothing_of_an_enrolment() {
    let planted = Planted::start().await;
    let mut seen = Vec::new();
    Pools::new(planted.channel.clone()).set_user_pool_mfa_config(pool_config(3)).await.unwrap();
    let mut tokens = Tokens::new(planted.channel.clone());

    let sign_in = planted.sdk.initiate_auth().auth_flow(AuthFlowType::UserPasswordAuth).client_id(demo::CLIENT_ID);
    let sign_in = sign_in.auth_parameters("USERNAME", USERNAME).auth_parameters("PASSWORD", PASSWORD);
    let session = sign_in.send().await.unwrap().session.unwrap();
    seen.push(session.clone());

    let request = AssociateSoftwareTokenRequest {
        credential: Some(associate::Credential::Session(session)),
        user_pool_id: POOL.to_owned(),
        issuer: Some(ISSUER.to_owned()),
        account_name: Some(ACCOUNT.to_owned()),
        ..Default::default()
    };
    let associated = tokens.associate_software_token(request).await.unwrap().into_inner();
    let session = associated.session.unwrap();
    seen.extend([associated.secret_code, associated.otpauth_uri, session.clone()]);

    let code = planted.cognito.totp(USERNAME).await;
    let request = VerifySoftwareTokenRequest {
        credential: Some(verify::Credential::Session(session)),
        user_pool_id: POOL.to_owned(),
        user_code: code.clone(),
        friendly_device_name: Some(DEVICE.to_owned()),
    };
    let verified = tokens.verify_software_token(request.clone()).await.unwrap().into_inner();
    seen.extend([verified.session.unwrap(), code]);
    // The session is used up now.
    tokens.verify_software_token(request).await.unwrap_err();
    planted.end(seen).await;
}

#[tokio::test]
async fn the_program_refuses_to_start_where_the_sdk_would_log_secrets() {
    for arguments in [&["dev", "--listen", "127.0.0.1:0"][..], &["serve", "--cognito-endpoint", "http://127.0.0.1:9"]] {
        for value in ["true", "false", ""] {
            let ended = Binary::run(arguments, &[("LOG_SENSITIVE_BODIES", value)]).await;
            assert_eq!(ended.status.code(), Some(1), "{ended:?}");
            assert!(ended.stderr.contains("LOG_SENSITIVE_BODIES"), "{ended:?}");
        }
    }
}
