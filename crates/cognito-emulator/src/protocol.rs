//! Cognito's protocol: targets, signatures, responses, errors, timestamps.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// The prefix of every target.
pub(crate) const TARGET_PREFIX: &str = "AWSCognitoIdentityProviderService.";

/// HTTP clients refuse long headers, and a violation quotes a value of any length.
const MAX_HEADER_BYTES: usize = 1024;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// An error of Cognito.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exception's name, as in `__type`.
    pub code: Cow<'static, str>,
    /// The text, absent where AWS sends none.
    pub message: Option<String>,
    /// The HTTP status.
    pub status: u16,
}

impl Failure {
    /// An error of the caller: HTTP 400.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: Some(message.into()), status: 400 }
    }

    pub(crate) fn silent(code: &'static str) -> Self {
        Self { code: Cow::Borrowed(code), message: None, status: 400 }
    }

    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    pub(crate) fn not_authorized(message: impl Into<String>) -> Self {
        Self::new("NotAuthorizedException", message)
    }

    pub(crate) fn resource_not_found(message: impl Into<String>) -> Self {
        Self::new("ResourceNotFoundException", message)
    }

    pub(crate) fn user_not_found() -> Self {
        Self::new("UserNotFoundException", "User does not exist.")
    }

    /// An error of the emulator itself. The cause is logged, not returned.
    pub(crate) fn internal(cause: &str) -> Self {
        tracing::error!(cause, "internal error");
        Self {
            code: Cow::Borrowed("InternalErrorException"),
            message: Some("Something went wrong".to_owned()),
            status: 500,
        }
    }

    /// The response of this error.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut body = json!({ "__type": self.code });
        if let (Some(message), Some(members)) = (&self.message, body.as_object_mut()) {
            members.insert("message".to_owned(), Value::from(message.as_str()));
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = response(status, &body);
        let headers = response.headers_mut();
        if let Ok(code) = HeaderValue::from_str(&format!("{}:", self.code)) {
            headers.insert("x-amzn-errortype", code);
        }
        // A long text, or one that no header can carry, is in the body only.
        let short = self.message.filter(|message| message.len() <= MAX_HEADER_BYTES);
        if let Some(Ok(message)) = short.map(|message| HeaderValue::from_str(&message)) {
            headers.insert("x-amzn-errormessage", message);
        }
        response
    }
}

/// A response with this JSON; the caller adds the request id.
pub(crate) fn response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

/// The response of an operation.
pub(crate) fn operation_response(outcome: Result<Value, Failure>) -> Response<Body> {
    match outcome {
        Ok(body) => response(StatusCode::OK, &body),
        Err(failure) => failure.into_response(),
    }
}

/// A response outside Cognito's own protocol.
pub(crate) fn plain_response(outcome: Result<Value, Failure>) -> Response<Body> {
    let mut response = operation_response(outcome);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A time as JSON 1.1 has it: seconds since the epoch, with milliseconds.
pub(crate) fn timestamp(at: Duration) -> f64 {
    (at.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The operation's name in the `X-Amz-Target` header.
pub(crate) fn operation_name(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(TARGET_PREFIX)
}

/// The region of a `SigV4` credential scope.
///
/// Only the form of the signature is checked: the emulator knows no credentials.
pub(crate) fn signed_region(headers: &HeaderMap) -> Result<String, Failure> {
    let Some(authorization) = headers.get(header::AUTHORIZATION) else {
        return Err(Failure::new("MissingAuthenticationTokenException", "Missing Authentication Token"));
    };
    let incomplete =
        |what: &str| Failure::new("IncompleteSignatureException", format!("Authorization header requires {what}."));
    let authorization = authorization.to_str().map_err(|_| incomplete("visible ASCII"))?;
    let fields = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or_else(|| incomplete("the algorithm 'AWS4-HMAC-SHA256'"))?;
    let field = |name: &str| {
        fields
            .split(',')
            .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
            .filter(|value| !value.is_empty())
    };
    for name in ["Signature", "SignedHeaders"] {
        field(name).ok_or_else(|| incomplete(&format!("'{name}' parameter")))?;
    }
    let credential = field("Credential").ok_or_else(|| incomplete("'Credential' parameter"))?;
    let mut scope = credential.split('/').skip(1);
    match (scope.next(), scope.next(), scope.next(), scope.next(), scope.next()) {
        (Some(_date), Some(region), Some("cognito-idp"), Some("aws4_request"), None) if !region.is_empty() => {
            Ok(region.to_owned())
        }
        (Some(_), Some(_), Some(_), Some("aws4_request"), None) => Err(Failure::new(
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'cognito-idp'.",
        )),
        _ => Err(incomplete("a credential scope of date, region, service and 'aws4_request'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(authorization: &'static str) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static(authorization));
        signed_region(&headers).map_err(|failure| failure.code.into_owned())
    }

    #[test]
    fn the_region_is_read_from_the_credential_scope() {
        let signed = "AWS4-HMAC-SHA256 Credential=AKID/20261121/eu-west-1/cognito-idp/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=abc";
        assert_eq!(region(signed), Ok("eu-west-1".to_owned()));
    }

    #[test]
    fn a_signature_of_another_form_or_service_is_refused() {
        assert_eq!(region("Bearer abc"), Err("IncompleteSignatureException".to_owned()));
        assert_eq!(
            region("AWS4-HMAC-SHA256 Credential=A/1/r/sns/aws4_request, SignedHeaders=h, Signature=s"),
            Err("InvalidSignatureException".to_owned())
        );
        assert_eq!(
            region("AWS4-HMAC-SHA256 Credential=A/1/r/cognito-idp/aws4_request, SignedHeaders=h"),
            Err("IncompleteSignatureException".to_owned())
        );
        assert_eq!(signed_region(&HeaderMap::new()).unwrap_err().code, "MissingAuthenticationTokenException");
    }
}
