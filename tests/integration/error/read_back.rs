//! A change whose response is lost: it is read back, and is a success only if the state shows it.

use std::time::Duration;

use mfagate::api::Rpc;
use mfagate::api::v1::{
    AdminSetUserMfaPreferenceRequest, AdminSetUserSettingsRequest, DeleteWebAuthnCredentialRequest, DeliveryMedium,
    ListWebAuthnCredentialsRequest, MfaOption, SetUserMfaPreferenceRequest, SetUserPoolMfaConfigRequest,
    SetUserSettingsRequest, SmsMfaSettings, SoftwareTokenMfaConfiguration, UserPoolMfaType,
};
use serde_json::json;
use tokio::task::JoinSet;
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::rpc::passkey::registered;
use crate::support::policy_fixture::ALLOW_ALL;
use crate::support::pool_config::stated;
use crate::support::rpc_call::operation;
use crate::support::serve_harness::{ServeHarness, set_sms};
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

/// The changes that can be read back, but for the deletion of a passkey, which has no opposite.
const CHANGES: [Rpc; 5] = [
    Rpc::AdminSetUserMfaPreference,
    Rpc::SetUserMfaPreference,
    Rpc::AdminSetUserSettings,
    Rpc::SetUserSettings,
    Rpc::SetUserPoolMfaConfig,
];

/// What becomes of the response. The service gives up after two seconds where there is none.
const FAULTS: [&str; 4] = ["truncated_json", "html", "reset", "no_answer"];

async fn service() -> TestService {
    TestService::with_operation_timeout(Duration::from_secs(2)).await
}

/// Makes a change, or its opposite.
async fn set(service: &TestService, rpc: Rpc, token: &str, on: bool) -> Result<(), Status> {
    let (user_pool_id, username, access_token) = (POOL.to_owned(), USER.to_owned(), token.to_owned());
    let sms_mfa_settings = Some(SmsMfaSettings { enabled: Some(on), preferred_mfa: Some(on) });
    let option = MfaOption { attribute_name: "phone_number".to_owned(), delivery_medium: DeliveryMedium::Sms.into() };
    let (mfa_options, clear_mfa_options) = (if on { vec![option] } else { Vec::new() }, !on);
    #[expect(deprecated, reason = "the legacy RPCs are served as long as Cognito has them")]
    match rpc {
        Rpc::AdminSetUserMfaPreference => {
            let request =
                AdminSetUserMfaPreferenceRequest { user_pool_id, username, sms_mfa_settings, ..Default::default() };
            service.preferences().admin_set_user_mfa_preference(request).await.map(drop)
        }
        Rpc::SetUserMfaPreference => {
            let request = SetUserMfaPreferenceRequest { access_token, sms_mfa_settings, ..Default::default() };
            service.preferences().set_user_mfa_preference(request).await.map(drop)
        }
        Rpc::AdminSetUserSettings => {
            let request = AdminSetUserSettingsRequest { user_pool_id, username, mfa_options, clear_mfa_options };
            service.preferences().admin_set_user_settings(request).await.map(drop)
        }
        Rpc::SetUserSettings => {
            let request = SetUserSettingsRequest { access_token, mfa_options, clear_mfa_options };
            service.preferences().set_user_settings(request).await.map(drop)
        }
        Rpc::SetUserPoolMfaConfig => {
            let mfa_configuration = if on { UserPoolMfaType::On } else { UserPoolMfaType::Optional };
            let request = stated(SetUserPoolMfaConfigRequest {
                user_pool_id,
                mfa_configuration: mfa_configuration.into(),
                software_token_mfa_configuration: Some(SoftwareTokenMfaConfiguration { enabled: Some(true) }),
                ..Default::default()
            });
            service.pool_configs().set_user_pool_mfa_config(request).await.map(drop)
        }
        other => unreachable!("{other:?} is none of the changes"),
    }
}

#[track_caller]
fn is_unknown(answer: Result<(), Status>) -> bool {
    let Err(status) = answer else { return false };
    let details = status.get_error_details();
    let outcome = details.error_info().unwrap().metadata.get("outcome").map(String::as_str);
    assert_eq!(outcome, Some("UNKNOWN"), "{status:?}");
    true
}

#[tokio::test]
async fn a_change_that_was_made_is_a_success_whatever_becomes_of_the_response_and_one_that_was_not_is_unknown() {
    let mut rpcs = JoinSet::new();
    for rpc in CHANGES {
        rpcs.spawn(async move {
            let service = service().await;
            let token = service.cognito.token(USER).await;
            for kind in FAULTS {
                set(&service, rpc, &token, true).await.unwrap();
                for is_made in [false, true] {
                    let fault = json!({ "kind": kind, "operation": operation(rpc), "perform": is_made });
                    service.cognito.inject_fault(fault).await;
                    let answer = set(&service, rpc, &token, false).await;
                    assert_eq!(!is_unknown(answer), is_made, "{rpc:?}, {kind}");
                    service.cognito.clear_faults().await;
                }
            }
        });
    }
    rpcs.join_all().await;
}

#[tokio::test]
async fn a_passkey_that_is_gone_was_deleted_and_one_that_is_there_may_yet_be() {
    let service = service().await;
    let token = service.cognito.token(USER).await;
    let credential_id = registered(&service, &token).await;
    for is_made in [false, true] {
        let fault = json!({ "kind": "reset", "operation": "DeleteWebAuthnCredential", "perform": is_made });
        service.cognito.inject_fault(fault).await;
        let request =
            DeleteWebAuthnCredentialRequest { access_token: token.clone(), credential_id: credential_id.clone() };
        let answer = service.passkeys().delete_web_authn_credential(request).await.map(drop);
        assert_eq!(!is_unknown(answer), is_made);
        service.cognito.clear_faults().await;
        let request = ListWebAuthnCredentialsRequest { access_token: token.clone(), ..Default::default() };
        let left = service.passkeys().list_web_authn_credentials(request).await.unwrap().into_inner();
        assert_eq!(left.credentials.is_empty(), is_made);
    }
}

#[tokio::test]
async fn a_change_stays_unknown_if_it_cannot_be_read_back_and_is_read_back_once() {
    let service = service().await;
    let change = Rpc::AdminSetUserMfaPreference;
    let lost = json!({ "kind": "reset", "operation": operation(change), "perform": true });
    service.cognito.inject_fault(lost).await;
    service.cognito.inject_error("AdminGetUser", "NotAuthorizedException", "no permission").await;
    assert!(is_unknown(set(&service, change, "", false).await));
    assert_eq!(service.cognito.requests("AdminGetUser").await.len(), 1);
}

#[tokio::test]
async fn the_record_says_that_the_change_was_read_back() {
    let harness = ServeHarness::with(ALLOW_ALL).await;
    let lost = json!({ "kind": "reset", "operation": "AdminSetUserMFAPreference", "perform": true });
    harness.cognito.inject_fault(lost).await;
    set_sms(harness.channel.clone(), &harness.fixture.bearer("desk"), false, "lost").await.unwrap();
    let records = harness.fixture.records();
    let [decision, mutation] = &records[..] else { panic!("{records:?}") };
    assert_eq!(mutation["request_id"], decision["request_id"]);
    assert_eq!(mutation["outcome"], json!({ "code": "OK", "read_back": true }));
}
