//! The samples of the AWS CLI's documentation, on the demo pools: in any order, and again.

use cognito_emulator::demo;
use serde_json::{Value, json};

use crate::cognito::Cognito;

const POOL: &str = demo::POOL_ID;
const OLDER: &str = demo::OTHER_POOL_ID;
const DIEGO: &str = demo::ENROLLED_USERNAME;

/// The samples that change or read; `TOKEN` and `CODE` stand for what a sample can only show the form of.
fn samples() -> Vec<(&'static str, Value)> {
    let role = "arn:aws:iam::123456789012:role/service-role/test-SMS-Role";
    let channel =
        json!({ "SnsCallerArn": role, "ExternalId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111", "SnsRegion": "us-west-2" });
    let off = json!({ "Enabled": false, "PreferredMfa": false });
    vec![
        ("AdminGetUser", json!({ "UserPoolId": OLDER, "Username": "jane@example.com" })),
        ("AdminSetUserMFAPreference", json!({ "UserPoolId": OLDER, "Username": DIEGO, "SMSMfaSettings": off })),
        (
            "AdminSetUserSettings",
            json!({ "UserPoolId": OLDER, "Username": DIEGO, "MFAOptions": [{ "DeliveryMedium": "EMAIL" }] }),
        ),
        (
            "AdminUpdateUserAttributes",
            json!({
                "UserPoolId": OLDER, "Username": DIEGO,
                "UserAttributes": [{ "Name": "custom:CustomAttr1", "Value": "Purple" }],
            }),
        ),
        (
            "AdminInitiateAuth",
            json!({
                "UserPoolId": POOL, "ClientId": demo::CLIENT_ID, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
                "AuthParameters": {
                    "USERNAME": DIEGO, "PASSWORD": demo::ENROLLED_PASSWORD,
                    "SECRET_HASH": "ExampleEncodedClientIdSecretAndUsername=",
                },
                "ContextData": {
                    "EncodedData": "abc123example",
                    "HttpHeaders": [{ "headerName": "UserAgent", "headerValue": "Mozilla/5.0" }],
                    "IpAddress": "192.0.2.1", "ServerName": "example.com", "ServerPath": "/login",
                },
                "ClientMetadata": { "MyExampleKey": "MyExampleValue" },
            }),
        ),
        ("AdminUserGlobalSignOut", json!({ "UserPoolId": POOL, "Username": DIEGO })),
        ("AssociateSoftwareToken", json!({ "AccessToken": "TOKEN" })),
        (
            "CreateUserPoolClient",
            json!({
                "UserPoolId": POOL, "ClientName": "MyTestClient", "GenerateSecret": true,
                "RefreshTokenValidity": 10, "AccessTokenValidity": 60, "IdTokenValidity": 60,
                "TokenValidityUnits": { "AccessToken": "minutes", "IdToken": "minutes", "RefreshToken": "days" },
                "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
                "PreventUserExistenceErrors": "ENABLED", "AuthSessionValidity": 4,
            }),
        ),
        ("CreateUserPool", json!({ "PoolName": "MyUserPool" })),
        ("DescribeUserPool", json!({ "UserPoolId": POOL })),
        ("GetUser", json!({ "AccessToken": "TOKEN" })),
        ("GetUserAuthFactors", json!({ "AccessToken": "TOKEN" })),
        ("GetUserPoolMfaConfig", json!({ "UserPoolId": POOL })),
        ("GlobalSignOut", json!({ "AccessToken": "TOKEN" })),
        (
            "InitiateAuth",
            json!({
                "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": demo::CLIENT_ID,
                "AnalyticsMetadata": { "AnalyticsEndpointId": "d70b2ba36a8c4dc5a04a0451aEXAMPLE" },
                "AuthParameters": { "USERNAME": "testuser", "PASSWORD": demo::PASSWORD },
                "UserContextData": { "EncodedData": "mycontextdata" },
                "ClientMetadata": { "MyTestKey": "MyTestValue" },
            }),
        ),
        ("ListUserPools", json!({ "MaxResults": 3 })),
        ("ListUsers", json!({ "UserPoolId": POOL, "Filter": "email^=\"testuser\"" })),
        ("ListWebAuthnCredentials", json!({ "AccessToken": "TOKEN" })),
        (
            "SetUserMFAPreference",
            json!({
                "AccessToken": "TOKEN",
                "SoftwareTokenMfaSettings": { "Enabled": true, "PreferredMfa": true },
                "SMSMfaSettings": off, "EmailMfaSettings": off,
            }),
        ),
        (
            "SetUserPoolMfaConfig",
            json!({
                "UserPoolId": POOL,
                "SmsMfaConfiguration": {
                    "SmsAuthenticationMessage": "Your OTP for MFA or sign-in: use {####}.", "SmsConfiguration": channel,
                },
                "SoftwareTokenMfaConfiguration": { "Enabled": true },
                "EmailMfaConfiguration": {
                    "Message": "Your OTP for MFA or sign-in: use {####}", "Subject": "OTP test",
                },
                "MfaConfiguration": "OPTIONAL",
                "WebAuthnConfiguration": { "RelyingPartyId": "auth.example.com", "UserVerification": "preferred" },
            }),
        ),
        ("SetUserSettings", json!({ "AccessToken": "TOKEN", "MFAOptions": [{ "DeliveryMedium": "EMAIL" }] })),
        ("StartWebAuthnRegistration", json!({ "AccessToken": "TOKEN" })),
        ("VerifySoftwareToken", json!({ "AccessToken": "TOKEN", "UserCode": "CODE" })),
    ]
}

/// The samples after which another one meets what it needs no longer, as on AWS.
fn destructive_samples() -> Vec<(&'static str, Value)> {
    let diego = json!({ "UserPoolId": OLDER, "Username": DIEGO });
    let here = json!({ "UserPoolId": POOL, "Username": DIEGO });
    vec![
        (
            "AdminSetUserPassword",
            json!({ "UserPoolId": POOL, "Username": DIEGO, "Password": "MyExamplePassword1!", "Permanent": true }),
        ),
        ("AdminDisableUser", here.clone()),
        ("AdminEnableUser", here),
        ("AdminResetUserPassword", diego.clone()),
        ("AdminDeleteUser", diego),
        (
            "AdminCreateUser",
            json!({
                "UserPoolId": OLDER, "Username": "diego", "MessageAction": "SUPPRESS",
                "UserAttributes": [
                    { "Name": "email", "Value": "diego@example.com" },
                    { "Name": "phone_number", "Value": "+15555551212" },
                ],
            }),
        ),
        ("AdminConfirmSignUp", json!({ "UserPoolId": OLDER, "Username": "jane@example.com" })),
        (
            "SignUp",
            json!({
                "ClientId": "3n4b5urk1ft4fl3mg5e62d9ado", "Username": "jane@example.com", "Password": demo::PASSWORD,
                "UserAttributes": [
                    { "Name": "email", "Value": "jane@example.com" }, { "Name": "name", "Value": "Jane" },
                ],
            }),
        ),
        ("DeleteUserPool", json!({ "UserPoolId": OLDER })),
    ]
}

async fn run(cognito: &Cognito, operation: &str, mut body: Value) {
    if body.get("AccessToken").is_some() {
        body["AccessToken"] = json!(cognito.token(POOL, "testuser").await);
    }
    if body.get("UserCode").is_some() {
        // So that the code was not used, however fast the samples follow each other.
        cognito.advance(30).await;
        body["UserCode"] = json!(cognito.totp(POOL, "testuser").await);
    }
    cognito.ok(operation, body).await;
}

#[tokio::test]
async fn every_sample_runs_after_every_other_one_and_again() {
    let cognito = Cognito::demo().await;
    for (first, first_body) in samples() {
        cognito.control("POST", "reset", &Value::Null).await;
        run(&cognito, first, first_body.clone()).await;
        for (operation, body) in samples() {
            run(&cognito, operation, body).await;
        }
        run(&cognito, first, first_body).await;
    }
}

#[tokio::test]
async fn the_samples_run_backwards_and_in_strides() {
    let cognito = Cognito::demo().await;
    let all = samples();
    for stride in [all.len() - 1, 2, 5, 7, 11] {
        for index in 0..2 * all.len() {
            let (operation, body) = all[(index * stride) % all.len()].clone();
            run(&cognito, operation, body).await;
        }
    }
}

#[tokio::test]
async fn the_destructive_samples_run_and_a_reset_undoes_them() {
    let cognito = Cognito::demo().await;
    for _ in 0..2 {
        for (operation, body) in destructive_samples() {
            run(&cognito, operation, body).await;
        }
        cognito.control("POST", "reset", &Value::Null).await;
        for (operation, body) in samples() {
            run(&cognito, operation, body).await;
        }
        cognito.control("POST", "reset", &Value::Null).await;
    }
}

#[tokio::test]
async fn the_enrolled_user_is_asked_as_the_sample_shows() {
    let cognito = Cognito::demo().await;
    let (operation, body) = samples().into_iter().find(|(operation, _)| *operation == "AdminInitiateAuth").unwrap();
    let asked = cognito.ok(operation, body).await;
    assert_eq!(asked["ChallengeName"], "SOFTWARE_TOKEN_MFA");
    let shown = json!({ "FRIENDLY_DEVICE_NAME": "MyAuthenticatorApp", "USER_ID_FOR_SRP": DIEGO });
    assert_eq!(asked["ChallengeParameters"], shown);
}
