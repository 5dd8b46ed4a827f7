//! The nouns of the service: no I/O, no SDK, no policies.

mod call;
mod caller;
mod deadline;
mod effect;
mod factor;
mod fingerprint;
mod id;
mod intent;
mod operation;
pub mod text;
pub(crate) mod url;

pub use call::Call;
pub use caller::{Caller, CertificateIdentity, TokenIdentity};
pub use deadline::Deadline;
pub use effect::{Effect, EffectValue, EndUserCredential};
pub use factor::{Factor, MfaConfiguration};
pub use fingerprint::fingerprint;
pub use id::{AwsRequestId, RequestId, TraceId};
pub use intent::Intent;
pub use operation::{ActsAs, Facts, Kind, Operation, Resource};
