//! This file calls the operations on a user's software token.

use aws_sdk_cognitoidentityprovider::types::VerifySoftwareTokenResponseType;

use crate::api::v1::ErrorReason;
use crate::cognito::pool_client::PoolClient;
use crate::cognito::send::{owned, require, texts};
use crate::domain::Operation;
use crate::domain::text::{FreeText, UserCode, Username};
use crate::error::Error;
use crate::request::credential::UserCredential;

/// What `AssociateSoftwareToken` answers.
pub struct NewSecret {
    /// The secret in base32.
    pub secret_code: String,
    /// The session that goes on, in session mode.
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
        let answer = self
            .send(operation, texts([credential.as_str()]), |client, config| {
                let call = client.associate_software_token();
                let call = match credential {
                    UserCredential::AccessToken(token) => call.access_token(token.as_str()),
                    UserCredential::Session(session) => call.session(session.as_str()),
                };
                call.customize().config_override(config).send()
            })
            .await
            .map_err(|error| about(credential, error))?;
        let secret_code = answer.secret_code.unwrap_or_default();
        require(operation, "secret code", !secret_code.is_empty())?;
        Ok(NewSecret { secret_code, session: answer.session })
    }

    /// `VerifySoftwareToken`: the session that goes on, in session mode. An answer other than SUCCESS is an error.
    pub async fn verify_software_token(
        &self,
        credential: &UserCredential,
        code: &UserCode,
        device: Option<&FreeText>,
    ) -> Result<Option<String>, Error> {
        let operation = Operation::VerifySoftwareToken;
        let mut request = texts([credential.as_str(), code.as_str()]);
        request.extend(owned(device));
        let answer = self
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
            .map_err(|error| about(credential, error))?;
        match answer.status() {
            Some(VerifySoftwareTokenResponseType::Success) => Ok(answer.session),
            status => Err(Error::new(ErrorReason::TotpNotVerified)
                .operation(operation)
                .metadata("aws_request_id", aws_request_id(&answer))
                .cause(format!("answered with status {}", status.map_or("none", |status| status.as_str())))),
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

/// An error with what was sent in mind: Cognito's one code for refused tokens and sessions does not tell them apart.
fn about(credential: &UserCredential, error: Error) -> Error {
    match credential {
        UserCredential::AccessToken(_) => error,
        UserCredential::Session(_) => error.in_session(),
    }
}

fn aws_request_id(answer: &impl aws_sdk_cognitoidentityprovider::operation::RequestId) -> Option<String> {
    answer.request_id().map(str::to_owned)
}
