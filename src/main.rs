//! This file starts the program: it reads the environment, runs the command, and says how it ended.

use std::env;
use std::process::ExitCode;

use clap::Parser as _;
use mfagate::command::{self, CommandError};
use mfagate::config::{Action, Command};
use mfagate::telemetry;

fn main() -> ExitCode {
    let Command { action } = Command::parse();
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

#[tokio::main]
async fn run(action: Action) -> Result<(), CommandError> {
    telemetry::start(env::var("RUST_LOG").ok().as_deref()).map_err(CommandError::Log)?;
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
