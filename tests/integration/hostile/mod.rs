//! Hostile input: HTTP/2, messages, and limits.

mod brown_out;
pub(crate) mod circuit;
mod connection;
pub(crate) mod fault_table;
mod faulted_calls;
mod http;
mod idle_connections;
pub(crate) mod in_flight;
mod limits;
mod message;
mod rate;
mod shares;

use crate::support::raw_h2::RawClient;
use crate::support::test_service::TestService;

/// The service, and a connection to it for requests by hand.
async fn service() -> (TestService, RawClient) {
    let service = TestService::start().await;
    let raw = RawClient::connect(service.address).await;
    (service, raw)
}
