//! The handlers of `PasskeyService`.

use tonic::{Request, Response, Status};

use crate::api::v1::passkey_service_server::PasskeyService;
use crate::api::v1::{
    CompleteWebAuthnRegistrationRequest, CompleteWebAuthnRegistrationResponse, DeleteWebAuthnCredentialRequest,
    DeleteWebAuthnCredentialResponse, ListWebAuthnCredentialsRequest, ListWebAuthnCredentialsResponse,
    StartWebAuthnRegistrationRequest, StartWebAuthnRegistrationResponse,
};
use crate::request::passkey::{parse_credential, parse_max_results};
use crate::service::Facade;

#[tonic::async_trait]
impl PasskeyService for Facade {
    async fn start_web_authn_registration(
        &self,
        request: Request<StartWebAuthnRegistrationRequest>,
    ) -> Result<Response<StartWebAuthnRegistrationResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let token = call.required("access_token", request.access_token);
        let (pool, token) = call.open(&self.cognito, token)?;
        let options = pool.start_web_authn_registration(&token).await?;
        Ok(Response::new(StartWebAuthnRegistrationResponse { credential_creation_options: Some(options) }))
    }

    async fn complete_web_authn_registration(
        &self,
        request: Request<CompleteWebAuthnRegistrationRequest>,
    ) -> Result<Response<CompleteWebAuthnRegistrationResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let token = call.required("access_token", request.access_token);
        let credential = parse_credential(call.violations(), request.credential);
        let (pool, (token, credential)) = call.open(&self.cognito, token.zip(credential))?;
        pool.complete_web_authn_registration(&token, credential).await?;
        Ok(Response::new(CompleteWebAuthnRegistrationResponse {}))
    }

    async fn list_web_authn_credentials(
        &self,
        request: Request<ListWebAuthnCredentialsRequest>,
    ) -> Result<Response<ListWebAuthnCredentialsResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let token = call.required("access_token", request.access_token);
        let next_token = call.optional("next_token", request.next_token);
        let max_results = parse_max_results(call.violations(), request.max_results);
        let (pool, token) = call.open(&self.cognito, token)?;
        Ok(Response::new(pool.list_web_authn_credentials(&token, next_token.as_ref(), max_results).await?))
    }

    async fn delete_web_authn_credential(
        &self,
        request: Request<DeleteWebAuthnCredentialRequest>,
    ) -> Result<Response<DeleteWebAuthnCredentialResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let token = call.required("access_token", request.access_token);
        let credential_id = call.required("credential_id", request.credential_id);
        let (pool, (token, credential_id)) = call.open(&self.cognito, token.zip(credential_id))?;
        pool.delete_web_authn_credential(&token, &credential_id).await?;
        Ok(Response::new(DeleteWebAuthnCredentialResponse {}))
    }
}
