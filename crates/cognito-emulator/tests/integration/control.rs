//! The control endpoints: tokens at hand, a bounded clock, a reset; and the discovery document.

use cognito_emulator::{Issuer, Options, demo};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::cognito::{CONTROL, Cognito, sign_in_body};

const POOL: &str = demo::POOL_ID;
const CENTURY: u64 = 60 * 60 * 24 * 365 * 100;

#[tokio::test]
async fn the_clock_is_bounded_and_a_refused_advance_changes_nothing() {
    let cognito = Cognito::demo().await;
    let now =
        async || cognito.control("POST", "clock", &json!({ "advance_seconds": 0 })).await["Now"].as_f64().unwrap();
    let before = now().await;
    for seconds in [CENTURY + 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
        let body = json!({ "advance_seconds": seconds }).to_string();
        let refused = cognito.request("POST", "/_embedded/clock", &body, &[CONTROL]).await.unwrap();
        assert_eq!((refused.status, refused.error().0.as_str()), (400, "InvalidParameterException"), "{seconds}");
    }
    for text in
        [r#"{"advance_seconds": -1}"#, r#"{"advance_seconds": 1e300}"#, r#"{"advance_seconds": 99999999999999999999}"#]
    {
        let refused = cognito.request("POST", "/_embedded/clock", text, &[CONTROL]).await.unwrap();
        assert_eq!(refused.status, 400, "{text}");
    }
    assert!(now().await - before < 60.0);
    // At the bound, everything still works; beyond it, nothing moves.
    cognito.advance(CENTURY).await;
    let body = json!({ "advance_seconds": 1 }).to_string();
    assert_eq!(cognito.request("POST", "/_embedded/clock", &body, &[CONTROL]).await.unwrap().status, 400);
    let token = cognito.token(POOL, "testuser").await;
    cognito.ok("GetUser", json!({ "AccessToken": token })).await;
    let signed_in = cognito.ok("InitiateAuth", sign_in_body(demo::CLIENT_ID, "testuser", demo::PASSWORD)).await;
    assert!(signed_in["AuthenticationResult"]["AccessToken"].is_string());
}

#[tokio::test]
async fn the_expiry_of_a_token_is_bounded() {
    let cognito = Cognito::demo().await;
    for seconds in [i64::MAX, i64::MIN, i64::try_from(CENTURY).unwrap() + 1] {
        let body = json!({ "ExpiresIn": seconds }).to_string();
        let refused = cognito.request("POST", "/_embedded/token", &body, &[CONTROL]).await.unwrap();
        assert_eq!((refused.status, refused.error().0.as_str()), (400, "InvalidParameterException"), "{seconds}");
    }
    cognito.minted(json!({ "ExpiresIn": CENTURY })).await;
}

#[tokio::test]
async fn a_token_of_the_demo_user_is_one_request_away_and_alone_for_a_shell() {
    let cognito = Cognito::demo().await;
    let response = cognito.request("POST", "/_embedded/token?format=text", "", &[CONTROL]).await.unwrap();
    let token = response.body.trim_end();
    let user = cognito.ok("GetUser", json!({ "AccessToken": token })).await;
    assert_eq!(user["Username"], "testuser");
    let other = json!({ "Username": "newuser" }).to_string();
    let response = cognito.request("POST", "/_embedded/token", &other, &[CONTROL]).await.unwrap();
    let user = cognito.ok("GetUser", json!({ "AccessToken": response.json()["AccessToken"] })).await;
    assert_eq!(user["Username"], "newuser");
    let nobody = json!({ "Username": "nobody" }).to_string();
    let refused = cognito.request("POST", "/_embedded/token?format=text", &nobody, &[CONTROL]).await.unwrap();
    assert_eq!((refused.status, refused.error().0.as_str()), (400, "UserNotFoundException"));
}

#[tokio::test]
async fn each_code_of_the_authenticator_app_is_a_fresh_one() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    for again in 0..6 {
        let code = cognito.totp(POOL, "testuser").await;
        assert_eq!(cognito.totp(POOL, "testuser").await, code, "asking does not use it up");
        cognito.ok("VerifySoftwareToken", json!({ "AccessToken": token, "UserCode": code })).await;
        if again % 2 == 1 {
            // The third within a step would wait.
            cognito.advance(60).await;
        }
    }
}

#[tokio::test]
async fn a_reset_puts_back_everything_that_was_changed() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("cognito.json");
    let options = Options { data: Some(data.clone()), demo: true, ..Options::default() };
    let cognito = Cognito::with(options.clone()).await;
    let config = json!({ "UserPoolId": POOL });
    let fresh = cognito.ok("GetUserPoolMfaConfig", config.clone()).await;
    let token = cognito.token(POOL, "testuser").await;
    cognito.ok("SetUserPoolMfaConfig", config.clone()).await;
    cognito.ok("AdminDeleteUser", json!({ "UserPoolId": POOL, "Username": "newuser" })).await;
    cognito.ok("DeleteUserPool", json!({ "UserPoolId": demo::OTHER_POOL_ID })).await;
    let added = cognito.plain_pool().await;
    cognito.control("PUT", "faults", &json!({ "kind": "html", "operation": "ListUsers" })).await;
    cognito.advance(5000).await;

    cognito.control("POST", "reset", &Value::Null).await;
    let requests = cognito.control("GET", "requests", &Value::Null).await;
    assert_eq!(requests, json!({ "Requests": [] }));
    assert_eq!(cognito.control("GET", "faults", &Value::Null).await, json!({ "faults": [] }));
    assert_eq!(cognito.ok("GetUserPoolMfaConfig", config.clone()).await, fresh);
    cognito.ok("AdminGetUser", json!({ "UserPoolId": POOL, "Username": "newuser" })).await;
    cognito.ok("DescribeUserPool", json!({ "UserPoolId": demo::OTHER_POOL_ID })).await;
    assert_eq!(
        cognito.refused("DescribeUserPool", json!({ "UserPoolId": added })).await.0,
        "ResourceNotFoundException"
    );
    assert_eq!(cognito.refused("GetUser", json!({ "AccessToken": token })).await.0, "UserNotFoundException");
    let now = cognito.control("POST", "clock", &json!({ "advance_seconds": 0 })).await["Now"].as_f64().unwrap();
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - clock).abs() < 60.0, "the clock is right again");
    cognito.emulator.shutdown().await;

    let again = Cognito::with(options).await;
    assert_eq!(again.ok("GetUserPoolMfaConfig", config).await, fresh, "the data file holds the reset");
}

#[tokio::test]
async fn a_reset_without_a_demo_leaves_nothing() {
    let cognito = Cognito::start().await;
    cognito.plain_pool().await;
    cognito.control("POST", "reset", &Value::Null).await;
    assert_eq!(cognito.ok("ListUserPools", json!({ "MaxResults": 5 })).await["UserPools"], json!([]));
}

#[tokio::test]
async fn the_discovery_document_leads_to_keys_that_can_be_fetched() {
    for issuer in [Issuer::Aws, Issuer::Embedded] {
        let cognito = Cognito::with(Options { demo: true, issuer, ..Options::default() }).await;
        let path = format!("/{POOL}/.well-known/openid-configuration");
        let document = cognito.request("GET", &path, "", &[]).await.unwrap().json();
        let expected = match issuer {
            Issuer::Aws => format!("https://cognito-idp.us-west-2.amazonaws.com/{POOL}"),
            Issuer::Embedded => format!("{}/{POOL}", cognito.emulator.url()),
        };
        assert_eq!(document["issuer"], expected.as_str());
        let keys = document["jwks_uri"].as_str().unwrap().strip_prefix(&cognito.emulator.url());
        let keys = cognito.request("GET", keys.unwrap(), "", &[]).await.unwrap().json();

        let signed_in = cognito.ok("InitiateAuth", sign_in_body(demo::CLIENT_ID, "testuser", demo::PASSWORD)).await;
        let result = &signed_in["AuthenticationResult"];
        let minted = cognito.token(POOL, "testuser").await;
        for token in [result["AccessToken"].as_str().unwrap(), result["IdToken"].as_str().unwrap(), &minted] {
            let part = |index| {
                let bytes = BASE64URL_NOPAD.decode(token.split('.').nth(index).unwrap().as_bytes()).unwrap();
                serde_json::from_slice::<Value>(&bytes).unwrap()
            };
            assert_eq!(part(1)["iss"], expected.as_str());
            assert_eq!(part(0)["kid"], keys["keys"][0]["kid"]);
        }
        cognito.ok("GetUser", json!({ "AccessToken": minted })).await;
    }
}
