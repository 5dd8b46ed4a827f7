//! The constraints of the service model: each bound, pattern, enum and required member, and AWS's text.

use serde_json::{Value, json};

use crate::cognito::Cognito;

const POOL: &str = "us-west-2_EXAMPLE";

/// The text after "1 validation error detected: ".
async fn violation(cognito: &Cognito, operation: &str, body: Value) -> String {
    let (code, message) = cognito.refused(operation, body).await;
    assert_eq!(code, "InvalidParameterException", "{message}");
    message.strip_prefix("1 validation error detected: ").unwrap_or(&message).to_owned()
}

fn pool_config(member: &str, block: &Value) -> Value {
    json!({ "UserPoolId": POOL, member: block })
}

fn sms_channel(channel: &Value) -> Value {
    pool_config("SmsMfaConfiguration", &json!({ "SmsConfiguration": channel }))
}

fn own_channel(member: &str, value: String) -> Value {
    let mut own = json!({ "CallerArn": "arn:aws:iam::123456789012:role/sms" });
    own[member] = Value::from(value);
    sms_channel(&json!({ "EumsSms": own }))
}

fn at_most(most: usize) -> String {
    format!("Member must have length less than or equal to {most}")
}

fn at_least(least: usize) -> String {
    format!("Member must have length greater than or equal to {least}")
}

fn pattern(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

fn long(length: usize) -> String {
    "x".repeat(length)
}

fn arn(length: usize) -> String {
    format!("{:x<length$}", "arn:aws:iam::123456789012:role/")
}

/// A request, the path of its one flaw, and the constraint that it breaks.
type Row = (&'static str, Value, &'static str, String);

async fn each_is_refused(rows: Vec<Row>) {
    let cognito = Cognito::demo().await;
    for (operation, body, path, broken) in rows {
        let message = violation(&cognito, operation, body).await;
        assert!(
            message.contains(&format!("at '{path}' failed to satisfy constraint: {broken}")),
            "{operation} {path}: {message}"
        );
    }
}

#[tokio::test]
async fn each_string_of_a_user_call_keeps_its_lengths_and_pattern() {
    each_is_refused(vec![
        ("GetUserPoolMfaConfig", json!({ "UserPoolId": format!("{}_a", long(54)) }), "userPoolId", at_most(55)),
        ("AdminGetUser", json!({ "UserPoolId": POOL, "Username": long(129) }), "username", at_most(128)),
        (
            "AdminGetUser",
            json!({ "UserPoolId": POOL, "Username": "with space" }),
            "username",
            pattern(r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+"),
        ),
        ("GetUser", json!({ "AccessToken": "a b" }), "accessToken", pattern("[A-Za-z0-9-_=.]+")),
        ("AssociateSoftwareToken", json!({ "Session": long(19) }), "session", at_least(20)),
        ("AssociateSoftwareToken", json!({ "Session": long(4097) }), "session", at_most(4096)),
        ("VerifySoftwareToken", json!({ "UserCode": "12345" }), "userCode", at_least(6)),
        ("VerifySoftwareToken", json!({ "UserCode": "1234567" }), "userCode", at_most(6)),
        ("VerifySoftwareToken", json!({ "UserCode": "12345a" }), "userCode", pattern("[0-9]+")),
        (
            "VerifySoftwareToken",
            json!({ "UserCode": "123456", "FriendlyDeviceName": long(131_073) }),
            "friendlyDeviceName",
            at_most(131_072),
        ),
        (
            "AdminSetUserSettings",
            json!({ "UserPoolId": POOL, "Username": "u", "MFAOptions": [{ "AttributeName": long(33) }] }),
            "mFAOptions.1.member.attributeName",
            at_most(32),
        ),
        ("ListWebAuthnCredentials", json!({ "AccessToken": "a", "NextToken": "" }), "nextToken", at_least(1)),
        (
            "DeleteWebAuthnCredential",
            json!({ "AccessToken": "a", "CredentialId": long(131_073) }),
            "credentialId",
            at_most(131_072),
        ),
        ("ListUsers", json!({ "UserPoolId": POOL, "Filter": long(257) }), "filter", at_most(256)),
    ])
    .await;
}

#[tokio::test]
async fn each_string_of_a_pool_configuration_keeps_its_lengths_and_pattern() {
    each_is_refused(vec![
        (
            "SetUserPoolMfaConfig",
            pool_config(
                "SmsMfaConfiguration",
                &json!({ "SmsAuthenticationMessage": "{####}".to_owned() + &long(135) }),
            ),
            "smsMfaConfiguration.smsAuthenticationMessage",
            at_most(140),
        ),
        (
            "SetUserPoolMfaConfig",
            pool_config("SmsMfaConfiguration", &json!({ "SmsAuthenticationMessage": "no code" })),
            "smsMfaConfiguration.smsAuthenticationMessage",
            pattern(r".*\{####\}.*"),
        ),
        (
            "SetUserPoolMfaConfig",
            pool_config("EmailMfaConfiguration", &json!({ "Message": "{####}".to_owned() + &long(19_995) })),
            "emailMfaConfiguration.message",
            at_most(20_000),
        ),
        (
            "SetUserPoolMfaConfig",
            pool_config("EmailMfaConfiguration", &json!({ "Subject": "" })),
            "emailMfaConfiguration.subject",
            pattern(r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s]+"),
        ),
        (
            "SetUserPoolMfaConfig",
            pool_config("WebAuthnConfiguration", &json!({ "RelyingPartyId": "" })),
            "webAuthnConfiguration.relyingPartyId",
            at_least(1),
        ),
        (
            "SetUserPoolMfaConfig",
            pool_config("WebAuthnConfiguration", &json!({ "RelyingPartyId": long(128) })),
            "webAuthnConfiguration.relyingPartyId",
            at_most(127),
        ),
        (
            "SetUserPoolMfaConfig",
            sms_channel(&json!({ "SnsCallerArn": arn(2049) })),
            "smsMfaConfiguration.smsConfiguration.snsCallerArn",
            at_most(2048),
        ),
        (
            "SetUserPoolMfaConfig",
            sms_channel(&json!({ "ExternalId": long(131_073) })),
            "smsMfaConfiguration.smsConfiguration.externalId",
            at_most(131_072),
        ),
        (
            "SetUserPoolMfaConfig",
            sms_channel(&json!({ "SnsRegion": "abcd" })),
            "smsMfaConfiguration.smsConfiguration.snsRegion",
            at_least(5),
        ),
        (
            "SetUserPoolMfaConfig",
            own_channel("CallerArn", arn(2049)),
            "smsMfaConfiguration.smsConfiguration.eumsSms.callerArn",
            at_most(2048),
        ),
        (
            "SetUserPoolMfaConfig",
            own_channel("Region", long(33)),
            "smsMfaConfiguration.smsConfiguration.eumsSms.region",
            at_most(32),
        ),
        (
            "SetUserPoolMfaConfig",
            own_channel("OriginationIdentity", long(131_073)),
            "smsMfaConfiguration.smsConfiguration.eumsSms.originationIdentity",
            at_most(131_072),
        ),
    ])
    .await;
}

#[tokio::test]
async fn each_number_keeps_its_bounds() {
    let cognito = Cognito::start().await;
    for (operation, body, message) in [
        (
            "ListUserPools",
            json!({ "MaxResults": 0 }),
            "Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            "ListUserPools",
            json!({ "MaxResults": 61 }),
            "Value '61' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 60",
        ),
        (
            "ListUsers",
            json!({ "UserPoolId": POOL, "Limit": 61 }),
            "Value '61' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 60",
        ),
        (
            "ListWebAuthnCredentials",
            json!({ "AccessToken": "a", "MaxResults": 21 }),
            "Value '21' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 20",
        ),
        (
            "ListWebAuthnCredentials",
            json!({ "AccessToken": "a", "MaxResults": -1 }),
            "Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0",
        ),
    ] {
        assert_eq!(violation(&cognito, operation, body).await, message);
    }
}

#[tokio::test]
async fn each_enum_accepts_its_values_only() {
    let cognito = Cognito::start().await;
    let options = |medium: &str| json!({ "AccessToken": "a", "MFAOptions": [{ "DeliveryMedium": medium }] });
    let web_authn = |member: &str| json!({ "UserPoolId": POOL, "WebAuthnConfiguration": { member: "required_" } });
    for (operation, body, path, values) in [
        ("SetUserSettings", options("sms"), "mFAOptions.1.member.deliveryMedium", "[SMS, EMAIL]"),
        (
            "SetUserPoolMfaConfig",
            json!({ "UserPoolId": POOL, "MfaConfiguration": "on" }),
            "mfaConfiguration",
            "[OFF, ON, OPTIONAL]",
        ),
        (
            "SetUserPoolMfaConfig",
            web_authn("UserVerification"),
            "webAuthnConfiguration.userVerification",
            "[required, preferred]",
        ),
        (
            "SetUserPoolMfaConfig",
            web_authn("FactorConfiguration"),
            "webAuthnConfiguration.factorConfiguration",
            "[SINGLE_FACTOR, MULTI_FACTOR_WITH_USER_VERIFICATION]",
        ),
        (
            "CreateUserPool",
            json!({ "PoolName": "p", "UserPoolTier": "FREE" }),
            "userPoolTier",
            "[LITE, ESSENTIALS, PLUS]",
        ),
    ] {
        let message = violation(&cognito, operation, body).await;
        let expected =
            format!("at '{path}' failed to satisfy constraint: Member must satisfy enum value set: {values}");
        assert!(message.ends_with(&expected), "{message}");
    }
}

#[tokio::test]
async fn each_required_member_must_be_there() {
    let cognito = Cognito::start().await;
    let null = |path: &str| format!("Value null at '{path}' failed to satisfy constraint: Member must not be null");
    let hidden = |path: &str| format!("Value at '{path}' failed to satisfy constraint: Member must not be null");
    let (pool, user, token) = (null("userPoolId"), hidden("username"), hidden("accessToken"));
    let both = vec![pool.clone(), user.clone()];
    for (operation, missing) in [
        ("SetUserSettings", vec![token.clone(), null("mFAOptions")]),
        ("AdminSetUserSettings", vec![pool.clone(), user.clone(), null("mFAOptions")]),
        ("SetUserMFAPreference", vec![token.clone()]),
        ("AdminSetUserMFAPreference", both.clone()),
        ("SetUserPoolMfaConfig", vec![pool.clone()]),
        ("GetUserPoolMfaConfig", vec![pool.clone()]),
        ("VerifySoftwareToken", vec![hidden("userCode")]),
        ("AdminDeleteSoftwareToken", both.clone()),
        ("GetUser", vec![token.clone()]),
        ("AdminGetUser", both.clone()),
        ("GetUserAuthFactors", vec![token.clone()]),
        ("AdminGetUserAuthFactors", both.clone()),
        ("StartWebAuthnRegistration", vec![token.clone()]),
        ("CompleteWebAuthnRegistration", vec![token.clone(), null("credential")]),
        ("ListWebAuthnCredentials", vec![token.clone()]),
        ("DeleteWebAuthnCredential", vec![token.clone(), null("credentialId")]),
        ("DescribeUserPool", vec![pool.clone()]),
        ("ListUserPools", vec![null("maxResults")]),
        ("ListUsers", vec![pool.clone()]),
        ("CreateUserPool", vec![null("poolName")]),
    ] {
        let (code, message) = cognito.refused(operation, json!({})).await;
        assert_eq!(code, "InvalidParameterException", "{operation}");
        let (count, told) = message.split_once(" detected: ").unwrap();
        let plural = if missing.len() == 1 { "" } else { "s" };
        assert_eq!(count, format!("{} validation error{plural}", missing.len()), "{operation}");
        // AWS promises no order among the violations.
        let mut told: Vec<&str> = told.split("; ").collect();
        let mut missing: Vec<&str> = missing.iter().map(String::as_str).collect();
        told.sort_unstable();
        missing.sort_unstable();
        assert_eq!(told, missing, "{operation}");
    }
    let own = json!({ "UserPoolId": POOL, "SmsMfaConfiguration": { "SmsConfiguration": { "EumsSms": {} } } });
    assert_eq!(
        violation(&cognito, "SetUserPoolMfaConfig", own).await,
        null("smsMfaConfiguration.smsConfiguration.eumsSms.callerArn")
    );
}

#[tokio::test]
async fn every_violation_is_told_at_once_and_sensitive_values_are_not_shown() {
    let cognito = Cognito::start().await;
    let body = json!({ "UserPoolId": "bad id", "Username": "ca nary" });
    let (_, message) = cognito.refused("AdminGetUser", body).await;
    assert!(message.starts_with("2 validation errors detected: "), "{message}");
    assert!(
        message.contains(
            r"Value 'bad id' at 'userPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+"
        ),
        "{message}"
    );
    assert!(message.contains("Value at 'username' failed to satisfy constraint: "), "{message}");
    assert!(!message.contains("ca nary"), "{message}");
}

#[tokio::test]
async fn lengths_count_characters_not_bytes() {
    let cognito = Cognito::demo().await;
    let body = |length: usize| json!({ "UserPoolId": POOL, "Username": "ü".repeat(length) });
    assert_eq!(cognito.refused("AdminGetUser", body(128)).await.0, "UserNotFoundException");
    assert_eq!(cognito.refused("AdminGetUser", body(129)).await.0, "InvalidParameterException");
}

#[tokio::test]
async fn an_empty_string_breaks_pattern_and_length_at_once() {
    let cognito = Cognito::start().await;
    let (_, message) = cognito.refused("GetUserPoolMfaConfig", json!({ "UserPoolId": "" })).await;
    let at = "Value '' at 'userPoolId' failed to satisfy constraint:";
    assert_eq!(
        message,
        format!(
            r"2 validation errors detected: {at} Member must satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+; {at} Member must have length greater than or equal to 1"
        )
    );
}

#[tokio::test]
async fn a_list_or_map_of_simple_values_is_told_as_a_whole() {
    let cognito = Cognito::start().await;
    let body = json!({ "PoolName": "p", "AutoVerifiedAttributes": ["email", "name"] });
    assert_eq!(
        violation(&cognito, "CreateUserPool", body).await,
        "Value '[email, name]' at 'autoVerifiedAttributes' failed to satisfy constraint: \
         Member must satisfy constraint: [Member must satisfy enum value set: [phone_number, email]]"
    );
    let body = json!({ "PoolName": "p", "UserPoolTags": { "k": "v".repeat(257) } });
    let message = violation(&cognito, "CreateUserPool", body).await;
    assert!(
        message.ends_with(
            "at 'userPoolTags' failed to satisfy constraint: Map value must satisfy constraint: \
             [Member must have length less than or equal to 256]"
        ),
        "{message}"
    );
}
