//! Signals. Handlers are set up at once, so that a signal during the start is not lost.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Two futures: done when SIGINT or SIGTERM has come, and done when another has come after it.
pub(super) fn shutdown_signals() -> Result<(impl Future<Output = ()> + Send, impl Future<Output = ()> + Send), io::Error>
{
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut next = async move || {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        }
    };
    let (first, asked) = oneshot::channel();
    let (second, asked_again) = oneshot::channel();
    tokio::spawn(async move {
        let signal = next().await;
        tracing::info!(signal, "shutdown requested");
        // Nobody waits any more if the program is exiting already.
        let _ = first.send(());
        let signal = next().await;
        tracing::warn!(signal, "second signal, exiting at once");
        let _ = second.send(());
    });
    // A dropped sender means that the runtime is shutting down.
    Ok((async { asked.await.unwrap_or_default() }, async { asked_again.await.unwrap_or_default() }))
}

/// SIGHUPs, which request a reload.
#[derive(Debug)]
pub(super) struct Hangups(Signal);

/// Catches SIGHUPs from now on.
pub(super) fn hangups() -> Result<Hangups, io::Error> {
    signal(SignalKind::hangup()).map(Hangups)
}

impl Hangups {
    /// Waits for the next one; false if there will be none.
    pub(super) async fn next(&mut self) -> bool {
        self.0.recv().await.is_some()
    }
}
