//! This file waits for signals. Handlers are set up at once, so that a signal during the start is not lost.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Two futures: done when SIGINT or SIGTERM has come, and done when another has come after it.
pub(super) fn ends() -> Result<(impl Future<Output = ()> + Send, impl Future<Output = ()> + Send), io::Error> {
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
        tracing::info!(signal, "asked to end");
        // Nobody waits any more if the program is ending already.
        let _ = first.send(());
        let signal = next().await;
        tracing::warn!(signal, "asked again, so it ends at once");
        let _ = second.send(());
    });
    // A sender that is dropped without a word means that the runtime ends.
    Ok((async { asked.await.unwrap_or_default() }, async { asked_again.await.unwrap_or_default() }))
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
