//! The nouns of the service: no I/O, no SDK, no policies.

mod call;
mod caller;
mod deadline;
mod effect;
mod factor;
mod findings;
mod fingerprint;
mod id;
mod intent;
mod operation;
mod pool_mfa;
mod priority;
pub mod text;
pub(crate) mod url;

pub use call::Call;
pub use caller::{Caller, CertificateIdentity, TokenIdentity};
pub use deadline::{Deadline, DeadlineLimits};
pub use effect::{Effect, EffectValue, EndUserCredential, account_of_arn};
pub use factor::{Factor, FactorConfiguration, MfaConfiguration, UserVerification};
pub use findings::{Before, Findings};
pub use fingerprint::{fingerprint, sha256};
pub use id::{AwsRequestId, CallerRequestId, RequestId, TraceId};
pub use intent::{ClaimedUser, Intent};
pub use operation::{ActsAs, Facts, Kind, Operation, Resource};
pub use pool_mfa::PoolMfa;
pub use priority::Priority;
