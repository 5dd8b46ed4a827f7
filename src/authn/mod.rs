//! Who is calling: a client certificate, a bearer token, or both, verified.

mod authenticator;
pub mod certificate;
mod peer;
pub mod token;

pub use authenticator::{Authenticator, CredentialProblem, Unauthenticated};
pub use peer::{AuthenticatedFlag, PeerIdentity};
