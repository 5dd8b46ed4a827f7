//! What is known of a call before its request is read.

use std::net::SocketAddr;

use crate::domain::caller::Caller;
use crate::domain::deadline::Deadline;
use crate::domain::id::{RequestId, TraceId};
use crate::domain::priority::Priority;

/// What is known of a call before its request is read. The interceptor adds it to the request.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// mfagate's id of the call: no other call has it.
    pub request_id: Option<RequestId>,
    /// The caller's own id, which may be that of other calls as well.
    pub caller_request_id: Option<RequestId>,
    /// The trace that the call is part of (`traceparent`, W3C Trace Context).
    pub trace_id: Option<TraceId>,
    /// The address of the peer.
    pub peer: Option<SocketAddr>,
    /// The caller; `None` if callers need not authenticate.
    pub caller: Option<Caller>,
    /// When the caller stops waiting.
    pub deadline: Deadline,
    /// How urgent the call is.
    pub priority: Priority,
}
