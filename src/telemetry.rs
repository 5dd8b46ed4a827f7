//! This file sets up the log.

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Logs to standard error. `directives` are those of `RUST_LOG`; without any, it is INFO.
///
/// Other crates log at INFO at most, whatever the directives say: at TRACE the SDK prints whole requests with the access
/// token in clear (aws-smithy-runtime 1.16), and HTTP libraries print headers.
pub fn start(directives: Option<&str>) -> Result<(), TryInitError> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = filter.parse_lossy(directives.unwrap_or_default());
    let capped = filter_fn(|metadata| is_ours(metadata.target()) || *metadata.level() <= tracing::Level::INFO);
    // Colours are for people; in a file they would tear words apart for every search.
    let colours = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(io::stderr).with_filter(capped);
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    // The standard hook prints the panic's text, which may hold anything.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(location = panic.location().map(tracing::field::display), "a thread panicked");
    }));
    Ok(())
}

fn is_ours(target: &str) -> bool {
    target == "mfagate" || target.starts_with("mfagate::")
}
