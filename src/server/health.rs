//! Health as it is served: to everybody, so with limits of how many streams and watches there are.
//!
//! A watch is a stream that its client keeps for as long as it likes, and needs no permission. Load balancers ask with `Check`; gRPC
//! clients with health checking keep a watch a connection.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio_stream::Stream;
use tonic::body::Body;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_health::server::{HealthService, WatchStream};

use crate::api::v1::ErrorReason;
use crate::authn::PeerIdentity;
use crate::error::{Error, rejection};
use crate::server::connection::StrangerStreams;
use crate::server::limits::{ServerLimits, WatchLimits};

/// Rejects a call for what is public on a connection on which no caller has authenticated and that has as many as it may have.
pub(super) fn check_streams<B>(
    request: http::Request<B>,
    limits: ServerLimits,
) -> Ready<Result<http::Request<B>, http::Response<Body>>> {
    let over = request.extensions().get::<StrangerStreams>().and_then(|StrangerStreams { all, watches }| {
        let limits = [(*all, limits.stranger_streams, "streams"), (*watches, limits.watches.per_stranger, "watches")];
        limits.into_iter().find_map(|(number, limit, name)| (number > limit).then_some(name))
    });
    ready(match over {
        Some(limit) => {
            let error = Error::new(ErrorReason::CallerLimitExceeded).metadata("limit", Some(limit));
            Err(rejection(error.cause("as many as a connection without an authenticated caller may have")))
        }
        None => Ok(request),
    })
}

/// The watches that are open, of every worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    limits: WatchLimits,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A watch that is open, until it is dropped.
#[derive(Debug)]
struct OpenWatch {
    watches: Watches,
    address: Option<IpAddr>,
}

impl Watches {
    pub(super) fn new(limits: WatchLimits) -> Self {
        Self { limits, open: Arc::default() }
    }

    /// Counts one more watch from an address, or says whose limit is reached.
    fn open(&self, address: Option<IpAddr>) -> Result<OpenWatch, ErrorReason> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Open { total, by_address } = &mut *open;
        if address.and_then(|address| by_address.get(&address)).is_some_and(|open| *open >= self.limits.per_address) {
            return Err(ErrorReason::CallerLimitExceeded);
        }
        if *total >= self.limits.total {
            return Err(ErrorReason::ServiceLimitExceeded);
        }
        *total += 1;
        if let Some(address) = address {
            *by_address.entry(address).or_default() += 1;
        }
        Ok(OpenWatch { watches: self.clone(), address })
    }
}

impl Drop for OpenWatch {
    fn drop(&mut self) {
        let mut open = self.watches.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        let Some(address) = self.address else { return };
        if let Some(number) = open.by_address.get_mut(&address) {
            *number -= 1;
            if *number == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

/// The health service, with a limit of watches.
#[derive(Debug)]
pub(super) struct LimitedHealth {
    pub(super) health: HealthService,
    pub(super) watches: Watches,
}

/// The statuses that a watch is told.
pub(super) struct LimitedWatch {
    statuses: WatchStream,
    _open: OpenWatch,
}

impl Stream for LimitedWatch {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.statuses).poll_next(context)
    }
}

#[tonic::async_trait]
impl Health for LimitedHealth {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.health.check(request).await
    }

    type WatchStream = LimitedWatch;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<LimitedWatch>, Status> {
        let address = request.extensions().get::<PeerIdentity>().map(|peer| peer.address.ip());
        let open = self.watches.open(address).map_err(|reason| {
            let error = Error::new(reason).metadata("limit", Some("watches"));
            error.cause("as many health watches are open as there may be")
        })?;
        Ok(self.health.watch(request).await?.map(|statuses| LimitedWatch { statuses, _open: open }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn the_watches_of_one_address_and_of_all_have_limits_and_those_that_end_make_room() {
        let watches = Watches::default();
        let mut open = Vec::new();
        for last in 0..16 {
            for _ in 0..watches.limits.per_address {
                open.push(watches.open(Some(address(last))).unwrap());
            }
        }
        assert_eq!(open.len(), watches.limits.total);
        assert_eq!(watches.open(Some(address(0))).unwrap_err(), ErrorReason::CallerLimitExceeded);
        assert_eq!(watches.open(Some(address(99))).unwrap_err(), ErrorReason::ServiceLimitExceeded);
        drop(open.pop());
        let _other = watches.open(Some(address(99))).unwrap();
        drop(open);
        assert_eq!(watches.open.lock().unwrap().by_address.len(), 1);
    }
}
