//! The rows of the golden access table: each RPC, what a request of it can do, and the request that does it.

use std::collections::BTreeSet;

use mfagate::api::v1::{
    AdminDeleteSoftwareTokenRequest, AdminGetUserAuthFactorsRequest, AdminGetUserRequest,
    AdminSetUserMfaPreferenceRequest, AdminSetUserSettingsRequest, AssociateSoftwareTokenRequest,
    CompleteWebAuthnRegistrationRequest, DeleteWebAuthnCredentialRequest, DeliveryMedium, EmailMfaConfiguration,
    GetUserAuthFactorsRequest, GetUserPoolMfaConfigRequest, GetUserRequest, ListWebAuthnCredentialsRequest, MfaOption,
    SetUserMfaPreferenceRequest, SetUserPoolMfaConfigRequest, SetUserSettingsRequest, SmsMfaConfiguration,
    SoftwareTokenMfaConfiguration, SoftwareTokenMfaSettings, StartWebAuthnRegistrationRequest, UserPoolMfaType,
    VerifySoftwareTokenRequest, WebAuthnConfiguration, associate_software_token_request, verify_software_token_request,
};
use mfagate::api::{Rpc, v1};
use mfagate::domain::{Effect, EndUserCredential, Factor, FactorConfiguration, MfaConfiguration, UserVerification};
use tonic::Status;

use super::deployment::Connection;
use crate::support::pool_config;
use crate::support::rpc_call::{any_credential, operation, takes_token, unsigned_token};
use crate::support::test_cognito::USER;

const POOLS: [(&str, &str); 3] =
    [("eu", "eu-west-1_Shop01"), ("us", "us-east-1_Shop01"), ("lab", "eu-central-1_Lab01")];

/// What a request can do that a policy may distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    /// One thing only.
    Only,
    EnablesTotp,
    DisablesTotp,
    /// An enrolment that replaces no software token.
    First,
    /// An enrolment that may replace a working software token.
    Again,
    /// Acts by the session of a challenge, whose pool only the request states.
    BySession,
    /// A pool's configuration, if the request states one.
    Pool(Option<MfaConfiguration>),
    /// A pool's configuration ON that leaves no factor out.
    PoolWithEveryFactor,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) rpc: Rpc,
    variant: Variant,
    short: &'static str,
    pub(super) pool: &'static str,
}

impl Row {
    /// Every RPC in all its variants, on every pool.
    pub(super) fn all() -> Vec<Self> {
        let with_variants = Rpc::ALL.into_iter().flat_map(|rpc| variants(rpc).into_iter().map(move |one| (rpc, one)));
        with_variants.flat_map(|(rpc, variant)| POOLS.map(|(short, pool)| Self { rpc, variant, short, pool })).collect()
    }

    pub(super) fn name(&self) -> String {
        let variant = match self.variant {
            Variant::Only => "",
            Variant::EnablesTotp => "enables TOTP",
            Variant::DisablesTotp => "disables TOTP",
            Variant::First => "first",
            Variant::Again => "again",
            Variant::BySession => "by session",
            Variant::Pool(Some(MfaConfiguration::On)) => "ON",
            Variant::Pool(Some(MfaConfiguration::Optional)) => "OPTIONAL",
            Variant::Pool(Some(MfaConfiguration::Off)) => "OFF",
            Variant::Pool(None) => "not stated",
            Variant::PoolWithEveryFactor => "ON with every factor",
        };
        let parts = [self.rpc.name(), variant, self.short];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// The effect of this row's request.
    pub(super) fn effect(&self) -> Effect {
        let of = |factors: &[Factor]| factors.iter().copied().collect::<BTreeSet<_>>();
        let totp = || of(&[Factor::SoftwareTokenMfa]);
        let proof = if self.variant == Variant::BySession {
            EndUserCredential::Session
        } else {
            EndUserCredential::AccessToken
        };
        let effect = Effect { end_user: takes_token(self.rpc).then_some(proof), ..Effect::default() };
        match (self.variant, self.rpc) {
            (Variant::Only, Rpc::AdminDeleteSoftwareToken) => {
                Effect { factors_disabled: totp(), weakens_mfa: true, ..effect }
            }
            (Variant::Only, Rpc::DeleteWebAuthnCredential) | (Variant::Again, _) => {
                Effect { weakens_mfa: true, ..effect }
            }
            (Variant::Only, Rpc::AdminSetUserSettings | Rpc::SetUserSettings) => {
                Effect { factors_enabled: of(&[Factor::SmsMfa]), legacy: true, ..effect }
            }
            (Variant::Only | Variant::First | Variant::BySession, _) => effect,
            (Variant::EnablesTotp, _) => {
                Effect { factors_enabled: totp(), preferred: Some(Factor::SoftwareTokenMfa), ..effect }
            }
            (Variant::DisablesTotp, _) => Effect { factors_disabled: totp(), weakens_mfa: true, ..effect },
            (Variant::Pool(mfa_configuration), _) => {
                let with_totp = !matches!(mfa_configuration, Some(MfaConfiguration::Off) | None);
                let left_out = of(&[Factor::SmsMfa, Factor::EmailOtp, Factor::WebAuthn]);
                let all = of(&[Factor::SmsMfa, Factor::SoftwareTokenMfa, Factor::EmailOtp, Factor::WebAuthn]);
                Effect {
                    factors_enabled: if with_totp { totp() } else { BTreeSet::new() },
                    factors_disabled: if with_totp { left_out } else { all },
                    mfa_configuration,
                    weakens_mfa: true,
                    ..effect
                }
            }
            (Variant::PoolWithEveryFactor, _) => Effect {
                factors_enabled: of(&[Factor::SmsMfa, Factor::SoftwareTokenMfa, Factor::EmailOtp, Factor::WebAuthn]),
                mfa_configuration: Some(MfaConfiguration::On),
                user_verification: Some(UserVerification::Required),
                factor_configuration: Some(FactorConfiguration::MultiFactorWithUserVerification),
                ..effect
            },
        }
    }

    /// The first Cognito operation that the request calls once it is allowed. `None` if validation refuses it: Cognito
    /// cannot be asked to leave a pool's configuration open.
    pub(super) fn operation(&self) -> Option<&'static str> {
        match self.variant {
            Variant::Pool(None) => None,
            // Whether the user has a software token is read first.
            Variant::First => Some(operation(Rpc::GetUserAuthFactors)),
            Variant::Only
            | Variant::EnablesTotp
            | Variant::DisablesTotp
            | Variant::Again
            | Variant::BySession
            | Variant::PoolWithEveryFactor
            | Variant::Pool(Some(_)) => Some(operation(self.rpc)),
        }
    }

    /// Sends the request.
    pub(super) async fn send(&self, connection: &Connection, id: &str) -> Result<(), Status> {
        let (user_pool_id, username) = (self.pool.to_owned(), USER.to_owned());
        let access_token = unsigned_token(self.pool);
        let software_token_mfa_settings = match self.variant {
            Variant::EnablesTotp => Some(SoftwareTokenMfaSettings { enabled: Some(true), preferred_mfa: Some(true) }),
            Variant::DisablesTotp => Some(SoftwareTokenMfaSettings { enabled: Some(false), preferred_mfa: None }),
            _ => None,
        };
        let sms = MfaOption { delivery_medium: DeliveryMedium::Sms.into(), attribute_name: "phone_number".to_owned() };
        let rpc = self.rpc;
        match rpc {
            Rpc::AdminSetUserMfaPreference => {
                let request = AdminSetUserMfaPreferenceRequest {
                    user_pool_id,
                    username,
                    software_token_mfa_settings,
                    ..Default::default()
                };
                connection.send(rpc, id, request).await
            }
            Rpc::SetUserMfaPreference => {
                let request =
                    SetUserMfaPreferenceRequest { access_token, software_token_mfa_settings, ..Default::default() };
                connection.send(rpc, id, request).await
            }
            Rpc::AdminGetUserAuthFactors => {
                connection.send(rpc, id, AdminGetUserAuthFactorsRequest { user_pool_id, username }).await
            }
            Rpc::GetUserAuthFactors => connection.send(rpc, id, GetUserAuthFactorsRequest { access_token }).await,
            Rpc::AdminGetUser => connection.send(rpc, id, AdminGetUserRequest { user_pool_id, username }).await,
            Rpc::GetUser => connection.send(rpc, id, GetUserRequest { access_token }).await,
            Rpc::AdminSetUserSettings => {
                let request = AdminSetUserSettingsRequest {
                    user_pool_id,
                    username,
                    mfa_options: vec![sms],
                    clear_mfa_options: false,
                };
                connection.send(rpc, id, request).await
            }
            Rpc::SetUserSettings => {
                let request = SetUserSettingsRequest { access_token, mfa_options: vec![sms], clear_mfa_options: false };
                connection.send(rpc, id, request).await
            }
            Rpc::AssociateSoftwareToken => {
                use associate_software_token_request::Credential;
                let request = AssociateSoftwareTokenRequest {
                    credential: Some(self.credential(Credential::AccessToken, Credential::Session)),
                    user_pool_id: self.claimed_pool(),
                    // With a name given, none is read.
                    account_name: Some("account".to_owned()),
                    allow_reenrolment: self.variant == Variant::Again,
                    ..Default::default()
                };
                connection.send(rpc, id, request).await
            }
            Rpc::VerifySoftwareToken => {
                use verify_software_token_request::Credential;
                let request = VerifySoftwareTokenRequest {
                    credential: Some(self.credential(Credential::AccessToken, Credential::Session)),
                    user_pool_id: self.claimed_pool(),
                    user_code: "123456".to_owned(),
                    ..Default::default()
                };
                connection.send(rpc, id, request).await
            }
            Rpc::AdminDeleteSoftwareToken => {
                connection.send(rpc, id, AdminDeleteSoftwareTokenRequest { user_pool_id, username }).await
            }
            Rpc::StartWebAuthnRegistration => {
                connection.send(rpc, id, StartWebAuthnRegistrationRequest { access_token }).await
            }
            Rpc::CompleteWebAuthnRegistration => {
                let credential = Some(any_credential());
                connection.send(rpc, id, CompleteWebAuthnRegistrationRequest { access_token, credential }).await
            }
            Rpc::ListWebAuthnCredentials => {
                connection.send(rpc, id, ListWebAuthnCredentialsRequest { access_token, ..Default::default() }).await
            }
            Rpc::DeleteWebAuthnCredential => {
                let credential_id = "credential".to_owned();
                connection.send(rpc, id, DeleteWebAuthnCredentialRequest { access_token, credential_id }).await
            }
            Rpc::GetUserPoolMfaConfig => connection.send(rpc, id, GetUserPoolMfaConfigRequest { user_pool_id }).await,
            Rpc::SetUserPoolMfaConfig => connection.send(rpc, id, self.pool_config()).await,
        }
    }

    /// The end user's credential: a session, or a token that names the pool.
    fn credential<C>(&self, token: fn(String) -> C, session: fn(String) -> C) -> C {
        if self.variant == Variant::BySession { session("s".repeat(20)) } else { token(unsigned_token(self.pool)) }
    }

    /// The pool that the request claims for a session.
    fn claimed_pool(&self) -> String {
        if self.variant == Variant::BySession { self.pool.to_owned() } else { String::new() }
    }

    fn pool_config(&self) -> SetUserPoolMfaConfigRequest {
        let stated = match self.variant {
            Variant::Pool(Some(MfaConfiguration::On)) | Variant::PoolWithEveryFactor => UserPoolMfaType::On,
            Variant::Pool(Some(MfaConfiguration::Optional)) => UserPoolMfaType::Optional,
            Variant::Pool(Some(MfaConfiguration::Off)) => UserPoolMfaType::Off,
            _ => UserPoolMfaType::Unspecified,
        };
        let with_totp = matches!(stated, UserPoolMfaType::On | UserPoolMfaType::Optional);
        let others = self.variant == Variant::PoolWithEveryFactor;
        pool_config::stated(SetUserPoolMfaConfigRequest {
            user_pool_id: self.pool.to_owned(),
            mfa_configuration: stated.into(),
            software_token_mfa_configuration: with_totp
                .then_some(SoftwareTokenMfaConfiguration { enabled: Some(true) }),
            sms_mfa_configuration: others.then(SmsMfaConfiguration::default),
            email_mfa_configuration: others.then(EmailMfaConfiguration::default),
            web_authn_configuration: others.then(|| WebAuthnConfiguration {
                user_verification: Some(v1::UserVerification::Required.into()),
                factor_configuration: Some(v1::WebAuthnFactorConfiguration::MultiFactorWithUserVerification.into()),
                ..Default::default()
            }),
            unconfigured_factors: Vec::new(),
        })
    }
}

/// Matched in full, so that a new RPC must have its rows.
fn variants(rpc: Rpc) -> Vec<Variant> {
    match rpc {
        Rpc::AdminGetUser
        | Rpc::AdminGetUserAuthFactors
        | Rpc::AdminDeleteSoftwareToken
        | Rpc::AdminSetUserSettings
        | Rpc::GetUser
        | Rpc::GetUserAuthFactors
        | Rpc::SetUserSettings
        | Rpc::ListWebAuthnCredentials
        | Rpc::StartWebAuthnRegistration
        | Rpc::CompleteWebAuthnRegistration
        | Rpc::DeleteWebAuthnCredential
        | Rpc::GetUserPoolMfaConfig => vec![Variant::Only],
        Rpc::AdminSetUserMfaPreference | Rpc::SetUserMfaPreference => {
            vec![Variant::EnablesTotp, Variant::DisablesTotp]
        }
        Rpc::AssociateSoftwareToken => vec![Variant::First, Variant::Again, Variant::BySession],
        Rpc::VerifySoftwareToken => vec![Variant::Only, Variant::BySession],
        Rpc::SetUserPoolMfaConfig => {
            let stated = [MfaConfiguration::On, MfaConfiguration::Optional, MfaConfiguration::Off].map(Some);
            stated.into_iter().chain([None]).map(Variant::Pool).chain([Variant::PoolWithEveryFactor]).collect()
        }
    }
}
