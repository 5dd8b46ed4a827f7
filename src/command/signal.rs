//! This file waits for signals. Handlers are set up at once, so that a signal during the start is not lost.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Done when SIGINT or SIGTERM has come.
pub(super) fn end() -> Result<impl Future<Output = ()> + Send, io::Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!(signal = "SIGINT", "asked to end"),
            _ = terminate.recv() => tracing::info!(signal = "SIGTERM", "asked to end"),
        }
    })
}

/// The hangups, which ask for a reload.
#[derive(Debug)]
pub(super) struct Hangups(Signal);

/// Catches hangups from now on.
pub(super) fn hangups() -> Result<Hangups, io::Error> {
    signal(SignalKind::hangup()).map(Hangups)
}

impl Hangups {
    /// Waits for the next one; false if there can be none any more.
    pub(super) async fn next(&mut self) -> bool {
        self.0.recv().await.is_some()
    }
}
