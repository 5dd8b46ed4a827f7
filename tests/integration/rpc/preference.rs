//! A user's MFA preference through the whole service.

use mfagate::api::v1::{
    AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, EmailMfaSettings, MfaFactor, SetUserMfaPreferenceRequest,
    SmsMfaSettings, SoftwareTokenMfaSettings, WebAuthnMfaSettings,
};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::support::refusal::{invalid_fields, refused};
use crate::support::test_cognito::{NEW_USER, POOL, USER};
use crate::support::test_service::TestService;

/// Who sets a preference: an administrator, or the signed-in user. Both behave alike.
#[derive(Clone, Copy, Debug)]
enum Actor {
    Administrator,
    User,
}

const BOTH: [Actor; 2] = [Actor::Administrator, Actor::User];

/// `enabled` and `preferred_mfa` of SMS, software token and e-mail, and `enabled` of passkeys.
#[derive(Clone, Copy, Debug, Default)]
struct FactorChange {
    sms: Option<(bool, Option<bool>)>,
    software_token: Option<(bool, Option<bool>)>,
    email: Option<(bool, Option<bool>)>,
    web_authn: Option<bool>,
}

impl Actor {
    fn operation(self) -> &'static str {
        match self {
            Self::Administrator => "AdminSetUserMFAPreference",
            Self::User => "SetUserMFAPreference",
        }
    }

    /// The operation that reads the preference to keep.
    fn read(self) -> &'static str {
        match self {
            Self::Administrator => "AdminGetUser",
            Self::User => "GetUser",
        }
    }

    async fn set(self, service: &TestService, username: &str, change: FactorChange) -> Result<(), Status> {
        let sms = change.sms.map(|(enabled, preferred_mfa)| SmsMfaSettings { enabled: Some(enabled), preferred_mfa });
        let software_token = change
            .software_token
            .map(|(enabled, preferred_mfa)| SoftwareTokenMfaSettings { enabled: Some(enabled), preferred_mfa });
        let email =
            change.email.map(|(enabled, preferred_mfa)| EmailMfaSettings { enabled: Some(enabled), preferred_mfa });
        let web_authn = change.web_authn.map(|enabled| WebAuthnMfaSettings { enabled: Some(enabled) });
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

    /// The blocks of the last request to Cognito, without the user.
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
async fn read_back(service: &TestService, username: &str) -> (Option<i32>, Vec<i32>) {
    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: username.to_owned() };
    let user = service.preferences().admin_get_user(request).await.unwrap().into_inner();
    (user.preferred_mfa_setting, user.user_mfa_setting_list)
}

/// What is read back of factors with Cognito's names.
fn state(preferred: Option<&str>, enabled: &[&str]) -> (Option<i32>, Vec<i32>) {
    let factor = |name: &str| match name {
        "SMS_MFA" => MfaFactor::Sms.into(),
        "SOFTWARE_TOKEN_MFA" => MfaFactor::SoftwareToken.into(),
        "EMAIL_OTP" => MfaFactor::Email.into(),
        "WEB_AUTHN" => MfaFactor::WebAuthn.into(),
        _ => panic!("no factor is named {name}"),
    };
    (preferred.map(factor), enabled.iter().map(|name| factor(name)).collect())
}

/// A change to one of the three factors that can be preferred, and the factor's member in Cognito.
fn factor(name: &str, setting: (bool, Option<bool>)) -> (FactorChange, &'static str) {
    match name {
        "SMS_MFA" => (FactorChange { sms: Some(setting), ..FactorChange::default() }, "SMSMfaSettings"),
        "SOFTWARE_TOKEN_MFA" => {
            (FactorChange { software_token: Some(setting), ..FactorChange::default() }, "SoftwareTokenMfaSettings")
        }
        _ => (FactorChange { email: Some(setting), ..FactorChange::default() }, "EmailMfaSettings"),
    }
}

/// A change that any user with a phone number can make.
const PREFER_SMS: FactorChange =
    FactorChange { sms: Some((true, Some(true))), software_token: None, email: None, web_authn: None };

const FACTORS: [&str; 3] = ["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP"];

#[tokio::test]
async fn the_sample_request_of_aws_sets_the_preference() {
    for actor in BOTH {
        let service = TestService::start().await;
        let change = FactorChange {
            sms: Some((true, Some(true))),
            software_token: Some((true, Some(false))),
            ..FactorChange::default()
        };
        actor.set(&service, USER, change).await.unwrap();
        assert_eq!(read_back(&service, USER).await, state(Some("SMS_MFA"), &["SMS_MFA", "SOFTWARE_TOKEN_MFA"]));
    }
}

#[tokio::test]
async fn every_factor_is_enabled_and_disabled() {
    for actor in BOTH {
        let service = TestService::start().await;
        let all = |setting, enabled| FactorChange {
            sms: Some(setting),
            software_token: Some(setting),
            email: Some(setting),
            web_authn: Some(enabled),
        };
        actor.set(&service, USER, all((true, Some(false)), true)).await.unwrap();
        let on = ["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP", "WEB_AUTHN"];
        assert_eq!(read_back(&service, USER).await, state(None, &on));
        actor.set(&service, USER, all((false, None), false)).await.unwrap();
        assert_eq!(read_back(&service, USER).await, state(None, &[]));
    }
}

#[tokio::test]
async fn an_omitted_factor_is_not_sent_and_stays_unchanged() {
    for actor in BOTH {
        let service = TestService::start().await;
        for name in FACTORS {
            let (change, member) = factor(name, (true, Some(false)));
            actor.set(&service, USER, change).await.unwrap();
            assert_eq!(actor.sent(&service).await, json!({ member: { "Enabled": true, "PreferredMfa": false } }));
        }
        actor.set(&service, USER, FactorChange { web_authn: Some(true), ..FactorChange::default() }).await.unwrap();
        assert_eq!(actor.sent(&service).await, json!({ "WebAuthnMfaSettings": { "Enabled": true } }));
        let on = ["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP", "WEB_AUTHN"];
        assert_eq!(read_back(&service, USER).await, state(None, &on));
    }
}

#[tokio::test]
async fn a_disabled_factor_is_sent_without_the_preference() {
    for actor in BOTH {
        let service = TestService::start().await;
        actor
            .set(&service, USER, FactorChange { sms: Some((true, Some(true))), ..FactorChange::default() })
            .await
            .unwrap();
        actor.set(&service, USER, FactorChange { sms: Some((false, None)), ..FactorChange::default() }).await.unwrap();
        let sent = json!({ "SMSMfaSettings": { "Enabled": false, "PreferredMfa": false } });
        assert_eq!(actor.sent(&service).await, sent);
        assert_eq!(read_back(&service, USER).await, state(None, &[]));
    }
}

#[tokio::test]
async fn enabling_without_stating_a_preference_keeps_it() {
    for actor in BOTH {
        for name in FACTORS {
            let service = TestService::start().await;
            actor.set(&service, USER, factor(name, (true, Some(true))).0).await.unwrap();
            let (again, member) = factor(name, (true, None));
            actor.set(&service, USER, again).await.unwrap();
            let sent = actor.sent(&service).await;
            assert_eq!(sent, json!({ member: { "Enabled": true, "PreferredMfa": true } }), "{actor:?} {name}");
            assert_eq!(read_back(&service, USER).await, state(Some(name), &[name]), "{actor:?} {name}");
        }
    }
}

#[tokio::test]
async fn enabling_one_factor_does_not_touch_the_preference_for_another() {
    for actor in BOTH {
        let service = TestService::start().await;
        actor.set(&service, USER, factor("EMAIL_OTP", (true, Some(true))).0).await.unwrap();
        actor.set(&service, USER, factor("SMS_MFA", (true, None)).0).await.unwrap();
        let sent = json!({ "SMSMfaSettings": { "Enabled": true, "PreferredMfa": false } });
        assert_eq!(actor.sent(&service).await, sent);
        assert_eq!(read_back(&service, USER).await, state(Some("EMAIL_OTP"), &["SMS_MFA", "EMAIL_OTP"]));
    }
}

#[tokio::test]
async fn a_preference_that_mfagate_does_not_know_is_kept_for_no_factor() {
    for actor in BOTH {
        for name in FACTORS {
            let service = TestService::start().await;
            let body = json!({ "Username": USER, "UserAttributes": [], "PreferredMfaSetting": "SOMETHING_NEW" });
            let fault = json!({ "kind": "replace", "operation": actor.read(), "body": body });
            service.cognito.inject_fault(fault).await;
            let (change, member) = factor(name, (true, None));
            actor.set(&service, USER, change).await.unwrap();
            let sent = json!({ member: { "Enabled": true, "PreferredMfa": false } });
            assert_eq!(actor.sent(&service).await, sent, "{actor:?} {name}");
        }
    }
}

#[tokio::test]
async fn a_preference_set_to_false_is_removed() {
    for actor in BOTH {
        for name in FACTORS {
            let service = TestService::start().await;
            actor.set(&service, USER, factor(name, (true, Some(true))).0).await.unwrap();
            actor.set(&service, USER, factor(name, (true, Some(false))).0).await.unwrap();
            assert_eq!(read_back(&service, USER).await, state(None, &[name]), "{actor:?} {name}");
        }
    }
}

#[tokio::test]
async fn the_user_is_read_first_only_to_keep_the_preference() {
    let keep = FactorChange { sms: Some((true, None)), ..FactorChange::default() };
    let keep_two = FactorChange {
        software_token: Some((true, None)),
        email: Some((false, Some(false))),
        ..FactorChange::default()
    };
    let moves =
        FactorChange { sms: Some((true, Some(true))), software_token: Some((true, None)), ..FactorChange::default() };
    for (change, reads) in [
        (keep, 1),
        (keep_two, 1),
        (moves, 0),
        (FactorChange { sms: Some((true, Some(false))), ..FactorChange::default() }, 0),
        (FactorChange { sms: Some((false, None)), ..FactorChange::default() }, 0),
        (FactorChange { web_authn: Some(false), ..FactorChange::default() }, 0),
    ] {
        for actor in BOTH {
            let service = TestService::start().await;
            actor.set(&service, USER, change).await.unwrap();
            assert_eq!(service.cognito.requests(actor.read()).await.len(), reads, "{actor:?} {change:?}");
            assert_eq!(service.cognito.requests(actor.operation()).await.len(), 1, "{actor:?} {change:?}");
        }
    }
}

#[tokio::test]
async fn moving_the_preference_takes_it_from_the_factor_that_does_not_state_one() {
    for actor in BOTH {
        let service = TestService::start().await;
        actor.set(&service, USER, factor("SMS_MFA", (true, Some(true))).0).await.unwrap();
        let change = FactorChange {
            sms: Some((true, None)),
            software_token: Some((true, Some(true))),
            ..FactorChange::default()
        };
        actor.set(&service, USER, change).await.unwrap();
        let on = ["SMS_MFA", "SOFTWARE_TOKEN_MFA"];
        assert_eq!(read_back(&service, USER).await, state(Some("SOFTWARE_TOKEN_MFA"), &on));
    }
}

#[tokio::test]
async fn a_failed_first_read_is_returned_and_nothing_is_written() {
    for actor in BOTH {
        let service = TestService::start().await;
        service.cognito.inject_error(actor.read(), "UserNotFoundException", "").await;
        let answer = actor.set(&service, USER, factor("SMS_MFA", (true, None)).0).await;
        let details = refused(answer, Code::NotFound, "USER_NOT_FOUND");
        assert_eq!(details.error_info().unwrap().metadata["operation"], actor.read());
        assert!(service.cognito.requests(actor.operation()).await.is_empty());
    }
}

#[tokio::test]
async fn a_preference_without_any_factor_is_refused_and_not_sent() {
    for actor in BOTH {
        let service = TestService::start().await;
        let status = actor.set(&service, USER, FactorChange::default()).await.unwrap_err();
        let details = refused::<()>(Err(status), Code::InvalidArgument, "REQUEST_INVALID");
        let [violation] = details.bad_request().unwrap().field_violations.as_slice() else { panic!("{details:?}") };
        assert_eq!(violation.field, "");
        assert!(violation.description.starts_with("must have at least one factor"), "{violation:?}");
        assert_eq!(service.cognito.operations().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_factor_without_enabled_is_refused_by_its_path_and_not_sent() {
    let service = TestService::start().await;
    let enabled = None;
    for preferred_mfa in [None, Some(false), Some(true)] {
        let sms = Some(SmsMfaSettings { enabled, preferred_mfa });
        let software_token = Some(SoftwareTokenMfaSettings { enabled, preferred_mfa });
        let email = Some(EmailMfaSettings { enabled, preferred_mfa });
        let web_authn = Some(WebAuthnMfaSettings { enabled });
        let paths = [
            "sms_mfa_settings.enabled",
            "software_token_mfa_settings.enabled",
            "email_mfa_settings.enabled",
            "web_authn_mfa_settings.enabled",
        ];
        let request = AdminSetUserMfaPreferenceRequest {
            user_pool_id: POOL.to_owned(),
            username: USER.to_owned(),
            sms_mfa_settings: sms,
            software_token_mfa_settings: software_token,
            email_mfa_settings: email,
            web_authn_mfa_settings: web_authn,
        };
        assert_eq!(invalid_fields(service.preferences().admin_set_user_mfa_preference(request).await), paths);
        let request = SetUserMfaPreferenceRequest {
            access_token: service.cognito.token(USER).await,
            sms_mfa_settings: sms,
            software_token_mfa_settings: software_token,
            email_mfa_settings: email,
            web_authn_mfa_settings: web_authn,
        };
        assert_eq!(invalid_fields(service.preferences().set_user_mfa_preference(request).await), paths);
    }
    assert_eq!(service.cognito.operations().await, Vec::<String>::new());
}

#[tokio::test]
async fn two_preferred_factors_are_refused_and_not_sent() {
    for actor in BOTH {
        let service = TestService::start().await;
        let yes = Some((true, Some(true)));
        let change = FactorChange { sms: yes, software_token: yes, email: yes, web_authn: None };
        assert_eq!(
            invalid_fields(actor.set(&service, USER, change).await),
            ["software_token_mfa_settings.preferred_mfa", "email_mfa_settings.preferred_mfa"]
        );
        assert!(service.cognito.requests(actor.operation()).await.is_empty());
    }
}

#[tokio::test]
async fn a_preferred_factor_that_is_not_enabled_is_refused_and_not_sent() {
    for actor in BOTH {
        let service = TestService::start().await;
        let change = factor("EMAIL_OTP", (false, Some(true))).0;
        assert_eq!(invalid_fields(actor.set(&service, USER, change).await), ["email_mfa_settings.preferred_mfa"]);
        assert!(service.cognito.requests(actor.operation()).await.is_empty());
    }
}

#[tokio::test]
async fn setting_a_factor_that_the_user_lacks_is_a_failed_precondition() {
    for actor in BOTH {
        let service = TestService::start().await;
        for name in FACTORS {
            let answer = actor.set(&service, NEW_USER, factor(name, (true, Some(true))).0).await;
            let details = refused(answer, Code::FailedPrecondition, "FACTOR_NOT_ENROLLED");
            assert_eq!(details.error_info().unwrap().metadata["factor"], name);
        }
    }
}

#[tokio::test]
async fn the_preference_of_a_user_in_another_state_is_a_failed_precondition() {
    for actor in BOTH {
        let service = TestService::start().await;
        for (status, reason) in [("UNCONFIRMED", "USER_NOT_CONFIRMED"), ("RESET_REQUIRED", "PASSWORD_RESET_REQUIRED")] {
            service.cognito.set_user_status(USER, status).await;
            refused(actor.set(&service, USER, PREFER_SMS).await, Code::FailedPrecondition, reason);
        }
    }
}

#[tokio::test]
async fn the_preference_of_a_disabled_user_is_a_failed_precondition() {
    for actor in BOTH {
        let service = TestService::start().await;
        service.cognito.perform_on("AdminDisableUser", USER).await;
        refused(actor.set(&service, USER, PREFER_SMS).await, Code::FailedPrecondition, "USER_DISABLED");
    }
}

#[tokio::test]
async fn the_preference_of_a_user_that_does_not_exist_is_not_found() {
    let service = TestService::start().await;
    let answer = Actor::Administrator.set(&service, "nobody", PREFER_SMS).await;
    refused(answer, Code::NotFound, "USER_NOT_FOUND");

    let access_token = service.cognito.token(USER).await;
    service.cognito.perform_on("AdminDeleteUser", USER).await;
    let request = SetUserMfaPreferenceRequest {
        access_token,
        sms_mfa_settings: Some(SmsMfaSettings { enabled: Some(true), preferred_mfa: Some(true) }),
        ..Default::default()
    };
    let answer = service.preferences().set_user_mfa_preference(request).await;
    refused(answer, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_refusal_of_the_target_is_a_failed_precondition() {
    let service = TestService::start().await;
    service.cognito.inject_error("AdminSetUserMFAPreference", "NotAuthorizedException", "not now").await;
    let answer = Actor::Administrator.set(&service, USER, PREFER_SMS).await;
    refused(answer, Code::FailedPrecondition, "TARGET_REFUSED");
}

#[tokio::test]
async fn a_preference_changes_the_challenge_of_the_next_sign_in() {
    for (name, challenge) in FACTORS.into_iter().zip(["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP"]) {
        let service = TestService::start().await;
        let before = service.cognito.sign_in(USER).await;
        assert!(before["AuthenticationResult"].is_object(), "{before}");
        Actor::Administrator.set(&service, USER, factor(name, (true, Some(true))).0).await.unwrap();
        assert_eq!(service.cognito.sign_in(USER).await["ChallengeName"], challenge);
    }
}
