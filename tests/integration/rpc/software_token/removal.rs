//! Removing a software token as an administrator.

use serde_json::json;
use tonic::Code;

use super::{associate, by_token, delete, is_enrolled};
use crate::support::refusal::refused;
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

#[tokio::test]
async fn an_administrator_deletes_a_software_token() {
    let service = TestService::start().await;
    delete(&service, USER).await.unwrap();
    assert!(!is_enrolled(&service, USER).await);
    let sent = json!({ "UserPoolId": POOL, "Username": USER });
    assert_eq!(service.cognito.bodies("AdminDeleteSoftwareToken").await, [sent]);
}

#[tokio::test]
async fn a_deleted_software_token_can_be_enrolled_again() {
    let service = TestService::start().await;
    delete(&service, USER).await.unwrap();
    let token = service.cognito.token(USER).await;
    associate(&service, by_token(&token)).await.unwrap();
}

#[tokio::test]
async fn the_software_token_of_a_user_that_does_not_exist_is_not_found() {
    let service = TestService::start().await;
    refused(delete(&service, "nobody").await, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_software_token_is_not_deleted_in_a_state_that_forbids_it() {
    let service = TestService::start().await;
    service.cognito.inject_error("AdminDeleteSoftwareToken", "NotAuthorizedException", "not now").await;
    refused(delete(&service, USER).await, Code::FailedPrecondition, "TARGET_REFUSED");
    service.cognito.clear_faults().await;
    service.cognito.set_user_status(USER, "UNCONFIRMED").await;
    refused(delete(&service, USER).await, Code::FailedPrecondition, "USER_NOT_CONFIRMED");
    service.cognito.perform_on("AdminDisableUser", USER).await;
    refused(delete(&service, USER).await, Code::FailedPrecondition, "USER_DISABLED");
    assert!(is_enrolled(&service, USER).await);
}
