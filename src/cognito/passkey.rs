//! The operations on a signed-in user's passkeys.

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::operation::delete_web_authn_credential::DeleteWebAuthnCredentialOutput;
use aws_sdk_cognitoidentityprovider::operation::start_web_authn_registration::StartWebAuthnRegistrationOutput;
use aws_smithy_types::Document;
use prost_types::Struct;

use crate::api::v1;
use crate::cognito::pool_client::PoolClient;
use crate::cognito::send::{Sent, owned, require, texts};
use crate::cognito::{convert, document};
use crate::domain::Operation;
use crate::domain::text::{AccessToken, CredentialId, NextToken};
use crate::error::Error;
use crate::request::passkey::Credential;

impl PoolClient {
    /// `StartWebAuthnRegistration`: the options for the browser.
    pub async fn start_web_authn_registration(&self, token: &AccessToken) -> Result<Struct, Error> {
        let operation = Operation::StartWebAuthnRegistration;
        let call = |client: &Client, config| {
            client
                .start_web_authn_registration()
                .access_token(token.as_str())
                .customize()
                .config_override(config)
                .send()
        };
        let check = move |response: &StartWebAuthnRegistrationOutput| {
            let options = response.credential_creation_options().as_object();
            require(operation, "options", options.is_some_and(|options| !options.is_empty()))
        };
        let response = self.send_checked(operation, texts([token.as_str()]), call, check).await?;
        Ok(document::to_struct(response.credential_creation_options).unwrap_or_default())
    }

    /// `CompleteWebAuthnRegistration`.
    pub async fn complete_web_authn_registration(
        &self,
        token: &AccessToken,
        credential: Credential,
    ) -> Result<(), Error> {
        let operation = Operation::CompleteWebAuthnRegistration;
        let credential = document::to_document(credential.into_struct());
        let mut request = texts([token.as_str()]);
        collect_texts(&credential, &mut request);
        self.send(operation, request, |client, config| {
            let call = client.complete_web_authn_registration().access_token(token.as_str()).credential(credential);
            call.customize().config_override(config).send()
        })
        .await?;
        Ok(())
    }

    /// `ListWebAuthnCredentials`.
    pub async fn list_web_authn_credentials(
        &self,
        token: &AccessToken,
        next_token: Option<&NextToken>,
        max_results: Option<i32>,
    ) -> Result<v1::ListWebAuthnCredentialsResponse, Error> {
        let mut request = Sent { page_size: max_results, ..texts([token.as_str()]).into() };
        request.texts.extend(owned(next_token));
        let response = self
            .send(Operation::ListWebAuthnCredentials, request, |client, config| {
                client
                    .list_web_authn_credentials()
                    .access_token(token.as_str())
                    .set_next_token(owned(next_token))
                    .set_max_results(max_results)
                    .customize()
                    .config_override(config)
                    .send()
            })
            .await?;
        Ok(convert::web_authn_credentials(response))
    }

    /// `DeleteWebAuthnCredential`.
    pub async fn delete_web_authn_credential(&self, token: &AccessToken, id: &CredentialId) -> Result<(), Error> {
        let operation = Operation::DeleteWebAuthnCredential;
        let call = |client: &Client, config| {
            let call = client.delete_web_authn_credential().access_token(token.as_str()).credential_id(id.as_str());
            call.customize().config_override(config).send()
        };
        let (owner, deleted) = (token.clone(), id.clone());
        let read_back = async move |client: Self| {
            let left = client.list_web_authn_credentials(&owner, None, None).await?;
            let is_gone = left.credentials.iter().all(|credential| credential.credential_id != deleted.as_str());
            // A user has 20 at most, and a page as many.
            Ok((is_gone && left.next_token.is_none()).then(|| DeleteWebAuthnCredentialOutput::builder().build()))
        };
        let request = texts([token.as_str(), id.as_str()]);
        self.send_and_read_back(operation, request, call, read_back).await?;
        Ok(())
    }
}

fn collect_texts(document: &Document, texts: &mut Vec<String>) {
    match document {
        Document::String(text) => texts.push(text.clone()),
        Document::Array(values) => values.iter().for_each(|value| collect_texts(value, texts)),
        Document::Object(fields) => fields.values().for_each(|value| collect_texts(value, texts)),
        Document::Null | Document::Bool(_) | Document::Number(_) => {}
    }
}
