//! The message of a status: what is wrong and what to do about it, for a caller who sees nothing else.

use crate::api::v1::ErrorReason as R;
use crate::domain::{ActsAs, Factor, Operation, Resource};
use crate::error::reason;
use crate::error::{Error, Violation};

/// The text of the reason, with what is particular to this error: the field, the factor, the setting, the permission.
pub(super) fn message(error: &Error) -> String {
    let text = reason::spec(error.reason).message;
    let metadata = |key| error.metadata.get(key).map(String::as_str);
    match error.reason {
        R::RequestInvalid => invalid(text, &error.violations, error.further_violations),
        R::CallerUnauthenticated if metadata("credential") == Some("expired") => {
            "caller not authenticated: the bearer token has expired; send a new one".to_owned()
        }
        R::CallerForbidden => forbidden(text, metadata("rpc"), metadata("permission")),
        R::FactorNotEnrolled => match metadata("factor").and_then(Factor::from_name) {
            Some(factor) => format!("{text} {}: {}", factor.name(), how_to_enroll(factor)),
            None => format!("{text}; set it up first"),
        },
        R::PoolSettingsConflict => {
            let remedy = metadata("conflict").map_or("change them first", how_to_resolve);
            format!("{text}: {remedy}")
        }
        R::ResourceNotFound => missing(error.operation).to_owned(),
        R::InvalidParameter => metadata("cognito_message").map_or_else(
            || format!("{text} and does not say which; compare the request with the RPC's comment"),
            |said| format!("{text}: {said}"),
        ),
        R::CognitoCodeUnrecognized => match metadata("cognito_code") {
            Some(code) => format!("{text}: {code}"),
            None => text.to_owned(),
        },
        R::CognitoUnavailable | R::CognitoUnreachable | R::CognitoInternalError | R::CognitoAnswerUnreadable
            if error.is_retryable() =>
        {
            format!("{text}; retry with backoff")
        }
        R::MfagateFailed
        | R::MfagateCredentialsRejected
        | R::MfagateAccessDenied
        | R::MfagateClockSkewed
        | R::MfagateAccountRefused
        | R::MfagateRequestRejected
        | R::MfagateDispatchFailed => {
            format!("{text}; the cause is in mfagate's log under the request id, for its operator")
        }
        _ => text.to_owned(),
    }
}

/// The first violation, and how many more there are: details hold them all.
fn invalid(text: &str, violations: &[Violation], further: usize) -> String {
    let Some((Violation { field, description }, others)) = violations.split_first() else { return text.to_owned() };
    match others.len() + further {
        0 => format!("{text}: {field} {description}"),
        others => format!("{text}: {field} {description} (and {others} more)"),
    }
}

/// Names the permission that is missing, and never a policy.
fn forbidden(text: &str, rpc: Option<&str>, permission: Option<&str>) -> String {
    match (rpc, permission) {
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

/// What Cognito did not find: the operation decides, the code is one for all.
fn missing(operation: Option<Operation>) -> &'static str {
    match operation.map(Operation::facts) {
        Some(facts) if facts.resource == Resource::Passkey => {
            "the user has no such passkey; read the ids with ListWebAuthnCredentials"
        }
        Some(facts) if facts.acts_as == ActsAs::User => {
            "the pool or the app client of the credential does not exist; have the user sign in again"
        }
        _ => "the pool does not exist; check user_pool_id and the Region in it",
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
            let is_name = ["Cognito", "AWS"].iter().any(|name| first.starts_with(name));
            assert!(is_name || first.starts_with(char::is_lowercase), "{reason:?}: {said}");
        }
    }
}
