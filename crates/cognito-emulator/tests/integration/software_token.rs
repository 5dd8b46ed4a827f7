//! Authenticator apps: the rules T1 to T12, wrong codes and the lock.

use std::time::Duration;

use aws_sdk_cognitoidentityprovider::types::{ChallengeNameType, UserPoolMfaType};
use cognito_emulator::demo;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret};

use crate::cognito::{Cognito, refusal, sign_in_body};

const POOL: &str = demo::POOL_ID;

/// A code as another implementation of RFC 6238 computes it.
fn code(algorithm: Algorithm, secret: &str, at: u64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let builder = Builder::new().with_algorithm(algorithm).with_secret(secret);
    builder.with_digits(6).with_step_duration(30).build_noncompliant().generate(at).to_string()
}

async fn now(cognito: &Cognito) -> u64 {
    let clock = cognito.control("POST", "clock", &json!({ "advance_seconds": 0 })).await;
    Duration::from_secs_f64(clock["Now"].as_f64().unwrap()).as_secs()
}

async fn associate(cognito: &Cognito, token: &str) -> String {
    let associated = cognito.sdk.associate_software_token().access_token(token).send().await.unwrap();
    assert_eq!(associated.session(), None, "T2: a session only in the middle of a sign-in");
    associated.secret_code.unwrap()
}

async fn verify(cognito: &Cognito, token: &str, code: &str) -> Result<Value, (String, String)> {
    let body = json!({ "AccessToken": token, "UserCode": code });
    let response = cognito.call("VerifySoftwareToken", &body).await;
    if response.status == 200 { Ok(response.json()) } else { Err(response.error()) }
}

/// A code that is none of the three accepted ones.
fn wrong(secret: &str, at: u64) -> String {
    let right: Vec<_> = [at - 30, at, at + 30].iter().map(|at| code(Algorithm::SHA1, secret, *at)).collect();
    ["000000", "111111", "222222", "333333"]
        .into_iter()
        .find(|code| !right.iter().any(|right| right == code))
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn t1_codes_are_sha_1_and_accepted_one_step_either_way() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "newuser").await;
    // From the beginning of a step, so that none passes between a code and its use.
    cognito.advance(30 - now(&cognito).await % 30).await;
    for (offset, accepted) in [(-90_i64, false), (-30, true), (0, true), (30, true), (90, false)] {
        let secret = associate(&cognito, &token).await;
        let at = now(&cognito).await.checked_add_signed(offset).unwrap();
        let response = verify(&cognito, &token, &code(Algorithm::SHA1, &secret, at)).await;
        assert_eq!(response.is_ok(), accepted, "{offset}: {response:?}");
    }
    let secret = associate(&cognito, &token).await;
    let at = now(&cognito).await;
    let sha_256 = code(Algorithm::SHA256, &secret, at);
    assert!(verify(&cognito, &token, &sha_256).await.is_err());
}

#[tokio::test]
async fn t2_exactly_one_of_access_token_and_session_is_given() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "newuser").await;
    let session = "s".repeat(20);
    for body in [json!({}), json!({ "AccessToken": token, "Session": session })] {
        let refused = cognito.refused("AssociateSoftwareToken", body.clone()).await;
        assert_eq!(refused.0, "InvalidParameterException");
        let mut body = body;
        body["UserCode"] = Value::from("123456");
        let refused = cognito.refused("VerifySoftwareToken", body).await;
        assert_eq!(refused.0, "InvalidParameterException");
    }
}

#[tokio::test]
async fn t2_t3_an_unenrolled_user_of_an_on_pool_enrols_in_the_sign_in() {
    let cognito = Cognito::start().await;
    let pool_id = cognito.pool(UserPoolMfaType::On).await;
    let client_id = cognito.client(&pool_id).await;
    cognito.user(&pool_id, "jane", &[]).await;
    let started = cognito.sign_in(&client_id, "jane").await;
    assert_eq!(started.challenge_name(), Some(&ChallengeNameType::MfaSetup));
    let can_set_up = &started.challenge_parameters().unwrap()["MFAS_CAN_SETUP"];
    assert_eq!(can_set_up, r#"["SMS_MFA","SOFTWARE_TOKEN_MFA"]"#);
    let first = started.session().unwrap();

    let associated = cognito.sdk.associate_software_token().session(first).send().await.unwrap();
    let second = associated.session().unwrap();
    assert_ne!(first, second);
    let second_use = cognito.sdk.associate_software_token().session(first).send().await;
    assert_eq!(refusal(second_use).1, "Invalid session for the user, session can only be used once.");

    let secret = associated.secret_code().unwrap();
    let at = now(&cognito).await;
    let mismatch = wrong(secret, at);
    let refused = cognito.sdk.verify_software_token().session(second).user_code(mismatch).send().await;
    assert_eq!(refusal(refused).0, "CodeMismatchException", "T5");
    let right = code(Algorithm::SHA1, secret, at);
    let verified = cognito.sdk.verify_software_token().session(second).user_code(right).send().await;
    let verified = verified.unwrap();
    assert_eq!(verified.status().unwrap().as_str(), "SUCCESS");
    let third = verified.session().unwrap();

    let respond = |session: &str| {
        cognito
            .sdk
            .respond_to_auth_challenge()
            .client_id(&client_id)
            .challenge_name(ChallengeNameType::MfaSetup)
            .challenge_responses("USERNAME", "jane")
            .session(session)
            .send()
    };
    assert_eq!(refusal(respond(second).await).1, "Invalid session for the user, session can only be used once.");
    let done = respond(third).await.unwrap();
    let token = done.authentication_result().unwrap().access_token().unwrap();
    let user = cognito.sdk.get_user().access_token(token).send().await.unwrap();
    assert_eq!(user.user_mfa_setting_list(), ["SOFTWARE_TOKEN_MFA"]);
    assert_eq!(refusal(respond(third).await).0, "NotAuthorizedException");
}

#[tokio::test]
async fn t3_a_session_expires_after_three_minutes() {
    let cognito = Cognito::start().await;
    let pool_id = cognito.pool(UserPoolMfaType::On).await;
    let client_id = cognito.client(&pool_id).await;
    cognito.user(&pool_id, "jane", &[]).await;
    let started = cognito.sign_in(&client_id, "jane").await;
    cognito.advance(180).await;
    let late = cognito.sdk.associate_software_token().session(started.session().unwrap()).send().await;
    assert_eq!(
        refusal(late),
        ("NotAuthorizedException".to_owned(), "Invalid session for the user, session is expired.".to_owned())
    );
    let unknown = cognito.sdk.associate_software_token().session("s".repeat(64)).send().await;
    assert_eq!(refusal(unknown).1, "Invalid session for the user.");
}

#[tokio::test]
async fn t3_an_app_client_can_make_sessions_last_longer() {
    let cognito = Cognito::start().await;
    let pool_id = cognito.pool(UserPoolMfaType::On).await;
    let created = cognito
        .ok(
            "CreateUserPoolClient",
            json!({
                "UserPoolId": pool_id,
                "ClientName": "patient",
                "AuthSessionValidity": 15,
                "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
            }),
        )
        .await;
    let client_id = created["UserPoolClient"]["ClientId"].as_str().unwrap();
    cognito.user(&pool_id, "jane", &[]).await;
    let started = cognito.sign_in(client_id, "jane").await;
    cognito.advance(880).await;
    let session = started.session().unwrap();
    cognito.sdk.associate_software_token().session(session).send().await.unwrap();
}

#[tokio::test]
async fn t4_associating_again_stops_the_old_secret_at_once() {
    let cognito = Cognito::demo().await;
    let client_id = demo::CLIENT_ID;
    let preference = json!({
        "UserPoolId": POOL, "Username": "testuser",
        "SoftwareTokenMfaSettings": { "Enabled": true, "PreferredMfa": true },
    });
    cognito.ok("AdminSetUserMFAPreference", preference).await;
    let old = cognito.totp(POOL, "testuser").await;
    let token = cognito.token(POOL, "testuser").await;
    let first = associate(&cognito, &token).await;
    let second = associate(&cognito, &token).await;
    assert_ne!(first, second);
    let started = cognito.ok("InitiateAuth", sign_in_body(client_id, "testuser", demo::PASSWORD)).await;
    assert_eq!(started["ChallengeName"], "SOFTWARE_TOKEN_MFA");
    let refused = cognito
        .refused(
            "RespondToAuthChallenge",
            json!({
                "ChallengeName": "SOFTWARE_TOKEN_MFA",
                "ClientId": client_id,
                "Session": started["Session"],
                "ChallengeResponses": { "USERNAME": "testuser", "SOFTWARE_TOKEN_MFA_CODE": old },
            }),
        )
        .await;
    assert_eq!(refused.0, "CodeMismatchException");
}

#[tokio::test]
async fn t5_a_wrong_code_of_a_signed_in_user_does_not_enable_the_token() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "newuser").await;
    let secret = associate(&cognito, &token).await;
    let mismatch = wrong(&secret, now(&cognito).await);
    assert_eq!(
        verify(&cognito, &token, &mismatch).await,
        Err((
            "EnableSoftwareTokenMFAException".to_owned(),
            "Code mismatch and fail enable Software Token MFA".to_owned()
        ))
    );
}

#[tokio::test]
async fn t13_after_too_many_wrong_codes_the_user_is_locked_for_a_while() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "newuser").await;
    let secret = associate(&cognito, &token).await;
    // The sixth locks for two seconds, and each one after it twice as long.
    for lock in [0, 0, 0, 0, 0, 2, 4, 8, 16, 32_u64] {
        let mismatch = wrong(&secret, now(&cognito).await);
        assert!(verify(&cognito, &token, &mismatch).await.is_err());
        if (1..32).contains(&lock) {
            cognito.advance(lock).await;
        }
    }
    let right = cognito.totp(POOL, "newuser").await;
    let locked = verify(&cognito, &token, &right).await;
    let text = "User temporarily locked. Try again soon.";
    assert_eq!(locked, Err(("NotAuthorizedException".to_owned(), text.to_owned())), "even for the right code");
    cognito.advance(32).await;
    let right = cognito.totp(POOL, "newuser").await;
    assert_eq!(verify(&cognito, &token, &right).await, Ok(json!({ "Status": "SUCCESS" })));
}

#[tokio::test]
async fn t6_verifying_does_not_turn_the_factor_on() {
    let cognito = Cognito::demo().await;
    cognito.enrol(POOL, "newuser").await;
    let user = cognito.ok("AdminGetUser", json!({ "UserPoolId": POOL, "Username": "newuser" })).await;
    assert_eq!(user.get("UserMFASettingList"), None);
}

#[tokio::test]
async fn t7_t12_a_secret_is_fresh_long_and_the_only_one() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "newuser").await;
    let first = associate(&cognito, &token).await;
    let second = associate(&cognito, &token).await;
    assert_ne!(first, second);
    assert!(first.len() >= 16 && first.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{first}");
    let at = now(&cognito).await;
    assert!(verify(&cognito, &token, &code(Algorithm::SHA1, &first, at)).await.is_err());
    assert!(verify(&cognito, &token, &code(Algorithm::SHA1, &second, at)).await.is_ok());
}

#[tokio::test]
async fn a_used_code_is_not_accepted_again() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "newuser").await;
    associate(&cognito, &token).await;
    let code = cognito.totp(POOL, "newuser").await;
    assert!(verify(&cognito, &token, &code).await.is_ok());
    let refused = verify(&cognito, &token, &code).await.unwrap_err();
    assert_eq!(refused.0, "EnableSoftwareTokenMFAException");
}

#[tokio::test]
async fn b5_no_read_tells_the_devices_name_or_that_a_token_waits() {
    let cognito = Cognito::demo().await;
    let user = json!({ "UserPoolId": POOL, "Username": "newuser" });
    let before = cognito.ok("AdminGetUser", user.clone()).await;
    let token = cognito.token(POOL, "newuser").await;
    associate(&cognito, &token).await;
    let factors = cognito.ok("AdminGetUserAuthFactors", user.clone()).await;
    assert_eq!(factors["ConfiguredUserAuthFactors"], json!(["PASSWORD"]));
    let code = cognito.totp(POOL, "newuser").await;
    let body = json!({ "AccessToken": token, "UserCode": code, "FriendlyDeviceName": "canary" });
    cognito.ok("VerifySoftwareToken", body).await;
    let mut after = cognito.ok("AdminGetUser", user).await;
    after["UserLastModifiedDate"] = before["UserLastModifiedDate"].clone();
    assert_eq!(after, before);
}

#[tokio::test]
async fn t8_deleting_the_token_clears_factor_and_preference_and_frees_the_user() {
    let cognito = Cognito::demo().await;
    let preference = json!({
        "UserPoolId": POOL, "Username": "testuser",
        "SoftwareTokenMfaSettings": { "Enabled": true, "PreferredMfa": true },
        "SMSMfaSettings": { "Enabled": true },
    });
    cognito.ok("AdminSetUserMFAPreference", preference).await;
    let delete = || cognito.sdk.admin_delete_software_token().user_pool_id(POOL).username("testuser").send();
    delete().await.unwrap();
    let user = cognito.ok("AdminGetUser", json!({ "UserPoolId": POOL, "Username": "testuser" })).await;
    assert_eq!(user["UserMFASettingList"], json!(["SMS_MFA"]));
    assert_eq!(user.get("PreferredMfaSetting"), None);
    delete().await.unwrap();

    let missing = cognito.sdk.admin_delete_software_token().user_pool_id(POOL).username("nobody").send();
    assert_eq!(refusal(missing.await).0, "UserNotFoundException");
}

#[tokio::test]
async fn t8_after_deletion_an_on_pool_asks_to_set_up_or_for_the_other_factor() {
    let cognito = Cognito::start().await;
    let pool_id = cognito.pool(UserPoolMfaType::On).await;
    let client_id = cognito.client(&pool_id).await;
    cognito.user(&pool_id, "jane", &[]).await;
    cognito.user(&pool_id, "joe", &[("phone_number", "+12065550199")]).await;
    for (username, expected) in [("jane", ChallengeNameType::MfaSetup), ("joe", ChallengeNameType::SmsMfa)] {
        cognito.enrol(&pool_id, username).await;
        let delete = cognito.sdk.admin_delete_software_token();
        delete.user_pool_id(&pool_id).username(username).send().await.unwrap();
        let started = cognito.sign_in(&client_id, username).await;
        assert_eq!(started.challenge_name(), Some(&expected), "{username}");
    }
}

#[tokio::test]
async fn t9_a_pool_without_authenticator_apps_refuses_to_associate_and_verify() {
    let cognito = Cognito::start().await;
    let pool_id = cognito.plain_pool().await;
    cognito.user(&pool_id, "jane", &[]).await;
    let token = cognito.token(&pool_id, "jane").await;
    let expected = (
        "SoftwareTokenMFANotFoundException".to_owned(),
        "Software Token MFA has not been enabled by the userPool".to_owned(),
    );
    let associate = json!({ "AccessToken": token });
    assert_eq!(cognito.refused("AssociateSoftwareToken", associate).await, expected);
    assert_eq!(verify(&cognito, &token, "123456").await, Err(expected));
}

#[tokio::test]
async fn verifying_without_having_associated_finds_no_token() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "newuser").await;
    assert_eq!(
        verify(&cognito, &token, "123456").await,
        Err((
            "SoftwareTokenMFANotFoundException".to_owned(),
            "Software Token MFA does not exist for the user.".to_owned()
        ))
    );
}

#[tokio::test]
async fn t10_who_has_no_factor_sets_one_up_at_the_very_first_sign_in_to_an_on_pool() {
    let cognito = Cognito::start().await;
    let pool_id = cognito.pool(UserPoolMfaType::On).await;
    let client_id = cognito.client(&pool_id).await;
    let password = crate::cognito::PASSWORD;
    cognito.ok("SignUp", json!({ "ClientId": client_id, "Username": "jane", "Password": password })).await;
    cognito.ok("AdminConfirmSignUp", json!({ "UserPoolId": pool_id, "Username": "jane" })).await;
    cognito.user(&pool_id, "joe", &[]).await;
    for name in ["jane", "joe"] {
        let first = cognito.sign_in(&client_id, name).await;
        assert_eq!(first.challenge_name(), Some(&ChallengeNameType::MfaSetup), "{name}");
        assert!(first.authentication_result().is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_sign_in_tells_the_devices_name_and_to_an_administrator_the_user_too() {
    let cognito = Cognito::demo().await;
    let preference = json!({
        "UserPoolId": POOL, "Username": "testuser", "SoftwareTokenMfaSettings": { "Enabled": true },
    });
    cognito.ok("AdminSetUserMFAPreference", preference).await;
    let own = sign_in_body(demo::CLIENT_ID, "testuser", demo::PASSWORD);
    let mut admin = own.clone();
    admin["AuthFlow"] = json!("ADMIN_USER_PASSWORD_AUTH");
    admin["UserPoolId"] = json!(POOL);
    let own = own.to_string();
    // Unsigned, as SDKs send it.
    let parameters = async || cognito.post("InitiateAuth", &own, &[]).await.json()["ChallengeParameters"].clone();
    assert_eq!(parameters().await, json!({}), "a device without a name");
    let token = cognito.token(POOL, "testuser").await;
    associate(&cognito, &token).await;
    let code = cognito.totp(POOL, "testuser").await;
    let body = json!({ "AccessToken": token, "UserCode": code, "FriendlyDeviceName": "my phone" });
    cognito.ok("VerifySoftwareToken", body).await;
    assert_eq!(parameters().await, json!({ "FRIENDLY_DEVICE_NAME": "my phone" }));
    let asked = cognito.ok("AdminInitiateAuth", admin).await;
    assert_eq!(asked["ChallengeName"], "SOFTWARE_TOKEN_MFA");
    let both = json!({ "FRIENDLY_DEVICE_NAME": "my phone", "USER_ID_FOR_SRP": "testuser" });
    assert_eq!(asked["ChallengeParameters"], both);
}

#[tokio::test]
async fn t11_a_web_acl_is_reached_by_a_fault() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "newuser").await;
    let body = json!({ "AccessToken": token }).to_string();
    let headers = [("x-embedded-fault", "ForbiddenException")];
    let response = cognito.post("AssociateSoftwareToken", &body, &headers).await;
    assert_eq!((response.status, response.error().0.as_str()), (400, "ForbiddenException"));
}
