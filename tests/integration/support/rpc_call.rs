//! One well-formed call of each RPC, for tests about all of them.

use data_encoding::BASE64URL_NOPAD;
use mfagate::api::Rpc;
use mfagate::api::v1::{
    AdminDeleteSoftwareTokenRequest, AdminGetUserAuthFactorsRequest, AdminGetUserRequest,
    AdminSetUserMfaPreferenceRequest, AdminSetUserSettingsRequest, AssociateSoftwareTokenRequest,
    CompleteWebAuthnRegistrationRequest, DeleteWebAuthnCredentialRequest, GetUserAuthFactorsRequest,
    GetUserPoolMfaConfigRequest, GetUserRequest, ListWebAuthnCredentialsRequest, MfaFactor,
    SetUserMfaPreferenceRequest, SetUserPoolMfaConfigRequest, SetUserSettingsRequest, SmsMfaSettings,
    StartWebAuthnRegistrationRequest, UserPoolMfaType, VerifySoftwareTokenRequest, associate_software_token_request,
    verify_software_token_request,
};
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use serde_json::json;
use tonic::Status;

use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

/// The Cognito operation behind an RPC; only the words for MFA differ.
pub(crate) fn operation(rpc: Rpc) -> &'static str {
    if rpc == Rpc::AdminSetUserMfaPreference {
        return "AdminSetUserMFAPreference";
    }
    if rpc == Rpc::SetUserMfaPreference { "SetUserMFAPreference" } else { rpc.name() }
}

/// Whether an RPC acts as the signed-in user.
pub(crate) fn takes_token(rpc: Rpc) -> bool {
    !rpc.name().starts_with("Admin") && !rpc.name().contains("UserPool")
}

/// A setting of testuser that is sent without a read. It enables: Cognito's errors about enrolment are of such requests only.
pub(crate) const ANY_SETTING: SmsMfaSettings = SmsMfaSettings { enabled: Some(true), preferred_mfa: Some(true) };

/// A credential that mfagate leaves to Cognito to judge.
pub(crate) fn any_credential() -> Struct {
    let id = Value { kind: Some(Kind::StringValue("id".to_owned())) };
    Struct { fields: [("id".to_owned(), id)].into() }
}

/// An unsigned token that names its pool.
pub(crate) fn unsigned_token(user_pool_id: &str) -> String {
    let claims = json!({ "iss": format!("https://cognito-idp.example.com/{user_pool_id}") }).to_string();
    format!("e30.{}.signature", BASE64URL_NOPAD.encode(claims.as_bytes()))
}

/// Calls `rpc` about the demo user so that its operation, and no other, is called once.
pub(crate) async fn call(service: &TestService, rpc: Rpc, token: &str) -> Result<(), Status> {
    call_in_pool(service, rpc, POOL, token).await
}

/// As [`call`], on another pool.
pub(crate) async fn call_in_pool(
    service: &TestService,
    rpc: Rpc,
    user_pool_id: &str,
    token: &str,
) -> Result<(), Status> {
    let (user_pool_id, username, access_token) = (user_pool_id.to_owned(), USER.to_owned(), token.to_owned());
    #[expect(deprecated, reason = "the legacy RPCs are served as long as Cognito has them")]
    match rpc {
        Rpc::AdminSetUserMfaPreference => {
            let request = AdminSetUserMfaPreferenceRequest {
                user_pool_id,
                username,
                sms_mfa_settings: Some(ANY_SETTING),
                ..Default::default()
            };
            service.preferences().admin_set_user_mfa_preference(request).await.map(drop)
        }
        Rpc::SetUserMfaPreference => {
            let request =
                SetUserMfaPreferenceRequest { access_token, sms_mfa_settings: Some(ANY_SETTING), ..Default::default() };
            service.preferences().set_user_mfa_preference(request).await.map(drop)
        }
        Rpc::AdminGetUserAuthFactors => {
            let request = AdminGetUserAuthFactorsRequest { user_pool_id, username };
            service.preferences().admin_get_user_auth_factors(request).await.map(drop)
        }
        Rpc::GetUserAuthFactors => {
            service.preferences().get_user_auth_factors(GetUserAuthFactorsRequest { access_token }).await.map(drop)
        }
        Rpc::AdminGetUser => {
            service.preferences().admin_get_user(AdminGetUserRequest { user_pool_id, username }).await.map(drop)
        }
        Rpc::GetUser => service.preferences().get_user(GetUserRequest { access_token }).await.map(drop),
        Rpc::AdminSetUserSettings => {
            let request = AdminSetUserSettingsRequest {
                user_pool_id,
                username,
                mfa_options: Vec::new(),
                clear_mfa_options: true,
            };
            service.preferences().admin_set_user_settings(request).await.map(drop)
        }
        Rpc::SetUserSettings => {
            let request = SetUserSettingsRequest { access_token, mfa_options: Vec::new(), clear_mfa_options: true };
            service.preferences().set_user_settings(request).await.map(drop)
        }
        Rpc::AssociateSoftwareToken => {
            // Then neither the enrolment nor the name is read first.
            let request = AssociateSoftwareTokenRequest {
                credential: Some(associate_software_token_request::Credential::AccessToken(access_token)),
                account_name: Some("account".to_owned()),
                allow_reenrolment: true,
                ..Default::default()
            };
            service.software_tokens().associate_software_token(request).await.map(drop)
        }
        Rpc::VerifySoftwareToken => {
            let request = VerifySoftwareTokenRequest {
                credential: Some(verify_software_token_request::Credential::AccessToken(access_token)),
                user_code: "123456".to_owned(),
                ..Default::default()
            };
            service.software_tokens().verify_software_token(request).await.map(drop)
        }
        Rpc::AdminDeleteSoftwareToken => {
            let request = AdminDeleteSoftwareTokenRequest { user_pool_id, username };
            service.software_tokens().admin_delete_software_token(request).await.map(drop)
        }
        Rpc::StartWebAuthnRegistration => {
            let request = StartWebAuthnRegistrationRequest { access_token };
            service.passkeys().start_web_authn_registration(request).await.map(drop)
        }
        Rpc::CompleteWebAuthnRegistration => {
            let credential = Some(any_credential());
            let request = CompleteWebAuthnRegistrationRequest { access_token, credential };
            service.passkeys().complete_web_authn_registration(request).await.map(drop)
        }
        Rpc::ListWebAuthnCredentials => {
            let request = ListWebAuthnCredentialsRequest { access_token, ..Default::default() };
            service.passkeys().list_web_authn_credentials(request).await.map(drop)
        }
        Rpc::DeleteWebAuthnCredential => {
            let request = DeleteWebAuthnCredentialRequest { access_token, credential_id: "credential".to_owned() };
            service.passkeys().delete_web_authn_credential(request).await.map(drop)
        }
        Rpc::GetUserPoolMfaConfig => {
            let request = GetUserPoolMfaConfigRequest { user_pool_id };
            service.pool_configs().get_user_pool_mfa_config(request).await.map(drop)
        }
        Rpc::SetUserPoolMfaConfig => {
            let mfa_configuration = UserPoolMfaType::Off.into();
            let request = SetUserPoolMfaConfigRequest {
                user_pool_id,
                mfa_configuration,
                unconfigured_factors: vec![MfaFactor::WebAuthn.into()],
                ..Default::default()
            };
            service.pool_configs().set_user_pool_mfa_config(request).await.map(drop)
        }
    }
}
