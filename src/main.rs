//! This file starts the program: it reads the environment, runs the command, and says how it ended.

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use mfagate::command::{self, CommandError};
use mfagate::config::{Action, Command};
use mfagate::telemetry::log;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let Command { action } = Command::parse();
    // Kept until the end, and how the program ended is in it.
    let _log = match log::start(env::var("RUST_LOG").ok().as_deref()) {
        Ok(log) => log,
        Err(error) => {
            // There is nowhere else to say it, and nowhere to say that this failed.
            let _: io::Result<()> = writeln!(io::stderr(), "the log cannot be set up: {error}");
            return ExitCode::FAILURE;
        }
    };
    match run(action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for fault in error.faults() {
                tracing::error!(%fault, "mfagate ends");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// How long reading a file may hold up the end. The runtime would else wait for as long as a broken network file system does.
const LAST_READS: Duration = Duration::from_secs(1);

fn run(action: Action) -> Result<(), CommandError> {
    let runtime = Runtime::new().map_err(CommandError::Runtime)?;
    let ended = runtime.block_on(act(action));
    runtime.shutdown_timeout(LAST_READS);
    ended
}

async fn act(action: Action) -> Result<(), CommandError> {
    // The SDK would print the answers of sensitive operations, secrets included.
    if env::var_os("LOG_SENSITIVE_BODIES").is_some() {
        return Err(CommandError::SensitiveBodies);
    }
    match action {
        Action::Dev(options) => command::dev(options).await,
        Action::Serve(options) => command::serve(*options).await,
        Action::Check(options) => command::check(*options).await,
        Action::Policy(action) => command::policy(action),
    }
}
