//! This file answers the RPCs of `SoftwareTokenService`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tonic::{Request, Response, Status};

use crate::api::Rpc;
use crate::api::v1::software_token_service_server::SoftwareTokenService;
use crate::api::v1::{
    AdminDeleteSoftwareTokenRequest, AdminDeleteSoftwareTokenResponse, AssociateSoftwareTokenRequest,
    AssociateSoftwareTokenResponse, AuthFactor, ErrorReason, VerifySoftwareTokenRequest, VerifySoftwareTokenResponse,
    VerifySoftwareTokenStatus, associate_software_token_request, verify_software_token_request,
};
use crate::cognito::PoolClient;
use crate::domain::text::{AccessToken, KeyUriLabel};
use crate::domain::{Effect, Intent, Operation};
use crate::error::Error;
use crate::request::Check;
use crate::request::credential::{UserCredential, WireCredential};
use crate::service::{Facade, call_of, effect};

#[tonic::async_trait]
impl SoftwareTokenService for Facade {
    async fn associate_software_token(
        &self,
        request: Request<AssociateSoftwareTokenRequest>,
    ) -> Result<Response<AssociateSoftwareTokenResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let credential = WireCredential::from(request.credential);
        // A second enrolment may stop a working software token.
        let effect = Effect { weakens_mfa: request.allow_reenrolment, ..effect::of_enrolment(&credential) };
        let pool = credential.user_pool_id(&request.user_pool_id);
        let intent = Intent::new(Rpc::AssociateSoftwareToken, &pool, None, effect);
        let decision = self.gate.authorize(&call, intent).await?;

        let mut check = Check::default();
        let acting = credential.parse(&mut check, decision, &request.user_pool_id);
        let issuer = check.optional("issuer", request.issuer);
        let account_name = check.optional("account_name", request.account_name);
        let (permit, credential) = check.finish(acting)?;

        let cognito = self.cognito.on(permit, call.deadline);
        let username = match &credential {
            UserCredential::AccessToken(token) => {
                Some(present_user(&cognito, token, request.allow_reenrolment, account_name.is_none()).await?)
            }
            UserCredential::Session(_) => None,
        };
        let secret = cognito.associate_software_token(&credential).await?;

        let pool = cognito.user_pool_id();
        let issuer = issuer.as_ref().map_or(pool, KeyUriLabel::as_str);
        let account_name = account_name.as_ref().map(KeyUriLabel::as_str);
        // A colon parts issuer and account name, which a username may hold.
        let username = username.flatten().map(|username| username.replace(':', "_"));
        let account_name = account_name.or(username.as_deref()).unwrap_or(pool);
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
        let call = call_of(&request);
        let request = request.into_inner();
        let credential = WireCredential::from(request.credential);
        let pool = credential.user_pool_id(&request.user_pool_id);
        let intent = Intent::new(Rpc::VerifySoftwareToken, &pool, None, effect::of_enrolment(&credential));
        let decision = self.gate.authorize(&call, intent).await?;

        let mut check = Check::default();
        let acting = credential.parse(&mut check, decision, &request.user_pool_id);
        let code = check.required("user_code", request.user_code);
        let device = check.optional("friendly_device_name", request.friendly_device_name);
        let ((permit, credential), code) = check.finish(acting.zip(code))?;

        let cognito = self.cognito.on(permit, call.deadline);
        let session = cognito.verify_software_token(&credential, &code, device.as_ref()).await?;
        let status = VerifySoftwareTokenStatus::Success.into();
        Ok(Response::new(VerifySoftwareTokenResponse { status, session }))
    }

    async fn admin_delete_software_token(
        &self,
        request: Request<AdminDeleteSoftwareTokenRequest>,
    ) -> Result<Response<AdminDeleteSoftwareTokenResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let intent = Intent::new(
            Rpc::AdminDeleteSoftwareToken,
            &request.user_pool_id,
            Some(&request.username),
            effect::of_token_deletion(),
        );
        let decision = self.gate.authorize(&call, intent).await?;

        let mut check = Check::default();
        let named = check.named_user(decision, request.username);
        let (permit, username) = check.finish(named)?;

        self.cognito.on(permit, call.deadline).admin_delete_software_token(&username).await?;
        Ok(Response::new(AdminDeleteSoftwareTokenResponse {}))
    }
}

impl From<Option<associate_software_token_request::Credential>> for WireCredential {
    fn from(credential: Option<associate_software_token_request::Credential>) -> Self {
        use associate_software_token_request::Credential;
        match credential {
            None => Self::Absent,
            Some(Credential::AccessToken(token)) => Self::AccessToken(token),
            Some(Credential::Session(session)) => Self::Session(session),
        }
    }
}

impl From<Option<verify_software_token_request::Credential>> for WireCredential {
    fn from(credential: Option<verify_software_token_request::Credential>) -> Self {
        use verify_software_token_request::Credential;
        match credential {
            None => Self::Absent,
            Some(Credential::AccessToken(token)) => Self::AccessToken(token),
            Some(Credential::Session(session)) => Self::Session(session),
        }
    }
}

/// The username, where it is wanted, of a user whose software token may be replaced: one without any, unless the caller
/// knows better. A verified token need not be enabled, so both lists are looked at.
async fn present_user(
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
    if configured || user.user_mfa_setting_list.iter().any(|factor| factor == "SOFTWARE_TOKEN_MFA") {
        return Err(Error::new(ErrorReason::TotpAlreadyEnrolled).of(Operation::GetUserAuthFactors));
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
