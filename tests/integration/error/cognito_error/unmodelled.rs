//! The error codes outside Cognito's model: throttling, rejected requests, and codes that nobody knows.

use mfagate::api::Rpc;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{check, row};
use crate::support::rpc_call::call;
use crate::support::test_service::TestService;

use Code::{Internal, InvalidArgument, ResourceExhausted, Unavailable, Unimplemented, Unknown};
use Rpc::{
    AdminDeleteSoftwareToken, AdminGetUser, AdminSetUserMfaPreference, AdminSetUserSettings, AssociateSoftwareToken,
    CompleteWebAuthnRegistration, GetUser, SetUserMfaPreference, SetUserPoolMfaConfig, SetUserSettings,
    VerifySoftwareToken,
};

#[tokio::test]
async fn throttling_is_recognised_by_its_code_if_the_model_lacks_it() {
    let throttled = |rpc, code, http| {
        row(rpc, code).http(http).is(ResourceExhausted, "RATE_LIMITED", "AWS").with("RetryInfo").retryable()
    };
    check(&[
        throttled(SetUserSettings, "TooManyRequestsException", 400),
        throttled(AdminSetUserSettings, "TooManyRequestsException", 400),
        throttled(SetUserMfaPreference, "TooManyRequestsException", 400),
        throttled(AdminSetUserMfaPreference, "TooManyRequestsException", 400),
        throttled(AssociateSoftwareToken, "TooManyRequestsException", 400),
        throttled(AdminGetUser, "ThrottlingException", 400),
        throttled(AdminGetUser, "Throttling", 400),
        throttled(AdminGetUser, "RequestLimitExceeded", 503),
        throttled(AssociateSoftwareToken, "RequestThrottled", 400),
        throttled(AssociateSoftwareToken, "RequestThrottledException", 429),
        throttled(VerifySoftwareToken, "SlowDown", 503),
        throttled(CompleteWebAuthnRegistration, "BandwidthLimitExceeded", 503),
    ])
    .await;
}

#[tokio::test]
async fn mfagates_own_failures_are_internal_and_never_blamed_on_the_caller() {
    let credentials =
        |code, http| row(AdminGetUser, code).http(http).is(Internal, "MFAGATE_CREDENTIALS_REJECTED", "MFAGATE");
    let clock = |code, http| row(AdminGetUser, code).http(http).is(Internal, "MFAGATE_CLOCK_SKEWED", "MFAGATE");
    let denied =
        |rpc, http| row(rpc, "AccessDeniedException").http(http).is(Internal, "MFAGATE_ACCESS_DENIED", "MFAGATE");
    let account = |code, http| row(AdminGetUser, code).http(http).is(Internal, "MFAGATE_ACCOUNT_REFUSED", "MFAGATE");
    let rejected = |code, http| row(AdminGetUser, code).http(http).is(Internal, "MFAGATE_REQUEST_REJECTED", "MFAGATE");
    check(&[
        credentials("UnrecognizedClientException", 400),
        credentials("UnrecognizedClientException", 403),
        credentials("InvalidClientTokenId", 403),
        credentials("ExpiredTokenException", 403),
        credentials("ExpiredToken", 403),
        credentials("InvalidSignatureException", 400),
        credentials("InvalidSignatureException", 403),
        credentials("SignatureDoesNotMatch", 403),
        credentials("IncompleteSignature", 400),
        credentials("MissingAuthenticationToken", 403),
        denied(AdminGetUser, 400),
        denied(SetUserPoolMfaConfig, 403),
        // A resource control policy refuses the anonymous caller of a token operation in these words.
        denied(GetUser, 400).saying("User: anonymous is not authorized to perform: cognito-idp:GetUser"),
        clock("RequestTimeTooSkewed", 403),
        clock("InvalidSignatureException", 400).saying(
            "Signature expired: 20261126T101010Z is now earlier than 20261126T101510Z (20261126T102010Z - 5 min.)",
        ),
        clock("InvalidSignatureException", 403)
            .saying("Signature not yet current: 20261126T101510Z is still later than 20261126T101010Z"),
        clock("SignatureDoesNotMatch", 403).saying("Signature expired: 20261126T101010Z"),
        clock("RequestExpired", 400),
        clock("RequestInTheFuture", 400),
        account("OptInRequired", 403),
        account("NotAuthorized", 400),
        rejected("SerializationException", 400),
        rejected("MalformedHttpRequestException", 400),
        rejected("RequestEntityTooLargeException", 413),
    ])
    .await;
}

#[tokio::test]
async fn other_codes_outside_the_model_map_as_documented() {
    let unavailable = |rpc, code, http| row(rpc, code).http(http).is(Unavailable, "COGNITO_UNAVAILABLE", "AWS");
    let internal = |rpc, code| row(rpc, code).http(500).is(Internal, "COGNITO_INTERNAL_ERROR", "AWS");
    let missing =
        |code, http| row(AdminGetUser, code).http(http).is(Unimplemented, "COGNITO_OPERATION_UNKNOWN", "MFAGATE");
    check(&[
        unavailable(AdminGetUser, "ServiceUnavailable", 503).retryable(),
        unavailable(SetUserPoolMfaConfig, "ServiceUnavailableException", 503).retryable(),
        unavailable(AssociateSoftwareToken, "ServiceUnavailableException", 503),
        unavailable(AdminGetUser, "RequestAbortedException", 400).retryable(),
        unavailable(AdminGetUser, "RequestTimeout", 408).retryable(),
        unavailable(VerifySoftwareToken, "RequestTimeoutException", 400),
        internal(AdminGetUser, "InternalFailure").retryable(),
        internal(AdminDeleteSoftwareToken, "InternalServerException").retryable(),
        internal(AssociateSoftwareToken, "InternalFailure"),
        row(AdminGetUser, "ValidationException").is(InvalidArgument, "INVALID_PARAMETER", "CALLER"),
        row(AdminGetUser, "ValidationError").is(InvalidArgument, "INVALID_PARAMETER", "CALLER"),
        missing("UnknownOperationException", 400),
        missing("UnknownOperationException", 404),
        missing("UnknownOperation", 404),
        missing("InvalidAction", 400),
        row(AdminGetUser, "BrandNewException").is(Unknown, "COGNITO_CODE_UNRECOGNIZED", "AWS"),
        row(GetUser, "BrandNewException").http(500).is(Unknown, "COGNITO_CODE_UNRECOGNIZED", "AWS"),
    ])
    .await;
}

#[tokio::test]
async fn the_namespace_of_a_code_is_not_part_of_it() {
    let service = TestService::start().await;
    service.cognito.inject_error("AdminGetUser", "com.amazonaws.cognito#UserNotFoundException", "").await;
    let status = call(&service, AdminGetUser, "").await.unwrap_err();
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.metadata["cognito_code"].as_str()),
        ("USER_NOT_FOUND", "UserNotFoundException")
    );
}
