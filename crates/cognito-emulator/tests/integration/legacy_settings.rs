//! The legacy settings operations: L1 to L4, and B3.

use aws_sdk_cognitoidentityprovider::types::{DeliveryMediumType, MfaOptionType};
use serde_json::json;

use crate::cognito::Cognito;

const POOL: &str = "us-west-2_EXAMPLE";

fn sms() -> MfaOptionType {
    MfaOptionType::builder().delivery_medium(DeliveryMediumType::Sms).attribute_name("phone_number").build()
}

#[tokio::test]
async fn l1_l2_the_settings_show_in_mfa_options_and_an_empty_list_clears_them() {
    let cognito = Cognito::demo().await;
    let token = cognito.token(POOL, "testuser").await;
    cognito.sdk.set_user_settings().access_token(&token).mfa_options(sms()).send().await.unwrap();
    let user = cognito.sdk.get_user().access_token(&token).send().await.unwrap();
    assert_eq!(user.mfa_options(), [sms()]);
    let cleared = cognito.sdk.admin_set_user_settings().user_pool_id(POOL).username("testuser");
    cleared.set_mfa_options(Some(vec![])).send().await.unwrap();
    let user = cognito.sdk.get_user().access_token(&token).send().await.unwrap();
    assert_eq!(user.mfa_options(), []);
}

#[tokio::test]
async fn l3_l4_b3_settings_and_preferences_know_nothing_of_each_other() {
    let cognito = Cognito::demo().await;
    let settings = cognito.sdk.admin_set_user_settings().user_pool_id(POOL).username("testuser");
    settings.mfa_options(sms()).send().await.unwrap();
    let user = cognito.ok("AdminGetUser", json!({ "UserPoolId": POOL, "Username": "testuser" })).await;
    assert_eq!(user["MFAOptions"], json!([{ "DeliveryMedium": "SMS", "AttributeName": "phone_number" }]));
    assert_eq!(user.get("UserMFASettingList"), None);
    assert_eq!(user.get("PreferredMfaSetting"), None);

    let preference = json!({ "UserPoolId": POOL, "Username": "testuser", "SMSMfaSettings": { "Enabled": true } });
    cognito.ok("AdminSetUserMFAPreference", preference).await;
    let clear = json!({ "UserPoolId": POOL, "Username": "testuser", "MFAOptions": [] });
    cognito.ok("AdminSetUserSettings", clear).await;
    let user = cognito.ok("AdminGetUser", json!({ "UserPoolId": POOL, "Username": "testuser" })).await;
    assert_eq!(user.get("MFAOptions"), None);
    assert_eq!(user["UserMFASettingList"], json!(["SMS_MFA"]));
}

#[tokio::test]
async fn only_sms_to_the_phone_number_is_accepted() {
    let cognito = Cognito::demo().await;
    for option in [
        json!({ "DeliveryMedium": "EMAIL", "AttributeName": "email" }),
        json!({ "DeliveryMedium": "SMS", "AttributeName": "email" }),
        json!({ "DeliveryMedium": "SMS" }),
        json!({}),
    ] {
        let body = json!({ "UserPoolId": POOL, "Username": "testuser", "MFAOptions": [option] });
        assert_eq!(cognito.refused("AdminSetUserSettings", body).await.0, "InvalidParameterException");
    }
}

#[tokio::test]
async fn listed_users_show_the_settings_and_not_the_preferences() {
    let cognito = Cognito::demo().await;
    let settings = cognito.sdk.admin_set_user_settings().user_pool_id(POOL).username("testuser");
    settings.mfa_options(sms()).send().await.unwrap();
    let filter = r#"username = "testuser""#;
    let listed = cognito.sdk.list_users().user_pool_id(POOL).filter(filter).send().await.unwrap();
    assert_eq!(listed.users()[0].mfa_options(), [sms()]);
}
