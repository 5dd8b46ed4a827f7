//! The operations on a user's software token.

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::operation::associate_software_token::AssociateSoftwareTokenOutput;
use aws_sdk_cognitoidentityprovider::operation::verify_software_token::VerifySoftwareTokenOutput;
use aws_sdk_cognitoidentityprovider::types::VerifySoftwareTokenResponseType;

use crate::api::v1::ErrorReason;
use crate::cognito::masking;
use crate::cognito::pool_client::PoolClient;
use crate::cognito::send::{Sent, owned, require, texts};
use crate::domain::text::{FreeText, UserCode, Username};
use crate::domain::{AwsRequestId, Operation};
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
        let request = with(credential, texts([credential.as_str()]));
        let call = |client: &Client, config| {
            let call = client.associate_software_token();
            let call = match credential {
                UserCredential::AccessToken(token) => call.access_token(token.as_str()),
                UserCredential::Session(session) => call.session(session.as_str()),
            };
            call.customize().config_override(config).send()
        };
        let check = move |response: &AssociateSoftwareTokenOutput| {
            require(operation, "secret code", response.secret_code().is_some_and(|code| !code.is_empty()))
        };
        let response = self.send_checked(operation, request, call, check).await?;
        Ok(NewSecret { secret_code: response.secret_code.unwrap_or_default(), session: response.session })
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
        let call = |client: &Client, config| {
            let call = client.verify_software_token();
            let call = match credential {
                UserCredential::AccessToken(token) => call.access_token(token.as_str()),
                UserCredential::Session(session) => call.session(session.as_str()),
            };
            let call = call.user_code(code.as_str()).set_friendly_device_name(owned(device));
            call.customize().config_override(config).send()
        };
        let check = move |response: &VerifySoftwareTokenOutput| match response.status() {
            Some(VerifySoftwareTokenResponseType::Success) => Ok(()),
            status => Err(Error::new(ErrorReason::TotpNotVerified)
                .operation(operation)
                .metadata("aws_request_id", aws_request_id(response))
                .cause(status.map_or_else(|| "returned no status".to_owned(), returned_status))),
        };
        Ok(self.send_checked(operation, with(credential, request), call, check).await?.session)
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

/// A status that is not the SDK's could be any text.
fn returned_status(status: &VerifySoftwareTokenResponseType) -> String {
    format!("returned status {}", masking::without_request(status.as_str(), &[]))
}

/// A request with this credential and these texts.
fn with(credential: &UserCredential, texts: Vec<String>) -> Sent {
    Sent { texts, in_session: matches!(credential, UserCredential::Session(_)), ..Sent::default() }
}

fn aws_request_id(response: &impl aws_sdk_cognitoidentityprovider::operation::RequestId) -> Option<String> {
    response.request_id().and_then(AwsRequestId::parse).map(|id| id.as_str().to_owned())
}
