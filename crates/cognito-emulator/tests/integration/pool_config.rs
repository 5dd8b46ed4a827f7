//! The MFA configuration of a pool: the rules P1 to P18, and B6.

use serde_json::{Value, json};

use crate::cognito::Cognito;

const ROLE: &str = "arn:aws:iam::123456789012:role/sms";

fn sms() -> Value {
    json!({ "SmsConfiguration": { "SnsCallerArn": ROLE } })
}

fn totp() -> Value {
    json!({ "Enabled": true })
}

fn second_factor_passkeys() -> Value {
    json!({ "RelyingPartyId": "example.com", "FactorConfiguration": "MULTI_FACTOR_WITH_USER_VERIFICATION" })
}

async fn pool(cognito: &Cognito, settings: Value) -> String {
    let mut request = json!({ "PoolName": "p" });
    request.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let created = cognito.ok("CreateUserPool", request).await;
    created["UserPool"]["Id"].as_str().unwrap().to_owned()
}

fn request(pool_id: &str, members: &Value) -> Value {
    let mut request = json!({ "UserPoolId": pool_id });
    request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    request
}

async fn set(cognito: &Cognito, pool_id: &str, members: Value) -> Value {
    let response = cognito.ok("SetUserPoolMfaConfig", request(pool_id, &members)).await;
    let read = cognito.ok("GetUserPoolMfaConfig", json!({ "UserPoolId": pool_id })).await;
    assert_eq!(response, read, "the response is the state after the write");
    response
}

async fn refused(cognito: &Cognito, pool_id: &str, members: Value) -> (String, String) {
    let before = cognito.ok("GetUserPoolMfaConfig", json!({ "UserPoolId": pool_id })).await;
    let refusal = cognito.refused("SetUserPoolMfaConfig", request(pool_id, &members)).await;
    let after = cognito.ok("GetUserPoolMfaConfig", json!({ "UserPoolId": pool_id })).await;
    assert_eq!(before, after, "a refused write changes nothing");
    refusal
}

fn invalid(message: &str) -> (String, String) {
    ("InvalidParameterException".to_owned(), message.to_owned())
}

#[tokio::test]
async fn p1_p10_on_is_accepted_later_and_a_call_with_only_the_pool_turns_mfa_off_and_drops_the_blocks() {
    let cognito = Cognito::start().await;
    let pool_id = pool(&cognito, json!({})).await;
    let on = json!({ "MfaConfiguration": "ON", "SoftwareTokenMfaConfiguration": totp() });
    let response = set(&cognito, &pool_id, on.clone()).await;
    assert_eq!(response, on, "P10: ON is accepted after creation");
    assert_eq!(set(&cognito, &pool_id, json!({})).await, json!({ "MfaConfiguration": "OFF" }));
}

#[tokio::test]
async fn p2_off_or_nothing_with_a_factor_block_is_refused() {
    let cognito = Cognito::start().await;
    let pool_id = pool(&cognito, json!({})).await;
    for block in [
        json!({ "SoftwareTokenMfaConfiguration": { "Enabled": false } }),
        json!({ "SmsMfaConfiguration": sms() }),
        json!({ "EmailMfaConfiguration": {} }),
    ] {
        let mut off = block.clone();
        off["MfaConfiguration"] = Value::from("OFF");
        for members in [block, off] {
            assert_eq!(
                refused(&cognito, &pool_id, members).await,
                invalid("Invalid MFA configuration given, can't turn off MFA and configure an MFA together.")
            );
        }
    }
}

#[tokio::test]
async fn p3_off_with_passkeys_is_accepted() {
    let cognito = Cognito::start().await;
    let pool_id = pool(&cognito, json!({})).await;
    let off = json!({ "MfaConfiguration": "OFF", "WebAuthnConfiguration": { "RelyingPartyId": "example.com" } });
    assert_eq!(set(&cognito, &pool_id, off.clone()).await, off);
}

#[tokio::test]
async fn p4_on_and_optional_need_a_factor() {
    let cognito = Cognito::start().await;
    let pool_id = pool(&cognito, json!({})).await;
    for mode in ["ON", "OPTIONAL"] {
        for blocks in [
            json!({}),
            json!({ "SoftwareTokenMfaConfiguration": { "Enabled": false } }),
            json!({ "WebAuthnConfiguration": second_factor_passkeys() }),
        ] {
            let mut members = blocks;
            members["MfaConfiguration"] = Value::from(mode);
            assert_eq!(
                refused(&cognito, &pool_id, members).await,
                invalid("Invalid MFA Configuration given. SMS MFA, Email MFA, or Software Token MFA must be enabled")
            );
        }
    }
}

#[tokio::test]
async fn p5_a_pool_that_verifies_phones_is_not_turned_off_and_not_made_without_a_channel() {
    let cognito = Cognito::start().await;
    let text = "SMS configuration is required when phone_number is selected for auto verification";
    let settings = json!({ "AutoVerifiedAttributes": ["phone_number"], "SmsConfiguration": { "SnsCallerArn": ROLE } });
    let pool_id = pool(&cognito, settings).await;
    for off in [json!({ "MfaConfiguration": "OFF" }), json!({})] {
        assert_eq!(refused(&cognito, &pool_id, off).await, invalid(text));
    }
    let optional = json!({ "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": sms() });
    assert_eq!(set(&cognito, &pool_id, optional.clone()).await, optional);
    assert_eq!(refused(&cognito, &pool_id, json!({ "MfaConfiguration": "OFF" })).await, invalid(text));
    let without = json!({ "PoolName": "p", "AutoVerifiedAttributes": ["phone_number"] });
    assert_eq!(cognito.refused("CreateUserPool", without).await, invalid(text));
}

#[tokio::test]
async fn p6_p18_a_block_that_is_left_out_is_dropped() {
    let cognito = Cognito::start().await;
    let pool_id = pool(&cognito, json!({})).await;
    let all = json!({
        "MfaConfiguration": "OPTIONAL",
        "SmsMfaConfiguration": sms(),
        "SoftwareTokenMfaConfiguration": totp(),
        "WebAuthnConfiguration": second_factor_passkeys(),
    });
    assert_eq!(set(&cognito, &pool_id, all.clone()).await, all);
    let less = json!({ "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": sms() });
    assert_eq!(set(&cognito, &pool_id, less.clone()).await, less);
}

#[tokio::test]
async fn p7_email_needs_an_own_sender_and_another_recovery() {
    let cognito = Cognito::start().await;
    let email = json!({ "MfaConfiguration": "OPTIONAL", "EmailMfaConfiguration": { "Subject": "Code" } });
    let sender =
        json!({ "EmailSendingAccount": "DEVELOPER", "SourceArn": "arn:aws:ses:us-west-2:123456789012:identity/a" });
    let recovery = |names: &[&str]| {
        let mechanisms: Vec<_> =
            names.iter().zip(1..).map(|(name, priority)| json!({ "Name": name, "Priority": priority })).collect();
        json!({ "RecoveryMechanisms": mechanisms })
    };
    let default_sender = pool(&cognito, json!({ "AccountRecoverySetting": recovery(&["admin_only"]) })).await;
    assert_eq!(
        refused(&cognito, &default_sender, email.clone()).await,
        invalid(
            "Cannot set EmailMfaConfiguration when user pool EmailConfiguration contains an \
             EmailSendingAccount of COGNITO_DEFAULT"
        )
    );
    for settings in [
        json!({ "EmailConfiguration": sender }),
        json!({ "EmailConfiguration": sender, "AccountRecoverySetting": recovery(&["verified_email"]) }),
    ] {
        let pool_id = pool(&cognito, settings).await;
        let (code, message) = refused(&cognito, &pool_id, email.clone()).await;
        assert_eq!(code, "InvalidParameterException");
        assert!(message.contains("AccountRecoverySetting is not set or contains only verified_email"), "{message}");
    }
    for names in [&["admin_only"][..], &["verified_email", "verified_phone_number"]] {
        let settings = json!({ "EmailConfiguration": sender, "AccountRecoverySetting": recovery(names) });
        let pool_id = pool(&cognito, settings).await;
        assert_eq!(set(&cognito, &pool_id, email.clone()).await, email);
    }
}

#[tokio::test]
async fn p8_an_on_pool_has_passwords_and_multi_factor_passkeys_as_first_factors() {
    let cognito = Cognito::start().await;
    let text = "Only PASSWORD and WEB_AUTHN (if configured) can be enabled as an auth factor if MFA is enabled";
    let policy = |factors: &[&str]| json!({ "Policies": { "SignInPolicy": { "AllowedFirstAuthFactors": factors } } });
    let members = |mode: &str| json!({ "MfaConfiguration": mode, "SoftwareTokenMfaConfiguration": totp() });
    for other in ["EMAIL_OTP", "SMS_OTP"] {
        let pool_id = pool(&cognito, policy(&["PASSWORD", other])).await;
        assert_eq!(refused(&cognito, &pool_id, members("ON")).await, invalid(text), "{other}");
        set(&cognito, &pool_id, members("OPTIONAL")).await;
    }
    let pool_id = pool(&cognito, policy(&["PASSWORD", "WEB_AUTHN"])).await;
    let mut with_passkeys = members("ON");
    with_passkeys["WebAuthnConfiguration"] = second_factor_passkeys();
    set(&cognito, &pool_id, with_passkeys).await;
    // What the pool held before does not count.
    let text = "Cannot set WebAuthn factor configuration to SINGLE_FACTOR if MFA is required and WebAuthn is an allowed \
                first auth factor";
    for passkeys in [
        Value::Null,
        json!({ "RelyingPartyId": "example.com" }),
        json!({ "RelyingPartyId": "example.com", "FactorConfiguration": "SINGLE_FACTOR" }),
    ] {
        let mut single = members("ON");
        single["WebAuthnConfiguration"] = passkeys;
        assert_eq!(refused(&cognito, &pool_id, single.clone()).await, invalid(text), "{single}");
    }
    set(&cognito, &pool_id, members("OPTIONAL")).await;
}

#[tokio::test]
async fn p9_recovery_by_phone_rules_sms_mfa_out() {
    let cognito = Cognito::start().await;
    let mechanisms = json!([
        { "Name": "verified_email", "Priority": 1 },
        { "Name": "verified_phone_number", "Priority": 2 },
    ]);
    let pool_id = pool(&cognito, json!({ "AccountRecoverySetting": { "RecoveryMechanisms": mechanisms } })).await;
    let members = json!({ "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": sms() });
    let (code, message) = refused(&cognito, &pool_id, members).await;
    assert_eq!(code, "InvalidParameterException");
    assert!(message.contains("Account Recovery Setting cannot use verified_phone_number"), "{message}");
}

#[tokio::test]
async fn p12_the_sms_block_can_be_left_out_unless_the_pool_verifies_phones() {
    let cognito = Cognito::start().await;
    let totp_only = json!({ "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": totp() });
    for mode in ["ON", "OPTIONAL"] {
        let settings = json!({ "MfaConfiguration": mode, "SmsConfiguration": { "SnsCallerArn": ROLE } });
        let pool_id = pool(&cognito, settings).await;
        assert_eq!(set(&cognito, &pool_id, totp_only.clone()).await, totp_only, "{mode}");
    }
    let verifies = json!({ "AutoVerifiedAttributes": ["phone_number"], "SmsConfiguration": { "SnsCallerArn": ROLE } });
    for mode in ["OFF", "OPTIONAL"] {
        let mut settings = verifies.clone();
        settings["MfaConfiguration"] = Value::from(mode);
        let pool_id = pool(&cognito, settings).await;
        assert_eq!(
            refused(&cognito, &pool_id, totp_only.clone()).await,
            invalid("Can't turn off SMS_MFA when SMS configuration is set for the user pool"),
            "{mode}"
        );
    }
}

#[tokio::test]
async fn p12a_off_keeps_the_channel_and_its_message() {
    let cognito = Cognito::start().await;
    let pool_id = pool(&cognito, json!({})).await;
    let mut block = sms();
    block["SmsAuthenticationMessage"] = Value::from("Code {####}");
    set(&cognito, &pool_id, json!({ "MfaConfiguration": "ON", "SmsMfaConfiguration": block })).await;
    let off = set(&cognito, &pool_id, json!({ "MfaConfiguration": "OFF" })).await;
    assert_eq!(off, json!({ "MfaConfiguration": "OFF", "SmsMfaConfiguration": block }));
    let described = cognito.ok("DescribeUserPool", json!({ "UserPoolId": pool_id })).await["UserPool"].take();
    assert_eq!(described["SmsConfiguration"], block["SmsConfiguration"]);
    assert_eq!(described["SmsAuthenticationMessage"], "Code {####}");
}

#[tokio::test]
async fn p13_a_configured_channel_makes_sms_available() {
    let cognito = Cognito::start().await;
    let settings = json!({ "MfaConfiguration": "OPTIONAL", "SmsConfiguration": { "SnsCallerArn": ROLE } });
    let pool_id = pool(&cognito, settings).await;
    assert_eq!(
        cognito.ok("GetUserPoolMfaConfig", json!({ "UserPoolId": pool_id })).await,
        json!({ "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": sms() })
    );
    let described = cognito.ok("DescribeUserPool", json!({ "UserPoolId": pool_id })).await;
    assert_eq!(described["UserPool"]["SmsConfiguration"], json!({ "SnsCallerArn": ROLE }));
    assert_eq!(described["UserPool"]["MfaConfiguration"], "OPTIONAL");
    let without = json!({ "PoolName": "p", "MfaConfiguration": "ON" });
    assert_eq!(
        cognito.refused("CreateUserPool", without).await,
        invalid(
            "SMS configuration and Auto verification for phone_number are required when MFA is \
             required/optional"
        )
    );
}

#[tokio::test]
async fn p14_preferences_survive_off_unasked_and_come_back_with_optional() {
    let cognito = Cognito::start().await;
    let pool_id = pool(&cognito, json!({})).await;
    let optional = json!({ "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": sms() });
    set(&cognito, &pool_id, optional.clone()).await;
    cognito.user(&pool_id, "jane", &[("phone_number", "+12065550199")]).await;
    let client_id = cognito.client(&pool_id).await;
    let preference = json!({ "UserPoolId": pool_id, "Username": "jane", "SMSMfaSettings": { "Enabled": true } });
    cognito.ok("AdminSetUserMFAPreference", preference).await;
    set(&cognito, &pool_id, json!({})).await;
    let user = cognito.ok("AdminGetUser", json!({ "UserPoolId": pool_id, "Username": "jane" })).await;
    assert_eq!(user["UserMFASettingList"], json!(["SMS_MFA"]));
    assert!(cognito.sign_in(&client_id, "jane").await.authentication_result().is_some());
    set(&cognito, &pool_id, optional).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    assert_eq!(asked.challenge_name().unwrap().as_str(), "SMS_MFA");
}

#[tokio::test]
async fn p15_a_lite_pool_has_no_email_and_no_passkeys_as_factors() {
    let cognito = Cognito::start().await;
    let pool_id =
        pool(&cognito, json!({ "UserPoolTier": "LITE", "EmailConfiguration": { "EmailSendingAccount": "DEVELOPER" } }))
            .await;
    for (members, feature) in [
        (json!({ "MfaConfiguration": "OPTIONAL", "EmailMfaConfiguration": {} }), "Email MFA"),
        (
            json!({
                "MfaConfiguration": "OPTIONAL",
                "SoftwareTokenMfaConfiguration": totp(),
                "WebAuthnConfiguration": second_factor_passkeys(),
            }),
            "WebAuthn MFA",
        ),
    ] {
        let (code, message) = refused(&cognito, &pool_id, members).await;
        assert_eq!(code, "FeatureUnavailableInTierException");
        assert!(message.contains(feature), "{message}");
    }
}

#[tokio::test]
async fn p16_p17_roles_and_overlapping_writes_fail_by_faults() {
    let cognito = Cognito::start().await;
    let pool_id = pool(&cognito, json!({})).await;
    for code in [
        "InvalidSmsRoleTrustRelationshipException",
        "InvalidSmsRoleAccessPolicyException",
        "ConcurrentModificationException",
        "OperationNotEnabledException",
    ] {
        cognito
            .control(
                "PUT",
                "faults",
                &json!({
                    "operation": "SetUserPoolMfaConfig", "count": 1, "kind": "error", "code": code,
                    "match": { "UserPoolId": pool_id },
                }),
            )
            .await;
        assert_eq!(refused(&cognito, &pool_id, json!({})).await.0, code);
    }
}

#[tokio::test]
async fn b6_a_token_works_on_after_the_pool_has_stopped_to_offer_tokens() {
    let cognito = Cognito::start().await;
    let pool_id = pool(&cognito, json!({})).await;
    let both = json!({
        "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": sms(), "SoftwareTokenMfaConfiguration": totp(),
    });
    set(&cognito, &pool_id, both).await;
    let client_id = cognito.client(&pool_id).await;
    cognito.user(&pool_id, "jane", &[]).await;
    cognito.enrol(&pool_id, "jane").await;
    let preference =
        json!({ "UserPoolId": pool_id, "Username": "jane", "SoftwareTokenMfaSettings": { "Enabled": true } });
    cognito.ok("AdminSetUserMFAPreference", preference).await;
    set(&cognito, &pool_id, json!({ "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": sms() })).await;
    let asked = cognito.sign_in(&client_id, "jane").await;
    assert_eq!(asked.challenge_name().unwrap().as_str(), "SOFTWARE_TOKEN_MFA");
}

#[tokio::test]
async fn an_sms_channel_is_an_sns_role_or_an_own_one_in_the_pools_region() {
    let cognito = Cognito::start().await;
    let pool_id = pool(&cognito, json!({})).await;
    let members = |channel: Value| json!({ "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": { "SmsConfiguration": channel } });
    let own = |region: &str| json!({ "EumsSms": { "CallerArn": ROLE, "Region": region } });
    for channel in [json!({}), json!({ "SnsCallerArn": "" }), own("eu-west-1")] {
        assert_eq!(refused(&cognito, &pool_id, members(channel)).await.0, "InvalidParameterException");
    }
    let only_text =
        json!({ "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": { "SmsAuthenticationMessage": "Code {####}" } });
    assert_eq!(refused(&cognito, &pool_id, only_text).await.0, "InvalidParameterException");
    let response = set(&cognito, &pool_id, members(own("us-west-2"))).await;
    assert_eq!(response["SmsMfaConfiguration"]["SmsConfiguration"], own("us-west-2"));
}
