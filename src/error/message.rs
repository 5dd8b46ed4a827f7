//! The message of a status: what is wrong and what to do about it, for a caller who sees nothing else.

use std::fmt;

use tonic::Code;

use crate::api::v1::ErrorReason as R;
use crate::domain::{ActsAs, Factor, Operation, Resource};
use crate::error::Error;
use crate::error::reason::{self, Party, ReasonSpec, Retry};
use crate::error::violation::Violation;

/// Makes a message of the text of the reason and an error.
type Particular = fn(&str, &Error) -> String;

/// The reasons whose message has something of the error in it: the field, the factor, the setting, the permission.
const PARTICULARS: &[(R, Particular)] = &[
    (R::RequestInvalid, invalid),
    (R::CallerUnauthenticated, expired),
    (R::CallerForbidden, forbidden),
    (R::FactorNotEnrolled, not_enrolled),
    (R::PoolSettingsConflict, conflict),
    (R::ResourceNotFound, missing),
    (R::InvalidParameter, rejected),
    (R::CognitoCodeUnrecognized, unrecognized),
];

/// The text of the reason, with what is particular to this error.
pub(super) fn message(error: &Error) -> String {
    let ReasonSpec { code, party, retry, message: text, .. } = reason::spec(error.reason);
    if let Some((_, particular)) = PARTICULARS.iter().find(|(reason, _)| *reason == error.reason) {
        return particular(text, error);
    }
    let mut message = text.to_owned();
    if error.is_outcome_unknown() {
        message.push_str("; the change may have taken effect");
    }
    if retry == Retry::IfIdempotent && error.is_retryable() {
        message.push_str("; retry with backoff");
    }
    if party == Party::Mfagate && code == Code::Internal {
        message.push_str("; the cause is in mfagate's log under the request id, for its operator");
    }
    message
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&message(self))
    }
}

fn metadata<'a>(error: &'a Error, key: &str) -> Option<&'a str> {
    error.metadata.get(key).map(String::as_str)
}

/// The first violation, and how many more there are: details hold them all.
fn invalid(text: &str, error: &Error) -> String {
    let Some((Violation { field, description }, others)) = error.violations.split_first() else {
        return text.to_owned();
    };
    // A violation of the whole message has no field.
    let first = format!("{field} {description}");
    match others.len() + error.further_violations {
        0 => format!("{text}: {}", first.trim_start()),
        others => format!("{text}: {} (and {others} more)", first.trim_start()),
    }
}

/// The other causes have one message.
fn expired(text: &str, error: &Error) -> String {
    match metadata(error, "credential") {
        Some("expired") => "caller not authenticated: the bearer token has expired; send a new one".to_owned(),
        Some(_) | None => text.to_owned(),
    }
}

/// Names the permission that is missing, and never a policy.
fn forbidden(text: &str, error: &Error) -> String {
    match (metadata(error, "rpc"), metadata(error, "permission")) {
        (Some(rpc), Some(permission)) => {
            format!("{text}: {rpc} needs the permission {permission}, which the caller does not have for this request")
        }
        (None, Some(permission)) => format!(
            "{text}: reading the descriptors (server reflection) needs the permission {permission}, which the caller does not \
             have; give the client the descriptors instead, as with grpcurl -protoset FILE"
        ),
        (_, None) => format!("{text}, or mfagate has no such RPC; check the service and method names"),
    }
}

fn not_enrolled(text: &str, error: &Error) -> String {
    match metadata(error, "factor").and_then(Factor::from_name) {
        Some(factor) => format!("{text} {}: {}", factor.name(), how_to_enroll(factor)),
        None => format!("{text}; set it up first"),
    }
}

fn conflict(text: &str, error: &Error) -> String {
    format!("{text}: {}", metadata(error, "conflict").map_or("change them first", how_to_resolve))
}

/// What Cognito did not find: the operation decides, the code is one for all.
fn missing(_: &str, error: &Error) -> String {
    match error.operation.map(Operation::facts) {
        Some(facts) if facts.resource == Resource::Passkey => {
            "the user has no such passkey; read the ids with ListWebAuthnCredentials".to_owned()
        }
        Some(facts) if facts.acts_as == ActsAs::User => {
            "the pool or the app client of the credential does not exist; have the user sign in again".to_owned()
        }
        Some(_) | None => "the pool does not exist; check user_pool_id and the Region in it".to_owned(),
    }
}

fn rejected(text: &str, error: &Error) -> String {
    match metadata(error, "cognito_message") {
        Some(said) => format!("{text}: {said}"),
        None => format!("{text} and does not say which; compare the request with the RPC's comment"),
    }
}

fn unrecognized(text: &str, error: &Error) -> String {
    metadata(error, "cognito_code").map_or_else(|| text.to_owned(), |code| format!("{text}: {code}"))
}

fn how_to_enroll(factor: Factor) -> &'static str {
    match factor {
        Factor::SoftwareTokenMfa => "call AssociateSoftwareToken and VerifySoftwareToken first",
        Factor::SmsMfa => "set the user's phone_number first",
        Factor::EmailOtp => "set the user's email first",
        Factor::WebAuthn => "register a passkey first",
    }
}

/// What to change where the new MFA configuration and another setting of the pool contradict each other.
fn how_to_resolve(conflict: &str) -> &'static str {
    match conflict {
        "AUTO_VERIFIED_PHONE_NUMBER" => {
            "the pool verifies phone_number, which needs SMS; keep sms_mfa_configuration with a mode other than \
             USER_POOL_MFA_TYPE_OFF, or remove phone_number from the pool's AutoVerifiedAttributes"
        }
        "SMS_CONFIGURATION" => {
            "the pool has an SMS channel, which the request leaves out; send sms_mfa_configuration as GetUserPoolMfaConfig \
             returns it"
        }
        "EMAIL_SENDING_ACCOUNT" => {
            "e-mail MFA needs Amazon SES; set the pool's EmailSendingAccount to DEVELOPER, or leave out email_mfa_configuration"
        }
        "ACCOUNT_RECOVERY" => {
            "a factor must not be the only way of account recovery; change the pool's AccountRecoverySetting (e-mail MFA needs \
             another way than verified_email, SMS MFA excludes verified_phone_number), or leave out the factor"
        }
        "FIRST_AUTH_FACTORS" => {
            "while MFA is ON the first factors can be PASSWORD and WEB_AUTHN only; change the pool's AllowedFirstAuthFactors, \
             or set mfa_configuration to USER_POOL_MFA_TYPE_OPTIONAL"
        }
        "WEB_AUTHN_FACTOR" => {
            "passkeys are a first factor of the pool but do not count as MFA; set factor_configuration in \
             web_authn_configuration to WEB_AUTHN_FACTOR_CONFIGURATION_MULTI_FACTOR_WITH_USER_VERIFICATION, or remove WEB_AUTHN \
             from the pool's AllowedFirstAuthFactors"
        }
        "POOL_ALREADY_CREATED" => {
            "Cognito does not turn MFA ON in this pool after its creation; set mfa_configuration to \
             USER_POOL_MFA_TYPE_OPTIONAL"
        }
        _ => "change them first",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value of `conflict` that errors can have.
    const CONFLICTS: [&str; 7] = [
        "AUTO_VERIFIED_PHONE_NUMBER",
        "SMS_CONFIGURATION",
        "EMAIL_SENDING_ACCOUNT",
        "ACCOUNT_RECOVERY",
        "FIRST_AUTH_FACTORS",
        "WEB_AUTHN_FACTOR",
        "POOL_ALREADY_CREATED",
    ];

    fn violation(field: &str, description: &str) -> Violation {
        Violation { field: field.to_owned(), description: description.to_owned() }
    }

    #[test]
    fn an_invalid_request_names_its_first_field_and_counts_the_others() {
        let mut violations = vec![violation("user_code", "must be 6 digits")];
        let said = |violations: &[Violation], further| message(&Error::invalid(violations.to_vec(), further));
        assert_eq!(said(&violations, 0), "invalid request: user_code must be 6 digits");
        violations.extend([violation("a", "is required"), violation("b", "is required")]);
        assert_eq!(said(&violations, 0), "invalid request: user_code must be 6 digits (and 2 more)");
        assert_eq!(said(&violations, 3), "invalid request: user_code must be 6 digits (and 5 more)");
    }

    #[test]
    fn a_failure_of_aws_says_whether_a_retry_helps_and_whether_a_change_may_have_been_made() {
        let of = |operation| Error::new(R::CognitoUnreachable).operation(operation);
        let unknown = |operation| of(operation).metadata("outcome", Some("UNKNOWN"));
        for (error, wanted) in [
            (of(Operation::AdminGetUser), "Cognito is unreachable; retry with backoff"),
            (of(Operation::VerifySoftwareToken), "Cognito is unreachable"),
            (unknown(Operation::VerifySoftwareToken), "Cognito is unreachable; the change may have taken effect"),
            (
                unknown(Operation::AdminSetUserMfaPreference),
                "Cognito is unreachable; the change may have taken effect; retry with backoff",
            ),
        ] {
            assert_eq!(message(&error), wanted);
        }
    }

    #[test]
    fn every_conflict_and_every_factor_has_a_remedy_of_its_own() {
        let conflicts = CONFLICTS
            .map(|conflict| message(&Error::new(R::PoolSettingsConflict).metadata("conflict", Some(conflict))));
        let factors = Factor::ALL
            .map(|factor| message(&Error::new(R::FactorNotEnrolled).metadata("factor", Some(factor.name()))));
        let unknown = message(&Error::new(R::PoolSettingsConflict));
        let mut said: Vec<_> = conflicts.into_iter().chain(factors).chain([unknown]).collect();
        said.sort();
        said.dedup();
        assert_eq!(said.len(), CONFLICTS.len() + Factor::ALL.len() + 1);
    }

    #[test]
    fn every_message_is_one_line_without_a_full_stop() {
        for reason in (0..).map_while(|number| R::try_from(number).ok()) {
            let said = message(&Error::new(reason));
            assert!(!said.is_empty() && !said.ends_with('.') && !said.contains('\n'), "{reason:?}: {said}");
            let first = said.split(' ').next().unwrap_or_default();
            let is_name = ["Cognito", "AWS"].contains(&first);
            assert!(is_name || first.starts_with(char::is_lowercase), "{reason:?}: {said}");
        }
    }
}
