//! A façade in Rust with the defaults of its libraries and without protection: the two RPCs that the benchmark calls.

use aws_config::BehaviorVersion;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{AttributeType, SmsMfaSettingsType, UserStatusType};
use mfagate::api::v1::mfa_preference_service_server::{MfaPreferenceService, MfaPreferenceServiceServer};
use mfagate::api::v1::{
    AdminGetUserAuthFactorsRequest, AdminGetUserAuthFactorsResponse, AdminGetUserRequest, AdminGetUserResponse,
    AdminSetUserMfaPreferenceRequest, AdminSetUserMfaPreferenceResponse, AdminSetUserSettingsRequest,
    AdminSetUserSettingsResponse, ContactAttribute, GetUserAuthFactorsRequest, GetUserAuthFactorsResponse,
    GetUserRequest, GetUserResponse, MfaFactor, SetUserMfaPreferenceRequest, SetUserMfaPreferenceResponse,
    SetUserSettingsRequest, SetUserSettingsResponse, UserStatus,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, async_trait};

use crate::Failure;
use crate::control::{Control, Event};

/// Serves before the Cognito of the environment until the run ends.
pub(crate) async fn run() -> Result<(), Failure> {
    let _control = Control::start();
    let cognito = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Control::report(&Event::Listening { address: listener.local_addr()? })?;
    let service = MfaPreferenceServiceServer::new(Facade { cognito });
    Ok(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)).await?)
}

struct Facade {
    cognito: Client,
}

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl MfaPreferenceService for Facade {
    async fn admin_set_user_mfa_preference(
        &self,
        request: Request<AdminSetUserMfaPreferenceRequest>,
    ) -> Answer<AdminSetUserMfaPreferenceResponse> {
        let request = request.into_inner();
        let sms = request.sms_mfa_settings.map(|sms| {
            let (enabled, preferred) = (sms.enabled.unwrap_or_default(), sms.preferred_mfa.unwrap_or_default());
            SmsMfaSettingsType::builder().enabled(enabled).preferred_mfa(preferred).build()
        });
        let call = self.cognito.admin_set_user_mfa_preference();
        let call = call.user_pool_id(request.user_pool_id).username(request.username).set_sms_mfa_settings(sms);
        call.send().await.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(AdminSetUserMfaPreferenceResponse {}))
    }

    async fn admin_get_user(&self, request: Request<AdminGetUserRequest>) -> Answer<AdminGetUserResponse> {
        let request = request.into_inner();
        let call = self.cognito.admin_get_user().user_pool_id(request.user_pool_id).username(request.username);
        let user = call.send().await.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(AdminGetUserResponse {
            enabled: user.enabled(),
            user_status: user_status(user.user_status()).into(),
            phone_number: Some(contact(user.user_attributes(), "phone_number", "phone_number_verified")),
            email: Some(contact(user.user_attributes(), "email", "email_verified")),
            preferred_mfa_setting: user.preferred_mfa_setting().map(|name| mfa_factor(name).into()),
            user_mfa_setting_list: user.user_mfa_setting_list().iter().map(|name| mfa_factor(name).into()).collect(),
            username: user.username,
            ..Default::default()
        }))
    }

    async fn admin_get_user_auth_factors(
        &self,
        _: Request<AdminGetUserAuthFactorsRequest>,
    ) -> Answer<AdminGetUserAuthFactorsResponse> {
        Err(Status::unimplemented(""))
    }

    async fn set_user_mfa_preference(
        &self,
        _: Request<SetUserMfaPreferenceRequest>,
    ) -> Answer<SetUserMfaPreferenceResponse> {
        Err(Status::unimplemented(""))
    }

    async fn get_user_auth_factors(&self, _: Request<GetUserAuthFactorsRequest>) -> Answer<GetUserAuthFactorsResponse> {
        Err(Status::unimplemented(""))
    }

    async fn get_user(&self, _: Request<GetUserRequest>) -> Answer<GetUserResponse> {
        Err(Status::unimplemented(""))
    }

    async fn admin_set_user_settings(
        &self,
        _: Request<AdminSetUserSettingsRequest>,
    ) -> Answer<AdminSetUserSettingsResponse> {
        Err(Status::unimplemented(""))
    }

    async fn set_user_settings(&self, _: Request<SetUserSettingsRequest>) -> Answer<SetUserSettingsResponse> {
        Err(Status::unimplemented(""))
    }
}

fn mfa_factor(name: &str) -> MfaFactor {
    match name {
        "SMS_MFA" => MfaFactor::Sms,
        "SOFTWARE_TOKEN_MFA" => MfaFactor::SoftwareToken,
        "EMAIL_OTP" => MfaFactor::Email,
        "WEB_AUTHN" => MfaFactor::WebAuthn,
        _ => MfaFactor::Unrecognized,
    }
}

fn user_status(status: Option<&UserStatusType>) -> UserStatus {
    match status {
        Some(UserStatusType::Confirmed) => UserStatus::Confirmed,
        Some(UserStatusType::Unconfirmed) => UserStatus::Unconfirmed,
        _ => UserStatus::Unrecognized,
    }
}

fn contact(attributes: &[AttributeType], name: &str, verified: &str) -> ContactAttribute {
    let value = |name| attributes.iter().find(|attribute| attribute.name == name).and_then(|found| found.value());
    ContactAttribute {
        present: value(name).is_some_and(|value| !value.is_empty()),
        verified: value(verified) == Some("true"),
    }
}
