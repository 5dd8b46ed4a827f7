//! Requests of reflection.

use tokio_stream::Stream;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

/// Asks for the list of services.
pub(crate) fn list_services() -> impl Stream<Item = ServerReflectionRequest> + Send + use<> {
    let message_request = Some(MessageRequest::ListServices(String::new()));
    tokio_stream::once(ServerReflectionRequest { host: String::new(), message_request })
}
