//! This file answers the RPCs of `PasskeyService`.

use tonic::{Request, Response, Status};

use crate::api::Rpc;
use crate::api::v1::passkey_service_server::PasskeyService;
use crate::api::v1::{
    CompleteWebAuthnRegistrationRequest, CompleteWebAuthnRegistrationResponse, DeleteWebAuthnCredentialRequest,
    DeleteWebAuthnCredentialResponse, ListWebAuthnCredentialsRequest, ListWebAuthnCredentialsResponse,
    StartWebAuthnRegistrationRequest, StartWebAuthnRegistrationResponse,
};
use crate::request::Check;
use crate::request::passkey::{parse_credential, parse_max_results};
use crate::service::{Facade, call_of, effect};

#[tonic::async_trait]
impl PasskeyService for Facade {
    async fn start_web_authn_registration(
        &self,
        request: Request<StartWebAuthnRegistrationRequest>,
    ) -> Result<Response<StartWebAuthnRegistrationResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let decision = self
            .authorize_user(&call, Rpc::StartWebAuthnRegistration, &request.access_token, effect::for_signed_in_user())
            .await?;

        let mut check = Check::default();
        let signed_in = check.signed_in(decision, request.access_token);
        let (permit, token) = check.finish(signed_in)?;

        let options = self.cognito.on(permit, call.deadline).start_web_authn_registration(&token).await?;
        Ok(Response::new(StartWebAuthnRegistrationResponse { credential_creation_options: Some(options) }))
    }

    async fn complete_web_authn_registration(
        &self,
        request: Request<CompleteWebAuthnRegistrationRequest>,
    ) -> Result<Response<CompleteWebAuthnRegistrationResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let decision = self
            .authorize_user(
                &call,
                Rpc::CompleteWebAuthnRegistration,
                &request.access_token,
                effect::for_signed_in_user(),
            )
            .await?;

        let mut check = Check::default();
        let signed_in = check.signed_in(decision, request.access_token);
        let credential = parse_credential(&mut check, request.credential);
        let ((permit, token), credential) = check.finish(signed_in.zip(credential))?;

        self.cognito.on(permit, call.deadline).complete_web_authn_registration(&token, credential).await?;
        Ok(Response::new(CompleteWebAuthnRegistrationResponse {}))
    }

    async fn list_web_authn_credentials(
        &self,
        request: Request<ListWebAuthnCredentialsRequest>,
    ) -> Result<Response<ListWebAuthnCredentialsResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let decision = self
            .authorize_user(&call, Rpc::ListWebAuthnCredentials, &request.access_token, effect::for_signed_in_user())
            .await?;

        let mut check = Check::default();
        let signed_in = check.signed_in(decision, request.access_token);
        let next_token = check.optional("next_token", request.next_token);
        let max_results = parse_max_results(&mut check, request.max_results);
        let (permit, token) = check.finish(signed_in)?;

        let cognito = self.cognito.on(permit, call.deadline);
        let reply = cognito.list_web_authn_credentials(&token, next_token.as_ref(), max_results).await?;
        Ok(Response::new(reply))
    }

    async fn delete_web_authn_credential(
        &self,
        request: Request<DeleteWebAuthnCredentialRequest>,
    ) -> Result<Response<DeleteWebAuthnCredentialResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let decision = self
            .authorize_user(&call, Rpc::DeleteWebAuthnCredential, &request.access_token, effect::of_passkey_deletion())
            .await?;

        let mut check = Check::default();
        let signed_in = check.signed_in(decision, request.access_token);
        let credential_id = check.required("credential_id", request.credential_id);
        let ((permit, token), credential_id) = check.finish(signed_in.zip(credential_id))?;

        self.cognito.on(permit, call.deadline).delete_web_authn_credential(&token, &credential_id).await?;
        Ok(Response::new(DeleteWebAuthnCredentialResponse {}))
    }
}
