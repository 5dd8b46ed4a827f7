//! Preferences of a user: the rules U1 to U16 and what the next sign-in asks.

use aws_sdk_cognitoidentityprovider::types::{SmsMfaSettingsType, SoftwareTokenMfaSettingsType};
use mfagate::embedded::demo;

use super::cognito::Cognito;

#[tokio::test]
async fn awss_sample_request_works_on_the_demo_pool_and_is_read_back() {
    let cognito = Cognito::demo().await;
    cognito
        .sdk
        .admin_set_user_mfa_preference()
        .user_pool_id(demo::POOL_ID)
        .username(demo::USERNAME)
        .sms_mfa_settings(SmsMfaSettingsType::builder().enabled(true).preferred_mfa(true).build())
        .software_token_mfa_settings(SoftwareTokenMfaSettingsType::builder().enabled(true).build())
        .send()
        .await
        .unwrap();
    let user = cognito.sdk.admin_get_user().user_pool_id(demo::POOL_ID).username(demo::USERNAME).send().await.unwrap();
    assert_eq!(user.preferred_mfa_setting(), Some("SMS_MFA"));
    assert_eq!(user.user_mfa_setting_list(), ["SMS_MFA", "SOFTWARE_TOKEN_MFA"]);
}
