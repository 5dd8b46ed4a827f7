//! Connections: accepted within bounds, encrypted, and closed on silence, expiry or eviction.

mod accept;
mod slots;
mod stream;
pub mod tls;

pub(super) use accept::{Accepted, accepted, secured};
pub use accept::{ConnectionLimits, HandshakeLimits, Incoming, incoming};
pub(super) use slots::Load;
pub use slots::{ConnectionSlots, Slot};
pub use stream::Connection;
