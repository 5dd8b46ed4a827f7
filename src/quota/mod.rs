//! Cognito's request rate quotas: a call waits for its turn if the turn comes in time, and is refused at once if it does not.
//!
//! A quota is of an AWS account in a Region, far below what callers can ask for, and Cognito's own answer to an excess is to throttle
//! whoever comes. Here each category has a budget per Region, whose turns are shared fairly between callers, and so has each user and
//! each pool that Cognito limits by itself. A call that finds a token takes no lock: only calls that wait do.

mod broker;
mod bucket;
mod budget;
mod clock;
mod factor;
mod lease;
mod queue;
mod quotas;
mod store;

pub use broker::{Broker, RegionQuota, Sharing, Spender, Subject, Turn, WaitTooLong};
pub use bucket::{Bucket, Nanos, Pace};
pub use budget::Client;
pub use quotas::{Quota, QuotaSetting, Quotas, Rate, Share, Shares};
pub use store::{Store, StoreUrl};
