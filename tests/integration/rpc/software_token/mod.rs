//! Enrolling and removing a software token.

mod code;
mod enrolment;
mod key_uri;
mod removal;
mod session;

use data_encoding::BASE32_NOPAD;
use mfagate::api::v1::{
    AdminDeleteSoftwareTokenRequest, AdminGetUserAuthFactorsRequest, AssociateSoftwareTokenRequest,
    AssociateSoftwareTokenResponse, AuthFactor, VerifySoftwareTokenRequest, VerifySoftwareTokenResponse,
    associate_software_token_request, verify_software_token_request,
};
use serde_json::json;
use tonic::{Response, Status};
use url::Url;

use crate::support::test_cognito::{NEW_USER, POOL};
use crate::support::test_service::TestService;

fn by_token(token: &str) -> AssociateSoftwareTokenRequest {
    let credential = associate_software_token_request::Credential::AccessToken(token.to_owned());
    AssociateSoftwareTokenRequest { credential: Some(credential), ..Default::default() }
}

fn by_session(session: &str) -> AssociateSoftwareTokenRequest {
    let credential = associate_software_token_request::Credential::Session(session.to_owned());
    AssociateSoftwareTokenRequest { credential: Some(credential), user_pool_id: POOL.to_owned(), ..Default::default() }
}

fn code_by_token(token: &str, code: &str) -> VerifySoftwareTokenRequest {
    let credential = verify_software_token_request::Credential::AccessToken(token.to_owned());
    VerifySoftwareTokenRequest { credential: Some(credential), user_code: code.to_owned(), ..Default::default() }
}

fn code_by_session(session: &str, code: &str) -> VerifySoftwareTokenRequest {
    let credential = verify_software_token_request::Credential::Session(session.to_owned());
    VerifySoftwareTokenRequest {
        credential: Some(credential),
        user_pool_id: POOL.to_owned(),
        user_code: code.to_owned(),
        ..Default::default()
    }
}

async fn associate(
    service: &TestService,
    request: AssociateSoftwareTokenRequest,
) -> Result<AssociateSoftwareTokenResponse, Status> {
    service.software_tokens().associate_software_token(request).await.map(Response::into_inner)
}

async fn verify(
    service: &TestService,
    request: VerifySoftwareTokenRequest,
) -> Result<VerifySoftwareTokenResponse, Status> {
    service.software_tokens().verify_software_token(request).await.map(Response::into_inner)
}

async fn delete(service: &TestService, username: &str) -> Result<(), Status> {
    let request = AdminDeleteSoftwareTokenRequest { user_pool_id: POOL.to_owned(), username: username.to_owned() };
    service.software_tokens().admin_delete_software_token(request).await.map(drop)
}

/// Whether the user has a verified software token, read back.
async fn is_enrolled(service: &TestService, username: &str) -> bool {
    let request = AdminGetUserAuthFactorsRequest { user_pool_id: POOL.to_owned(), username: username.to_owned() };
    let read = service.preferences().admin_get_user_auth_factors(request).await.unwrap().into_inner();
    read.configured_user_auth_factors.contains(&AuthFactor::SoftwareToken.into())
}

/// The session of an `MFA_SETUP` challenge for the user without factors.
async fn setup_session(service: &TestService) -> String {
    let config = json!({
        "UserPoolId": POOL,
        "MfaConfiguration": "ON",
        "SmsMfaConfiguration": {},
        "SoftwareTokenMfaConfiguration": { "Enabled": true },
    });
    service.cognito.perform("SetUserPoolMfaConfig", config).await;
    let challenge = service.cognito.sign_in(NEW_USER).await;
    assert_eq!(challenge["ChallengeName"], "MFA_SETUP", "{challenge}");
    challenge["Session"].as_str().unwrap().to_owned()
}

/// The label and the parameters of a key URI.
fn parts(uri: &str) -> (String, Vec<(String, String)>) {
    let uri = Url::parse(uri).unwrap();
    assert_eq!((uri.scheme(), uri.host_str()), ("otpauth", Some("totp")));
    let label = percent_encoding::percent_decode_str(uri.path()).decode_utf8().unwrap().into_owned();
    (label, uri.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
}

/// The code that an app shows now which read `secret` from the URI.
fn code_of(uri: &str) -> String {
    let (_, parameters) = parts(uri);
    let (_, secret) = parameters.iter().find(|(name, _)| name == "secret").unwrap();
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    totp_rs::Builder::new().with_secret(secret).build().unwrap().generate_current().to_string()
}
