//! How much of the service one connection, one peer, one caller, and all together may take.

/// The limits of connections, streams and bytes. Those of operations are Cognito's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Open connections. `None` for half of the file descriptors that the process may have.
    pub connections: Option<usize>,
    /// Open connections of one caller that is named by a certificate, or of one address. `None` for as many as there may be: when all are
    /// taken, whoever has most gives one up.
    pub connections_per_peer: Option<usize>,
    /// The streams of one connection.
    pub streams: u32,
    /// The streams of one connection on which no caller has authenticated, for what is public.
    pub stranger_streams: usize,
    /// Watches of health.
    pub watches: WatchLimits,
    /// Bytes of messages that have arrived in part.
    pub bodies: BodyLimits,
}

/// The limits of health watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchLimits {
    /// In all: at 8 KiB each, 8 MiB.
    pub total: usize,
    /// From one address, which may be that of a proxy before many clients.
    pub per_address: usize,
    /// On one connection on which no caller has authenticated.
    pub per_stranger: usize,
}

/// The limits of messages that have arrived in part, in bytes. They are counted at the size that they will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// In all.
    pub total: usize,
    /// Of one caller.
    pub per_caller: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: None,
            connections_per_peer: None,
            streams: 256,
            stranger_streams: 4,
            watches: WatchLimits::default(),
            bodies: BodyLimits::default(),
        }
    }
}

impl ServerLimits {
    /// The same where nobody authenticates, and nobody is a stranger.
    #[must_use]
    pub fn without_strangers(mut self) -> Self {
        (self.stranger_streams, self.watches.per_stranger) = (usize::MAX, usize::MAX);
        self
    }
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self { total: 1024, per_address: 64, per_stranger: 1 }
    }
}

impl Default for BodyLimits {
    /// Of the largest messages, 64 of one caller and 256 in all.
    fn default() -> Self {
        Self { total: 64 << 20, per_caller: 16 << 20 }
    }
}
