//! Faults on demand: each kind, for whom and how often, as the SDK meets them.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use aws_sdk_cognitoidentityprovider::config::timeout::TimeoutConfig;
use aws_sdk_cognitoidentityprovider::error::SdkError;
use cognito_emulator::demo;
use serde_json::{Value, json};

use crate::cognito::{CONTROL, Cognito, SIGNATURE, refusal};

const POOL: &str = demo::POOL_ID;

fn read(username: &str) -> Value {
    json!({ "UserPoolId": POOL, "Username": username })
}

#[tokio::test]
async fn an_error_is_returned_as_configured_and_as_often_as_configured() {
    let cognito = Cognito::demo().await;
    let fault = json!({
        "operation": "AdminGetUser", "count": 2,
        "kind": "error", "code": "AccessDeniedException", "message": "not you", "status": 403,
    });
    cognito.control("PUT", "faults", &fault).await;
    for _ in 0..2 {
        let response = cognito.call("AdminGetUser", &read("testuser")).await;
        assert_eq!(response.status, 403);
        assert_eq!(response.error(), ("AccessDeniedException".to_owned(), "not you".to_owned()));
        assert!(response.header("x-amzn-requestid").is_some());
    }
    cognito.ok("AdminGetUser", read("testuser")).await;
}

#[tokio::test]
async fn throttling_reaches_the_sdk_as_too_many_requests() {
    let cognito = Cognito::demo().await;
    let fault = json!({ "operation": "AdminGetUser", "count": 1, "kind": "throttling" });
    cognito.control("PUT", "faults", &fault).await;
    let call = || cognito.sdk.admin_get_user().user_pool_id(POOL).username("testuser").send();
    let expected = ("TooManyRequestsException".to_owned(), "Rate exceeded".to_owned());
    assert_eq!(refusal(call().await), expected);
    call().await.unwrap();
}

#[tokio::test]
async fn a_fault_is_for_the_requests_that_it_matches() {
    let cognito = Cognito::demo().await;
    let fault = json!({ "match": { "UserPoolId": POOL, "Username": "newuser" }, "kind": "throttling" });
    cognito.control("PUT", "faults", &fault).await;
    cognito.ok("AdminGetUser", read("testuser")).await;
    assert_eq!(cognito.refused("AdminGetUser", read("newuser")).await.0, "TooManyRequestsException");
    let token = cognito.token(POOL, "newuser").await;
    let refused = cognito.refused("GetUser", json!({ "AccessToken": token })).await;
    assert_eq!(refused.0, "TooManyRequestsException");
    let token = cognito.token(POOL, "testuser").await;
    cognito.ok("GetUser", json!({ "AccessToken": token })).await;
}

#[tokio::test]
async fn faults_are_listed_and_removed() {
    let cognito = Cognito::demo().await;
    let faults = json!([{ "kind": "html" }, { "kind": "reset", "count": 1 }]);
    let put = cognito.control("PUT", "faults", &faults).await;
    assert_eq!(put, json!({ "ids": [1, 2] }));
    let listed = cognito.control("GET", "faults", &Value::Null).await;
    assert_eq!(listed["faults"][1]["fault"]["kind"], "reset");
    cognito.control("DELETE", "faults?id=1", &Value::Null).await;
    let listed = cognito.control("GET", "faults", &Value::Null).await;
    assert_eq!(listed["faults"].as_array().unwrap().len(), 1);
    cognito.control("DELETE", "faults", &Value::Null).await;
    cognito.ok("AdminGetUser", read("testuser")).await;
}

#[tokio::test]
async fn a_fault_that_cannot_be_read_is_refused() {
    let cognito = Cognito::start().await;
    for fault in [json!({}), json!({ "kind": "flood" }), json!({ "kind": "error" })] {
        let body = fault.to_string();
        let response = cognito.request("PUT", "/_embedded/faults", &body, &[CONTROL]).await.unwrap();
        assert_eq!(response.status, 400, "{fault}");
    }
    let headers = [("x-embedded-fault", "{"), ("Authorization", SIGNATURE)];
    let response = cognito.post("AdminGetUser", "{}", &headers).await;
    assert!(response.error().1.starts_with("x-embedded-fault is not a fault"), "{}", response.body);
}

#[tokio::test]
async fn a_header_brings_a_fault_for_its_own_request() {
    let cognito = Cognito::demo().await;
    let body = read("testuser").to_string();
    let headers = [("x-embedded-fault", "OperationNotEnabledException"), ("Authorization", SIGNATURE)];
    let response = cognito.post("AdminGetUser", &body, &headers).await;
    assert_eq!((response.status, response.error().0.as_str()), (400, "OperationNotEnabledException"));
    let headers = [
        ("x-embedded-fault", r#"{"kind":"error","code":"InternalErrorException","status":500}"#),
        ("Authorization", SIGNATURE),
    ];
    let response = cognito.post("AdminGetUser", &body, &headers).await;
    assert_eq!((response.status, response.error().0.as_str()), (500, "InternalErrorException"));
    cognito.ok("AdminGetUser", read("testuser")).await;
}

#[tokio::test]
async fn a_reset_ends_the_connection_without_a_response() {
    let cognito = Cognito::demo().await;
    cognito.control("PUT", "faults", &json!({ "operation": "AdminGetUser", "count": 2, "kind": "reset" })).await;
    let body = read("testuser").to_string();
    let headers = [("X-Amz-Target", "AWSCognitoIdentityProviderService.AdminGetUser"), ("Authorization", SIGNATURE)];
    let error = cognito.request("POST", "/", &body, &headers).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let error = cognito.sdk.admin_get_user().user_pool_id(POOL).username("testuser").send().await;
    assert!(matches!(error, Err(SdkError::DispatchFailure(_))), "{error:?}");
    cognito.ok("AdminGetUser", read("testuser")).await;
}

#[tokio::test]
async fn truncated_json_and_a_page_reach_the_sdk_as_unreadable_responses() {
    let cognito = Cognito::demo().await;
    let call = || cognito.sdk.admin_get_user().user_pool_id(POOL).username("testuser").send();
    cognito.control("PUT", "faults", &json!({ "count": 1, "kind": "truncated_json", "perform": true })).await;
    let error = call().await;
    assert!(matches!(error, Err(SdkError::ResponseError(_))), "{error:?}");
    cognito.control("PUT", "faults", &json!({ "count": 1, "kind": "html" })).await;
    let Err(error) = call().await else {
        panic!("a page was read as a response");
    };
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 503);
}

#[tokio::test]
async fn a_response_can_be_replaced() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "newuser").await;
    let fault = json!({
        "operation": "VerifySoftwareToken", "count": 1, "kind": "replace", "body": { "Status": "ERROR" },
    });
    cognito.control("PUT", "faults", &fault).await;
    let verified = cognito.sdk.verify_software_token().access_token(token).user_code("123456").send().await;
    assert_eq!(verified.unwrap().status().unwrap().as_str(), "ERROR");
}

#[tokio::test]
async fn a_fault_can_take_effect_before_the_response_is_lost() {
    let cognito = Cognito::demo().await;
    let fault = json!({
        "operation": "AdminSetUserMFAPreference", "count": 1, "perform": true,
        "kind": "error", "code": "InternalErrorException", "status": 500,
    });
    cognito.control("PUT", "faults", &fault).await;
    let mut preference = read("testuser");
    preference["SMSMfaSettings"] = json!({ "Enabled": true });
    let response = cognito.call("AdminSetUserMFAPreference", &preference).await;
    assert_eq!(response.status, 500);
    let user = cognito.ok("AdminGetUser", read("testuser")).await;
    assert_eq!(user["UserMFASettingList"], json!(["SMS_MFA"]));
}

#[tokio::test]
async fn latency_delays_the_real_response() {
    let cognito = Cognito::demo().await;
    cognito.control("PUT", "faults", &json!({ "count": 1, "kind": "latency", "delay_ms": 150 })).await;
    let begun = Instant::now();
    cognito.ok("AdminGetUser", read("testuser")).await;
    assert!(begun.elapsed() >= Duration::from_millis(150), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn no_answer_outlasts_the_client_and_ends_with_the_server() {
    let cognito = Cognito::demo().await;
    cognito.control("PUT", "faults", &json!({ "operation": "AdminGetUser", "kind": "no_answer" })).await;
    let timeout = TimeoutConfig::builder().operation_timeout(Duration::from_millis(100)).build();
    let config = aws_sdk_cognitoidentityprovider::config::Builder::new().timeout_config(timeout);
    let call = cognito.sdk.admin_get_user().user_pool_id(POOL).username("testuser");
    let error = call.customize().config_override(config).send().await;
    assert!(matches!(error, Err(SdkError::TimeoutError(_))), "{error:?}");

    // A request that is still waiting does not hold the shutdown up.
    let waiting = cognito.sdk.admin_get_user().user_pool_id(POOL).username("testuser").send();
    let waiting = tokio::spawn(waiting);
    loop {
        let requests = cognito.control("GET", "requests?operation=AdminGetUser", &Value::Null).await;
        if requests["Requests"].as_array().unwrap().len() == 2 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    cognito.emulator.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(matches!(waiting.await.unwrap(), Err(SdkError::DispatchFailure(_))));
}

#[tokio::test]
async fn the_numbers_of_a_fault_do_no_harm_at_their_ends() {
    let cognito = Cognito::demo().await;
    let user = json!({ "UserPoolId": demo::POOL_ID, "Username": "testuser" }).to_string();
    let fault = async |fault: Value| {
        let fault = fault.to_string();
        let headers = [("Authorization", SIGNATURE), ("x-embedded-fault", fault.as_str())];
        let response = cognito.post_within("AdminGetUser", &user, &headers, Duration::from_millis(200)).await;
        assert_eq!(cognito.post("AdminGetUser", &user, &headers[..1]).await.status, 200, "after {fault}");
        response
    };
    for status in [0, 1, 99, 100, 101, 199, 200, 204, 304, 599, 600, 999, 1000, 65535_u32] {
        fault(json!({ "kind": "error", "code": "X", "status": status })).await;
    }
    for delay in [u64::MAX, u64::MAX / 2, 1 << 40] {
        for kind in ["latency", "html", "no_answer"] {
            let response = fault(json!({ "kind": kind, "delay_ms": delay })).await;
            assert!(response.is_none(), "{kind} answered within {delay} ms");
        }
    }
    for number in [json!(-1), json!(1.5), json!(1e300), json!(65536)] {
        let response = fault(json!({ "kind": "error", "code": "X", "status": number })).await.unwrap();
        assert_eq!(response.error().0, "InvalidParameterException", "{number}");
    }
    let many = json!({ "kind": "html", "operation": "ListUsers", "count": u32::MAX });
    cognito.control("PUT", "faults", &many).await;
    assert_eq!(cognito.post("AdminGetUser", &user, &[("Authorization", SIGNATURE)]).await.status, 200);
}
