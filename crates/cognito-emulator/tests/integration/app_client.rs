//! App clients: which flows they allow, their secrets, and how long their tokens live.

use aws_sdk_cognitoidentityprovider::types::AuthFlowType;
use cognito_emulator::demo;
use serde_json::json;

use crate::cognito::{Cognito, PASSWORD, refusal, sign_in_body};

const POOL: &str = demo::POOL_ID;

#[tokio::test]
async fn an_app_client_allows_the_flows_that_it_names() {
    let cognito = Cognito::demo().await;
    let created = cognito.ok("CreateUserPoolClient", json!({ "UserPoolId": POOL, "ClientName": "default" })).await;
    let client_id = created["UserPoolClient"]["ClientId"].as_str().unwrap();
    let refused = cognito.refused_sign_in(client_id, "testuser", demo::PASSWORD).await;
    assert_eq!(refused.1, "USER_PASSWORD_AUTH flow not enabled for this client");
    for flow in ["USER_SRP_AUTH", "USER_AUTH", "CUSTOM_AUTH", "ADMIN_USER_PASSWORD_AUTH"] {
        let body = json!({ "AuthFlow": flow, "ClientId": client_id });
        assert_eq!(cognito.refused("InitiateAuth", body).await.0, "InvalidParameterException", "{flow}");
    }
}

#[tokio::test]
async fn a_client_with_a_secret_asks_for_its_hash() {
    let cognito = Cognito::demo().await;
    let created = cognito
        .ok(
            "CreateUserPoolClient",
            json!({
                "UserPoolId": POOL,
                "ClientName": "secret",
                "GenerateSecret": true,
                "PreventUserExistenceErrors": "ENABLED",
                "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
            }),
        )
        .await;
    let client = &created["UserPoolClient"];
    let (client_id, secret) = (client["ClientId"].as_str().unwrap(), client["ClientSecret"].as_str().unwrap());
    let body = |hash: Option<String>| {
        json!({
            "AuthFlow": "USER_PASSWORD_AUTH",
            "ClientId": client_id,
            "AuthParameters": {
                "USERNAME": "testuser", "PASSWORD": demo::PASSWORD, "SECRET_HASH": hash,
            },
        })
    };
    let refused = cognito.refused("InitiateAuth", body(None)).await;
    assert!(refused.1.ends_with("SECRET_HASH was not received"), "{refused:?}");
    let refused = cognito.refused("InitiateAuth", body(Some("AAAA".to_owned()))).await;
    assert!(refused.1.starts_with("Unable to verify secret hash"), "{refused:?}");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let hash = aws_lc_rs::hmac::sign(&key, format!("testuser{client_id}").as_bytes());
    let hash = data_encoding::BASE64.encode(hash.as_ref());
    let done = cognito.ok("InitiateAuth", body(Some(hash))).await;
    assert!(done["AuthenticationResult"]["AccessToken"].is_string());
}

#[tokio::test]
async fn a_client_can_hide_which_users_there_are() {
    let cognito = Cognito::demo().await;
    let created = cognito
        .ok(
            "CreateUserPoolClient",
            json!({
                "UserPoolId": POOL,
                "ClientName": "discreet",
                "PreventUserExistenceErrors": "ENABLED",
                "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
            }),
        )
        .await;
    let client_id = created["UserPoolClient"]["ClientId"].as_str().unwrap();
    let unknown = cognito.refused_sign_in(client_id, "nobody", PASSWORD).await;
    let wrong = cognito.refused_sign_in(client_id, "testuser", "wrong").await;
    assert_eq!(unknown, wrong);
}

#[tokio::test]
async fn a_refresh_token_gives_new_tokens_until_the_sign_out() {
    let cognito = Cognito::demo().await;
    cognito.user(POOL, "jane", &[]).await;
    let client_id = cognito.client(POOL).await;
    let done = cognito.sign_in(&client_id, "jane").await;
    let refresh_token = done.authentication_result().unwrap().refresh_token().unwrap();
    let refresh = || {
        cognito
            .sdk
            .initiate_auth()
            .client_id(&client_id)
            .auth_flow(AuthFlowType::RefreshTokenAuth)
            .auth_parameters("REFRESH_TOKEN", refresh_token)
            .send()
    };
    cognito.advance(3601).await;
    let fresh = refresh().await.unwrap();
    let token = fresh.authentication_result().unwrap().access_token().unwrap();
    cognito.sdk.get_user().access_token(token).send().await.unwrap();
    cognito.sdk.global_sign_out().access_token(token).send().await.unwrap();
    assert_eq!(refusal(refresh().await).0, "NotAuthorizedException");
}

#[tokio::test]
async fn an_app_clients_tokens_live_between_five_minutes_and_a_day() {
    let cognito = Cognito::demo().await;
    let body = |validity: i64| {
        json!({
            "UserPoolId": POOL, "ClientName": "c", "AccessTokenValidity": validity,
            "TokenValidityUnits": { "AccessToken": "minutes" },
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
        })
    };
    for validity in [4, 1441] {
        let refused = cognito.refused("CreateUserPoolClient", body(validity)).await;
        assert_eq!(refused.0, "InvalidParameterException", "{validity}");
    }
    let created = cognito.ok("CreateUserPoolClient", body(5)).await;
    let client_id = created["UserPoolClient"]["ClientId"].as_str().unwrap();
    let signed_in = cognito.ok("InitiateAuth", sign_in_body(client_id, "testuser", demo::PASSWORD)).await;
    assert_eq!(signed_in["AuthenticationResult"]["ExpiresIn"], 300);
}
