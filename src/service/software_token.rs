//! The handlers of `SoftwareTokenService`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tonic::{Request, Response, Status};

use crate::api::v1::software_token_service_server::SoftwareTokenService;
use crate::api::v1::{
    AdminDeleteSoftwareTokenRequest, AdminDeleteSoftwareTokenResponse, AssociateSoftwareTokenRequest,
    AssociateSoftwareTokenResponse, AuthFactor, ErrorReason, MfaFactor, VerifySoftwareTokenRequest,
    VerifySoftwareTokenResponse, VerifySoftwareTokenStatus,
};
use crate::cognito::PoolClient;
use crate::domain::Operation;
use crate::domain::text::{AccessToken, KeyUriLabel};
use crate::error::Error;
use crate::request::credential::{UserCredential, WireCredential};
use crate::service::Facade;

#[tonic::async_trait]
impl SoftwareTokenService for Facade {
    async fn associate_software_token(
        &self,
        request: Request<AssociateSoftwareTokenRequest>,
    ) -> Result<Response<AssociateSoftwareTokenResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let credential = WireCredential::from(request.credential).parse(call.violations(), &request.user_pool_id);
        let issuer = call.optional("issuer", request.issuer);
        let account_name = call.optional("account_name", request.account_name);
        let (pool, credential) = call.open(&self.cognito, credential)?;

        let username = match &credential {
            UserCredential::AccessToken(token) => {
                check_reenrollment(&pool, token, request.allow_reenrolment, account_name.is_none()).await?
            }
            UserCredential::Session(_) => None,
        };
        let secret = pool.associate_software_token(&credential).await?;

        let pool_id = pool.user_pool_id();
        let issuer = issuer.as_ref().map_or(pool_id, KeyUriLabel::as_str);
        let account_name = account_name.as_ref().map(KeyUriLabel::as_str);
        // A colon separates issuer and account name, and a username may hold one.
        let username = username.map(|username| username.replace(':', "_"));
        let account_name = account_name.or(username.as_deref()).unwrap_or(pool_id);
        Ok(Response::new(AssociateSoftwareTokenResponse {
            otpauth_uri: otpauth_uri(issuer, account_name, &secret.secret_code),
            secret_code: secret.secret_code,
            session: secret.session,
        }))
    }

    async fn verify_software_token(
        &self,
        request: Request<VerifySoftwareTokenRequest>,
    ) -> Result<Response<VerifySoftwareTokenResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let credential = WireCredential::from(request.credential).parse(call.violations(), &request.user_pool_id);
        let code = call.required("user_code", request.user_code);
        let device = call.optional("friendly_device_name", request.friendly_device_name);
        let (pool, (credential, code)) = call.open(&self.cognito, credential.zip(code))?;
        let session = pool.verify_software_token(&credential, &code, device.as_ref()).await?;
        let status = VerifySoftwareTokenStatus::Success.into();
        Ok(Response::new(VerifySoftwareTokenResponse { status, session }))
    }

    async fn admin_delete_software_token(
        &self,
        request: Request<AdminDeleteSoftwareTokenRequest>,
    ) -> Result<Response<AdminDeleteSoftwareTokenResponse>, Status> {
        let (request, mut call) = self.authorize(request).await?;
        let username = call.required("username", request.username);
        let (pool, username) = call.open(&self.cognito, username)?;
        pool.admin_delete_software_token(&username).await?;
        Ok(Response::new(AdminDeleteSoftwareTokenResponse {}))
    }
}

/// Checks that the user has no software token that a new enrolment could stop, unless the caller allows it. Returns the
/// username where it was read or is wanted. A verified token need not be enabled, so both lists are checked.
async fn check_reenrollment(
    cognito: &PoolClient,
    token: &AccessToken,
    allow_reenrolment: bool,
    wants_name: bool,
) -> Result<Option<String>, Error> {
    if allow_reenrolment {
        return if wants_name { Ok(Some(cognito.get_user(token).await?.username)) } else { Ok(None) };
    }
    let user = cognito.get_user_auth_factors(token).await?;
    let configured = user.configured_user_auth_factors().any(|factor| factor == AuthFactor::SoftwareToken);
    if configured || user.user_mfa_setting_list().any(|factor| factor == MfaFactor::SoftwareToken) {
        return Err(Error::new(ErrorReason::TotpAlreadyEnrolled).operation(Operation::GetUserAuthFactors));
    }
    Ok(Some(user.username))
}

/// What need not be encoded in a URI (RFC 3986). Authenticator apps do not take `+` for a space.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The key URI that authenticator apps read; SHA-1, 6 digits and 30 seconds are its defaults and Cognito's only choice.
fn otpauth_uri(issuer: &str, account_name: &str, secret: &str) -> String {
    let encoded = |text| utf8_percent_encode(text, ENCODED);
    let (issuer, account_name) = (encoded(issuer), encoded(account_name));
    format!("otpauth://totp/{issuer}:{account_name}?secret={}&issuer={issuer}", encoded(secret))
}
