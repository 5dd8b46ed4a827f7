//! User pools: settings, MFA configuration, clients, users.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::input::Input;
use crate::protocol::{Failure, timestamp};
use crate::state::client::Client;
use crate::state::user::User;

/// The standard attributes of a user pool (`OpenID` Connect's and Cognito's own).
pub(crate) const STANDARD_ATTRIBUTES: [&str; 21] = [
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "identities",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "sub",
    "updated_at",
    "website",
    "zoneinfo",
];

/// `MfaConfiguration` of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum MfaMode {
    #[default]
    Off,
    Optional,
    On,
}

impl MfaMode {
    /// The mode of this name; an absent or unknown name is OFF.
    pub(crate) fn named(name: Option<&str>) -> Self {
        match name {
            Some("ON") => Self::On,
            Some("OPTIONAL") => Self::Optional,
            _ => Self::Off,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Optional => "OPTIONAL",
            Self::On => "ON",
        }
    }
}

/// The blocks of the MFA configuration as they were last set, except SMS.
///
/// A configured SMS channel is the SMS factor, so SMS is read from the pool's settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MfaConfiguration {
    pub(crate) mode: MfaMode,
    pub(crate) software_token: Option<Value>,
    pub(crate) email: Option<Value>,
    pub(crate) web_authn: Option<Value>,
}

/// A user pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) created: Duration,
    pub(crate) modified: Duration,
    /// The members of `CreateUserPool` as they were sent, `MfaConfiguration` apart.
    pub(crate) settings: Map<String, Value>,
    pub(crate) mfa: MfaConfiguration,
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) users: BTreeMap<String, User>,
}

impl Pool {
    pub(crate) fn settings(&self) -> Input<'_> {
        Input(&self.settings)
    }

    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:cognito-idp:{}:123456789012:userpool/{}", self.region, self.id)
    }

    pub(crate) fn is_lite(&self) -> bool {
        self.settings().optional_text("UserPoolTier") == Some("LITE")
    }

    pub(crate) fn has_sms(&self) -> bool {
        self.settings.contains_key("SmsConfiguration")
    }

    pub(crate) fn offers_software_token(&self) -> bool {
        let block = self.mfa.software_token.as_ref();
        block.and_then(|block| block.get("Enabled")).and_then(Value::as_bool) == Some(true)
    }

    pub(crate) fn offers_email(&self) -> bool {
        self.mfa.email.is_some()
    }

    /// Whether passkeys count as a second factor.
    pub(crate) fn offers_web_authn_factor(&self) -> bool {
        self.web_authn("FactorConfiguration") == Some("MULTI_FACTOR_WITH_USER_VERIFICATION")
    }

    /// A member of the `WebAuthn` configuration.
    pub(crate) fn web_authn(&self, name: &str) -> Option<&str> {
        self.mfa.web_authn.as_ref()?.get(name)?.as_str()
    }

    pub(crate) fn sends_own_email(&self) -> bool {
        let email = self.settings().structure("EmailConfiguration");
        email.and_then(|email| email.optional_text("EmailSendingAccount")) == Some("DEVELOPER")
    }

    pub(crate) fn auto_verifies(&self, attribute: &str) -> bool {
        self.settings().texts("AutoVerifiedAttributes").contains(&attribute)
    }

    /// The names of the recovery mechanisms, empty if none are set.
    pub(crate) fn recovery_mechanisms(&self) -> Vec<&str> {
        self.settings()
            .structure("AccountRecoverySetting")
            .map(|setting| setting.structures("RecoveryMechanisms"))
            .unwrap_or_default()
            .into_iter()
            .filter_map(|mechanism| mechanism.optional_text("Name"))
            .collect()
    }

    /// The first factors that the sign-in policy allows, only passwords without one.
    pub(crate) fn first_factors(&self) -> Vec<&str> {
        let policy = self.settings().structure("Policies").and_then(|policies| policies.structure("SignInPolicy"));
        policy.map_or_else(|| vec!["PASSWORD"], |policy| policy.texts("AllowedFirstAuthFactors"))
    }

    pub(crate) fn password_policy(&self) -> Option<Input<'_>> {
        self.settings().structure("Policies")?.structure("PasswordPolicy")
    }

    /// Whether users sign in with this attribute instead of a username.
    pub(crate) fn username_is(&self, attribute: &str) -> bool {
        self.settings().texts("UsernameAttributes").contains(&attribute)
    }

    /// A username in the form that the pool compares.
    pub(crate) fn fold(&self, username: &str) -> String {
        let configuration = self.settings().structure("UsernameConfiguration");
        match configuration.and_then(|configuration| configuration.boolean("CaseSensitive")) {
            Some(false) => username.to_lowercase(),
            Some(true) | None => username.to_owned(),
        }
    }

    /// The stored username behind a username, a `sub` or an alias.
    pub(crate) fn resolve(&self, name: &str) -> Option<&str> {
        let folded = self.fold(name);
        let aliases = self.settings().texts("AliasAttributes");
        let by_username = self.users.get_key_value(&folded).map(|(username, _)| username.as_str());
        by_username.or_else(|| {
            self.users
                .values()
                .find(|user| {
                    user.sub() == name
                        || ["email", "phone_number"].iter().any(|attribute| {
                            user.attribute(attribute).is_some_and(|value| self.fold(value) == folded)
                                && (self.username_is(attribute)
                                    || aliases.contains(attribute) && user.has_verified(attribute))
                        })
                        || aliases.contains(&"preferred_username")
                            && user.attribute("preferred_username").is_some_and(|value| self.fold(value) == folded)
                })
                .map(|user| user.username.as_str())
        })
    }

    /// The user behind a username, a `sub` or an alias.
    pub(crate) fn user(&self, name: &str) -> Result<&User, Failure> {
        self.resolve(name).and_then(|username| self.users.get(username)).ok_or_else(Failure::user_not_found)
    }

    pub(crate) fn user_mut(&mut self, name: &str) -> Result<&mut User, Failure> {
        let username = self.resolve(name).map(str::to_owned).ok_or_else(Failure::user_not_found)?;
        self.users.get_mut(&username).ok_or_else(Failure::user_not_found)
    }

    pub(crate) fn client(&self, id: &str) -> Result<&Client, Failure> {
        self.clients
            .get(id)
            .ok_or_else(|| Failure::resource_not_found(format!("User pool client {id} does not exist.")))
    }

    /// The output of `GetUserPoolMfaConfig` and `SetUserPoolMfaConfig`.
    pub(crate) fn mfa_configuration(&self) -> Value {
        let mut output = Map::new();
        if let Some(channel) = self.settings.get("SmsConfiguration") {
            let mut sms = Map::from_iter([("SmsConfiguration".to_owned(), channel.clone())]);
            if let Some(message) = self.settings.get("SmsAuthenticationMessage") {
                sms.insert("SmsAuthenticationMessage".to_owned(), message.clone());
            }
            output.insert("SmsMfaConfiguration".to_owned(), Value::Object(sms));
        }
        for (name, block) in [
            ("SoftwareTokenMfaConfiguration", &self.mfa.software_token),
            ("EmailMfaConfiguration", &self.mfa.email),
            ("WebAuthnConfiguration", &self.mfa.web_authn),
        ] {
            if let Some(block) = block {
                output.insert(name.to_owned(), block.clone());
            }
        }
        output.insert("MfaConfiguration".to_owned(), Value::from(self.mfa.mode.name()));
        Value::Object(output)
    }

    /// The pool as `UserPoolType`, which `CreateUserPool` and `DescribeUserPool` return.
    pub(crate) fn description(&self) -> Value {
        let mut description = self.settings.clone();
        description.remove("PoolName");
        description.remove("Schema");
        let name = self.settings.get("PoolName").cloned().unwrap_or_default();
        let tier = self.settings().optional_text("UserPoolTier").unwrap_or("ESSENTIALS").to_owned();
        let policies = self.policies();
        for (member, value) in [
            ("Id", Value::from(self.id.as_str())),
            ("Name", name),
            ("Arn", Value::from(self.arn())),
            ("MfaConfiguration", Value::from(self.mfa.mode.name())),
            ("CreationDate", json!(timestamp(self.created))),
            ("LastModifiedDate", json!(timestamp(self.modified))),
            ("EstimatedNumberOfUsers", Value::from(self.users.len())),
            ("UserPoolTier", Value::from(tier)),
            ("Policies", policies),
            ("SchemaAttributes", self.schema_attributes()),
        ] {
            description.insert(member.to_owned(), value);
        }
        for (member, default) in [
            ("LambdaConfig", json!({})),
            ("EmailConfiguration", json!({ "EmailSendingAccount": "COGNITO_DEFAULT" })),
            ("AdminCreateUserConfig", json!({ "AllowAdminCreateUserOnly": false })),
            ("DeletionProtection", json!("INACTIVE")),
        ] {
            description.entry(member).or_insert(default);
        }
        Value::Object(description)
    }

    /// The schema as it was set, custom attributes by their full names.
    fn schema_attributes(&self) -> Value {
        let named = |mut attribute: Map<String, Value>| {
            let name = attribute.get("Name").and_then(Value::as_str).unwrap_or_default();
            if !STANDARD_ATTRIBUTES.contains(&name) {
                let name = Value::from(format!("custom:{name}"));
                attribute.insert("Name".to_owned(), name);
            }
            Value::Object(attribute)
        };
        self.settings().structures("Schema").into_iter().map(|it| named(it.0.clone())).collect()
    }

    fn policies(&self) -> Value {
        let defaults = json!({
            "MinimumLength": 8,
            "RequireUppercase": true,
            "RequireLowercase": true,
            "RequireNumbers": true,
            "RequireSymbols": true,
            "TemporaryPasswordValidityDays": 7,
        });
        let password = self.password_policy().map_or(defaults, |policy| Value::Object(policy.0.clone()));
        json!({
            "PasswordPolicy": password,
            "SignInPolicy": { "AllowedFirstAuthFactors": self.first_factors() },
        })
    }
}
