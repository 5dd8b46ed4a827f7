//! A field of a request that breaks a constraint.

/// One field of a request that breaks a constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field from the request message, in the proto's names, for example `mfa_options[1].attribute_name`.
    pub field: String,
    /// What the field must be. Never holds the value.
    pub description: String,
}
