//! This file starts the program: it reads the environment, runs the command, and says how it ended.

use std::env;
use std::process::ExitCode;

use clap::Parser as _;
use mfagate::config::{Action, Command};
use mfagate::{command, telemetry};

/// The exit code of a program that could not do what its options say.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let Command { action } = Command::parse();
    match run(action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "mfagate ends");
            ExitCode::from(FAILED)
        }
    }
}

#[tokio::main]
async fn run(action: Action) -> Result<(), command::CommandError> {
    telemetry::start(env::var("RUST_LOG").ok().as_deref()).map_err(command::CommandError::Log)?;
    // The SDK would print the answers of sensitive operations, secrets included.
    if env::var_os("LOG_SENSITIVE_BODIES").is_some() {
        return Err(command::CommandError::SensitiveBodies);
    }
    match action {
        Action::Dev(options) => command::dev(options).await,
        Action::Serve(options) => command::serve(options).await,
    }
}
