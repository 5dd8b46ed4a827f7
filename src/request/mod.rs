//! This module turns requests into typed values with Cognito's constraints proven, or into all of their violations.

pub mod credential;
pub mod passkey;
pub mod pool_config;
pub mod preference;

use crate::api::v1::ErrorReason;
use crate::authz::{Decision, Permit};
use crate::domain::text::{AccessToken, Constraint, Text, Username};
use crate::error::{Error, Violation};

/// The most violations that are answered one by one. Details travel in a header, and clients refuse large ones.
pub const MOST_VIOLATIONS: usize = 24;

/// Collects the violations of one request, so that all are answered at once.
#[derive(Debug, Default)]
pub struct Check {
    violations: Vec<Violation>,
    further_violations: usize,
    token_names_no_pool: bool,
}

impl Check {
    /// Notes that `field` breaks a constraint.
    pub fn refuse(&mut self, field: impl Into<String>, description: impl Into<String>) {
        if self.violations.len() < MOST_VIOLATIONS {
            self.violations.push(Violation { field: field.into(), description: description.into() });
        } else {
            self.further_violations += 1;
        }
    }

    /// Keeps a parsed value, or notes its violation.
    pub fn keep<T>(&mut self, parsed: Result<T, Violation>) -> Option<T> {
        parsed.map_err(|violation| self.refuse(violation.field, violation.description)).ok()
    }

    /// A text that must be there; the empty text is how proto3 sends an absent one.
    pub fn required<C: Constraint>(&mut self, field: &str, value: String) -> Option<Text<C>> {
        if value.is_empty() {
            self.refuse(field, "required");
            return None;
        }
        self.text(field, value)
    }

    /// A text that may be absent. One that is present, even empty, must keep the constraint.
    pub fn optional<C: Constraint>(&mut self, field: &str, value: Option<String>) -> Option<Text<C>> {
        value.and_then(|value| self.text(field, value))
    }

    fn text<C: Constraint>(&mut self, field: &str, value: String) -> Option<Text<C>> {
        self.keep(Text::parse(value).map_err(|description| Violation { field: field.to_owned(), description }))
    }

    /// What an administrator acts on: the user that the request names, and the permit for the pool that was decided on.
    pub fn named_user(&mut self, decision: Decision, username: String) -> Option<(Permit, Username)> {
        let permit = self.keep(decision.permit());
        let username = self.required("username", username);
        permit.zip(username)
    }

    /// What an access token acts on: the token, and the permit for the pool that it names. A token that names none is well
    /// formed, but Cognito could not accept it anywhere.
    pub fn signed_in(&mut self, decision: Decision, token: String) -> Option<(Permit, AccessToken)> {
        let token = self.required("access_token", token)?;
        let permit = decision.permit().ok();
        self.token_names_no_pool = permit.is_none();
        Some((permit?, token))
    }

    /// The value, if nothing was refused; else why.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Error> {
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            None if self.violations.is_empty() && self.token_names_no_pool => {
                Err(Error::new(ErrorReason::UserTokenRejected).because("the access token names no pool"))
            }
            _ => Err(Error::invalid(self.all_violations())),
        }
    }

    fn all_violations(mut self) -> Vec<Violation> {
        if self.further_violations > 0 {
            let description = format!("{} more violations", self.further_violations);
            self.violations.push(Violation { field: String::new(), description });
        }
        self.violations
    }
}
