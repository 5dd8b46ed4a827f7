//! Registering, listing and deleting passkeys, with an authenticator in software.

mod deletion;
mod every_operation;
mod listing;
mod registration;

use mfagate::api::v1::{
    CompleteWebAuthnRegistrationRequest, DeleteWebAuthnCredentialRequest, ListWebAuthnCredentialsRequest,
    ListWebAuthnCredentialsResponse, StartWebAuthnRegistrationRequest, WebAuthnCredential,
};
use prost_types::Struct;
use tonic::{Response, Status};

use crate::support::authenticator::Authenticator;
use crate::support::test_service::TestService;

async fn start(service: &TestService, token: &str) -> Result<Struct, Status> {
    let request = StartWebAuthnRegistrationRequest { access_token: token.to_owned() };
    let answer = service.passkeys().start_web_authn_registration(request).await?.into_inner();
    Ok(answer.credential_creation_options.unwrap())
}

async fn complete(service: &TestService, token: &str, credential: Struct) -> Result<(), Status> {
    let (access_token, credential) = (token.to_owned(), Some(credential));
    let request = CompleteWebAuthnRegistrationRequest { access_token, credential };
    service.passkeys().complete_web_authn_registration(request).await.map(drop)
}

async fn list(service: &TestService, token: &str) -> Result<Vec<WebAuthnCredential>, Status> {
    let request = ListWebAuthnCredentialsRequest { access_token: token.to_owned(), ..Default::default() };
    Ok(page(service, request).await?.credentials)
}

async fn page(
    service: &TestService,
    request: ListWebAuthnCredentialsRequest,
) -> Result<ListWebAuthnCredentialsResponse, Status> {
    service.passkeys().list_web_authn_credentials(request).await.map(Response::into_inner)
}

async fn delete(service: &TestService, token: &str, id: &str) -> Result<(), Status> {
    let (access_token, credential_id) = (token.to_owned(), id.to_owned());
    let request = DeleteWebAuthnCredentialRequest { access_token, credential_id };
    service.passkeys().delete_web_authn_credential(request).await.map(drop)
}

async fn register(service: &TestService, token: &str, authenticator: Authenticator) -> Result<(), Status> {
    let options = start(service, token).await.unwrap();
    complete(service, token, authenticator.register(&options)).await
}

/// The id of the user's only passkey, once it is registered.
pub(crate) async fn registered(service: &TestService, token: &str) -> String {
    register(service, token, Authenticator::new(b"read-back")).await.unwrap();
    list(service, token).await.unwrap().remove(0).credential_id
}
