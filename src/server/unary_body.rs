//! The body of a unary call, which holds one message: tonic 0.14 reads the first and drops the others, of which a policy and the
//! audit record would know nothing.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::codegen::{Bytes, StdError};

use crate::api::v1::ErrorReason;
use crate::error::Error;

/// The length of what every message begins with: a flag, and the length of the message (gRPC over HTTP/2).
const PREFIX_BYTES: usize = 5;

/// A body that fails at the first byte after its first message.
#[derive(Debug)]
pub(super) struct UnaryBody {
    body: Body,
    counted: Counted,
}

impl UnaryBody {
    pub(super) fn new(body: Body) -> Self {
        Self { body, counted: Counted::Prefix(Vec::new()) }
    }
}

/// How much of the message has been read.
#[derive(Debug)]
enum Counted {
    /// These bytes of the prefix.
    Prefix(Vec<u8>),
    /// All but so many bytes.
    Left(usize),
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
                *self = Self::Left(usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX));
            }
        }
        match self {
            Self::Prefix(_) => true,
            Self::Left(left) => left.checked_sub(bytes.len()).map(|rest| *left = rest).is_some(),
        }
    }
}

impl http_body::Body for UnaryBody {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map(|frame| {
            let frame = frame?.map_err(StdError::from);
            if let Ok(frame) = &frame
                && let Some(data) = frame.data_ref()
                && !self.counted.count(data)
            {
                let error = Error::new(ErrorReason::RequestMalformed).cause("the body holds more than one message");
                // tonic finds a status in the causes of an error, and takes its code.
                let status: Status = error.into();
                return Some(Err(status.into()));
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
    use super::*;

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
}
