//! The program: reads the environment, runs the command, and exits with its code.

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use mfagate::command::{self, CommandError};
use mfagate::config::{Action, Command};
use mfagate::error::chain;
use mfagate::telemetry::log;
use mimalloc::MiMalloc;
use tokio::runtime::Builder;

/// A call makes hundreds of short-lived allocations, a tenth of its CPU time with the system's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let Command { action } = match Command::from_arguments(env::args_os()) {
        Ok(command) => command,
        Err(usage) => {
            // There is nowhere else to print it.
            let _: io::Result<()> = usage.print();
            return ExitCode::from(usage.exit_code());
        }
    };
    // Held until the exit, whose cause is in it.
    let _log = match log::start(env::var("RUST_LOG").ok().as_deref()) {
        Ok(log) => log,
        Err(error) => {
            // There is nowhere else to report it, nor that reporting it failed.
            let _: io::Result<()> = writeln!(io::stderr(), "the log cannot be set up: {}", chain(&error));
            return ExitCode::FAILURE;
        }
    };
    match run(action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for error in error.problems() {
                tracing::error!(error, "exiting");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// How long reading a file may delay the exit. The runtime would otherwise wait for as long as a broken network file system.
const IO_SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

fn run(action: Action) -> Result<(), CommandError> {
    // Calls are served by workers, which have runtimes of their own.
    let runtime = Builder::new_current_thread().enable_all().build().map_err(CommandError::Runtime)?;
    let ended = runtime.block_on(dispatch(action));
    runtime.shutdown_timeout(IO_SHUTDOWN_GRACE);
    ended
}

async fn dispatch(action: Action) -> Result<(), CommandError> {
    // The SDK would print the responses of sensitive operations, secrets included. A probe does not use it.
    let uses_sdk = !matches!(action, Action::Probe(_));
    if uses_sdk && env::var_os("LOG_SENSITIVE_BODIES").is_some() {
        return Err(CommandError::SensitiveBodies);
    }
    match action {
        Action::Dev(options) => command::dev(*options).await,
        Action::Serve(options) => command::serve(*options).await,
        Action::Check(options) => command::check(*options).await,
        Action::Probe(options) => command::probe(*options).await.map_err(CommandError::Probe),
        Action::Policy(action) => command::policy(action),
        Action::Audit(action) => command::audit(action),
    }
}
