//! The violations of one request, collected so that all are returned at once.

use crate::domain::text::{Constraint, Text};
use crate::error::{Error, Violation};

/// The maximum number of violations that are returned one by one. Details travel in a header, and clients refuse large ones.
pub const MAX_VIOLATIONS: usize = 24;

/// Collects the violations of one request.
#[derive(Debug, Default)]
pub struct Violations {
    violations: Vec<Violation>,
    further: usize,
}

impl Violations {
    /// Adds a violation of `field`, or of the whole message if the field is empty.
    pub fn push(&mut self, field: impl Into<String>, description: impl Into<String>) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation { field: field.into(), description: description.into() });
        } else {
            self.further += 1;
        }
    }

    /// The parsed value, or `None` with its violation added.
    pub fn collect<T>(&mut self, parsed: Result<T, Violation>) -> Option<T> {
        parsed.map_err(|violation| self.push(violation.field, violation.description)).ok()
    }

    /// A text that must be present; proto3 sends an absent one as the empty text.
    pub fn required<C: Constraint>(&mut self, field: &str, value: String) -> Option<Text<C>> {
        if value.is_empty() {
            self.push(field, "is required");
            return None;
        }
        self.text(field, value)
    }

    /// A text that may be absent. One that is present, even empty, must satisfy the constraint.
    pub fn optional<C: Constraint>(&mut self, field: &str, value: Option<String>) -> Option<Text<C>> {
        value.and_then(|value| self.text(field, value))
    }

    /// A flag that must be present: neither value is what an omission could mean.
    pub fn stated(&mut self, field: &str, value: Option<bool>) -> Option<bool> {
        if value.is_none() {
            self.push(field, "is required");
        }
        value
    }

    fn text<C: Constraint>(&mut self, field: &str, value: String) -> Option<Text<C>> {
        self.collect(Text::parse(value).map_err(|description| Violation { field: field.to_owned(), description }))
    }

    /// Whether there is no violation.
    pub fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    /// The value, if there is no violation.
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, Error> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(Error::invalid(self.violations, self.further)),
        }
    }
}
