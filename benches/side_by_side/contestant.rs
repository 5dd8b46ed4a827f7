//! The contestants, and how each is started before the stub.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::Command;

use crate::Failure;
use crate::fixture::Fixture;
use crate::options::Binary;
use crate::part::Part;
use crate::process::{Process, TIMEOUT};

/// What is measured is how long calls take, also when a busy machine stalls at a rate that it can just sustain: those that wait then
/// would be refused, as they should be in front of a slow Cognito. Older programs ignore the variables.
const UNLIMITED: [(&str, &str); 5] = [
    ("MFAGATE_MAX_OPERATIONS", "32768"),
    // High enough for all, and so that every call still takes a token of each.
    (
        "MFAGATE_QUOTA",
        "USER_READ=1000000/1000000,USER_RESOURCE_UPDATE=1000000/1000000,ONE_USER_READ=1000000/1000000,\
         ONE_USER_WRITE=1000000/1000000",
    ),
    // Each refusal has its record, as the first ones of a flood have.
    ("MFAGATE_STRANGER_RATE", "1000000/1000000"),
    ("MFAGATE_MAX_OPERATIONS_PER_REGION", "32768"),
    ("MFAGATE_MAX_OPERATIONS_PER_CALLER", "32768"),
];

/// What the program logs once it serves.
const SERVING: &str = "serving address=";

/// A façade.
#[derive(Clone, Debug)]
pub(crate) enum Contestant {
    /// In Rust, without protection.
    Naive,
    /// In Go, without protection: its program.
    Go(PathBuf),
    /// `mfagate serve` with everything on.
    Serve(Binary),
    /// `mfagate dev`.
    Dev(Binary),
}

/// A façade that serves.
pub(crate) struct Serving {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// Log and audit log, if it has them.
    files: Option<TempDir>,
}

/// The stub's address and the files, which every contestant needs.
pub(crate) struct Ground {
    pub(crate) stub: String,
    pub(crate) fixture: Fixture,
    /// The directory for files.
    pub(crate) directory: PathBuf,
}

impl Ground {
    /// The environment of what calls the stub.
    pub(crate) fn environment(&self) -> [(&str, &str); 4] {
        [
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", &self.stub),
        ]
    }
}

impl Contestant {
    /// Its name in the results.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Naive => "naive".to_owned(),
            Self::Go(_) => "go".to_owned(),
            Self::Serve(binary) => binary.name.clone(),
            Self::Dev(binary) => format!("{} dev", binary.name),
        }
    }

    /// Starts it with so many workers. Those without protection have one.
    pub(crate) async fn start(&self, ground: &Ground, workers: usize) -> Result<Serving, Failure> {
        match self {
            Self::Naive => Serving::part(Process::part(&Part::Naive, &ground.environment())?).await,
            Self::Go(program) => {
                let environment = [&ground.environment()[..], &[("GOMAXPROCS", "1")]].concat();
                Serving::part(Process::start("go", Command::new(program), &environment)?).await
            }
            Self::Serve(binary) => {
                let files = tempfile::tempdir_in(&ground.directory)?;
                let mut command = command(&binary.path, "serve", ground);
                command.args(ground.fixture.serve_options(&files.path().join("audit.jsonl")));
                Serving::mfagate(command, binary, "serve", workers, ground, files).await
            }
            Self::Dev(binary) => {
                let files = tempfile::tempdir_in(&ground.directory)?;
                let command = command(&binary.path, "dev", ground);
                Serving::mfagate(command, binary, "dev", workers, ground, files).await
            }
        }
    }
}

fn command(program: &Path, subcommand: &str, ground: &Ground) -> Command {
    let mut command = Command::new(program);
    command.args([subcommand, "--listen", "127.0.0.1:0", "--cognito-endpoint", &ground.stub]);
    command
}

impl Serving {
    async fn part(mut process: Process) -> Result<Self, Failure> {
        let address = process.address().await?;
        Ok(Self { process, address, files: None })
    }

    async fn mfagate(
        mut command: Command,
        binary: &Binary,
        subcommand: &str,
        workers: usize,
        ground: &Ground,
        files: TempDir,
    ) -> Result<Self, Failure> {
        let workers = workers.to_string();
        let mut environment = ground.environment().to_vec();
        environment.extend(UNLIMITED);
        let help = Command::new(&binary.path).args([subcommand, "--help"]).output().await?;
        if String::from_utf8_lossy(&help.stdout).contains("--workers") {
            command.args(["--workers", &workers]);
        } else {
            environment.push(("TOKIO_WORKER_THREADS", &workers));
        }
        let log = files.path().join("log");
        command.stderr(File::create(&log)?);
        let mut process = Process::start(&binary.name, command, &environment)?;
        let started = Instant::now();
        loop {
            let text = std::fs::read_to_string(&log)?;
            let address = text.split_once(SERVING).and_then(|(_, after)| after.split_once(char::is_whitespace));
            if let Some((address, _)) = address {
                return Ok(Self { process, address: address.parse()?, files: Some(files) });
            }
            process.running().map_err(|failure| format!("{failure}: {text}"))?;
            if started.elapsed() > TIMEOUT {
                return Err(format!("{} does not serve: {text}", binary.name).into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it. Fails if a service with an audit log has recorded nothing.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.process.stop().await?;
        let audit = self.files.map(|files| files.path().join("audit.jsonl").metadata().map(|audit| audit.len()));
        if matches!(audit, Some(Ok(0))) {
            return Err("nothing was recorded in the audit log".into());
        }
        Ok(())
    }
}
