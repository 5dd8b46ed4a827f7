//! How urgent a call is.

/// How urgent a call is: interactive calls have their turn before bulk ones, where calls wait for Cognito's quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Somebody waits for the response.
    #[default]
    Interactive,
    /// A job that may take its time.
    Bulk,
}

impl Priority {
    /// The priority that a header's value names.
    pub fn parse(value: &[u8]) -> Option<Self> {
        match value {
            b"interactive" => Some(Self::Interactive),
            b"bulk" => Some(Self::Bulk),
            _ => None,
        }
    }
}
