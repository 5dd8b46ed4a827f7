//! What each request message asks for: pool, user and effect, read off the message before anything of it is validated.
//!
//! Cognito is not asked: what could weaken MFA counts as weakening it, whatever the state is now. Where a pool was read
//! nevertheless, `request/pool_mfa` has the difference.

use std::borrow::Cow;

use crate::api::{RpcRequest, v1};
use crate::domain::{Effect, EndUserCredential, Factor, Intent, PoolMfa};
use crate::request::credential::UnverifiedClaims;
use crate::request::preference::FactorSettings;

/// A request message that says what it asks for. Every request message of ours does.
pub trait HasIntent: RpcRequest {
    /// What the message asks for.
    fn intent(&self) -> Intent<'_>;
}

/// An administrator's call on a user of a pool.
fn on_user<'a, R: RpcRequest>(_: &R, user_pool_id: &'a str, username: &'a str, effect: Effect) -> Intent<'a> {
    Intent {
        rpc: R::RPC,
        user_pool_id: user_pool_id.into(),
        username: Some(username),
        claimed_user: None,
        effect,
        before: None,
    }
}

/// A call on a pool.
fn on_pool<'a, R: RpcRequest>(_: &R, user_pool_id: &'a str, effect: Effect) -> Intent<'a> {
    Intent { rpc: R::RPC, user_pool_id: user_pool_id.into(), username: None, claimed_user: None, effect, before: None }
}

/// A call as the signed-in user, on the pool that the access token claims, or on none.
fn as_user<'a, R: RpcRequest>(_: &R, access_token: &str, effect: Effect) -> Intent<'a> {
    let claims = UnverifiedClaims::of(access_token);
    let user_pool_id = Cow::Owned(claims.as_ref().and_then(UnverifiedClaims::user_pool_id).unwrap_or_default());
    let effect = Effect { end_user: Some(EndUserCredential::AccessToken), ..effect };
    let claimed_user = claims.map(UnverifiedClaims::into_user);
    Intent { rpc: R::RPC, user_pool_id, username: None, claimed_user, effect, before: None }
}

/// A call in the middle of a challenge. Cognito does not say which pool a session is of, so the request does.
fn in_session<'a, R: RpcRequest>(_: &R, user_pool_id: &'a str, effect: Effect) -> Intent<'a> {
    let effect = Effect { end_user: Some(EndUserCredential::Session), ..effect };
    Intent { rpc: R::RPC, user_pool_id: user_pool_id.into(), username: None, claimed_user: None, effect, before: None }
}

/// A call without a credential, which is invalid whatever is decided on it.
fn without_credential<'a, R: RpcRequest>(_: &R, user_pool_id: &'a str, effect: Effect) -> Intent<'a> {
    let effect = Effect { end_user: Some(EndUserCredential::AccessToken), ..effect };
    Intent { rpc: R::RPC, user_pool_id: user_pool_id.into(), username: None, claimed_user: None, effect, before: None }
}

impl HasIntent for v1::AdminGetUserRequest {
    fn intent(&self) -> Intent<'_> {
        on_user(self, &self.user_pool_id, &self.username, Effect::default())
    }
}

impl HasIntent for v1::AdminGetUserAuthFactorsRequest {
    fn intent(&self) -> Intent<'_> {
        on_user(self, &self.user_pool_id, &self.username, Effect::default())
    }
}

impl HasIntent for v1::AdminSetUserMfaPreferenceRequest {
    fn intent(&self) -> Intent<'_> {
        on_user(self, &self.user_pool_id, &self.username, set_preference(FactorSettings::from(self)))
    }
}

impl HasIntent for v1::AdminSetUserSettingsRequest {
    fn intent(&self) -> Intent<'_> {
        on_user(
            self,
            &self.user_pool_id,
            &self.username,
            set_legacy_settings(&self.mfa_options, self.clear_mfa_options),
        )
    }
}

impl HasIntent for v1::AdminDeleteSoftwareTokenRequest {
    fn intent(&self) -> Intent<'_> {
        let effect =
            Effect { factors_disabled: [Factor::SoftwareTokenMfa].into(), weakens_mfa: true, ..Effect::default() };
        on_user(self, &self.user_pool_id, &self.username, effect)
    }
}

impl HasIntent for v1::GetUserRequest {
    fn intent(&self) -> Intent<'_> {
        as_user(self, &self.access_token, Effect::default())
    }
}

impl HasIntent for v1::GetUserAuthFactorsRequest {
    fn intent(&self) -> Intent<'_> {
        as_user(self, &self.access_token, Effect::default())
    }
}

impl HasIntent for v1::SetUserMfaPreferenceRequest {
    fn intent(&self) -> Intent<'_> {
        as_user(self, &self.access_token, set_preference(FactorSettings::from(self)))
    }
}

impl HasIntent for v1::SetUserSettingsRequest {
    fn intent(&self) -> Intent<'_> {
        as_user(self, &self.access_token, set_legacy_settings(&self.mfa_options, self.clear_mfa_options))
    }
}

impl HasIntent for v1::AssociateSoftwareTokenRequest {
    fn intent(&self) -> Intent<'_> {
        use v1::associate_software_token_request::Credential;
        // A second enrolment may stop a working software token.
        let effect = Effect { weakens_mfa: self.allow_reenrolment, ..Effect::default() };
        match &self.credential {
            None => without_credential(self, &self.user_pool_id, effect),
            Some(Credential::AccessToken(token)) => as_user(self, token, effect),
            Some(Credential::Session(_)) => in_session(self, &self.user_pool_id, effect),
        }
    }
}

impl HasIntent for v1::VerifySoftwareTokenRequest {
    fn intent(&self) -> Intent<'_> {
        use v1::verify_software_token_request::Credential;
        match &self.credential {
            None => without_credential(self, &self.user_pool_id, Effect::default()),
            Some(Credential::AccessToken(token)) => as_user(self, token, Effect::default()),
            Some(Credential::Session(_)) => in_session(self, &self.user_pool_id, Effect::default()),
        }
    }
}

impl HasIntent for v1::StartWebAuthnRegistrationRequest {
    fn intent(&self) -> Intent<'_> {
        as_user(self, &self.access_token, Effect::default())
    }
}

impl HasIntent for v1::CompleteWebAuthnRegistrationRequest {
    fn intent(&self) -> Intent<'_> {
        as_user(self, &self.access_token, Effect::default())
    }
}

impl HasIntent for v1::ListWebAuthnCredentialsRequest {
    fn intent(&self) -> Intent<'_> {
        as_user(self, &self.access_token, Effect::default())
    }
}

impl HasIntent for v1::DeleteWebAuthnCredentialRequest {
    fn intent(&self) -> Intent<'_> {
        // The user may have other passkeys, so no factor is disabled.
        as_user(self, &self.access_token, Effect { weakens_mfa: true, ..Effect::default() })
    }
}

impl HasIntent for v1::GetUserPoolMfaConfigRequest {
    fn intent(&self) -> Intent<'_> {
        on_pool(self, &self.user_pool_id, Effect::default())
    }
}

impl HasIntent for v1::SetUserPoolMfaConfigRequest {
    fn intent(&self) -> Intent<'_> {
        on_pool(self, &self.user_pool_id, PoolMfa::from(self).effect(None))
    }
}

fn set_preference(settings: FactorSettings) -> Effect {
    let FactorSettings { sms, software_token, email, web_authn } = settings;
    let factors = [
        (Factor::SmsMfa, sms.map(|s| (s.enabled, s.preferred_mfa()))),
        (Factor::SoftwareTokenMfa, software_token.map(|s| (s.enabled, s.preferred_mfa()))),
        (Factor::EmailOtp, email.map(|s| (s.enabled, s.preferred_mfa()))),
        (Factor::WebAuthn, web_authn.map(|s| (s.enabled, false))),
    ];
    let mut effect = Effect::default();
    for (factor, setting) in factors {
        // A factor without `enabled` is refused, whatever is decided on the rest.
        let Some((Some(enabled), preferred)) = setting else { continue };
        let factors = if enabled { &mut effect.factors_enabled } else { &mut effect.factors_disabled };
        factors.insert(factor);
        if preferred {
            effect.preferred = Some(factor);
        }
    }
    effect.weakens_mfa = !effect.factors_disabled.is_empty();
    effect
}

/// Without options, legacy SMS MFA would be switched off. Without `clear_mfa_options` the request is then refused, and its effect is
/// what it would be if it were not.
fn set_legacy_settings(options: &[v1::MfaOption], clear: bool) -> Effect {
    let disables = clear || options.is_empty();
    let mut effect = Effect { legacy: true, weakens_mfa: disables, ..Effect::default() };
    let factors = if disables { &mut effect.factors_disabled } else { &mut effect.factors_enabled };
    factors.insert(Factor::SmsMfa);
    effect
}
