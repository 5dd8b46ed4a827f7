//! Access tokens: claims, verification, and refusals by the state of the user.

use cognito_emulator::demo;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::cognito::{Cognito, sign_in_body};

const POOL: &str = demo::POOL_ID;

/// Every operation that a token authorises, with the members that it needs besides.
fn token_operations() -> Vec<(&'static str, Value)> {
    vec![
        ("SetUserSettings", json!({ "MFAOptions": [] })),
        ("SetUserMFAPreference", json!({})),
        ("AssociateSoftwareToken", json!({})),
        ("VerifySoftwareToken", json!({ "UserCode": "123456" })),
        ("GetUser", json!({})),
        ("GetUserAuthFactors", json!({})),
        ("StartWebAuthnRegistration", json!({})),
        ("CompleteWebAuthnRegistration", json!({ "Credential": {} })),
        ("ListWebAuthnCredentials", json!({})),
        ("DeleteWebAuthnCredential", json!({ "CredentialId": "c" })),
        ("GlobalSignOut", json!({})),
    ]
}

/// How each token operation refuses this token.
async fn refusals(cognito: &Cognito, token: &str) -> Vec<(&'static str, (String, String))> {
    let mut refusals = Vec::new();
    for (operation, mut body) in token_operations() {
        body["AccessToken"] = Value::from(token);
        refusals.push((operation, cognito.refused(operation, body).await));
    }
    refusals
}

async fn all_refuse(cognito: &Cognito, token: &str, message: &str) {
    for (operation, refusal) in refusals(cognito, token).await {
        let expected = ("NotAuthorizedException".to_owned(), message.to_owned());
        assert_eq!(refusal, expected, "{operation}");
    }
}

fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_has_cognitos_claims() {
    let cognito = Cognito::demo().await;
    let done = cognito.ok("InitiateAuth", sign_in_body(demo::CLIENT_ID, "testuser", demo::PASSWORD)).await;
    let result = &done["AuthenticationResult"];
    let access = claims(result["AccessToken"].as_str().unwrap());
    let issuer = format!("https://cognito-idp.us-west-2.amazonaws.com/{POOL}");
    assert_eq!(access["iss"], Value::from(issuer));
    assert_eq!(access["token_use"], "access");
    assert_eq!(access["client_id"], demo::CLIENT_ID);
    assert_eq!(access["username"], "testuser");
    assert_eq!(access["scope"], "aws.cognito.signin.user.admin");
    assert_eq!(access["exp"].as_u64().unwrap() - access["iat"].as_u64().unwrap(), 3600);
    for claim in ["sub", "origin_jti", "event_id", "jti"] {
        assert_eq!(access[claim].as_str().unwrap().len(), 36, "{claim}");
    }
    let id = claims(result["IdToken"].as_str().unwrap());
    assert_eq!((&id["token_use"], &id["aud"]), (&json!("id"), &json!(demo::CLIENT_ID)));
    assert_eq!(id["email_verified"], true);
    assert_eq!(id["sub"], access["sub"]);
}

#[tokio::test]
async fn a_token_is_verified_by_the_pools_published_key() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    let path = format!("/{POOL}/.well-known/jwks.json");
    let set = cognito.request("GET", &path, "", &[]).await.unwrap().json();
    let key = &set["keys"][0];
    let decode = |text: &Value| BASE64URL_NOPAD.decode(text.as_str().unwrap().as_bytes()).unwrap();
    let public = aws_lc_rs::signature::RsaPublicKeyComponents { n: decode(&key["n"]), e: decode(&key["e"]) };
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let header: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(signed.split_once('.').unwrap().0.as_bytes()).unwrap()).unwrap();
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &key["kid"]));
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let algorithm = &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
    public.verify(algorithm, signed.as_bytes(), &signature).unwrap();
    let unknown = cognito.request("GET", "/us-west-2_none/.well-known/jwks.json", "", &[]).await;
    assert_eq!(unknown.unwrap().error().0, "ResourceNotFoundException");
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_an_invalid_access_token() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    let (head, tail) = token.split_once('.').unwrap();
    let (body, signature) = tail.split_once('.').unwrap();
    let mut other = claims(&token);
    other["username"] = Value::from("newuser");
    let other = BASE64URL_NOPAD.encode(other.to_string().as_bytes());
    let none = BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
    let forged = ["abc".to_owned(), format!("{head}.{other}.{signature}"), format!("{none}.{body}.")];
    for forged in forged {
        all_refuse(&cognito, &forged, "Invalid Access Token").await;
    }
    let done = cognito.ok("InitiateAuth", sign_in_body(demo::CLIENT_ID, "testuser", demo::PASSWORD)).await;
    let id_token = done["AuthenticationResult"]["IdToken"].as_str().unwrap();
    all_refuse(&cognito, id_token, "Invalid Access Token").await;
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let cognito = Cognito::demo().await;
    let expired = json!({ "UserPoolId": POOL, "Username": "testuser", "ExpiresIn": -10 });
    let token = cognito.minted(expired).await;
    all_refuse(&cognito, &token, "Access Token has expired").await;
    let token = cognito.token(POOL, "testuser").await;
    cognito.ok("GetUser", json!({ "AccessToken": token })).await;
    cognito.advance(3600).await;
    all_refuse(&cognito, &token, "Access Token has expired").await;
}

#[tokio::test]
async fn a_token_without_the_scope_says_so() {
    let cognito = Cognito::demo().await;
    for scope in ["openid email", ""] {
        let request = json!({ "UserPoolId": POOL, "Username": "testuser", "Scope": scope });
        let token = cognito.minted(request).await;
        all_refuse(&cognito, &token, "Access Token does not have required scopes").await;
    }
}

#[tokio::test]
async fn sign_outs_revoke_every_token() {
    let cognito = Cognito::demo().await;
    let first = cognito.token(POOL, "testuser").await;
    let second = cognito.token(POOL, "testuser").await;
    let other = cognito.token(POOL, "newuser").await;
    cognito.ok("GlobalSignOut", json!({ "AccessToken": first })).await;
    for token in [&first, &second] {
        all_refuse(&cognito, token, "Access Token has been revoked").await;
    }
    cognito.ok("GetUser", json!({ "AccessToken": other })).await;
    cognito.ok("AdminUserGlobalSignOut", json!({ "UserPoolId": POOL, "Username": "newuser" })).await;
    all_refuse(&cognito, &other, "Access Token has been revoked").await;
    let disabled = cognito.token(POOL, "testuser").await;
    cognito.ok("AdminDisableUser", json!({ "UserPoolId": POOL, "Username": "testuser" })).await;
    all_refuse(&cognito, &disabled, "Access Token has been revoked").await;
    let later = cognito.token(POOL, "testuser").await;
    all_refuse(&cognito, &later, "User is disabled.").await;
}

#[tokio::test]
async fn a_token_outlives_its_user_and_its_pool_in_vain() {
    let cognito = Cognito::start().await;
    let pool_id = cognito.plain_pool().await;
    cognito.user(&pool_id, "jane", &[]).await;
    let token = cognito.token(&pool_id, "jane").await;
    cognito.ok("AdminDeleteUser", json!({ "UserPoolId": pool_id, "Username": "jane" })).await;
    let modelled = ["SetUserSettings", "SetUserMFAPreference", "VerifySoftwareToken", "GetUser", "GetUserAuthFactors"];
    for (operation, (code, message)) in refusals(&cognito, &token).await {
        if modelled.contains(&operation) {
            let expected = ("UserNotFoundException", "User does not exist.");
            assert_eq!((code.as_str(), message.as_str()), expected, "{operation}");
        } else {
            let expected = ("NotAuthorizedException", "Invalid Access Token");
            assert_eq!((code.as_str(), message.as_str()), expected, "{operation}");
        }
    }
    // A new user under the old name is another one.
    cognito.user(&pool_id, "jane", &[]).await;
    let refused = cognito.refused("GetUser", json!({ "AccessToken": token })).await;
    assert_eq!(refused.0, "UserNotFoundException");
    cognito.ok("DeleteUserPool", json!({ "UserPoolId": pool_id })).await;
    for (operation, (code, _)) in refusals(&cognito, &token).await {
        assert_eq!(code, "ResourceNotFoundException", "{operation}");
    }
}

#[tokio::test]
async fn users_in_a_state_that_forbids_it_are_refused_where_the_model_says_so() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    let unconfirmed = json!({ "UserPoolId": POOL, "Username": "testuser", "UserStatus": "UNCONFIRMED" });
    cognito.control("POST", "user", &unconfirmed).await;
    for operation in ["SetUserSettings", "SetUserMFAPreference", "VerifySoftwareToken", "GetUser"] {
        let body = json!({ "AccessToken": token, "MFAOptions": [], "UserCode": "123456" });
        let refused = cognito.refused(operation, body).await;
        assert_eq!(refused.0, "UserNotConfirmedException", "{operation}");
    }
    let reset = json!({ "UserPoolId": POOL, "Username": "testuser", "UserStatus": "RESET_REQUIRED" });
    cognito.control("POST", "user", &reset).await;
    for operation in ["SetUserSettings", "GetUser", "ListWebAuthnCredentials", "GlobalSignOut"] {
        let body = json!({ "AccessToken": token, "MFAOptions": [] });
        let refused = cognito.refused(operation, body).await;
        assert_eq!(refused.0, "PasswordResetRequiredException", "{operation}");
    }
    cognito.ok("AssociateSoftwareToken", json!({ "AccessToken": token })).await;
}
