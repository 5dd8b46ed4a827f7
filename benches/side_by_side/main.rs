//! What a call costs, side by side: mfagate with everything on, the bare SDK, a façade without protection in Rust, and one in Go.
//!
//! `cargo bench --bench side_by_side -- --help` lists the options. Every part is a process of its own, started by this program from
//! itself, so that its CPU time and memory are its own: the stub in Cognito's place, the load, and the contestants. Rounds are
//! interleaved, so that all run under the same conditions. Compare the ratios; the times depend on the machine.
//!
//! A figure never fails a run. A part that cannot run or a response other than the expected one does.

mod bare;
mod calls;
mod contestant;
mod control;
mod fixture;
mod go;
mod latency;
mod load;
mod machine;
mod memory;
mod naive;
mod options;
mod part;
mod process;
mod report;
mod run;
mod stub;
mod traffic;

#[expect(clippy::unwrap_used, dead_code, reason = "a failure ends the run, and the tests use more of it")]
#[path = "../../tests/integration/support/certificate_authority.rs"]
mod certificate_authority;
#[expect(clippy::unwrap_used, dead_code, reason = "a failure ends the run, and the tests use more of it")]
#[path = "../../tests/integration/support/token_issuer.rs"]
mod token_issuer;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;

use crate::control::say;
use crate::options::Options;
use crate::part::Part;

/// What ends a part or the run.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match (arguments.next().as_deref(), arguments.next()) {
        (Some(Part::ARGUMENT), Some(part)) => part::run(&part),
        _ => benchmark(Options::parse()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("side_by_side: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn benchmark(options: Options) -> Result<(), Failure> {
    if options.test {
        // `cargo test --benches` only checks that it starts.
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run::run(options))
}
