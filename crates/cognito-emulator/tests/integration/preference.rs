//! Preferences of a user: the rules U1 to U14, and what is read back (B1, B2, B4).

use aws_sdk_cognitoidentityprovider::types::{SmsMfaSettingsType, SoftwareTokenMfaSettingsType, UserPoolMfaType};
use cognito_emulator::demo;
use serde_json::{Value, json};

use crate::cognito::{Cognito, PASSWORD};

const POOL: &str = demo::POOL_ID;

fn on() -> Value {
    json!({ "Enabled": true })
}

fn preferred() -> Value {
    json!({ "Enabled": true, "PreferredMfa": true })
}

fn off() -> Value {
    json!({ "Enabled": false })
}

fn request(pool_id: &str, username: &str, blocks: &[(&str, Value)]) -> Value {
    let mut request = json!({ "UserPoolId": pool_id, "Username": username });
    for (factor, block) in blocks {
        request[format!("{factor}MfaSettings")] = block.clone();
    }
    request
}

async fn set(cognito: &Cognito, pool_id: &str, username: &str, blocks: &[(&str, Value)]) {
    let response = cognito.ok("AdminSetUserMFAPreference", request(pool_id, username, blocks)).await;
    assert_eq!(response, json!({}), "U14: the response confirms nothing");
}

async fn refused(cognito: &Cognito, pool_id: &str, username: &str, blocks: &[(&str, Value)]) -> String {
    let body = request(pool_id, username, blocks);
    let (code, message) = cognito.refused("AdminSetUserMFAPreference", body).await;
    assert_eq!(code, "InvalidParameterException", "{message}");
    message
}

/// The factors turned on, and the preferred one.
async fn read(cognito: &Cognito, pool_id: &str, username: &str) -> (Vec<String>, Option<String>) {
    let read = cognito.sdk.admin_get_user().user_pool_id(pool_id).username(username);
    let user = read.send().await.unwrap();
    (user.user_mfa_setting_list().to_vec(), user.preferred_mfa_setting().map(str::to_owned))
}

fn state(factors: &[&str], preferred: Option<&str>) -> (Vec<String>, Option<String>) {
    (factors.iter().map(|factor| (*factor).to_owned()).collect(), preferred.map(str::to_owned))
}

#[tokio::test]
async fn u14_awss_sample_request_works_on_the_demo_pool_and_shows_in_the_read_back() {
    let cognito = Cognito::demo().await;
    let request = cognito.sdk.admin_set_user_mfa_preference().user_pool_id(POOL).username(demo::USERNAME);
    let sms = SmsMfaSettingsType::builder().enabled(true).preferred_mfa(true).build();
    let token = SoftwareTokenMfaSettingsType::builder().enabled(true).preferred_mfa(false).build();
    request.sms_mfa_settings(sms).software_token_mfa_settings(token).send().await.unwrap();
    assert_eq!(read(&cognito, POOL, "testuser").await, state(&["SMS_MFA", "SOFTWARE_TOKEN_MFA"], Some("SMS_MFA")));
}

#[tokio::test]
async fn a_signed_in_user_sets_their_own_preference() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    let sms = SmsMfaSettingsType::builder().enabled(true).preferred_mfa(true).build();
    let request = cognito.sdk.set_user_mfa_preference().access_token(&token);
    request.sms_mfa_settings(sms).send().await.unwrap();
    let user = cognito.sdk.get_user().access_token(&token).send().await.unwrap();
    assert_eq!(user.preferred_mfa_setting(), Some("SMS_MFA"));
    assert_eq!(user.user_mfa_setting_list(), ["SMS_MFA"]);
}

#[tokio::test]
async fn u1_two_preferred_factors_are_refused_and_a_new_one_replaces_the_old_one() {
    let cognito = Cognito::demo().await;
    let both = [("SMS", preferred()), ("SoftwareToken", preferred())];
    refused(&cognito, POOL, "testuser", &both).await;
    assert_eq!(read(&cognito, POOL, "testuser").await, state(&[], None));
    set(&cognito, POOL, "testuser", &[("SMS", preferred())]).await;
    set(&cognito, POOL, "testuser", &[("SoftwareToken", preferred())]).await;
    let expected = state(&["SMS_MFA", "SOFTWARE_TOKEN_MFA"], Some("SOFTWARE_TOKEN_MFA"));
    assert_eq!(read(&cognito, POOL, "testuser").await, expected);
}

#[tokio::test]
async fn u3_a_factor_that_is_not_enabled_cannot_be_preferred() {
    let cognito = Cognito::demo().await;
    for block in [json!({ "Enabled": false, "PreferredMfa": true }), json!({ "PreferredMfa": true })] {
        refused(&cognito, POOL, "testuser", &[("SMS", block)]).await;
    }
}

#[tokio::test]
async fn u4_an_omitted_block_leaves_its_factor_as_it_is() {
    let cognito = Cognito::demo().await;
    set(&cognito, POOL, "testuser", &[("SMS", preferred())]).await;
    set(&cognito, POOL, "testuser", &[("Email", on())]).await;
    assert_eq!(read(&cognito, POOL, "testuser").await, state(&["SMS_MFA", "EMAIL_OTP"], Some("SMS_MFA")));
    set(&cognito, POOL, "testuser", &[]).await;
    assert_eq!(read(&cognito, POOL, "testuser").await, state(&["SMS_MFA", "EMAIL_OTP"], Some("SMS_MFA")));
}

#[tokio::test]
async fn u5_turning_off_what_the_user_never_had_is_accepted_and_changes_nothing() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "newuser").await;
    let everything_off = json!({ "Enabled": false, "PreferredMfa": false });
    for associated in [false, true] {
        if associated {
            cognito.ok("AssociateSoftwareToken", json!({ "AccessToken": token })).await;
        }
        for factor in ["SMS", "SoftwareToken", "Email", "WebAuthn"] {
            set(&cognito, POOL, "newuser", &[(factor, off())]).await;
            let mut own = json!({ "AccessToken": token });
            own[format!("{factor}MfaSettings")] = if factor == "WebAuthn" { off() } else { everything_off.clone() };
            cognito.ok("SetUserMFAPreference", own).await;
        }
        assert_eq!(read(&cognito, POOL, "newuser").await, state(&[], None));
    }
    cognito.user(POOL, "phone", &[("phone_number", "+12065550199")]).await;
    set(&cognito, POOL, "phone", &[("SMS", on()), ("SoftwareToken", off())]).await;
    assert_eq!(read(&cognito, POOL, "phone").await, state(&["SMS_MFA"], None));
    // A refusal changes nothing, also if another block could be applied.
    refused(&cognito, POOL, "phone", &[("SMS", off()), ("SoftwareToken", on())]).await;
    assert_eq!(read(&cognito, POOL, "phone").await, state(&["SMS_MFA"], None));
}

#[tokio::test]
async fn u6_enabled_alone_keeps_the_preference_and_a_false_preference_clears_it() {
    let cognito = Cognito::demo().await;
    set(&cognito, POOL, "testuser", &[("SMS", preferred())]).await;
    set(&cognito, POOL, "testuser", &[("SMS", on())]).await;
    assert_eq!(read(&cognito, POOL, "testuser").await, state(&["SMS_MFA"], Some("SMS_MFA")));
    let other = json!({ "Enabled": true, "PreferredMfa": false });
    set(&cognito, POOL, "testuser", &[("SoftwareToken", other.clone())]).await;
    assert_eq!(read(&cognito, POOL, "testuser").await.1.as_deref(), Some("SMS_MFA"));
    set(&cognito, POOL, "testuser", &[("SMS", other)]).await;
    assert_eq!(read(&cognito, POOL, "testuser").await.1, None);
}

#[tokio::test]
async fn turning_a_factor_off_clears_its_preference() {
    let cognito = Cognito::demo().await;
    set(&cognito, POOL, "testuser", &[("SMS", preferred()), ("Email", on())]).await;
    set(&cognito, POOL, "testuser", &[("SMS", off())]).await;
    assert_eq!(read(&cognito, POOL, "testuser").await, state(&["EMAIL_OTP"], None));
}

#[tokio::test]
async fn u7_an_authenticator_app_is_turned_on_only_when_it_is_verified() {
    let cognito = Cognito::demo().await;
    let text = "User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA";
    assert_eq!(refused(&cognito, POOL, "newuser", &[("SoftwareToken", on())]).await, text);
    let token = cognito.token(POOL, "newuser").await;
    cognito.ok("AssociateSoftwareToken", json!({ "AccessToken": token })).await;
    assert_eq!(refused(&cognito, POOL, "newuser", &[("SoftwareToken", on())]).await, text);
    let code = cognito.totp(POOL, "newuser").await;
    cognito.ok("VerifySoftwareToken", json!({ "AccessToken": token, "UserCode": code })).await;
    set(&cognito, POOL, "newuser", &[("SoftwareToken", on())]).await;
    assert_eq!(read(&cognito, POOL, "newuser").await, state(&["SOFTWARE_TOKEN_MFA"], None));
}

#[tokio::test]
async fn u8_an_unverified_address_is_enough_and_none_is_not() {
    let cognito = Cognito::demo().await;
    cognito.user(POOL, "jane", &[("phone_number", "+12065550199"), ("email", "j@example.com")]).await;
    set(&cognito, POOL, "jane", &[("SMS", preferred()), ("Email", on())]).await;
    assert_eq!(read(&cognito, POOL, "jane").await, state(&["SMS_MFA", "EMAIL_OTP"], Some("SMS_MFA")));
    assert_eq!(
        refused(&cognito, POOL, "newuser", &[("SMS", on())]).await,
        "User does not have delivery config set to turn on SMS_MFA"
    );
    assert_eq!(
        refused(&cognito, POOL, "newuser", &[("Email", on())]).await,
        "User does not have delivery config set to turn on EMAIL_OTP"
    );
}

#[tokio::test]
async fn u9_an_mfa_address_cannot_be_the_only_way_to_recover() {
    let cognito = Cognito::start().await;
    for (mechanism, factor) in [("verified_email", "Email"), ("verified_phone_number", "SMS")] {
        let created = cognito
            .ok(
                "CreateUserPool",
                json!({
                    "PoolName": "p",
                    "AccountRecoverySetting": { "RecoveryMechanisms": [{ "Priority": 1, "Name": mechanism }] },
                }),
            )
            .await;
        let pool_id = created["UserPool"]["Id"].as_str().unwrap();
        let attributes = [("email", "j@example.com"), ("phone_number", "+12065550199")];
        cognito.user(pool_id, "jane", &attributes).await;
        let message = refused(&cognito, pool_id, "jane", &[(factor, on())]).await;
        assert!(message.contains(mechanism), "{message}");
    }
}

#[tokio::test]
async fn u10_passkeys_need_their_pool_configuration_and_another_factor() {
    let cognito = Cognito::demo().await;
    refused(&cognito, POOL, "testuser", &[("WebAuthn", on())]).await;
    set(&cognito, POOL, "testuser", &[("WebAuthn", on()), ("SMS", on())]).await;
    assert_eq!(read(&cognito, POOL, "testuser").await, state(&["SMS_MFA", "WEB_AUTHN"], None));
    refused(&cognito, POOL, "testuser", &[("SMS", off())]).await;
    set(&cognito, POOL, "testuser", &[("WebAuthn", off()), ("SMS", off())]).await;
    assert_eq!(read(&cognito, POOL, "testuser").await, state(&[], None));

    let other = cognito.pool(UserPoolMfaType::Optional).await;
    cognito.user(&other, "jane", &[("phone_number", "+12065550199")]).await;
    let message = refused(&cognito, &other, "jane", &[("WebAuthn", on()), ("SMS", on())]).await;
    assert!(message.contains("MULTI_FACTOR_WITH_USER_VERIFICATION"), "{message}");
}

#[tokio::test]
async fn u11_in_an_on_pool_only_the_preferred_factor_changes() {
    let cognito = Cognito::start().await;
    let pool_id = cognito.pool(UserPoolMfaType::Optional).await;
    cognito.user(&pool_id, "jane", &[("phone_number", "+12065550199")]).await;
    set(&cognito, &pool_id, "jane", &[("SMS", preferred())]).await;
    cognito.offer(&pool_id, UserPoolMfaType::On).await;
    set(&cognito, &pool_id, "jane", &[("SMS", off()), ("SoftwareToken", off())]).await;
    assert_eq!(read(&cognito, &pool_id, "jane").await, state(&["SMS_MFA"], Some("SMS_MFA")));
    cognito.enrol(&pool_id, "jane").await;
    set(&cognito, &pool_id, "jane", &[("SoftwareToken", preferred())]).await;
    assert_eq!(read(&cognito, &pool_id, "jane").await, state(&["SMS_MFA"], Some("SOFTWARE_TOKEN_MFA")));
}

#[tokio::test]
async fn u12_a_factor_that_the_pool_does_not_offer_is_accepted_and_read_back() {
    let cognito = Cognito::start().await;
    let pool_id = cognito.plain_pool().await;
    cognito.user(&pool_id, "jane", &[("phone_number", "+12065550199")]).await;
    set(&cognito, &pool_id, "jane", &[("SMS", preferred())]).await;
    assert_eq!(read(&cognito, &pool_id, "jane").await, state(&["SMS_MFA"], Some("SMS_MFA")));
}

#[tokio::test]
async fn u13_a_federated_users_preference_is_accepted_and_has_no_effect() {
    let cognito = Cognito::demo().await;
    let federated = json!({ "UserPoolId": POOL, "Username": "testuser", "UserStatus": "EXTERNAL_PROVIDER" });
    cognito.control("POST", "user", &federated).await;
    set(&cognito, POOL, "testuser", &[("SMS", preferred())]).await;
    let refused = cognito.refused_sign_in(demo::CLIENT_ID, "testuser", demo::PASSWORD).await;
    assert_eq!(refused.0, "NotAuthorizedException");
}

#[tokio::test]
async fn u15_in_an_optional_pool_a_user_with_mfa_has_only_the_password_as_first_factor() {
    let cognito = Cognito::start().await;
    let created = cognito
        .ok(
            "CreateUserPool",
            json!({
                "PoolName": "p",
                "Policies": { "SignInPolicy": { "AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP", "SMS_OTP"] } },
            }),
        )
        .await;
    let pool_id = created["UserPool"]["Id"].as_str().unwrap().to_owned();
    cognito.offer(&pool_id, UserPoolMfaType::Optional).await;
    let attributes = [("email", "j@example.com"), ("phone_number", "+12065550199")];
    cognito.user(&pool_id, "jane", &attributes).await;
    let read = json!({ "UserPoolId": pool_id, "Username": "jane" });
    let factors = cognito.ok("AdminGetUserAuthFactors", read.clone()).await;
    assert_eq!(factors["ConfiguredUserAuthFactors"], json!(["PASSWORD", "EMAIL_OTP", "SMS_OTP"]));
    set(&cognito, &pool_id, "jane", &[("SMS", preferred())]).await;
    let factors = cognito.ok("AdminGetUserAuthFactors", read).await;
    assert_eq!(
        factors,
        json!({
            "Username": "jane",
            "PreferredMfaSetting": "SMS_MFA",
            "UserMFASettingList": ["SMS_MFA"],
            "ConfiguredUserAuthFactors": ["PASSWORD", "SMS_OTP"],
        })
    );
}

#[tokio::test]
async fn b2_after_another_associate_the_list_still_shows_the_token_that_stopped() {
    let cognito = Cognito::demo().await;
    set(&cognito, POOL, "testuser", &[("SoftwareToken", preferred())]).await;
    let token = cognito.token(POOL, "testuser").await;
    cognito.ok("AssociateSoftwareToken", json!({ "AccessToken": token })).await;
    assert_eq!(read(&cognito, POOL, "testuser").await, state(&["SOFTWARE_TOKEN_MFA"], Some("SOFTWARE_TOKEN_MFA")));
}

#[tokio::test]
async fn b4_what_is_not_set_is_absent() {
    let cognito = Cognito::demo().await;
    let user = cognito.ok("AdminGetUser", json!({ "UserPoolId": POOL, "Username": "testuser" })).await;
    for member in ["PreferredMfaSetting", "UserMFASettingList", "MFAOptions"] {
        assert_eq!(user.get(member), None, "{member}");
    }
}

#[tokio::test]
async fn users_in_a_state_that_forbids_it_are_refused() {
    let cognito = Cognito::demo().await;
    let client_id = cognito.client(POOL).await;
    let sign_up = json!({ "ClientId": client_id, "Username": "fresh", "Password": PASSWORD });
    cognito.ok("SignUp", sign_up).await;
    let body = request(POOL, "fresh", &[]);
    assert_eq!(
        cognito.refused("AdminSetUserMFAPreference", body).await,
        ("UserNotConfirmedException".to_owned(), "User is not confirmed.".to_owned())
    );
    let user = json!({ "UserPoolId": POOL, "Username": "testuser" });
    cognito.ok("AdminResetUserPassword", user.clone()).await;
    let body = request(POOL, "testuser", &[]);
    let refused = cognito.refused("AdminSetUserMFAPreference", body.clone()).await;
    assert_eq!(refused.0, "PasswordResetRequiredException");
    cognito.ok("AdminDisableUser", user).await;
    assert_eq!(
        cognito.refused("AdminSetUserMFAPreference", body).await,
        ("NotAuthorizedException".to_owned(), "User is disabled.".to_owned())
    );
}
