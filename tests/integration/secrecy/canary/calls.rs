//! One call of each RPC with canaries in all of its secret fields, in success and in failure.

use std::collections::BTreeSet;

use http::Method;
use mfagate::api::Rpc;
use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient as Preferences;
use mfagate::api::v1::passkey_service_client::PasskeyServiceClient as Passkeys;
use mfagate::api::v1::pool_config_service_client::PoolConfigServiceClient as Pools;
use mfagate::api::v1::software_token_service_client::SoftwareTokenServiceClient as Tokens;
use mfagate::api::v1::{
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
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::{
    ACCOUNT, CODE, CREDENTIAL_ID, DEVICE, DOCUMENT, EXTERNAL_ID, ISSUER, NEXT_TOKEN, PHONE, SECRET, SESSION, USERNAME,
    holds,
};
use crate::support::pool_config::stated;
use crate::support::rpc_call::ANY_SETTING;
use crate::support::rpc_call::operation;
use crate::support::test_cognito::{POOL, TestCognito};

/// A connection whose requests have headers of their own.
pub(super) type HeaderChannel = InterceptedService<Channel, Headers>;

/// The headers of every request.
#[derive(Clone, Default)]
pub(super) struct Headers(MetadataMap);

impl Headers {
    /// These headers.
    pub(super) fn from_pairs(headers: &[(&'static str, &str)]) -> Self {
        let mut map = MetadataMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Self(map)
    }

    /// The connection, with these headers on each request.
    pub(super) fn on(&self, channel: &Channel) -> HeaderChannel {
        InterceptedService::new(channel.clone(), self.clone())
    }
}

impl Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for header in self.0.iter() {
            if let KeyAndValueRef::Ascii(name, value) = header {
                request.metadata_mut().insert(name.clone(), value.clone());
            }
        }
        Ok(request)
    }
}

/// One RPC with canaries in all of its secret fields.
pub(super) struct Call {
    pub(super) rpc: Rpc,
    /// A successful response of Cognito.
    answer: serde_json::Value,
    pub(super) make: fn(HeaderChannel, String) -> BoxFuture<(), Status>,
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
pub(super) fn calls() -> Vec<Call> {
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
            admin_preference()
        }),
        call!(SetUserMfaPreference, Preferences.set_user_mfa_preference, json!({}), |token| {
            SetUserMfaPreferenceRequest {
                access_token: token,
                sms_mfa_settings: Some(ANY_SETTING),
                ..Default::default()
            }
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
                clear_mfa_options: true,
            }
        }),
        call!(SetUserSettings, Preferences.set_user_settings, json!({}), |token| {
            SetUserSettingsRequest { access_token: token, mfa_options: Vec::new(), clear_mfa_options: true }
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

fn admin_preference() -> AdminSetUserMfaPreferenceRequest {
    AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: USERNAME.to_owned(),
        sms_mfa_settings: Some(ANY_SETTING),
        ..Default::default()
    }
}

/// A pool configuration with the mode of that number, and canaries in its external ids.
pub(super) fn pool_config(mfa_configuration: i32) -> SetUserPoolMfaConfigRequest {
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
    stated(SetUserPoolMfaConfigRequest {
        user_pool_id: POOL.to_owned(),
        mfa_configuration,
        sms_mfa_configuration: Some(SmsMfaConfiguration { sms_authentication_message: None, sms_configuration }),
        software_token_mfa_configuration: Some(SoftwareTokenMfaConfiguration { enabled: Some(true) }),
        ..Default::default()
    })
}

/// Responses of a Cognito-compatible server that repeat what it was sent: moto puts the access token into its messages.
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

/// Calls every RPC, each with a successful response of Cognito.
pub(super) async fn call_all(cognito: &TestCognito, channel: &HeaderChannel, access_token: &str) {
    for Call { rpc, answer, make } in calls() {
        cognito.inject_fault(json!({ "kind": "replace", "operation": operation(rpc), "body": answer })).await;
        make(channel.clone(), access_token.to_owned()).await.unwrap();
    }
    cognito.clear_faults().await;
}

/// Calls every RPC with every faulty response. No error may hold what was sent, nor `secrets`.
pub(super) async fn call_all_with_faults(
    cognito: &TestCognito,
    channel: &HeaderChannel,
    access_token: &str,
    secrets: &[String],
) {
    let mut tasks = JoinSet::new();
    for Call { rpc, make, .. } in calls() {
        let (cognito, channel, secrets) = (cognito.clone(), channel.clone(), secrets.to_vec());
        let token = access_token.to_owned();
        tasks.spawn(async move {
            // Without a fault, to see what is sent; most calls fail because what they name does not exist.
            let _: Result<(), Status> = make(channel.clone(), token.clone()).await;
            let texts = [USERNAME, DEVICE, EXTERNAL_ID, DOCUMENT, NEXT_TOKEN, CREDENTIAL_ID, SESSION, CODE, &token];
            let body = cognito.requests(operation(rpc)).await[0]["Body"].to_string();
            let sent: Vec<&str> = texts.into_iter().filter(|text| body.contains(text)).collect();
            for fault in faults(operation(rpc), &sent.join(" ")) {
                let put = cognito.call(Method::PUT, "/_embedded/faults", fault.clone()).await;
                let answer = make(channel.clone(), token.clone()).await;
                let path = format!("/_embedded/faults?id={}", put["ids"][0]);
                cognito.call(Method::DELETE, &path, json!(null)).await;
                if let Err(status) = answer {
                    let text = visible_text(&status);
                    let mut canaries = sent.iter().copied().chain(secrets.iter().map(String::as_str));
                    let canary = canaries.find(|canary| holds(&text, canary));
                    assert_eq!(canary, None, "{} with {fault}: {text}", rpc.name());
                }
            }
        });
    }
    tasks.join_all().await;
}

/// Everything that a caller receives: the message, the details as bytes, and the headers.
pub(super) fn visible_text(status: &Status) -> String {
    format!("{}\n{}\n{:?}", status.message(), String::from_utf8_lossy(status.details()), status.metadata())
}

#[test]
fn every_rpc_is_called() {
    let called: BTreeSet<Rpc> = calls().into_iter().map(|call| call.rpc).collect();
    assert_eq!(called, Rpc::ALL.into());
}
