//! The callers: what they do, and what they may be told while things fail.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::api::v1::pool_config_service_client::PoolConfigServiceClient;
use mfagate::api::v1::{
    AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, GetUserPoolMfaConfigRequest, SetUserPoolMfaConfigRequest,
    SmsMfaConfiguration, SmsMfaSettings, SoftwareTokenMfaConfiguration, UserPoolMfaType,
};
use serde_json::json;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use crate::process::chaos::scene::Scene;
use crate::support::certificate_authority::{UntimedHttps, payments};
use crate::support::policy_fixture::{bearer, claims_for};
use crate::support::pool_config::{sms, stated};
use crate::support::seeded::Seeded;
use crate::support::test_cognito::{POOL, USER};

/// The deadline of calls that must succeed, also on a busy machine.
pub(super) const PATIENT: Duration = Duration::from_secs(20);

/// How much later than its deadline a call may end: what a busy machine needs, and far less than what never ends.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// The users whose preferences are changed: about as many as there are changes, so that most changes have a user of their own.
pub(super) const USERS: usize = 300;

/// What a caller may be told of a Cognito that fails, of a deadline, and of a quota that is in use meanwhile.
pub(super) const KNOWN: [&str; 9] = [
    "COGNITO_ANSWER_UNREADABLE",
    "COGNITO_CIRCUIT_OPEN",
    "COGNITO_INTERNAL_ERROR",
    "COGNITO_UNAVAILABLE",
    "COGNITO_UNREACHABLE",
    "DEADLINE_EXCEEDED",
    "NO_TIME_LEFT",
    "QUOTA_WAIT_TOO_LONG",
    "RATE_LIMITED",
];

/// What is wrong when a call begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Nothing.
    Calm,
    /// Anything.
    Chaos,
    /// Anything, and nothing can be recorded.
    Full,
}

/// What a caller does, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    ReadsUser,
    ReadsPool,
    /// Changes one user's preference after the other's.
    Prefers,
    /// Replaces the pool's configuration.
    Configures,
    /// Has a token, and may do nothing.
    Outsider,
    /// Has a token that is none.
    Stranger,
}

/// The callers. While nothing can be recorded, those who read are the only ones whose calls reach Cognito.
pub(super) const CALLERS: [Role; 11] = [
    Role::ReadsUser,
    Role::ReadsUser,
    Role::ReadsUser,
    Role::ReadsPool,
    Role::ReadsPool,
    Role::Prefers,
    Role::Prefers,
    Role::Prefers,
    Role::Configures,
    Role::Outsider,
    Role::Stranger,
];

/// A call that has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) role: Role,
    pub(super) phase: Phase,
    /// The caller's own request id.
    pub(super) id: String,
    pub(super) reason: String,
}

impl Role {
    pub(super) fn is_change(self) -> bool {
        matches!(self, Self::Prefers | Self::Configures)
    }

    /// What its calls end in while nothing is wrong.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Outsider => "CALLER_FORBIDDEN",
            Self::Stranger => "CALLER_UNAUTHENTICATED",
            Self::ReadsUser | Self::ReadsPool | Self::Prefers | Self::Configures => "OK",
        }
    }

    /// Whether a call that began then may end so.
    fn may_end(self, phase: Phase, ended: &str) -> bool {
        match (phase, self) {
            // Whoever may do nothing may do nothing, whatever else fails.
            (Phase::Calm, _) | (_, Self::Outsider | Self::Stranger) => ended == self.expected(),
            (Phase::Full, Self::Prefers | Self::Configures) => ended == "AUDIT_UNAVAILABLE",
            (Phase::Chaos, Self::Prefers | Self::Configures) if ended == "AUDIT_UNAVAILABLE" => true,
            (Phase::Chaos | Phase::Full, _) => ended == "OK" || KNOWN.contains(&ended),
        }
    }
}

impl Scene {
    /// A caller, until it is told to stop.
    pub(super) async fn run(self: Arc<Self>, caller: usize) {
        let role = CALLERS[caller];
        let mut random = Seeded::new(self.seed * 100 + u64::try_from(caller).unwrap());
        let certificate = (role == Role::ReadsPool).then(|| self.authority.client(payments()));
        let http = self.authority.untimed(certificate.as_ref());
        let authorization = self.authorization(role);
        while !self.stopped() {
            let phase = self.phase();
            // Only what is sent to Cognito waits for it.
            let is_sent = role.expected() == "OK" && !(role.is_change() && phase == Phase::Full);
            let deadline =
                if is_sent && phase != Phase::Calm { Duration::from_millis(400 + random.below(1000)) } else { PATIENT };
            let id = format!("{role:?}-{}", self.numbers.fetch_add(1, Ordering::SeqCst));
            let began = Instant::now();
            let call = self.call(&http, role, phase, authorization.as_deref(), (deadline, &id));
            let reason = match tokio::time::timeout(deadline + GRACE, call).await {
                Ok(answer) => reason(answer),
                Err(_) => "no response".to_owned(),
            };
            if !role.may_end(phase, &reason) {
                self.wrong(format!("{id}, begun in {phase:?}, ended in {reason} after {:?}", began.elapsed()));
            }
            self.counts.send_modify(|counts| {
                let (ended, good) = counts[caller];
                counts[caller] = (ended + 1, if reason == role.expected() { good + 1 } else { 0 });
            });
            self.calls.lock().unwrap().push(Ended { role, phase, id, reason });
            tokio::time::sleep(Duration::from_millis(20 + random.below(40))).await;
        }
    }

    /// One call with this deadline and request id.
    pub(super) async fn call(
        &self,
        http: &UntimedHttps,
        role: Role,
        phase: Phase,
        authorization: Option<&str>,
        (deadline, id): (Duration, &str),
    ) -> Result<(), Status> {
        let origin = self.origin.clone();
        let mut preferences = MfaPreferenceServiceClient::with_origin(http.clone(), origin.clone());
        let mut pools = PoolConfigServiceClient::with_origin(http.clone(), origin);
        let user_pool_id = POOL.to_owned();
        match role {
            Role::ReadsUser | Role::Outsider | Role::Stranger => {
                let message = AdminGetUserRequest { user_pool_id, username: USER.to_owned() };
                preferences.admin_get_user(request(message, authorization, deadline, id)).await.map(drop)
            }
            Role::ReadsPool => {
                let message = GetUserPoolMfaConfigRequest { user_pool_id };
                pools.get_user_pool_mfa_config(request(message, authorization, deadline, id)).await.map(drop)
            }
            Role::Prefers => {
                let next = || user(self.users.fetch_add(1, Ordering::SeqCst));
                let username = if phase == Phase::Full { REFUSED_USER.to_owned() } else { next() };
                let message = preference(username);
                preferences.admin_set_user_mfa_preference(request(message, authorization, deadline, id)).await.map(drop)
            }
            Role::Configures => {
                let message = configuration(id);
                pools.set_user_pool_mfa_config(request(message, authorization, deadline, id)).await.map(drop)
            }
        }
    }

    fn authorization(&self, role: Role) -> Option<String> {
        let token = |name| Some(bearer(&self.key.token(&claims_for(name, json!({})))));
        match role {
            Role::ReadsUser => token("reader"),
            // By its certificate.
            Role::ReadsPool => None,
            Role::Prefers => token("support"),
            Role::Configures => token("operator"),
            Role::Outsider => token("outsider"),
            Role::Stranger => Some("Bearer not.a.token".to_owned()),
        }
    }
}

fn request<T>(message: T, authorization: Option<&str>, deadline: Duration, id: &str) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(authorization) = authorization {
        request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    }
    request.metadata_mut().insert("grpc-timeout", format!("{}m", deadline.as_millis()).parse().unwrap());
    request.metadata_mut().insert("x-request-id", id.parse().unwrap());
    request
}

fn configuration(version: &str) -> SetUserPoolMfaConfigRequest {
    stated(SetUserPoolMfaConfigRequest {
        user_pool_id: POOL.to_owned(),
        mfa_configuration: UserPoolMfaType::Optional.into(),
        sms_mfa_configuration: Some(SmsMfaConfiguration {
            sms_authentication_message: Some(message(version)),
            ..sms()
        }),
        software_token_mfa_configuration: Some(SoftwareTokenMfaConfiguration { enabled: Some(true) }),
        ..Default::default()
    })
}

fn preference(username: String) -> AdminSetUserMfaPreferenceRequest {
    AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username,
        sms_mfa_settings: Some(SmsMfaSettings { enabled: Some(false), preferred_mfa: None }),
        ..Default::default()
    }
}

pub(super) fn user(number: usize) -> String {
    format!("user-{}", number % USERS)
}

/// The user of a change that must not be sent, so nobody has the name.
const REFUSED_USER: &str = "refused";

/// The text that a version of the pool's configuration has.
fn message(version: &str) -> String {
    format!("{version}: {{####}}")
}

/// The reason of an error, or all of it if it has none.
pub(super) fn reason(answer: Result<(), Status>) -> String {
    let Err(status) = answer else { return "OK".to_owned() };
    status.get_error_details().error_info().map_or_else(|| format!("{status:?}"), |info| info.reason.clone())
}
