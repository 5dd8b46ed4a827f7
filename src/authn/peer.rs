//! The other end of a connection: its address, what its certificate proved, and whether a caller has authenticated on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::CertificateIdentity;

/// The other end of a connection. Every request that came over the connection carries it in its extensions.
#[derive(Clone, Debug)]
pub struct PeerIdentity {
    /// The address of the peer, which may be a proxy's.
    pub address: SocketAddr,
    /// What the client certificate proved; `None` without a certificate, or if it named nobody.
    pub certificate: Option<CertificateIdentity>,
    /// The client certificate's [thumbprint](crate::authn::certificate::thumbprint), whether or not it named anybody.
    pub thumbprint: Option<Arc<str>>,
    /// Whether a caller has authenticated on the connection.
    pub authenticated: AuthenticatedFlag,
}

/// Whether a caller has authenticated on a connection. Clones share the flag: the interceptor sets it, the connection slots
/// read it.
#[derive(Clone, Debug, Default)]
pub struct AuthenticatedFlag(Arc<AtomicBool>);

impl AuthenticatedFlag {
    /// Sets the flag.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
