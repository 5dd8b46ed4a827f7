//! The records and their lines.
//!
//! No field takes a text as it comes: a record is made of numbers, constants, and the texts of `text.rs`, none of which comes
//! from a credential, a code, a secret or a session.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::ser::{SerializeMap as _, SerializeStruct as _, Serializer};
use time::OffsetDateTime;
use tonic::Code;

use crate::api::v1::ErrorReason;
use crate::api::{READ_REFLECTION, Rpc};
use crate::audit::text::{CallerRecord, Policies, PoolId, limited};
use crate::audit::username::UsernameRecord;
use crate::domain::{
    AwsRequestId, Before, Effect, EffectValue, FactorConfiguration, MfaConfiguration, Operation, RequestId, TraceId,
    UserVerification,
};

/// The version of the records' form. It is raised when a field changes its meaning or goes, not when one is added.
const VERSION: u8 = 1;

/// The fields of a call, the same in each of its records.
#[derive(Clone, Debug)]
pub struct CallFields {
    /// mfagate's id of the call.
    pub request_id: Option<RequestId>,
    /// The caller's own id of the call.
    pub caller_request_id: Option<RequestId>,
    /// The caller's trace.
    pub trace_id: Option<TraceId>,
    /// Who called.
    pub caller: CallerRecord,
    /// The address of the peer.
    pub peer: Option<SocketAddr>,
    /// What was called.
    pub target: Target,
    /// The pool that the request names.
    pub user_pool_id: PoolId,
    /// The user that the request names.
    pub username: Option<UsernameRecord>,
}

/// What was called. Constants only: an unknown path may hold anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    rpc: Option<&'static str>,
    permission: Option<&'static str>,
}

impl Target {
    /// A path that nothing is served on.
    pub const UNKNOWN: Self = Self { rpc: None, permission: None };

    /// Server reflection, which is served and is no RPC of mfagate.
    pub const REFLECTION: Self = Self { rpc: Some("ServerReflection"), permission: Some(READ_REFLECTION) };
}

impl From<Rpc> for Target {
    fn from(rpc: Rpc) -> Self {
        Self { rpc: Some(rpc.name()), permission: Some(rpc.permission()) }
    }
}

/// What was decided on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DecisionOutcome {
    /// The caller may.
    Allow,
    /// The caller may not.
    Deny,
    /// The caller did not authenticate.
    Unauthenticated,
}

/// The record of a decision, written before anything is done.
#[derive(Clone, Debug)]
pub struct DecisionRecord {
    /// The call.
    pub call: Arc<CallFields>,
    /// What the request would do, where it was decoded.
    pub effect: Option<Effect>,
    /// What was there, where it was read to decide.
    pub before: Option<Before>,
    /// What was decided.
    pub outcome: DecisionOutcome,
    /// The policies that decided, if any were asked.
    pub policies: Policies,
    /// How long the decision took, or the authentication that failed.
    pub duration: Duration,
}

/// The record of a mutation that Cognito was asked for and that has ended.
#[derive(Clone, Debug)]
pub struct MutationRecord {
    /// The call.
    pub call: Arc<CallFields>,
    /// The username in the access token, once Cognito has accepted it.
    pub token_username: Option<UsernameRecord>,
    /// The username that Cognito returned, where the user was read.
    pub cognito_username: Option<UsernameRecord>,
    /// The user's `sub`, where it is known.
    pub sub: Option<UsernameRecord>,
    /// What the request asked for.
    pub effect: Option<Effect>,
    /// What was there, where it was read.
    pub before: Option<Before>,
    /// What Cognito was asked for.
    pub operation: Operation,
    /// The id that AWS gave the request.
    pub aws_request_id: Option<AwsRequestId>,
    /// How it ended.
    pub outcome: MutationOutcome,
    /// How long it took, retries included.
    pub duration: Duration,
}

/// How a mutation ended, as the caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MutationOutcome {
    /// The gRPC code.
    pub code: Code,
    /// The reason, where it failed.
    pub reason: Option<ErrorReason>,
    /// Whether the change may have been made although it failed.
    pub change_unknown: bool,
    /// Whether Cognito did not respond to the change, and a read afterwards shows that it was made.
    pub read_back: bool,
}

impl MutationOutcome {
    /// The change was made.
    pub const OK: Self = Self { code: Code::Ok, reason: None, change_unknown: false, read_back: false };
}

/// The line of a record, without its line break. `time` is when the record was made.
#[derive(Serialize)]
struct Line<'a> {
    version: u8,
    #[serde(serialize_with = "rfc_3339")]
    time: SystemTime,
    kind: &'static str,
    #[serde(flatten)]
    call: CallLine<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cognito_username: Option<&'a UsernameRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a UsernameRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<EffectLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<BeforeLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionOutcome>,
    #[serde(flatten)]
    policies: Option<&'a Policies>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_request_id: Option<&'a AwsRequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<MutationOutcome>,
    #[serde(serialize_with = "milliseconds")]
    duration_ms: Duration,
}

#[derive(Serialize)]
struct CallLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_request_id: Option<&'a RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a TraceId>,
    #[serde(flatten)]
    caller: &'a CallerRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<SocketAddr>,
    /// Absent where the path is none of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_pool_id: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    user_pool_id_malformed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a UsernameRecord>,
}

impl<'a> From<&'a CallFields> for CallLine<'a> {
    fn from(call: &'a CallFields) -> Self {
        Self {
            request_id: call.request_id.as_ref(),
            caller_request_id: call.caller_request_id.as_ref(),
            trace_id: call.trace_id.as_ref(),
            caller: &call.caller,
            peer: call.peer,
            rpc: call.target.rpc,
            permission: call.target.permission,
            user_pool_id: match &call.user_pool_id {
                PoolId::Named(id) => Some(id),
                PoolId::Absent | PoolId::Malformed => None,
            },
            user_pool_id_malformed: call.user_pool_id == PoolId::Malformed,
            username: call.username.as_ref(),
        }
    }
}

/// An effect as a map of its fields.
struct EffectLine<'a>(&'a Effect);

impl Serialize for EffectLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0.fields() {
            map.serialize_entry(name, &EffectField(value))?;
        }
        if !self.0.text_hashes.is_empty() {
            map.serialize_entry("texts_sha256", &self.0.text_hashes)?;
        }
        map.end()
    }
}

/// What was there before, in the words of the effect.
struct BeforeLine<'a>(&'a Before);

impl Serialize for BeforeLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Before::User { factors, preferred } => {
                map.serialize_entry("factors", &EffectField(EffectValue::Factors(factors)))?;
                if let Some(preferred) = preferred {
                    map.serialize_entry("preferred", preferred.name())?;
                }
            }
            Before::Pool(pool) => {
                map.serialize_entry("factors", &EffectField(EffectValue::Factors(&pool.factors)))?;
                let named = [
                    ("mfa_configuration", pool.mfa_configuration.map(MfaConfiguration::name)),
                    ("sms_role_arn", pool.sms_role_arn.as_deref()),
                    ("relying_party_id", pool.relying_party_id.as_deref()),
                    ("user_verification", pool.user_verification.map(UserVerification::name)),
                    ("factor_configuration", pool.factor_configuration.map(FactorConfiguration::name)),
                ];
                for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                    map.serialize_entry(name, value)?;
                }
                let hashes = pool.text_hashes();
                if !hashes.is_empty() {
                    map.serialize_entry("texts_sha256", &hashes)?;
                }
            }
        }
        map.end()
    }
}

struct EffectField<'a>(EffectValue<'a>);

impl Serialize for EffectField<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            EffectValue::Factors(factors) => serializer.collect_seq(factors.iter().map(|factor| factor.name())),
            EffectValue::Factor(factor) => serializer.serialize_str(factor.name()),
            EffectValue::MfaConfiguration(value) => serializer.serialize_str(value.name()),
            EffectValue::UserVerification(value) => serializer.serialize_str(value.name()),
            EffectValue::FactorConfiguration(value) => serializer.serialize_str(value.name()),
            EffectValue::Text(value) => serializer.serialize_str(value),
            EffectValue::Bool(value) => serializer.serialize_bool(value),
        }
    }
}

impl Serialize for MutationOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut outcome = serializer.serialize_struct("MutationOutcome", 4)?;
        outcome.serialize_field("code", code_name(self.code))?;
        match self.reason {
            Some(reason) => outcome.serialize_field("reason", reason.wire_name())?,
            None => outcome.skip_field("reason")?,
        }
        if self.change_unknown {
            outcome.serialize_field("change", "UNKNOWN")?;
        } else {
            outcome.skip_field("change")?;
        }
        if self.read_back {
            outcome.serialize_field("read_back", &true)?;
        } else {
            outcome.skip_field("read_back")?;
        }
        outcome.end()
    }
}

impl DecisionRecord {
    pub(super) fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Line {
            version: VERSION,
            time: SystemTime::now(),
            kind: "decision",
            call: CallLine::from(&*self.call),
            cognito_username: None,
            sub: None,
            effect: self.effect.as_ref().map(EffectLine),
            before: self.before.as_ref().map(BeforeLine),
            decision: Some(self.outcome),
            policies: Some(&self.policies),
            operation: None,
            aws_request_id: None,
            outcome: None,
            duration_ms: self.duration,
        })
    }
}

impl MutationRecord {
    pub(super) fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Line {
            version: VERSION,
            time: SystemTime::now(),
            kind: "mutation",
            call: CallLine {
                username: self.call.username.as_ref().or(self.token_username.as_ref()),
                ..(&*self.call).into()
            },
            cognito_username: self.cognito_username.as_ref(),
            sub: self.sub.as_ref(),
            effect: self.effect.as_ref().map(EffectLine),
            before: self.before.as_ref().map(BeforeLine),
            decision: None,
            policies: None,
            operation: Some(self.operation.name()),
            aws_request_id: self.aws_request_id.as_ref(),
            outcome: Some(self.outcome),
            duration_ms: self.duration,
        })
    }

    /// Logs, in the application log, that the audit log does not show this mutation yet.
    pub(super) fn log_unrecorded(&self, error: &dyn std::fmt::Display) {
        tracing::error!(
            %error,
            request_id = self.call.request_id.as_ref().map(RequestId::as_str),
            rpc = self.call.target.rpc,
            operation = self.operation.name(),
            aws_request_id = self.aws_request_id.as_ref().map(AwsRequestId::as_str),
            code = code_name(self.outcome.code),
            reason = self.outcome.reason.map(ErrorReason::wire_name),
            "mutation not in the audit log yet"
        );
    }
}

/// The line that stands for decisions that could not be written.
#[derive(Serialize)]
struct GapLine {
    version: u8,
    #[serde(serialize_with = "rfc_3339")]
    time: SystemTime,
    kind: &'static str,
    #[serde(serialize_with = "rfc_3339")]
    since: SystemTime,
    decisions_lost: u64,
}

/// The line that says that `decisions_lost` decisions since `since` are missing.
pub(super) fn gap_line(since: SystemTime, decisions_lost: u64) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&GapLine { version: VERSION, time: SystemTime::now(), kind: "gap", since, decisions_lost })
}

/// Calls that were refused and not recorded one by one, because there were too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalsRecord {
    /// When the first of them was refused.
    pub since: SystemTime,
    /// The address that they came from, if they have that in common.
    pub peer: Option<IpAddr>,
    /// The caller, if it is known.
    pub caller: Option<String>,
    /// Why they were refused.
    pub cause: &'static str,
    /// How many they were.
    pub refused: u64,
}

#[derive(Serialize)]
struct RefusalsLine {
    version: u8,
    #[serde(serialize_with = "rfc_3339")]
    time: SystemTime,
    kind: &'static str,
    #[serde(serialize_with = "rfc_3339")]
    since: SystemTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    cause: &'static str,
    refused: u64,
}

impl RefusalsRecord {
    pub(super) fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let Self { since, peer, caller, cause, refused } = self;
        serde_json::to_vec(&RefusalsLine {
            version: VERSION,
            time: SystemTime::now(),
            kind: "refusals",
            since: *since,
            peer: *peer,
            caller: caller.as_deref().map(limited),
            cause,
            refused: *refused,
        })
    }
}

/// RFC 3339 in UTC, always with three digits of milliseconds, so that lines sort.
fn rfc_3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let time = OffsetDateTime::from(*time);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second, millisecond) = time.to_hms_milli();
    let month = u8::from(month);
    serializer
        .collect_str(&format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"))
}

/// Milliseconds, to the microsecond.
fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}

/// The name of a code in the gRPC specification.
const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::audit::UsernameForm;
    use crate::domain::{Factor, PoolMfa};

    fn call() -> Arc<CallFields> {
        Arc::new(CallFields {
            request_id: RequestId::parse("req-1"),
            caller_request_id: RequestId::parse("order-4711"),
            trace_id: TraceId::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            caller: CallerRecord::ANONYMOUS,
            peer: Some(([127, 0, 0, 1], 4711).into()),
            target: Rpc::AdminSetUserMfaPreference.into(),
            user_pool_id: PoolId::of("eu-west-1_Ab1"),
            username: None,
        })
    }

    fn without_time(line: &[u8]) -> Value {
        let mut value: Value = serde_json::from_slice(line).unwrap();
        let time = value.as_object_mut().unwrap().remove("time").unwrap();
        let time = time.as_str().unwrap();
        assert_eq!((time.len(), &time[10..11], &time[19..20], &time[23..]), (24, "T", ".", "Z"), "{time}");
        value
    }

    #[test]
    fn a_decision_says_who_wanted_what_and_why_it_was_decided() {
        let effect = Effect {
            factors_enabled: [Factor::SmsMfa, Factor::SoftwareTokenMfa].into(),
            factors_disabled: [Factor::EmailOtp].into(),
            preferred: Some(Factor::SmsMfa),
            mfa_configuration: Some(MfaConfiguration::Optional),
            sms_role_arn: Some("arn:aws:iam::111122223333:role/sms".to_owned()),
            relying_party_id: Some("shop.example".to_owned()),
            user_verification: Some(UserVerification::Required),
            factor_configuration: Some(FactorConfiguration::SingleFactor),
            texts_changed: true,
            text_hashes: [("email_subject", "c0ffee".to_owned())].into(),
            weakens_mfa: true,
            legacy: false,
            end_user: None,
        };
        let record = DecisionRecord {
            call: call(),
            effect: Some(effect),
            before: Some(Before::Pool(Box::new(PoolMfa {
                mfa_configuration: Some(MfaConfiguration::On),
                factors: [Factor::EmailOtp].into(),
                user_verification: Some(UserVerification::Preferred),
                sms_external_id: Some("facade".to_owned()),
                ..PoolMfa::default()
            }))),
            outcome: DecisionOutcome::Deny,
            policies: Policies::new(["support-may-reset"], "c0ffee"),
            duration: Duration::from_nanos(1_234_567),
        };
        assert_eq!(
            without_time(&record.line().unwrap()),
            json!({
                "version": 1, "kind": "decision", "request_id": "req-1", "caller_request_id": "order-4711", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                "authenticated": "none", "peer": "127.0.0.1:4711",
                "rpc": "AdminSetUserMfaPreference", "permission": Rpc::AdminSetUserMfaPreference.permission(),
                "user_pool_id": "eu-west-1_Ab1",
                "effect": {
                    "factors_enabled": ["SMS_MFA", "SOFTWARE_TOKEN_MFA"], "factors_disabled": ["EMAIL_OTP"],
                    "preferred": "SMS_MFA", "mfa_configuration": "OPTIONAL",
                    "sms_role_arn": "arn:aws:iam::111122223333:role/sms", "sms_role_account": "111122223333",
                    "relying_party_id": "shop.example", "user_verification": "REQUIRED",
                    "factor_configuration": "SINGLE_FACTOR", "texts_changed": true,
                    "texts_sha256": { "email_subject": "c0ffee" },
                    "weakens_mfa": true, "legacy": false, "for_signed_in_user": false,
                    "by_session": false,
                },
                "before": {
                    "mfa_configuration": "ON", "factors": ["EMAIL_OTP"], "user_verification": "PREFERRED",
                    "texts_sha256": { "sms_external_id": "facade" },
                },
                "decision": "deny", "policy_ids": ["support-may-reset"], "policy_set_hash": "c0ffee",
                "duration_ms": 1.235,
            })
        );
    }

    #[test]
    fn a_mutation_says_what_cognito_did_and_what_the_caller_is_told() {
        let mut call = Arc::unwrap_or_clone(call());
        call.user_pool_id = PoolId::of("not a pool");
        let mut record = MutationRecord {
            call: Arc::new(call),
            token_username: None,
            cognito_username: UsernameForm::Plain.record("alice"),
            sub: UsernameForm::Plain.record("4b1f"),
            effect: None,
            before: Some(Before::User { factors: [Factor::SmsMfa].into(), preferred: Some(Factor::SmsMfa) }),
            operation: Operation::AdminSetUserMfaPreference,
            aws_request_id: AwsRequestId::parse("a-1"),
            outcome: MutationOutcome {
                code: Code::FailedPrecondition,
                reason: Some(ErrorReason::FactorNotEnrolled),
                change_unknown: false,
                read_back: false,
            },
            duration: Duration::from_millis(20),
        };
        let line = without_time(&record.line().unwrap());
        assert_eq!(
            line,
            json!({
                "version": 1, "kind": "mutation", "request_id": "req-1", "caller_request_id": "order-4711", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                "authenticated": "none", "peer": "127.0.0.1:4711",
                "rpc": "AdminSetUserMfaPreference", "permission": Rpc::AdminSetUserMfaPreference.permission(),
                "user_pool_id_malformed": true, "cognito_username": "alice", "sub": "4b1f",
                "before": { "factors": ["SMS_MFA"], "preferred": "SMS_MFA" },
                "operation": "AdminSetUserMFAPreference", "aws_request_id": "a-1",
                "outcome": { "code": "FAILED_PRECONDITION", "reason": "FACTOR_NOT_ENROLLED" },
                "duration_ms": 20.0,
            })
        );
        record.outcome.change_unknown = true;
        assert_eq!(without_time(&record.line().unwrap())["outcome"]["change"], "UNKNOWN");
        record.outcome = MutationOutcome { read_back: true, ..MutationOutcome::OK };
        assert_eq!(without_time(&record.line().unwrap())["outcome"], json!({ "code": "OK", "read_back": true }));
        record.outcome = MutationOutcome::OK;
        assert_eq!(without_time(&record.line().unwrap())["outcome"], json!({ "code": "OK" }));
    }

    #[test]
    fn times_are_utc_with_milliseconds() {
        let line = |time| {
            let line = gap_line(time, 3).unwrap();
            without_time(&line)
        };
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(
            line(time),
            json!({ "version": 1, "kind": "gap", "since": "2023-11-14T22:13:20.000Z", "decisions_lost": 3 })
        );
        assert_eq!(line(time + Duration::from_millis(70))["since"], "2023-11-14T22:13:20.070Z");
    }

    #[test]
    fn every_code_has_the_name_of_the_specification() {
        for number in 0..=16 {
            let code = Code::from(number);
            let name = code_name(code);
            let camel = name.split('_').flat_map(|word| [word[..1].to_owned(), word[1..].to_lowercase()]);
            let camel: String = camel.collect();
            assert_eq!(camel, format!("{code:?}"));
        }
    }

    #[test]
    fn a_path_that_is_none_of_ours_is_not_repeated() {
        let mut call = Arc::unwrap_or_clone(call());
        call.target = Target::UNKNOWN;
        let record = DecisionRecord {
            call: Arc::new(call),
            effect: None,
            before: None,
            outcome: DecisionOutcome::Unauthenticated,
            policies: Policies::default(),
            duration: Duration::ZERO,
        };
        let line = without_time(&record.line().unwrap());
        assert_eq!((&line["rpc"], &line["permission"]), (&Value::Null, &Value::Null));
        assert_eq!(line["decision"], "unauthenticated");
    }
}
