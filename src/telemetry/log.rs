//! The application log.

use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;

use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::telemetry::writer::{self, WriterThread};

/// The log. Dropping it writes what is left.
#[derive(Debug)]
pub struct Log {
    _writing: WriterThread,
}

/// Why there is no log.
#[derive(Debug, Error)]
pub enum StartError {
    /// The thread that writes could not be started.
    #[error("the thread that writes it cannot be started")]
    Thread(#[source] io::Error),
    /// There is one already.
    #[error(transparent)]
    Started(#[from] TryInitError),
}

/// Logs to standard error, from a thread of its own: a pipe that nobody reads blocks no call. `directives` are those of
/// `RUST_LOG`; the default is INFO.
///
/// Other crates log at INFO at most, whatever the directives say: at TRACE the SDK prints whole requests with the access
/// token in plaintext (aws-smithy-runtime 1.16), and HTTP libraries print headers. Panics are logged without their text.
///
/// Errors are logged whatever the directives say: `RUST_LOG=inf` is one for a crate of that name, and a program with wrong
/// options would otherwise exit silently.
pub fn start(directives: Option<&str>) -> Result<Log, StartError> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = filter.parse_lossy(directives.unwrap_or_default());
    let capped = filter_fn(|metadata| is_ours(metadata.target()) || *metadata.level() <= tracing::Level::INFO);
    // Colors are for people; in a file they would break every search.
    let colors = io::stderr().is_terminal();
    let (writer, writing) = writer::start(io::stderr()).map_err(StartError::Thread)?;
    let lines = tracing_subscriber::fmt::layer().with_ansi(colors).with_writer(writer);
    let lines = lines.with_filter(filter.or(LevelFilter::ERROR).and(capped));
    tracing_subscriber::registry().with(lines).try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Log { _writing: writing })
}

/// Logs where, and never what: the text of a panic may hold anything.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    tracing::error!(location, "panicked");
}

fn is_ours(target: &str) -> bool {
    target == "mfagate" || target.starts_with("mfagate::")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set for the process that is to panic.
    const PANICS: &str = "MFAGATE_TEST_PANICS";

    #[test]
    fn a_panic_is_logged_with_its_place_and_without_its_text() {
        if std::env::var_os(PANICS).is_some() {
            let _log = start(None).unwrap();
            panic!("canary");
        }
        let name = "telemetry::log::tests::a_panic_is_logged_with_its_place_and_without_its_text";
        let mut child = Command::new(std::env::current_exe().unwrap());
        let ended = child.args([name, "--exact", "--nocapture"]).env(PANICS, "").output().unwrap();
        let log = String::from_utf8(ended.stderr).unwrap();
        assert!(!ended.status.success() && log.contains("panicked location=\"src/telemetry/log.rs:"), "{log}");
        assert!(!log.contains("canary"), "{log}");
    }

    #[test]
    fn only_targets_of_the_program_are_its_own() {
        assert!(is_ours("mfagate") && is_ours("mfagate::server::context"));
        for target in ["mfagate2", "aws_smithy_runtime", "h2::codec", "", "mfagat"] {
            assert!(!is_ours(target), "{target}");
        }
    }
}
