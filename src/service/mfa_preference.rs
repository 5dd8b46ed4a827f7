//! The handlers of `MfaPreferenceService`.

use tonic::{Request, Response, Status};

use crate::api::v1::mfa_preference_service_server::MfaPreferenceService;
use crate::api::v1::{
    AdminGetUserAuthFactorsRequest, AdminGetUserAuthFactorsResponse, AdminGetUserRequest, AdminGetUserResponse,
    AdminSetUserMfaPreferenceRequest, AdminSetUserMfaPreferenceResponse, AdminSetUserSettingsRequest,
    AdminSetUserSettingsResponse, GetUserAuthFactorsRequest, GetUserAuthFactorsResponse, GetUserRequest,
    GetUserResponse, SetUserMfaPreferenceRequest, SetUserMfaPreferenceResponse, SetUserSettingsRequest,
    SetUserSettingsResponse,
};
use crate::request::preference::{FactorSettings, Preference, parse_mfa_options};
use crate::service::Facade;

#[tonic::async_trait]
impl MfaPreferenceService for Facade {
    async fn admin_set_user_mfa_preference(
        &self,
        request: Request<AdminSetUserMfaPreferenceRequest>,
    ) -> Result<Response<AdminSetUserMfaPreferenceResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let settings = FactorSettings::from(&request);
        let username = call.required("username", request.username);
        let preference = Preference::parse(call.violations(), settings);
        let (pool, username) = call.open(&self.cognito, username)?;
        pool.admin_set_user_mfa_preference(&username, preference).await?;
        Ok(Response::new(AdminSetUserMfaPreferenceResponse {}))
    }

    async fn set_user_mfa_preference(
        &self,
        request: Request<SetUserMfaPreferenceRequest>,
    ) -> Result<Response<SetUserMfaPreferenceResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let settings = FactorSettings::from(&request);
        let token = call.required("access_token", request.access_token);
        let preference = Preference::parse(call.violations(), settings);
        let (pool, token) = call.open(&self.cognito, token)?;
        pool.set_user_mfa_preference(&token, preference).await?;
        Ok(Response::new(SetUserMfaPreferenceResponse {}))
    }

    async fn admin_get_user_auth_factors(
        &self,
        request: Request<AdminGetUserAuthFactorsRequest>,
    ) -> Result<Response<AdminGetUserAuthFactorsResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let username = call.required("username", request.username);
        let (pool, username) = call.open(&self.cognito, username)?;
        Ok(Response::new(pool.admin_get_user_auth_factors(&username).await?))
    }

    async fn get_user_auth_factors(
        &self,
        request: Request<GetUserAuthFactorsRequest>,
    ) -> Result<Response<GetUserAuthFactorsResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let token = call.required("access_token", request.access_token);
        let (pool, token) = call.open(&self.cognito, token)?;
        Ok(Response::new(pool.get_user_auth_factors(&token).await?))
    }

    async fn admin_get_user(
        &self,
        request: Request<AdminGetUserRequest>,
    ) -> Result<Response<AdminGetUserResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let username = call.required("username", request.username);
        let (pool, username) = call.open(&self.cognito, username)?;
        Ok(Response::new(pool.admin_get_user(&username).await?))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let token = call.required("access_token", request.access_token);
        let (pool, token) = call.open(&self.cognito, token)?;
        Ok(Response::new(pool.get_user(&token).await?))
    }

    async fn admin_set_user_settings(
        &self,
        request: Request<AdminSetUserSettingsRequest>,
    ) -> Result<Response<AdminSetUserSettingsResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let username = call.required("username", request.username);
        let options = parse_mfa_options(call.violations(), &request.mfa_options, request.clear_mfa_options);
        let (pool, username) = call.open(&self.cognito, username)?;
        pool.admin_set_user_settings(&username, &options).await?;
        Ok(Response::new(AdminSetUserSettingsResponse {}))
    }

    async fn set_user_settings(
        &self,
        request: Request<SetUserSettingsRequest>,
    ) -> Result<Response<SetUserSettingsResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let token = call.required("access_token", request.access_token);
        let options = parse_mfa_options(call.violations(), &request.mfa_options, request.clear_mfa_options);
        let (pool, token) = call.open(&self.cognito, token)?;
        pool.set_user_settings(&token, &options).await?;
        Ok(Response::new(SetUserSettingsResponse {}))
    }
}
