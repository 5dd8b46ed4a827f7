//! Changes whose outcome is not known, and that can be read back: whether the state shows that they were made.

use std::future::Ready;

use crate::domain::Operation;
use crate::error::Error;

/// A change that was made.
#[derive(Debug)]
pub(super) struct Made<T> {
    /// Cognito's response to it; where it was read back, one with the same content.
    pub(super) response: T,
    /// Whether Cognito did not respond to it, and a read afterwards shows that it was made.
    pub(super) read_back: bool,
}

/// How the effect of a change can be read, if it can.
pub(super) struct ReadBack<B>(pub(super) Option<B>);

impl<T> ReadBack<fn() -> Ready<Result<Option<T>, Error>>> {
    /// Nothing that can be read shows whether the change was made, or it is none.
    pub(super) const IMPOSSIBLE: Self = Self(None);
}

impl<B> ReadBack<B> {
    /// Asks once, after a change that ended with `unknown`. It stays so unless the state shows the change.
    pub(super) async fn ask<T, R>(self, operation: Operation, unknown: Error) -> Result<Made<T>, Error>
    where
        B: FnOnce() -> R,
        R: Future<Output = Result<Option<T>, Error>>,
    {
        let Self(Some(read)) = self else { return Err(unknown) };
        // Hardly ever needed, so not a part of every change's future.
        match Box::pin(read()).await {
            Ok(Some(response)) => {
                tracing::info!(operation = operation.name(), error = %unknown, "mutation confirmed by reading it back");
                Ok(Made { response, read_back: true })
            }
            Ok(None) => Err(unknown),
            Err(error) => {
                tracing::debug!(operation = operation.name(), %error, "mutation not read back");
                Err(unknown)
            }
        }
    }
}
