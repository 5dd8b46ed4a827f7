//! Properties: the table never fails on any input, and pools and preferences keep their invariants.

use cognito_emulator::{demo, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cognito::{CONTROL, Cognito, SIGNATURE};

const OPERATIONS: [&str; 6] = [
    "AdminSetUserMFAPreference",
    "SetUserPoolMfaConfig",
    "VerifySoftwareToken",
    "CreateUserPool",
    "RespondToAuthChallenge",
    "CompleteWebAuthnRegistration",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    let names = prop_oneof![
        Just("UserPoolId".to_owned()),
        Just("SMSMfaSettings".to_owned()),
        Just("Enabled".to_owned()),
        Just("SmsMfaConfiguration".to_owned()),
        Just("SmsConfiguration".to_owned()),
        Just("Policies".to_owned()),
        Just("Schema".to_owned()),
        Just("ChallengeResponses".to_owned()),
        ".{0,8}",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The pool id as facts 1 describe it, read without a pattern.
fn is_pool_id(text: &str) -> bool {
    let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    (1..=55).contains(&text.chars().count())
        && text.rmatch_indices('_').any(|(at, _)| {
            let (head, tail) = (&text[..at], &text[at + 1..]);
            !head.is_empty()
                && head.chars().all(|character| word(character) || character == '-')
                && !tail.is_empty()
                && tail.chars().all(|character| character.is_ascii_alphanumeric())
        })
}

proptest! {
    #[test]
    fn any_body_is_accepted_or_refused_by_name(
        operation in prop::sample::select(OPERATIONS.to_vec()),
        body in any_json(),
    ) {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        if let Err(failure) = parse(&target, body.to_string().as_bytes()) {
            let known = ["SerializationException", "InvalidParameterException"];
            prop_assert!(known.contains(&failure.code.as_ref()), "{failure:?}");
        }
    }

    #[test]
    fn any_bytes_are_accepted_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let target = "AWSCognitoIdentityProviderService.SetUserPoolMfaConfig";
        if let Err(failure) = parse(target, &bytes) {
            prop_assert!(failure.status == 400);
        }
    }

    #[test]
    fn what_was_checked_once_passes_again_unchanged(body in any_json()) {
        let target = "AWSCognitoIdentityProviderService.AdminSetUserMFAPreference";
        let mut body = body;
        if let Some(members) = body.as_object_mut() {
            members.insert("UserPoolId".to_owned(), json!("us-west-2_a"));
            members.insert("Username".to_owned(), json!("u"));
        }
        if let Ok(checked) = parse(target, body.to_string().as_bytes()) {
            prop_assert_eq!(parse(target, checked.to_string().as_bytes()), Ok(checked));
        }
    }

    #[test]
    fn a_pool_id_is_accepted_exactly_if_it_is_one(id in "[a-zA-Z0-9_ü -]{0,58}") {
        let target = "AWSCognitoIdentityProviderService.GetUserPoolMfaConfig";
        let body = json!({ "UserPoolId": id }).to_string();
        prop_assert_eq!(parse(target, body.as_bytes()).is_ok(), is_pool_id(&id), "{}", id);
    }

    #[test]
    fn a_text_message_is_accepted_exactly_if_it_fits(
        before in ".{0,80}", after in ".{0,80}", with_code in any::<bool>(),
    ) {
        let message = format!("{before}{}{after}", if with_code { "{####}" } else { "" });
        let target = "AWSCognitoIdentityProviderService.SetUserPoolMfaConfig";
        let block = json!({ "SmsAuthenticationMessage": message });
        let body = json!({ "UserPoolId": "us-west-2_a", "SmsMfaConfiguration": block }).to_string();
        let fits = (6..=140).contains(&message.chars().count()) && message.contains("{####}");
        prop_assert_eq!(parse(target, body.as_bytes()).is_ok(), fits, "{}", message);
    }
}

/// One preference block: absent, or `Enabled` and `PreferredMfa` each absent, false or true.
fn block() -> impl Strategy<Value = Option<(Option<bool>, Option<bool>)>> {
    prop::option::of((any::<Option<bool>>(), any::<Option<bool>>()))
}

type Blocks = [Option<(Option<bool>, Option<bool>)>; 3];

const FACTORS: [(&str, &str); 3] = [
    ("SMSMfaSettings", "SMS_MFA"),
    ("SoftwareTokenMfaSettings", "SOFTWARE_TOKEN_MFA"),
    ("EmailMfaSettings", "EMAIL_OTP"),
];

/// The preference of a user with every means, as facts U1 to U6 describe it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Expected {
    on: [bool; 3],
    preferred: Option<usize>,
}

impl Expected {
    fn after(&self, blocks: Blocks) -> Option<Self> {
        let wished = blocks.iter().flatten().filter(|block| block.1 == Some(true));
        if wished.clone().count() > 1 || wished.clone().any(|block| block.0 != Some(true)) {
            return None;
        }
        let mut next = self.clone();
        for (index, block) in blocks.into_iter().enumerate() {
            let Some((enabled, preferred)) = block else {
                continue;
            };
            next.on[index] = enabled.unwrap_or(next.on[index]);
            match preferred {
                Some(true) => next.preferred = Some(index),
                _ if enabled == Some(false) || preferred == Some(false) => {
                    next.preferred = next.preferred.filter(|own| *own != index);
                }
                _ => {}
            }
        }
        Some(next)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn preferences_follow_the_rules_through_any_sequence(
        steps in prop::collection::vec([block(), block(), block()], 1..12),
    ) {
        runtime().block_on(async {
            let cognito = Cognito::demo().await;
            let user = json!({ "UserPoolId": demo::POOL_ID, "Username": "testuser" });
            let mut expected = Expected::default();
            for blocks in &steps {
                let mut request = user.clone();
                for ((member, _), block) in FACTORS.iter().zip(blocks) {
                    if let Some((enabled, preferred)) = block {
                        request[*member] = json!({ "Enabled": enabled, "PreferredMfa": preferred });
                    }
                }
                let response = cognito.call("AdminSetUserMFAPreference", &request).await;
                let next = expected.after(*blocks);
                prop_assert_eq!(response.status == 200, next.is_some(), "{:?} after {:?}", blocks, expected);
                expected = next.unwrap_or(expected);
                let read = cognito.ok("AdminGetUser", user.clone()).await;
                let names = FACTORS.iter().zip(expected.on).filter(|(_, on)| *on);
                let names: Vec<_> = names.map(|((_, name), _)| *name).collect();
                let listed = read.get("UserMFASettingList").cloned().unwrap_or_else(|| json!([]));
                prop_assert_eq!(listed, json!(names));
                let preferred = expected.preferred.map(|index| FACTORS[index].1);
                prop_assert_eq!(read.get("PreferredMfaSetting").and_then(Value::as_str), preferred);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_pool_is_never_on_without_a_factor_nor_off_with_one(
        steps in prop::collection::vec(
            (
                prop::option::of(prop::sample::select(vec!["OFF", "ON", "OPTIONAL"])),
                any::<bool>(),
                any::<Option<bool>>(),
                any::<bool>(),
            ),
            1..12,
        ),
    ) {
        runtime().block_on(async {
            let cognito = Cognito::start().await;
            let pool_id = cognito.plain_pool().await;
            let read = json!({ "UserPoolId": pool_id });
            let mut before = cognito.ok("GetUserPoolMfaConfig", read.clone()).await;
            for (mode, sms, token, passkeys) in steps {
                let mut request = read.clone();
                request["MfaConfiguration"] = json!(mode);
                if sms {
                    let channel = json!({ "SnsCallerArn": "arn:aws:iam::123456789012:role/sms" });
                    request["SmsMfaConfiguration"] = json!({ "SmsConfiguration": channel });
                }
                if let Some(enabled) = token {
                    request["SoftwareTokenMfaConfiguration"] = json!({ "Enabled": enabled });
                }
                if passkeys {
                    request["WebAuthnConfiguration"] = json!({ "RelyingPartyId": "example.com" });
                }
                let response = cognito.call("SetUserPoolMfaConfig", &request).await;
                let after = cognito.ok("GetUserPoolMfaConfig", read.clone()).await;
                if response.status == 200 {
                    prop_assert_eq!(&response.json(), &after);
                    request.as_object_mut().unwrap().remove("UserPoolId");
                    request["MfaConfiguration"] = json!(mode.unwrap_or("OFF"));
                    if let ("OFF", Some(channel)) = (mode.unwrap_or("OFF"), before.get("SmsMfaConfiguration")) {
                        request["SmsMfaConfiguration"] = channel.clone();
                    }
                    prop_assert_eq!(&after, &request, "P1, P12a: what was sent is what there is, and the channel");
                } else {
                    prop_assert_eq!(&after, &before, "a refused write changes nothing");
                }
                let (channel, token) = (after.get("SmsMfaConfiguration"), after.get("SoftwareTokenMfaConfiguration"));
                if after["MfaConfiguration"] == "OFF" {
                    prop_assert_eq!(token, None, "P12a: a channel can stay, another factor cannot");
                } else {
                    prop_assert!(channel.is_some() || token.is_some_and(|token| token["Enabled"] == true));
                }
                before = after;
            }
            Ok(())
        })?;
    }
}

/// JSON with the numbers at which arithmetic ends.
fn any_body() -> impl Strategy<Value = Value> {
    let number = prop::sample::select(vec![
        json!(0),
        json!(1),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(0.5),
        json!(3_155_760_000_u64),
    ]);
    let text =
        prop::sample::select(vec!["", "testuser", "newuser", "nobody", demo::POOL_ID, "CONFIRMED", "seconds", "ON"]);
    let value = prop_oneof![3 => number, 2 => text.prop_map(Value::from), 2 => any_json()];
    let names = prop::sample::select(vec![
        "advance_seconds",
        "ExpiresIn",
        "UserPoolId",
        "Username",
        "UserStatus",
        "Scope",
        "ClientId",
        "kind",
        "count",
        "delay_ms",
        "status",
        "code",
        "match",
        "operation",
        "perform",
        "MaxResults",
        "Limit",
        "Filter",
        "NextToken",
        "PaginationToken",
        "RefreshTokenValidity",
        "AccessTokenValidity",
        "IdTokenValidity",
        "AuthSessionValidity",
        "TokenValidityUnits",
        "ClientName",
        "PoolName",
        "Policies",
        "Schema",
        "MFAOptions",
        "SMSMfaSettings",
        "MfaConfiguration",
        "SmsMfaConfiguration",
        "WebAuthnConfiguration",
        "AuthFlow",
        "AuthParameters",
        "Session",
        "ChallengeName",
        "ChallengeResponses",
        "UserCode",
        "Credential",
        "CredentialId",
        "UserAttributes",
        "Password",
    ]);
    let members = prop::collection::vec((names, value), 0..6)
        .prop_map(|members| Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
    prop_oneof![6 => members, 1 => any_json()]
}

const CONTROL_PATHS: [(&str, &str); 8] = [
    ("POST", "/_embedded/token"),
    ("POST", "/_embedded/token?format=text"),
    ("POST", "/_embedded/clock"),
    ("POST", "/_embedded/user"),
    ("POST", "/_embedded/reset"),
    ("GET", "/_embedded/totp?user_pool_id=us-west-2_EXAMPLE&username=testuser"),
    ("GET", "/_embedded/outbox"),
    ("DELETE", "/_embedded/faults?id=18446744073709551615"),
];

const EVERY_OPERATION: [&str; 38] = [
    "AdminConfirmSignUp",
    "AdminCreateUser",
    "AdminDeleteSoftwareToken",
    "AdminDeleteUser",
    "AdminDisableUser",
    "AdminEnableUser",
    "AdminGetUser",
    "AdminGetUserAuthFactors",
    "AdminInitiateAuth",
    "AdminResetUserPassword",
    "AdminRespondToAuthChallenge",
    "AdminSetUserMFAPreference",
    "AdminSetUserPassword",
    "AdminSetUserSettings",
    "AdminUpdateUserAttributes",
    "AdminUserGlobalSignOut",
    "AssociateSoftwareToken",
    "CompleteWebAuthnRegistration",
    "CreateUserPool",
    "CreateUserPoolClient",
    "DeleteUserPool",
    "DeleteWebAuthnCredential",
    "DescribeUserPool",
    "GetUser",
    "GetUserAuthFactors",
    "GetUserPoolMfaConfig",
    "GlobalSignOut",
    "InitiateAuth",
    "ListUserPools",
    "ListUsers",
    "ListWebAuthnCredentials",
    "RespondToAuthChallenge",
    "SetUserMFAPreference",
    "SetUserPoolMfaConfig",
    "SetUserSettings",
    "SignUp",
    "StartWebAuthnRegistration",
    "VerifySoftwareToken",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// A handler that panics ends its connection without a response.
    #[test]
    fn no_request_panics(
        steps in prop::collection::vec(
            (any::<prop::sample::Index>(), any_body(), any::<bool>(), any::<bool>()), 1..40,
        ),
    ) {
        runtime().block_on(async {
            let cognito = Cognito::demo().await;
            for (index, body, known_user, with_token) in steps {
                let step = index.index(CONTROL_PATHS.len() * 3 + EVERY_OPERATION.len());
                let (what, response) = if let Some((method, path)) = CONTROL_PATHS.get(step / 3) {
                    (*path, cognito.request(method, path, &body.to_string(), &[CONTROL]).await)
                } else {
                    let operation = EVERY_OPERATION[step - CONTROL_PATHS.len() * 3];
                    let mut body = body.clone();
                    if let (true, Some(members)) = (known_user, body.as_object_mut()) {
                        members.insert("UserPoolId".to_owned(), json!(demo::POOL_ID));
                        members.insert("Username".to_owned(), json!("testuser"));
                        members.insert("ClientId".to_owned(), json!(demo::CLIENT_ID));
                    }
                    if let (true, Some(members)) = (with_token, body.as_object_mut()) {
                        let minted = cognito.request("POST", "/_embedded/token", "", &[CONTROL]).await;
                        let minted = minted.map(|minted| minted.json()["AccessToken"].clone());
                        members.insert("AccessToken".to_owned(), minted.unwrap_or_default());
                    }
                    let target = format!("AWSCognitoIdentityProviderService.{operation}");
                    let headers = [("X-Amz-Target", target.as_str()), ("Authorization", SIGNATURE)];
                    (operation, cognito.request("POST", "/", &body.to_string(), &headers).await)
                };
                prop_assert!(response.is_ok(), "{} {}: {:?}", what, body, response);
                prop_assert!(response.as_ref().is_ok_and(|response| response.status < 500), "{} {}", what, body);
            }
            Ok(())
        })?;
    }
}
