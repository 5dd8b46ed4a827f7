//! This file answers the RPCs of `MfaPreferenceService`.

use tonic::{Request, Response, Status};

use crate::api::Rpc;
use crate::api::v1::mfa_preference_service_server::MfaPreferenceService;
use crate::api::v1::{
    AdminGetUserAuthFactorsRequest, AdminGetUserAuthFactorsResponse, AdminGetUserRequest, AdminGetUserResponse,
    AdminSetUserMfaPreferenceRequest, AdminSetUserMfaPreferenceResponse, AdminSetUserSettingsRequest,
    AdminSetUserSettingsResponse, GetUserAuthFactorsRequest, GetUserAuthFactorsResponse, GetUserRequest,
    GetUserResponse, SetUserMfaPreferenceRequest, SetUserMfaPreferenceResponse, SetUserSettingsRequest,
    SetUserSettingsResponse,
};
use crate::domain::{Effect, EndUserProof, Intent};
use crate::request::Check;
use crate::request::preference::{FactorSettings, Preference, parse_mfa_options};
use crate::service::{Facade, call_of, effect};

#[tonic::async_trait]
impl MfaPreferenceService for Facade {
    async fn admin_set_user_mfa_preference(
        &self,
        request: Request<AdminSetUserMfaPreferenceRequest>,
    ) -> Result<Response<AdminSetUserMfaPreferenceResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let settings = FactorSettings {
            sms: request.sms_mfa_settings,
            software_token: request.software_token_mfa_settings,
            email: request.email_mfa_settings,
            web_authn: request.web_authn_mfa_settings,
        };
        let intent = Intent::new(
            Rpc::AdminSetUserMfaPreference,
            &request.user_pool_id,
            Some(&request.username),
            effect::of_preference(settings, None),
        );
        let decision = self.gate.authorize(&call, intent).await?;

        let mut check = Check::default();
        let named = check.named_user(decision, request.username);
        let preference = Preference::parse(&mut check, settings);
        let (permit, username) = check.finish(named)?;

        self.cognito.on(permit, call.deadline).admin_set_user_mfa_preference(&username, preference).await?;
        Ok(Response::new(AdminSetUserMfaPreferenceResponse {}))
    }

    async fn set_user_mfa_preference(
        &self,
        request: Request<SetUserMfaPreferenceRequest>,
    ) -> Result<Response<SetUserMfaPreferenceResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let settings = FactorSettings {
            sms: request.sms_mfa_settings,
            software_token: request.software_token_mfa_settings,
            email: request.email_mfa_settings,
            web_authn: request.web_authn_mfa_settings,
        };
        let decision = self
            .authorize_user(
                &call,
                Rpc::SetUserMfaPreference,
                &request.access_token,
                effect::of_preference(settings, Some(EndUserProof::AccessToken)),
            )
            .await?;

        let mut check = Check::default();
        let signed_in = check.signed_in(decision, request.access_token);
        let preference = Preference::parse(&mut check, settings);
        let (permit, token) = check.finish(signed_in)?;

        self.cognito.on(permit, call.deadline).set_user_mfa_preference(&token, preference).await?;
        Ok(Response::new(SetUserMfaPreferenceResponse {}))
    }

    async fn admin_get_user_auth_factors(
        &self,
        request: Request<AdminGetUserAuthFactorsRequest>,
    ) -> Result<Response<AdminGetUserAuthFactorsResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let intent = Intent::new(
            Rpc::AdminGetUserAuthFactors,
            &request.user_pool_id,
            Some(&request.username),
            Effect::default(),
        );
        let decision = self.gate.authorize(&call, intent).await?;

        let mut check = Check::default();
        let named = check.named_user(decision, request.username);
        let (permit, username) = check.finish(named)?;

        let reply = self.cognito.on(permit, call.deadline).admin_get_user_auth_factors(&username).await?;
        Ok(Response::new(reply))
    }

    async fn get_user_auth_factors(
        &self,
        request: Request<GetUserAuthFactorsRequest>,
    ) -> Result<Response<GetUserAuthFactorsResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let decision = self
            .authorize_user(&call, Rpc::GetUserAuthFactors, &request.access_token, effect::for_signed_in_user())
            .await?;

        let mut check = Check::default();
        let signed_in = check.signed_in(decision, request.access_token);
        let (permit, token) = check.finish(signed_in)?;

        let reply = self.cognito.on(permit, call.deadline).get_user_auth_factors(&token).await?;
        Ok(Response::new(reply))
    }

    async fn admin_get_user(
        &self,
        request: Request<AdminGetUserRequest>,
    ) -> Result<Response<AdminGetUserResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let intent = Intent::new(Rpc::AdminGetUser, &request.user_pool_id, Some(&request.username), Effect::default());
        let decision = self.gate.authorize(&call, intent).await?;

        let mut check = Check::default();
        let named = check.named_user(decision, request.username);
        let (permit, username) = check.finish(named)?;

        let reply = self.cognito.on(permit, call.deadline).admin_get_user(&username).await?;
        Ok(Response::new(reply))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let decision =
            self.authorize_user(&call, Rpc::GetUser, &request.access_token, effect::for_signed_in_user()).await?;

        let mut check = Check::default();
        let signed_in = check.signed_in(decision, request.access_token);
        let (permit, token) = check.finish(signed_in)?;

        let reply = self.cognito.on(permit, call.deadline).get_user(&token).await?;
        Ok(Response::new(reply))
    }

    async fn admin_set_user_settings(
        &self,
        request: Request<AdminSetUserSettingsRequest>,
    ) -> Result<Response<AdminSetUserSettingsResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let intent = Intent::new(
            Rpc::AdminSetUserSettings,
            &request.user_pool_id,
            Some(&request.username),
            effect::of_settings(&request.mfa_options, None),
        );
        let decision = self.gate.authorize(&call, intent).await?;

        let mut check = Check::default();
        let named = check.named_user(decision, request.username);
        let options = parse_mfa_options(&mut check, &request.mfa_options);
        let (permit, username) = check.finish(named)?;

        self.cognito.on(permit, call.deadline).admin_set_user_settings(&username, &options).await?;
        Ok(Response::new(AdminSetUserSettingsResponse {}))
    }

    async fn set_user_settings(
        &self,
        request: Request<SetUserSettingsRequest>,
    ) -> Result<Response<SetUserSettingsResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let decision = self
            .authorize_user(
                &call,
                Rpc::SetUserSettings,
                &request.access_token,
                effect::of_settings(&request.mfa_options, Some(EndUserProof::AccessToken)),
            )
            .await?;

        let mut check = Check::default();
        let signed_in = check.signed_in(decision, request.access_token);
        let options = parse_mfa_options(&mut check, &request.mfa_options);
        let (permit, token) = check.finish(signed_in)?;

        self.cognito.on(permit, call.deadline).set_user_settings(&token, &options).await?;
        Ok(Response::new(SetUserSettingsResponse {}))
    }
}
