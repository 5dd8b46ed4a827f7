//! The operations on a user's software token.

use aws_sdk_cognitoidentityprovider::types::VerifySoftwareTokenResponseType;

use crate::api::v1::ErrorReason;
use crate::cognito::pool_client::PoolClient;
use crate::cognito::send::{owned, texts};
use crate::domain::Operation;
use crate::domain::text::{FreeText, UserCode, Username};
use crate::error::Error;
use crate::request::credential::UserCredential;

/// The response of `AssociateSoftwareToken`.
pub struct NewSecret {
    /// The secret in base32.
    pub secret_code: String,
    /// The session to continue with, in session mode.
    pub session: Option<String>,
}

impl std::fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewSecret([redacted])")
    }
}

impl PoolClient {
    /// `AssociateSoftwareToken`.
    pub async fn associate_software_token(&self, credential: &UserCredential) -> Result<NewSecret, Error> {
        let operation = Operation::AssociateSoftwareToken;
        let response = self
            .send(operation, texts([credential.as_str()]), |client, config| {
                let call = client.associate_software_token();
                let call = match credential {
                    UserCredential::AccessToken(token) => call.access_token(token.as_str()),
                    UserCredential::Session(session) => call.session(session.as_str()),
                };
                call.customize().config_override(config).send()
            })
            .await
            .map_err(|error| in_context(credential, error))?;
        let secret_code = response.secret_code.unwrap_or_default();
        self.require(operation, "secret code", !secret_code.is_empty())?;
        Ok(NewSecret { secret_code, session: response.session })
    }

    /// `VerifySoftwareToken`: the session to continue with, in session mode. A status other than SUCCESS is an error.
    pub async fn verify_software_token(
        &self,
        credential: &UserCredential,
        code: &UserCode,
        device: Option<&FreeText>,
    ) -> Result<Option<String>, Error> {
        let operation = Operation::VerifySoftwareToken;
        let mut request = texts([credential.as_str(), code.as_str()]);
        request.extend(owned(device));
        let response = self
            .send(operation, request, |client, config| {
                let call = client.verify_software_token();
                let call = match credential {
                    UserCredential::AccessToken(token) => call.access_token(token.as_str()),
                    UserCredential::Session(session) => call.session(session.as_str()),
                };
                let call = call.user_code(code.as_str()).set_friendly_device_name(owned(device));
                call.customize().config_override(config).send()
            })
            .await
            .map_err(|error| in_context(credential, error))?;
        match response.status() {
            Some(VerifySoftwareTokenResponseType::Success) => Ok(response.session),
            status => Err(self
                .error(ErrorReason::TotpNotVerified, operation)
                .metadata("aws_request_id", aws_request_id(&response))
                .cause(format!("returned status {}", status.map_or("none", |status| status.as_str())))),
        }
    }

    /// `AdminDeleteSoftwareToken`.
    pub async fn admin_delete_software_token(&self, username: &Username) -> Result<(), Error> {
        let operation = Operation::AdminDeleteSoftwareToken;
        self.send(operation, texts([username.as_str()]), |client, config| {
            let call = client.admin_delete_software_token();
            let call = call.user_pool_id(self.user_pool_id()).username(username.as_str());
            call.customize().config_override(config).send()
        })
        .await?;
        Ok(())
    }
}

/// The error after what was sent: Cognito has one code for rejected tokens and sessions.
fn in_context(credential: &UserCredential, error: Error) -> Error {
    match credential {
        UserCredential::AccessToken(_) => error,
        UserCredential::Session(_) => error.in_session(),
    }
}

fn aws_request_id(response: &impl aws_sdk_cognitoidentityprovider::operation::RequestId) -> Option<String> {
    response.request_id().map(str::to_owned)
}
