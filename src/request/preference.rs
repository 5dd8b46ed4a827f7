//! A user's MFA preferences as a caller sets them, in the current and in the legacy form.

use crate::api::v1;
use crate::request::check::Violations;

/// What to do with one factor of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorSetting {
    /// Whether the factor is enabled.
    pub enabled: bool,
    /// Whether it becomes the preferred one; `None` keeps the preference.
    pub preferred: Option<bool>,
}

/// What to do with a user's factors. `None` is not sent to Cognito.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    /// SMS messages.
    pub sms: Option<FactorSetting>,
    /// The software token.
    pub software_token: Option<FactorSetting>,
    /// E-mail messages.
    pub email: Option<FactorSetting>,
    /// Whether passkeys are enabled; Cognito knows no preference for them.
    pub web_authn: Option<bool>,
}

/// The legacy option, the only one that Cognito accepts: SMS messages to `phone_number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmsToPhoneNumber;

/// The wire form of the two preference requests, which differ only in how they name the user.
#[derive(Clone, Copy, Debug)]
pub struct FactorSettings {
    /// `sms_mfa_settings`.
    pub sms: Option<v1::SmsMfaSettings>,
    /// `software_token_mfa_settings`.
    pub software_token: Option<v1::SoftwareTokenMfaSettings>,
    /// `email_mfa_settings`.
    pub email: Option<v1::EmailMfaSettings>,
    /// `web_authn_mfa_settings`.
    pub web_authn: Option<v1::WebAuthnMfaSettings>,
}

impl From<&v1::AdminSetUserMfaPreferenceRequest> for FactorSettings {
    fn from(request: &v1::AdminSetUserMfaPreferenceRequest) -> Self {
        Self {
            sms: request.sms_mfa_settings,
            software_token: request.software_token_mfa_settings,
            email: request.email_mfa_settings,
            web_authn: request.web_authn_mfa_settings,
        }
    }
}

impl From<&v1::SetUserMfaPreferenceRequest> for FactorSettings {
    fn from(request: &v1::SetUserMfaPreferenceRequest) -> Self {
        Self {
            sms: request.sms_mfa_settings,
            software_token: request.software_token_mfa_settings,
            email: request.email_mfa_settings,
            web_authn: request.web_authn_mfa_settings,
        }
    }
}

/// What a request without any factor lacks. It would change nothing, and Cognito would report success.
const NO_FACTOR: &str = "must have at least one factor: sms_mfa_settings, software_token_mfa_settings, email_mfa_settings or \
                         web_authn_mfa_settings";

impl Preference {
    /// Parses the settings: at least one factor, each with `enabled`. At most one can be preferred, and only an enabled one.
    pub fn parse(violations: &mut Violations, settings: FactorSettings) -> Self {
        let FactorSettings { sms, software_token, email, web_authn } = settings;
        if sms.is_none() && software_token.is_none() && email.is_none() && web_authn.is_none() {
            violations.push("", NO_FACTOR);
        }
        let mut setting = |field: &str, enabled: Option<bool>, preferred| {
            let enabled = violations.stated(&format!("{field}.enabled"), enabled)?;
            Some(FactorSetting { enabled, preferred })
        };
        let preference = Self {
            sms: sms.and_then(|s| setting("sms_mfa_settings", s.enabled, s.preferred_mfa)),
            software_token: software_token
                .and_then(|s| setting("software_token_mfa_settings", s.enabled, s.preferred_mfa)),
            email: email.and_then(|s| setting("email_mfa_settings", s.enabled, s.preferred_mfa)),
            web_authn: web_authn.and_then(|s| setting("web_authn_mfa_settings", s.enabled, None)).map(|s| s.enabled),
        };

        let mut preferred = 0;
        for (field, setting) in preference.by_field() {
            let Some(FactorSetting { enabled, preferred: Some(true) }) = setting else { continue };
            let field = format!("{field}.preferred_mfa");
            preferred += 1;
            if !enabled {
                violations.push(field, "must not be true while enabled is false");
            } else if preferred > 1 {
                violations.push(field, "must not be true for more than one factor");
            }
        }
        preference
    }

    /// Whether the current preference must be read first: Cognito's SDK always sends the preferred flag, so "keep" has to
    /// be replaced by what is true now. If another factor becomes preferred, false is what will be true.
    pub fn needs_current(self) -> bool {
        let settings = self.by_field().map(|(_, setting)| setting);
        let moved = settings.iter().flatten().any(|setting| setting.preferred == Some(true));
        !moved && settings.iter().flatten().any(|setting| setting.enabled && setting.preferred.is_none())
    }

    /// Whether factors are disabled and none is enabled.
    pub fn only_disables(self) -> bool {
        let settings = self.by_field().into_iter().filter_map(|(_, setting)| setting.map(|setting| setting.enabled));
        let mut enabled = settings.chain(self.web_authn).peekable();
        enabled.peek().is_some() && !enabled.any(|enabled| enabled)
    }

    fn by_field(self) -> [(&'static str, Option<FactorSetting>); 3] {
        [
            ("sms_mfa_settings", self.sms),
            ("software_token_mfa_settings", self.software_token),
            ("email_mfa_settings", self.email),
        ]
    }
}

/// The maximum number of legacy options of a request. All that Cognito accepts are the same, so more are a mistake or worse.
const MAX_OPTIONS: usize = 16;

/// Parses the legacy options. They replace the current ones, so none at all would switch legacy SMS MFA off: `clear` says that it
/// is meant, and that the options were not lost on the way.
pub fn parse_mfa_options(violations: &mut Violations, options: &[v1::MfaOption], clear: bool) -> Vec<SmsToPhoneNumber> {
    match (options.is_empty(), clear) {
        (true, false) => violations.push("mfa_options", "is required unless clear_mfa_options is true"),
        (false, true) => violations.push("clear_mfa_options", "must not be true beside mfa_options"),
        (true, true) | (false, false) => {}
    }
    if options.len() > MAX_OPTIONS {
        violations.push("mfa_options", format!("must have at most {MAX_OPTIONS} options"));
        return Vec::new();
    }
    for (position, option) in options.iter().enumerate() {
        if option.delivery_medium != v1::DeliveryMedium::Sms as i32 {
            violations.push(format!("mfa_options[{position}].delivery_medium"), "must be DELIVERY_MEDIUM_SMS");
        }
        if option.attribute_name != "phone_number" {
            violations.push(format!("mfa_options[{position}].attribute_name"), "must be phone_number");
        }
    }
    vec![SmsToPhoneNumber; options.len()]
}
