//! The wire form: targets, signatures, JSON, errors, sizes, and the order of the checks.

use serde_json::{Value, json};

use crate::cognito::{Cognito, SIGNATURE, refusal};

#[tokio::test]
async fn a_response_has_the_content_type_and_a_request_id_of_its_own() {
    let cognito = Cognito::demo().await;
    let body = json!({ "UserPoolId": "us-west-2_EXAMPLE" });
    let first = cognito.call("GetUserPoolMfaConfig", &body).await;
    let second = cognito.call("GetUserPoolMfaConfig", &body).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(first.header("x-amzn-requestid").unwrap().len(), 36);
    assert_ne!(first.header("x-amzn-requestid"), second.header("x-amzn-requestid"));
}

#[tokio::test]
async fn an_error_names_its_exception_in_the_body_and_in_a_header() {
    let cognito = Cognito::start().await;
    let response = cognito.call("DescribeUserPool", &json!({ "UserPoolId": "us-west-2_none" })).await;
    assert_eq!(response.status, 400);
    assert_eq!(response.header("x-amzn-errortype"), Some("ResourceNotFoundException:"));
    let message = "User pool us-west-2_none does not exist.";
    assert_eq!(response.header("x-amzn-errormessage"), Some(message));
    assert!(response.header("x-amzn-requestid").is_some());
    assert_eq!(response.json(), json!({ "__type": "ResourceNotFoundException", "message": message }));
}

#[tokio::test]
async fn a_long_text_is_in_the_body_only_so_that_clients_can_read_it() {
    let cognito = Cognito::start().await;
    let id = "x".repeat(500_000);
    let response = cognito.call("DescribeUserPool", &json!({ "UserPoolId": id })).await;
    assert_eq!(response.header("x-amzn-errormessage"), None);
    assert!(response.error().1.contains(&id));
    let refused = cognito.sdk.describe_user_pool().user_pool_id(id).send().await;
    assert_eq!(refusal(refused).0, "InvalidParameterException");
}

#[tokio::test]
async fn an_unknown_or_missing_target_is_an_unknown_operation() {
    let cognito = Cognito::start().await;
    for operation in ["", "AdminGetuser", "DoSomething"] {
        let response = cognito.post(operation, "{}", &[("Authorization", SIGNATURE)]).await;
        assert_eq!((response.status, response.error().0.as_str()), (400, "UnknownOperationException"));
    }
    for (method, path) in [("GET", "/"), ("POST", "/"), ("POST", "/other")] {
        let response = cognito.request(method, path, "{}", &[]).await.unwrap();
        assert_eq!((response.status, response.error().0.as_str()), (400, "UnknownOperationException"));
    }
}

#[tokio::test]
async fn what_is_not_a_json_object_is_a_serialization_exception() {
    let cognito = Cognito::start().await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for body in ["", "{", "[]", "null", "\"x\"", "{\"UserPoolId\":}", deep.as_str()] {
        let response = cognito.post("DescribeUserPool", body, &[("Authorization", SIGNATURE)]).await;
        assert_eq!((response.status, response.error().0.as_str()), (400, "SerializationException"), "{body}");
    }
}

#[tokio::test]
async fn a_json_value_of_another_type_is_a_serialization_exception() {
    let cognito = Cognito::start().await;
    for (operation, body, message) in [
        ("DescribeUserPool", json!({ "UserPoolId": 5 }), "NUMBER_VALUE can not be converted to a String"),
        ("DescribeUserPool", json!({ "UserPoolId": true }), "TRUE_VALUE can not be converted to a String"),
        ("DescribeUserPool", json!({ "UserPoolId": {} }), "Start of structure or map found where not expected."),
        ("DescribeUserPool", json!({ "UserPoolId": [] }), "Start of list found where not expected."),
        ("ListUserPools", json!({ "MaxResults": "5" }), "STRING_VALUE can not be converted to an Integer"),
        ("ListUserPools", json!({ "MaxResults": 1.5 }), "NUMBER_VALUE can not be converted to an Integer"),
        (
            "AdminSetUserMFAPreference",
            json!({ "SMSMfaSettings": { "Enabled": "true" } }),
            "STRING_VALUE can not be converted to a Boolean",
        ),
        (
            "AdminSetUserMFAPreference",
            json!({ "SMSMfaSettings": true }),
            "TRUE_VALUE can not be converted to a Structure",
        ),
        ("SetUserSettings", json!({ "MFAOptions": {} }), "Start of structure or map found where not expected."),
    ] {
        let refused = cognito.refused(operation, body.clone()).await;
        assert_eq!(refused, ("SerializationException".to_owned(), message.to_owned()), "{body}");
    }
}

#[tokio::test]
async fn unknown_members_and_nulls_are_ignored() {
    let cognito = Cognito::demo().await;
    let body = json!({
        "UserPoolId": "us-west-2_EXAMPLE", "Username": "testuser", "SMSMfaSettings": null, "Other": [1],
    });
    assert_eq!(cognito.ok("AdminSetUserMFAPreference", body).await, json!({}));
}

#[tokio::test]
async fn an_admin_operation_asks_for_a_signature_before_it_reads_the_body() {
    let cognito = Cognito::start().await;
    for (headers, code) in [
        (vec![], "MissingAuthenticationTokenException"),
        (vec![("Authorization", "Bearer abc")], "IncompleteSignatureException"),
        (vec![("Authorization", "AWS4-HMAC-SHA256 Credential=a/b")], "IncompleteSignatureException"),
    ] {
        let response = cognito.post("AdminGetUser", "not JSON", &headers).await;
        assert_eq!((response.status, response.error().0.as_str()), (400, code));
    }
}

#[tokio::test]
async fn a_token_operation_needs_no_signature() {
    let cognito = Cognito::demo().await;
    let token = cognito.token("us-west-2_EXAMPLE", "testuser").await;
    let body = json!({ "AccessToken": token }).to_string();
    let response = cognito.post("GetUser", &body, &[]).await;
    assert_eq!((response.status, response.json()["Username"].as_str()), (200, Some("testuser")));
}

#[tokio::test]
async fn a_request_over_one_mebibyte_is_too_large() {
    let cognito = Cognito::start().await;
    let body = json!({ "UserPoolId": "x".repeat(1024 * 1024) });
    let response = cognito.call("DescribeUserPool", &body).await;
    assert_eq!((response.status, response.error().0.as_str()), (413, "RequestEntityTooLargeException"));
}

#[tokio::test]
async fn checks_come_in_the_order_of_aws_token_then_pool_then_user_then_meaning() {
    let cognito = Cognito::demo().await;
    let both_preferred = json!({ "Enabled": true, "PreferredMfa": true });
    let body = |pool_id: &str, username: &str| {
        json!({
            "UserPoolId": pool_id,
            "Username": username,
            "SMSMfaSettings": both_preferred,
            "SoftwareTokenMfaSettings": both_preferred,
        })
    };
    for (pool_id, username, code) in [
        ("nopool", "nobody", "InvalidParameterException"),
        ("us-west-2_none", "nobody", "ResourceNotFoundException"),
        ("us-west-2_EXAMPLE", "nobody", "UserNotFoundException"),
        ("us-west-2_EXAMPLE", "testuser", "InvalidParameterException"),
    ] {
        let refused = cognito.refused("AdminSetUserMFAPreference", body(pool_id, username)).await;
        assert_eq!(refused.0, code, "{pool_id} {username}");
    }
}

#[tokio::test]
async fn a_pool_is_found_only_from_its_own_region() {
    let cognito = Cognito::demo().await;
    let elsewhere = cognito.in_region("eu-central-1");
    let refused = elsewhere.describe_user_pool().user_pool_id("us-west-2_EXAMPLE").send().await;
    assert_eq!(refusal(refused).0, "ResourceNotFoundException");
    let created = elsewhere.create_user_pool().pool_name("there").send().await.unwrap();
    assert!(created.user_pool.unwrap().id.unwrap().starts_with("eu-central-1_"));
}

#[tokio::test]
async fn requests_are_recorded_as_they_came() {
    let cognito = Cognito::demo().await;
    let body = json!({ "UserPoolId": "us-west-2_EXAMPLE", "Extra": 1 });
    let response = cognito.call("GetUserPoolMfaConfig", &body).await;
    cognito.post("GetUser", "no JSON", &[]).await;
    let all = cognito.control("GET", "requests", &Value::Null).await;
    assert_eq!(all["Requests"].as_array().unwrap().len(), 2);
    assert_eq!(all["Requests"][1]["Body"], "no JSON");
    let chosen = cognito.control("GET", "requests?operation=GetUserPoolMfaConfig", &Value::Null).await;
    let request = &chosen["Requests"][0];
    assert_eq!(request["Body"], body);
    assert_eq!(request["RequestId"].as_str(), response.header("x-amzn-requestid"));
    assert_eq!(request["Headers"]["authorization"], SIGNATURE);
    cognito.control("DELETE", "requests", &Value::Null).await;
    let none = cognito.control("GET", "requests", &Value::Null).await;
    assert_eq!(none["Requests"], json!([]));
}

#[tokio::test]
async fn only_a_loopback_listener_is_served() {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = cognito_emulator::Emulator::start(listener, cognito_emulator::Options::default());
    let error = refused.await.unwrap_err();
    assert!(error.to_string().starts_with("the emulator listens on loopback only"), "{error}");
}

#[test]
fn parsing_applies_the_table_without_a_server() {
    let target = "AWSCognitoIdentityProviderService.AdminGetUser";
    let body = br#"{"UserPoolId":"us-west-2_EXAMPLE","Username":"jane","Other":1}"#;
    let members = json!({ "UserPoolId": "us-west-2_EXAMPLE", "Username": "jane" });
    assert_eq!(cognito_emulator::parse(target, body), Ok(members));
    let code = |target: &str, body: &[u8]| cognito_emulator::parse(target, body).unwrap_err().code;
    assert_eq!(code(target, b"{}"), "InvalidParameterException");
    assert_eq!(code(target, b"\xff"), "SerializationException");
    assert_eq!(code("AdminGetUser", body), "UnknownOperationException");
}
