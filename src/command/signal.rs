//! This file waits for the signals that end the program.

use std::io;

/// Done when SIGINT or SIGTERM has come. The handlers are set up at once, so that a signal during the start is not lost.
pub(super) fn end() -> Result<impl Future<Output = ()> + Send, io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!(signal = "SIGINT", "asked to end"),
            _ = terminate.recv() => tracing::info!(signal = "SIGTERM", "asked to end"),
        }
    })
}
