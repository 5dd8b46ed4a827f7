//! Connections: accepted within bounds, encrypted, served, and closed on silence, expiry, eviction or age.

mod accept;
mod activity;
mod life;
mod serve;
mod slots;
mod stream;
pub mod tls;

pub(super) use accept::{Accepted, accepted, secured};
pub use accept::{ConnectionLimits, HandshakeLimits, Incoming, incoming};
pub(super) use activity::StrangerStreams;
pub use life::ConnectionLife;
pub(super) use serve::{ConnectionSettings, serve};
pub(super) use slots::Load;
pub use slots::{ConnectionSlots, Slot};
pub use stream::Connection;
