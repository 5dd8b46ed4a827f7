//! Behaviour of a user's MFA preference through the whole service.

use mfagate::api::v1::{
    AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, EmailMfaSettings, SetUserMfaPreferenceRequest,
    SmsMfaSettings, SoftwareTokenMfaSettings, WebAuthnMfaSettings,
};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::support::refusal::refused;
use crate::support::test_cognito::{NEW_USER, POOL, USER};
use crate::support::test_service::TestService;

/// Who sets a preference: an administrator, or the signed-in user. Both behave alike.
#[derive(Clone, Copy, Debug)]
enum By {
    Administrator,
    User,
}

const BOTH: [By; 2] = [By::Administrator, By::User];

/// `enabled` and `preferred_mfa` of SMS, software token and e-mail, and `enabled` of passkeys.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    sms: Option<(bool, Option<bool>)>,
    software_token: Option<(bool, Option<bool>)>,
    email: Option<(bool, Option<bool>)>,
    web_authn: Option<bool>,
}

impl By {
    fn operation(self) -> &'static str {
        match self {
            Self::Administrator => "AdminSetUserMFAPreference",
            Self::User => "SetUserMFAPreference",
        }
    }

    /// The operation that reads the preference which is to be kept.
    fn read(self) -> &'static str {
        match self {
            Self::Administrator => "AdminGetUser",
            Self::User => "GetUser",
        }
    }

    async fn set(self, service: &TestService, username: &str, wish: Wish) -> Result<(), Status> {
        let sms = wish.sms.map(|(enabled, preferred_mfa)| SmsMfaSettings { enabled, preferred_mfa });
        let software_token =
            wish.software_token.map(|(enabled, preferred_mfa)| SoftwareTokenMfaSettings { enabled, preferred_mfa });
        let email = wish.email.map(|(enabled, preferred_mfa)| EmailMfaSettings { enabled, preferred_mfa });
        let web_authn = wish.web_authn.map(|enabled| WebAuthnMfaSettings { enabled });
        match self {
            Self::Administrator => {
                let request = AdminSetUserMfaPreferenceRequest {
                    user_pool_id: POOL.to_owned(),
                    username: username.to_owned(),
                    sms_mfa_settings: sms,
                    software_token_mfa_settings: software_token,
                    email_mfa_settings: email,
                    web_authn_mfa_settings: web_authn,
                };
                service.preferences().admin_set_user_mfa_preference(request).await.map(drop)
            }
            Self::User => {
                let request = SetUserMfaPreferenceRequest {
                    access_token: service.cognito.token(username).await,
                    sms_mfa_settings: sms,
                    software_token_mfa_settings: software_token,
                    email_mfa_settings: email,
                    web_authn_mfa_settings: web_authn,
                };
                service.preferences().set_user_mfa_preference(request).await.map(drop)
            }
        }
    }

    /// The blocks that Cognito received last, the user apart.
    async fn sent(self, service: &TestService) -> Value {
        let mut body = service.cognito.bodies(self.operation()).await.pop().unwrap();
        let members = body.as_object_mut().unwrap();
        for user in ["UserPoolId", "Username", "AccessToken"] {
            members.remove(user);
        }
        body
    }
}

/// The preferred factor and the enabled ones, as they are read back.
async fn read_back(service: &TestService, username: &str) -> (Option<String>, Vec<String>) {
    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: username.to_owned() };
    let user = service.preferences().admin_get_user(request).await.unwrap().into_inner();
    (user.preferred_mfa_setting, user.user_mfa_setting_list)
}

fn state(preferred: Option<&str>, enabled: &[&str]) -> (Option<String>, Vec<String>) {
    (preferred.map(str::to_owned), enabled.iter().map(|name| (*name).to_owned()).collect())
}

/// The three factors that can be preferred: their wish, their member, their name.
fn factor(name: &str, setting: (bool, Option<bool>)) -> (Wish, &'static str) {
    match name {
        "SMS_MFA" => (Wish { sms: Some(setting), ..Wish::default() }, "SMSMfaSettings"),
        "SOFTWARE_TOKEN_MFA" => (Wish { software_token: Some(setting), ..Wish::default() }, "SoftwareTokenMfaSettings"),
        _ => (Wish { email: Some(setting), ..Wish::default() }, "EmailMfaSettings"),
    }
}

const FACTORS: [&str; 3] = ["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP"];

#[tokio::test]
async fn the_sample_request_of_aws_sets_the_preference() {
    for by in BOTH {
        let service = TestService::start().await;
        let wish = Wish { sms: Some((true, Some(true))), software_token: Some((true, Some(false))), ..Wish::default() };
        by.set(&service, USER, wish).await.unwrap();
        assert_eq!(read_back(&service, USER).await, state(Some("SMS_MFA"), &["SMS_MFA", "SOFTWARE_TOKEN_MFA"]));
    }
}

#[tokio::test]
async fn every_factor_is_enabled_and_disabled() {
    for by in BOTH {
        let service = TestService::start().await;
        let all = |setting, enabled| Wish {
            sms: Some(setting),
            software_token: Some(setting),
            email: Some(setting),
            web_authn: Some(enabled),
        };
        by.set(&service, USER, all((true, Some(false)), true)).await.unwrap();
        let on = ["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP", "WEB_AUTHN"];
        assert_eq!(read_back(&service, USER).await, state(None, &on));
        by.set(&service, USER, all((false, None), false)).await.unwrap();
        assert_eq!(read_back(&service, USER).await, state(None, &[]));
    }
}

#[tokio::test]
async fn an_omitted_factor_is_not_sent_and_stays() {
    for by in BOTH {
        let service = TestService::start().await;
        for name in FACTORS {
            let (wish, member) = factor(name, (true, Some(false)));
            by.set(&service, USER, wish).await.unwrap();
            assert_eq!(by.sent(&service).await, json!({ member: { "Enabled": true, "PreferredMfa": false } }));
        }
        by.set(&service, USER, Wish { web_authn: Some(true), ..Wish::default() }).await.unwrap();
        assert_eq!(by.sent(&service).await, json!({ "WebAuthnMfaSettings": { "Enabled": true } }));
        by.set(&service, USER, Wish::default()).await.unwrap();
        assert_eq!(by.sent(&service).await, json!({}));
        let on = ["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP", "WEB_AUTHN"];
        assert_eq!(read_back(&service, USER).await, state(None, &on));
    }
}

#[tokio::test]
async fn a_present_factor_without_members_is_sent_as_disabled() {
    for by in BOTH {
        let service = TestService::start().await;
        by.set(&service, USER, Wish { sms: Some((true, Some(true))), ..Wish::default() }).await.unwrap();
        by.set(&service, USER, Wish { sms: Some((false, None)), ..Wish::default() }).await.unwrap();
        let sent = json!({ "SMSMfaSettings": { "Enabled": false, "PreferredMfa": false } });
        assert_eq!(by.sent(&service).await, sent);
        assert_eq!(read_back(&service, USER).await, state(None, &[]));
    }
}

#[tokio::test]
async fn enabling_without_a_word_on_the_preference_keeps_it() {
    for by in BOTH {
        for name in FACTORS {
            let service = TestService::start().await;
            by.set(&service, USER, factor(name, (true, Some(true))).0).await.unwrap();
            let (again, member) = factor(name, (true, None));
            by.set(&service, USER, again).await.unwrap();
            let sent = by.sent(&service).await;
            assert_eq!(sent, json!({ member: { "Enabled": true, "PreferredMfa": true } }), "{by:?} {name}");
            assert_eq!(read_back(&service, USER).await, state(Some(name), &[name]), "{by:?} {name}");
        }
    }
}

#[tokio::test]
async fn enabling_one_factor_does_not_touch_the_preference_for_another() {
    for by in BOTH {
        let service = TestService::start().await;
        by.set(&service, USER, factor("EMAIL_OTP", (true, Some(true))).0).await.unwrap();
        by.set(&service, USER, factor("SMS_MFA", (true, None)).0).await.unwrap();
        let sent = json!({ "SMSMfaSettings": { "Enabled": true, "PreferredMfa": false } });
        assert_eq!(by.sent(&service).await, sent);
        assert_eq!(read_back(&service, USER).await, state(Some("EMAIL_OTP"), &["SMS_MFA", "EMAIL_OTP"]));
    }
}

#[tokio::test]
async fn a_preference_set_to_false_is_taken_away() {
    for by in BOTH {
        for name in FACTORS {
            let service = TestService::start().await;
            by.set(&service, USER, factor(name, (true, Some(true))).0).await.unwrap();
            by.set(&service, USER, factor(name, (true, Some(false))).0).await.unwrap();
            assert_eq!(read_back(&service, USER).await, state(None, &[name]), "{by:?} {name}");
        }
    }
}

#[tokio::test]
async fn the_user_is_read_first_only_where_the_preference_is_to_be_kept() {
    let keep = Wish { sms: Some((true, None)), ..Wish::default() };
    let keep_two = Wish { software_token: Some((true, None)), email: Some((false, Some(false))), ..Wish::default() };
    let moves = Wish { sms: Some((true, Some(true))), software_token: Some((true, None)), ..Wish::default() };
    for (wish, reads) in [
        (keep, 1),
        (keep_two, 1),
        (moves, 0),
        (Wish { sms: Some((true, Some(false))), ..Wish::default() }, 0),
        (Wish { sms: Some((false, None)), ..Wish::default() }, 0),
        (Wish { web_authn: Some(false), ..Wish::default() }, 0),
        (Wish::default(), 0),
    ] {
        for by in BOTH {
            let service = TestService::start().await;
            by.set(&service, USER, wish).await.unwrap();
            assert_eq!(service.cognito.requests(by.read()).await.len(), reads, "{by:?} {wish:?}");
            assert_eq!(service.cognito.requests(by.operation()).await.len(), 1, "{by:?} {wish:?}");
        }
    }
}

#[tokio::test]
async fn moving_the_preference_takes_it_from_the_factor_that_is_silent_about_it() {
    for by in BOTH {
        let service = TestService::start().await;
        by.set(&service, USER, factor("SMS_MFA", (true, Some(true))).0).await.unwrap();
        let wish = Wish { sms: Some((true, None)), software_token: Some((true, Some(true))), ..Wish::default() };
        by.set(&service, USER, wish).await.unwrap();
        let on = ["SMS_MFA", "SOFTWARE_TOKEN_MFA"];
        assert_eq!(read_back(&service, USER).await, state(Some("SOFTWARE_TOKEN_MFA"), &on));
    }
}

#[tokio::test]
async fn a_failed_first_read_is_answered_and_nothing_is_written() {
    for by in BOTH {
        let service = TestService::start().await;
        service.cognito.answer_error(by.read(), "UserNotFoundException", "").await;
        let answer = by.set(&service, USER, factor("SMS_MFA", (true, None)).0).await;
        let details = refused(answer, Code::NotFound, "USER_NOT_FOUND");
        assert_eq!(details.error_info().unwrap().metadata["operation"], by.read());
        assert!(service.cognito.requests(by.operation()).await.is_empty());
    }
}

#[tokio::test]
async fn two_preferred_factors_are_refused_and_not_sent() {
    for by in BOTH {
        let service = TestService::start().await;
        let yes = Some((true, Some(true)));
        let wish = Wish { sms: yes, software_token: yes, email: yes, web_authn: None };
        let details = refused(by.set(&service, USER, wish).await, Code::InvalidArgument, "REQUEST_INVALID");
        let violations = &details.bad_request().unwrap().field_violations;
        let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["software_token_mfa_settings.preferred_mfa", "email_mfa_settings.preferred_mfa"]);
        assert!(service.cognito.requests(by.operation()).await.is_empty());
    }
}

#[tokio::test]
async fn a_preferred_factor_that_is_not_enabled_is_refused_and_not_sent() {
    for by in BOTH {
        let service = TestService::start().await;
        let wish = factor("EMAIL_OTP", (false, Some(true))).0;
        let details = refused(by.set(&service, USER, wish).await, Code::InvalidArgument, "REQUEST_INVALID");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "email_mfa_settings.preferred_mfa");
        assert!(service.cognito.requests(by.operation()).await.is_empty());
    }
}

#[tokio::test]
async fn setting_a_factor_that_the_user_lacks_is_a_failed_precondition() {
    for by in BOTH {
        let service = TestService::start().await;
        for name in FACTORS {
            let answer = by.set(&service, NEW_USER, factor(name, (true, Some(true))).0).await;
            let details = refused(answer, Code::FailedPrecondition, "FACTOR_NOT_ENROLLED");
            assert_eq!(details.error_info().unwrap().metadata["factor"], name);
        }
    }
}

#[tokio::test]
async fn the_preference_of_a_user_in_another_state_is_a_failed_precondition() {
    for by in BOTH {
        let service = TestService::start().await;
        for (status, reason) in [("UNCONFIRMED", "USER_NOT_CONFIRMED"), ("RESET_REQUIRED", "PASSWORD_RESET_REQUIRED")] {
            service.cognito.set_status(USER, status).await;
            refused(by.set(&service, USER, Wish::default()).await, Code::FailedPrecondition, reason);
        }
    }
}

#[tokio::test]
async fn the_preference_of_a_disabled_user_is_a_failed_precondition() {
    for by in BOTH {
        let service = TestService::start().await;
        service.cognito.operate("AdminDisableUser", json!({ "UserPoolId": POOL, "Username": USER })).await;
        refused(by.set(&service, USER, Wish::default()).await, Code::FailedPrecondition, "USER_DISABLED");
    }
}

#[tokio::test]
async fn the_preference_of_a_user_that_does_not_exist_is_not_found() {
    let service = TestService::start().await;
    let answer = By::Administrator.set(&service, "nobody", Wish::default()).await;
    refused(answer, Code::NotFound, "USER_NOT_FOUND");

    let access_token = service.cognito.token(USER).await;
    service.cognito.operate("AdminDeleteUser", json!({ "UserPoolId": POOL, "Username": USER })).await;
    let request = SetUserMfaPreferenceRequest { access_token, ..Default::default() };
    let answer = service.preferences().set_user_mfa_preference(request).await;
    refused(answer, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_refusal_of_the_target_is_a_failed_precondition() {
    let service = TestService::start().await;
    service.cognito.answer_error("AdminSetUserMFAPreference", "NotAuthorizedException", "not now").await;
    let answer = By::Administrator.set(&service, USER, Wish::default()).await;
    refused(answer, Code::FailedPrecondition, "TARGET_REFUSED");
}

#[tokio::test]
async fn a_preference_changes_what_the_next_sign_in_asks() {
    for (name, challenge) in FACTORS.into_iter().zip(["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP"]) {
        let service = TestService::start().await;
        let sign_in = json!({
            "ClientId": cognito_emulator::demo::CLIENT_ID,
            "AuthFlow": "USER_PASSWORD_AUTH",
            "AuthParameters": { "USERNAME": USER, "PASSWORD": cognito_emulator::demo::PASSWORD },
        });
        let before = service.cognito.operate("InitiateAuth", sign_in.clone()).await;
        assert!(before["AuthenticationResult"].is_object(), "{before}");
        By::Administrator.set(&service, USER, factor(name, (true, Some(true))).0).await.unwrap();
        assert_eq!(service.cognito.operate("InitiateAuth", sign_in).await["ChallengeName"], challenge);
    }
}
