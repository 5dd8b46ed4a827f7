//! The body of a unary call: one message, of a limited size, within a limited time.
//!
//! tonic 0.14 reads the first message and drops the others, of which a policy and the audit record would know nothing. It reads up to
//! 4 MiB into memory, and waits for as long as the caller likes: a connection without a right to anything could hold gigabytes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;
use tonic::codegen::{Bytes, StdError};

use crate::api::Rpc;
use crate::api::v1::ErrorReason;
use crate::domain::Call;
use crate::error::{self, Error};
use crate::server::body_budget::{BodyBudget, Reserved};

/// The length of what every message begins with: a flag, and the length of the message (gRPC over HTTP/2).
const PREFIX_BYTES: usize = 5;

/// The maximum size of a message, in bytes: the largest access token that Cognito issues is a few kilobytes.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// The maximum size of a message with a document in it, in bytes: a passkey's credential has up to 64 KiB, and the template of an
/// e-mail up to 20,000 characters, each of up to four bytes.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// The maximum message of health and reflection, in bytes: the longest name that is asked for is one of ours. Health is public,
/// so anybody who connects could otherwise have 4 MiB kept for each stream.
pub(super) const MAX_AUX_REQUEST_BYTES: usize = 1024;

/// How long the whole body may take to arrive, whatever the deadline of the call.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum size of the message of an RPC, in bytes.
fn max_message_bytes(rpc: Rpc) -> usize {
    match rpc {
        Rpc::CompleteWebAuthnRegistration | Rpc::SetUserPoolMfaConfig => MAX_DOCUMENT_BYTES,
        Rpc::AdminDeleteSoftwareToken
        | Rpc::AdminGetUser
        | Rpc::AdminGetUserAuthFactors
        | Rpc::AdminSetUserMfaPreference
        | Rpc::AdminSetUserSettings
        | Rpc::AssociateSoftwareToken
        | Rpc::DeleteWebAuthnCredential
        | Rpc::GetUser
        | Rpc::GetUserAuthFactors
        | Rpc::GetUserPoolMfaConfig
        | Rpc::ListWebAuthnCredentials
        | Rpc::SetUserMfaPreference
        | Rpc::SetUserSettings
        | Rpc::StartWebAuthnRegistration
        | Rpc::VerifySoftwareToken => MAX_MESSAGE_BYTES,
    }
}

/// A body that fails before it reads a message that is too large, at the first byte after its first message, when it takes too
/// long, and when too many others have arrived in part.
#[derive(Debug)]
pub(super) struct UnaryBody {
    body: Body,
    counted: Counted,
    max_bytes: usize,
    /// Who sends it. Callers without a name are one.
    caller: Option<Arc<Call>>,
    budget: BodyBudget,
    /// The message, while it has arrived in part.
    reserved: Option<Reserved>,
    /// How long the whole body may take.
    timeout: Duration,
    /// When that time is up. Most bodies have arrived when they are first read, and need no timer.
    late: Option<Pin<Box<Sleep>>>,
}

impl UnaryBody {
    /// The body of a call of `rpc`, or of health where it is none, by this caller.
    pub(super) fn new(rpc: Option<Rpc>, body: Body, caller: Option<Arc<Call>>, budget: BodyBudget) -> Self {
        Self {
            body,
            counted: Counted::Prefix(Vec::new()),
            max_bytes: rpc.map_or(MAX_AUX_REQUEST_BYTES, max_message_bytes),
            caller,
            budget,
            reserved: None,
            timeout: ARRIVAL_TIMEOUT,
            late: None,
        }
    }

    /// Whether the body may be read on after these bytes.
    fn check(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let one_message = self.counted.count(bytes);
        if let Counted::Left { of, .. } = self.counted
            && of > self.max_bytes
        {
            let cause = format!("the message has {of} bytes, and the RPC reads at most {}", self.max_bytes);
            return Err(Error::new(ErrorReason::RequestTooLarge).cause(cause));
        }
        if !one_message {
            return Err(Error::new(ErrorReason::RequestMalformed).cause("the body holds more than one message"));
        }
        match self.counted {
            Counted::Left { bytes: 0, .. } => self.reserved = None,
            Counted::Left { of, .. } if self.reserved.is_none() => self.reserved = Some(self.reserve(of)?),
            Counted::Left { .. } | Counted::Prefix(_) => {}
        }
        Ok(())
    }

    fn reserve(&self, bytes: usize) -> Result<Reserved, Error> {
        let caller = self.caller.as_ref().and_then(|call| call.caller.as_ref());
        let caller = caller.map(|caller| caller.name.as_str()).unwrap_or_default();
        self.budget.reserve(caller, bytes).map_err(|reason| {
            let error = Error::new(reason).metadata("limit", Some("bytes"));
            error.cause("as many bytes of messages have arrived in part as may have")
        })
    }
}

/// The error of reading a body.
fn failure(error: &Error) -> StdError {
    error::body_error(error).into()
}

/// How much of the message has been read.
#[derive(Debug)]
enum Counted {
    /// These bytes of the prefix.
    Prefix(Vec<u8>),
    /// All but so many bytes of the message's.
    Left { bytes: usize, of: usize },
}

impl Counted {
    /// Whether the bytes still belong to the message.
    fn count(&mut self, mut bytes: &[u8]) -> bool {
        if let Self::Prefix(read) = self {
            let (prefix, rest) = bytes.split_at(bytes.len().min(PREFIX_BYTES - read.len()));
            read.extend_from_slice(prefix);
            bytes = rest;
            if let [_, length @ ..] = read.as_slice()
                && let Ok(length) = length.try_into()
            {
                let of = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                *self = Self::Left { bytes: of, of };
            }
        }
        match self {
            Self::Prefix(_) => true,
            Self::Left { bytes: left, .. } => left.checked_sub(bytes.len()).map(|rest| *left = rest).is_some(),
        }
    }
}

impl http_body::Body for UnaryBody {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_pending() {
            let timeout = self.timeout;
            let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
            return late.as_mut().poll(context).map(|()| {
                let cause = format!("the request had not arrived after {timeout:?}");
                Some(Err(failure(&Error::new(ErrorReason::NoTimeLeft).cause(cause))))
            });
        }
        polled.map(|frame| {
            let frame = frame?.map_err(StdError::from);
            if let Some(data) = frame.as_ref().ok().and_then(Frame::data_ref)
                && let Err(error) = self.check(data)
            {
                return Some(Err(failure(&error)));
            }
            Some(frame)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::time::Instant;
    use tokio_stream::StreamExt as _;
    use tokio_stream::wrappers::IntervalStream;
    use tonic::{Code, Status};

    use super::*;

    fn body_of(rpc: Rpc, body: Body) -> UnaryBody {
        UnaryBody::new(Some(rpc), body, None, BodyBudget::default())
    }

    #[test]
    fn one_message_ends_where_its_prefix_says_however_it_is_cut() {
        let message = [0, 0, 0, 0, 3, 1, 2, 3];
        for cut in 0..message.len() {
            let (one, other) = message.split_at(cut);
            let mut counted = Counted::Prefix(Vec::new());
            assert!(counted.count(one) && counted.count(other) && counted.count(&[]), "{cut}");
            assert!(!counted.count(&[0]), "{cut}");
            let mut counted = Counted::Prefix(Vec::new());
            assert!(counted.count(one) && !counted.count(&[other, &[0]].concat()), "{cut}");
        }
        let mut counted = Counted::Prefix(Vec::new());
        assert!(counted.count(&[0; 5]) && !counted.count(&[0; 5]));
    }

    #[tokio::test]
    async fn a_body_ends_when_its_time_is_up_however_it_trickles_in() {
        const TIMEOUT: Duration = Duration::from_millis(50);
        // Together they take far longer, and each comes before the time would be up if it began anew.
        let mut bytes = framed(MAX_MESSAGE_BYTES).into_iter().map(|byte| Ok::<_, StdError>(Bytes::from(vec![byte])));
        let ticks = IntervalStream::new(tokio::time::interval(TIMEOUT / 10));
        let body = Body::from_stream(ticks.map(move |_| bytes.next().unwrap()));
        let mut body = UnaryBody { timeout: TIMEOUT, ..body_of(Rpc::AdminGetUser, body) };
        let started = Instant::now();
        let error = loop {
            if let Err(error) = body.frame().await.unwrap() {
                break error;
            }
        };
        assert!(started.elapsed() >= TIMEOUT);
        assert_eq!(error.downcast_ref::<Status>().unwrap().code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn a_message_that_is_too_large_ends_at_its_prefix() {
        for (rpc, limit) in [(Rpc::AdminGetUser, 16 << 10), (Rpc::CompleteWebAuthnRegistration, 256 << 10)] {
            let read = async |length: usize| {
                let prefix = Bytes::copy_from_slice(&framed(length)[..PREFIX_BYTES]);
                body_of(rpc, Body::from(prefix)).frame().await.unwrap().is_ok()
            };
            assert!(read(limit).await && !read(limit + 1).await, "{rpc:?}");
        }
    }

    /// A message of so many zeros.
    fn framed(length: usize) -> Vec<u8> {
        let prefix = u32::try_from(length).unwrap().to_be_bytes();
        [&[0][..], &prefix, &vec![0; length]].concat()
    }
}
