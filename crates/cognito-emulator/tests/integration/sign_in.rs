//! Signing in: passwords, challenges, what preferences make the next sign-in ask, and tokens.

use aws_sdk_cognitoidentityprovider::operation::respond_to_auth_challenge::RespondToAuthChallengeOutput;
use aws_sdk_cognitoidentityprovider::types::{AuthFlowType, ChallengeNameType, UserPoolMfaType};
use cognito_emulator::demo;
use serde_json::{Value, json};

use crate::cognito::{Cognito, PASSWORD, refusal};

const POOL: &str = demo::POOL_ID;

/// A user of the demo pool who can have every factor.
async fn jane(cognito: &Cognito) -> String {
    let attributes = [("phone_number", "+12065550199"), ("email", "jane@example.com")];
    cognito.user(POOL, "jane", &attributes).await;
    cognito.enrol(POOL, "jane").await;
    cognito.client(POOL).await
}

async fn prefer(cognito: &Cognito, factors: &[(&str, bool)]) {
    let mut body = json!({ "UserPoolId": POOL, "Username": "jane" });
    for (factor, preferred) in factors {
        body[format!("{factor}MfaSettings")] = json!({ "Enabled": true, "PreferredMfa": preferred });
    }
    cognito.ok("AdminSetUserMFAPreference", body).await;
}

async fn respond(
    cognito: &Cognito,
    client_id: &str,
    session: &str,
    challenge: ChallengeNameType,
    response: (&str, &str),
) -> Result<RespondToAuthChallengeOutput, (String, String)> {
    let response = cognito
        .sdk
        .respond_to_auth_challenge()
        .client_id(client_id)
        .session(session)
        .challenge_name(challenge)
        .challenge_responses("USERNAME", "jane")
        .challenge_responses(response.0, response.1)
        .send()
        .await;
    match response {
        Ok(output) => Ok(output),
        error => Err(refusal(error)),
    }
}

#[tokio::test]
async fn u2_without_a_factor_the_password_is_enough() {
    let cognito = Cognito::demo().await;
    let client_id = jane(&cognito).await;
    let done = cognito.sign_in(&client_id, "jane").await;
    let tokens = done.authentication_result().unwrap();
    assert_eq!((tokens.expires_in(), tokens.token_type()), (3600, Some("Bearer")));
    let user = cognito.sdk.get_user().access_token(tokens.access_token().unwrap()).send().await;
    assert_eq!(user.unwrap().username(), "jane");
}

#[tokio::test]
async fn u2_one_factor_is_asked_and_a_preferred_one_before_others() {
    let cognito = Cognito::demo().await;
    let client_id = jane(&cognito).await;
    prefer(&cognito, &[("Email", false)]).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    assert_eq!(asked.challenge_name(), Some(&ChallengeNameType::EmailOtp));
    prefer(&cognito, &[("SMS", true), ("SoftwareToken", false)]).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    assert_eq!(asked.challenge_name(), Some(&ChallengeNameType::SmsMfa));
    prefer(&cognito, &[("SoftwareToken", true)]).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    assert_eq!(asked.challenge_name(), Some(&ChallengeNameType::SoftwareTokenMfa));
}

#[tokio::test]
async fn u2_several_factors_and_none_preferred_are_a_choice() {
    let cognito = Cognito::demo().await;
    let client_id = jane(&cognito).await;
    prefer(&cognito, &[("SMS", false), ("SoftwareToken", false), ("Email", false)]).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    assert_eq!(asked.challenge_name(), Some(&ChallengeNameType::SelectMfaType));
    let choices = &asked.challenge_parameters().unwrap()["MFAS_CAN_CHOOSE"];
    assert_eq!(choices, r#"["SMS_MFA","SOFTWARE_TOKEN_MFA","EMAIL_OTP"]"#);
    let session = asked.session().unwrap();
    let select = ChallengeNameType::SelectMfaType;
    let refused = respond(&cognito, &client_id, session, select.clone(), ("ANSWER", "WEB_AUTHN")).await;
    assert_eq!(refused.unwrap_err().0, "MFAMethodNotFoundException");
    let chosen = respond(&cognito, &client_id, session, select, ("ANSWER", "EMAIL_OTP")).await.unwrap();
    assert_eq!(chosen.challenge_name(), Some(&ChallengeNameType::EmailOtp));
    let code = cognito.sent_code(POOL, "jane").await;
    let response = ("EMAIL_OTP_CODE", code.as_str());
    let email = ChallengeNameType::EmailOtp;
    let done = respond(&cognito, &client_id, chosen.session().unwrap(), email, response).await.unwrap();
    assert!(done.authentication_result().is_some());
}

#[tokio::test]
async fn u8_a_code_sent_by_sms_ends_the_sign_in_and_verifies_the_phone() {
    let cognito = Cognito::demo().await;
    let client_id = jane(&cognito).await;
    prefer(&cognito, &[("SMS", true)]).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    let parameters = asked.challenge_parameters().unwrap();
    assert_eq!(parameters["CODE_DELIVERY_DELIVERY_MEDIUM"], "SMS");
    assert_eq!(parameters["CODE_DELIVERY_DESTINATION"], "+*******0199");
    let code = cognito.sent_code(POOL, "jane").await;
    let wrong = if code == "000000" { "111111" } else { "000000" };
    let session = asked.session().unwrap();
    let sms = ChallengeNameType::SmsMfa;
    let refused = respond(&cognito, &client_id, session, sms.clone(), ("SMS_MFA_CODE", wrong)).await;
    assert_eq!(
        refused.unwrap_err(),
        ("CodeMismatchException".to_owned(), "Invalid code or auth state for the user.".to_owned())
    );
    let response = ("SMS_MFA_CODE", code.as_str());
    let done = respond(&cognito, &client_id, session, sms.clone(), response).await.unwrap();
    let token = done.authentication_result().unwrap().access_token().unwrap().to_owned();
    let user = cognito.ok("GetUser", json!({ "AccessToken": token })).await;
    let verified = json!({ "Name": "phone_number_verified", "Value": "true" });
    assert!(user["UserAttributes"].as_array().unwrap().contains(&verified));
    let again = respond(&cognito, &client_id, session, sms, response).await;
    assert_eq!(again.unwrap_err().1, "Invalid session for the user, session can only be used once.");
}

#[tokio::test]
async fn a_code_of_the_authenticator_app_ends_the_sign_in_and_is_good_for_one() {
    let cognito = Cognito::demo().await;
    let client_id = jane(&cognito).await;
    prefer(&cognito, &[("SoftwareToken", true)]).await;
    let token = ChallengeNameType::SoftwareTokenMfa;
    let code = cognito.totp(POOL, "jane").await;
    let response = ("SOFTWARE_TOKEN_MFA_CODE", code.as_str());
    let first = cognito.sign_in(&client_id, "jane").await;
    let done = respond(&cognito, &client_id, first.session().unwrap(), token.clone(), response).await;
    assert!(done.unwrap().authentication_result().is_some());
    let second = cognito.sign_in(&client_id, "jane").await;
    let refused = respond(&cognito, &client_id, second.session().unwrap(), token, response).await;
    assert_eq!(
        refused.unwrap_err(),
        ("ExpiredCodeException".to_owned(), "Your software token has already been used once.".to_owned())
    );
}

#[tokio::test]
async fn after_five_wrong_codes_each_locks_the_user_for_a_while() {
    let cognito = Cognito::demo().await;
    let client_id = jane(&cognito).await;
    prefer(&cognito, &[("SMS", true)]).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    let session = asked.session().unwrap();
    let sms = ChallengeNameType::SmsMfa;
    let code = cognito.sent_code(POOL, "jane").await;
    let wrong = if code == "000000" { "111111" } else { "000000" };
    for lock in [0, 0, 0, 0, 0, 2, 4, 8, 16, 32_u64] {
        let response = ("SMS_MFA_CODE", wrong);
        let refused = respond(&cognito, &client_id, session, sms.clone(), response).await;
        assert_eq!(refused.unwrap_err().0, "CodeMismatchException");
        if (1..32).contains(&lock) {
            cognito.advance(lock).await;
        }
    }
    let response = ("SMS_MFA_CODE", code.as_str());
    let locked = respond(&cognito, &client_id, session, sms.clone(), response).await;
    assert_eq!(
        locked.unwrap_err(),
        ("NotAuthorizedException".to_owned(), "User temporarily locked. Try again soon.".to_owned())
    );
    cognito.advance(32).await;
    assert!(respond(&cognito, &client_id, session, sms, response).await.is_ok());
}

#[tokio::test]
async fn a_challenge_is_completed_by_its_name_its_user_and_its_client_only() {
    let cognito = Cognito::demo().await;
    let client_id = jane(&cognito).await;
    let other_client = cognito.client(POOL).await;
    prefer(&cognito, &[("SMS", true)]).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    let session = asked.session().unwrap();
    let code = cognito.sent_code(POOL, "jane").await;
    let body = |client_id: &str, name: &str, username: &str| {
        json!({
            "ClientId": client_id,
            "ChallengeName": name,
            "Session": session,
            "ChallengeResponses": { "USERNAME": username, "SMS_MFA_CODE": code, "EMAIL_OTP_CODE": code },
        })
    };
    for body in [
        body(&other_client, "SMS_MFA", "jane"),
        body(&client_id, "EMAIL_OTP", "jane"),
        body(&client_id, "SMS_MFA", "testuser"),
    ] {
        let refused = cognito.refused("RespondToAuthChallenge", body).await;
        assert_eq!(refused.1, "Invalid session for the user.");
    }
    let mut missing = body(&client_id, "SMS_MFA", "jane");
    missing["ChallengeResponses"] = json!({ "USERNAME": "jane" });
    let refused = cognito.refused("RespondToAuthChallenge", missing).await;
    assert_eq!(refused.1, "Missing required parameter SMS_MFA_CODE");
    cognito.ok("RespondToAuthChallenge", body(&client_id, "SMS_MFA", "jane")).await;
}

#[tokio::test]
async fn a_temporary_password_is_replaced_in_the_sign_in() {
    let cognito = Cognito::demo().await;
    let client_id = cognito.client(POOL).await;
    let created = cognito.sdk.admin_create_user().user_pool_id(POOL).username("jane");
    let created = created.temporary_password("Temporary-1").send().await.unwrap();
    assert_eq!(created.user().unwrap().user_status().unwrap().as_str(), "FORCE_CHANGE_PASSWORD");
    let started = cognito
        .sdk
        .admin_initiate_auth()
        .user_pool_id(POOL)
        .client_id(&client_id)
        .auth_flow(AuthFlowType::AdminUserPasswordAuth)
        .auth_parameters("USERNAME", "jane")
        .auth_parameters("PASSWORD", "Temporary-1")
        .send()
        .await
        .unwrap();
    assert_eq!(started.challenge_name(), Some(&ChallengeNameType::NewPasswordRequired));
    let respond = |password: &str| {
        cognito
            .sdk
            .admin_respond_to_auth_challenge()
            .user_pool_id(POOL)
            .client_id(&client_id)
            .challenge_name(ChallengeNameType::NewPasswordRequired)
            .session(started.session().unwrap())
            .challenge_responses("USERNAME", "jane")
            .challenge_responses("NEW_PASSWORD", password)
            .send()
    };
    assert_eq!(refusal(respond("short").await).0, "InvalidPasswordException");
    assert!(respond(PASSWORD).await.unwrap().authentication_result().is_some());
    assert!(cognito.sign_in(&client_id, "jane").await.authentication_result().is_some());
}

#[tokio::test]
async fn a_sign_in_is_refused_in_cognitos_words() {
    let cognito = Cognito::demo().await;
    let client_id = jane(&cognito).await;
    let told = |code: &str, message: &str| (code.to_owned(), message.to_owned());
    assert_eq!(
        cognito.refused_sign_in(&client_id, "jane", "wrong").await,
        told("NotAuthorizedException", "Incorrect username or password.")
    );
    assert_eq!(
        cognito.refused_sign_in(&client_id, "nobody", "wrong").await,
        told("UserNotFoundException", "User does not exist.")
    );
    assert_eq!(
        cognito.refused_sign_in("unknownclient", "jane", PASSWORD).await,
        told("ResourceNotFoundException", "User pool client unknownclient does not exist.")
    );
    let user = json!({ "UserPoolId": POOL, "Username": "jane" });
    let update = json!({
        "UserPoolId": POOL, "Username": "jane",
        "UserAttributes": [{ "Name": "email_verified", "Value": "true" }],
    });
    cognito.ok("AdminUpdateUserAttributes", update).await;
    cognito.ok("AdminResetUserPassword", user.clone()).await;
    assert_eq!(cognito.refused_sign_in(&client_id, "jane", PASSWORD).await.0, "PasswordResetRequiredException");
    cognito.ok("AdminDisableUser", user).await;
    assert_eq!(
        cognito.refused_sign_in(&client_id, "jane", PASSWORD).await,
        told("NotAuthorizedException", "User is disabled.")
    );
    let sign_up = json!({ "ClientId": client_id, "Username": "new", "Password": PASSWORD });
    cognito.ok("SignUp", sign_up).await;
    assert_eq!(
        cognito.refused_sign_in(&client_id, "new", PASSWORD).await,
        told("UserNotConfirmedException", "User is not confirmed.")
    );
}

#[tokio::test]
async fn b1_an_on_pool_asks_by_phone_alone_though_nothing_is_listed() {
    let cognito = Cognito::start().await;
    let pool_id = cognito.pool(UserPoolMfaType::On).await;
    let client_id = cognito.client(&pool_id).await;
    cognito.user(&pool_id, "jane", &[("phone_number", "+12065550199")]).await;
    let user = cognito.ok("AdminGetUser", json!({ "UserPoolId": pool_id, "Username": "jane" })).await;
    assert_eq!(user.get("UserMFASettingList"), None);
    let asked = cognito.sign_in(&client_id, "jane").await;
    assert_eq!(asked.challenge_name(), Some(&ChallengeNameType::SmsMfa));
}

#[tokio::test]
async fn an_address_can_be_given_while_setting_up() {
    let cognito = Cognito::demo().await;
    let config = json!({
        "UserPoolId": POOL,
        "MfaConfiguration": "ON",
        "SmsMfaConfiguration": { "SmsConfiguration": { "SnsCallerArn": "arn:aws:iam::123456789012:role/sms" } },
        "EmailMfaConfiguration": {},
        "WebAuthnConfiguration": { "FactorConfiguration": "MULTI_FACTOR_WITH_USER_VERIFICATION" },
    });
    cognito.ok("SetUserPoolMfaConfig", config).await;
    cognito.user(POOL, "jane", &[]).await;
    let client_id = cognito.client(POOL).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    assert_eq!(asked.challenge_name(), Some(&ChallengeNameType::MfaSetup));
    let set_up = ChallengeNameType::MfaSetup;
    let response = ("EMAIL", "jane@example.com");
    let sent = respond(&cognito, &client_id, asked.session().unwrap(), set_up, response).await.unwrap();
    assert_eq!(sent.challenge_name(), Some(&ChallengeNameType::EmailOtp));
    let code = cognito.sent_code(POOL, "jane").await;
    let response = ("EMAIL_OTP_CODE", code.as_str());
    let email = ChallengeNameType::EmailOtp;
    let done = respond(&cognito, &client_id, sent.session().unwrap(), email, response).await.unwrap();
    assert!(done.authentication_result().is_some());
}

#[tokio::test]
async fn the_outbox_tells_where_each_code_went() {
    let cognito = Cognito::demo().await;
    let client_id = jane(&cognito).await;
    prefer(&cognito, &[("SMS", true)]).await;
    cognito.sign_in(&client_id, "jane").await;
    let outbox = cognito.control("GET", "outbox", &Value::Null).await;
    let letter = &outbox["Letters"][0];
    assert_eq!(letter["UserPoolId"], POOL);
    assert_eq!(letter["Username"], "jane");
    assert_eq!(letter["DeliveryMedium"], "SMS");
    assert_eq!(letter["Destination"], "+12065550199");
    assert_eq!(letter["Code"].as_str().unwrap().len(), 6);
}

#[tokio::test]
async fn t13_six_wrong_codes_are_mismatches_and_the_session_stays_usable_until_it_is_used() {
    let cognito = Cognito::demo().await;
    let client_id = jane(&cognito).await;
    prefer(&cognito, &[("Email", true)]).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    let session = asked.session().unwrap();
    let answer = async |code: &str| {
        respond(&cognito, &client_id, session, ChallengeNameType::EmailOtp, ("EMAIL_OTP_CODE", code)).await
    };
    let sent = cognito.sent_code(POOL, "jane").await;
    for _ in 0..6 {
        assert_eq!(answer("no code").await.unwrap_err().0, "CodeMismatchException");
    }
    let locked = ("NotAuthorizedException".to_owned(), "User temporarily locked. Try again soon.".to_owned());
    assert_eq!(answer(&sent).await.unwrap_err(), locked);
    cognito.advance(2).await;
    assert!(answer(&sent).await.unwrap().authentication_result().is_some());
    let used = "Invalid session for the user, session can only be used once.";
    assert_eq!(answer(&sent).await.unwrap_err(), ("NotAuthorizedException".to_owned(), used.to_owned()));
}
