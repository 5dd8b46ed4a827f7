//! The real program as a child process: its output, and signals as an operator sends them.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

use crate::support::disk::{filling_disk_command, small_disk_command};
use crate::support::policy_fixture::PolicyFixture;

/// How long a program may be silent, far longer than it needs on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);

const PROGRAM: &str = env!("CARGO_BIN_EXE_mfagate");

/// A command, its arguments, and these options.
pub(crate) fn command_line(command: &[&str], options: &[String]) -> Vec<String> {
    command.iter().map(|&argument| argument.to_owned()).chain(options.iter().cloned()).collect()
}

/// A running program. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// The exit status, and everything that was printed.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// What a program has printed so far.
struct Output {
    text: Arc<Mutex<String>>,
    lines: watch::Receiver<usize>,
    reading: JoinHandle<()>,
    /// The position up to which output was waited for.
    seen: usize,
}

impl Output {
    fn collect(source: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let (count, lines) = watch::channel(0);
        let written = Arc::clone(&text);
        let reading = tokio::spawn(async move {
            let mut source = BufReader::new(source).lines();
            while let Some(line) = source.next_line().await.unwrap() {
                written.lock().unwrap().extend([line.as_str(), "\n"]);
                count.send_modify(|count| *count += 1);
            }
        });
        Self { text, lines, reading, seen: 0 }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Waits until `wanted` has been printed.
    async fn wait_for(&mut self, wanted: &str) {
        while !self.text().contains(wanted) {
            let printed = tokio::time::timeout(TIMEOUT, self.lines.changed()).await;
            assert!(matches!(printed, Ok(Ok(()))), "the program did not print {wanted:?}: {}", self.text());
        }
    }

    /// Waits until `wanted` is printed after what the last call waited for.
    async fn wait_for_next(&mut self, wanted: &str) {
        loop {
            let text = self.text();
            let rest = text.split_at(self.seen).1;
            if let Some(position) = rest.find(wanted) {
                self.seen += position + wanted.len();
                return;
            }
            let printed = tokio::time::timeout(TIMEOUT, self.lines.changed()).await;
            assert!(matches!(printed, Ok(Ok(()))), "the program did not print {wanted:?} any more: {rest}");
        }
    }

    async fn all(self) -> String {
        self.reading.await.unwrap();
        Arc::into_inner(self.text).unwrap().into_inner().unwrap()
    }
}

impl Process {
    /// Starts the program with an environment of its own.
    pub(crate) fn start(arguments: &[impl AsRef<OsStr>], environment: &[(&str, &str)]) -> Self {
        let mut program = Command::new(PROGRAM);
        program.args(arguments);
        Self::spawn(program, environment)
    }

    /// As [`start`](Self::start), on a disk whose files hold so many blocks of 512 bytes.
    pub(crate) fn start_on_small_disk(
        blocks: u32,
        arguments: &[impl AsRef<OsStr>],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut program = Command::from(small_disk_command(blocks, PROGRAM));
        program.args(arguments);
        Self::spawn(program, environment)
    }

    /// `mfagate dev` with this soft limit of open files, once it has printed its banner.
    pub(crate) async fn dev_with_open_files(soft: u32) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("ulimit -Sn {soft}; exec \"$@\""), "sh", PROGRAM, "dev", "--listen", "127.0.0.1:0"]);
        let mut process = Self::spawn(shell, &[]);
        process.address().await;
        process
    }

    /// `mfagate serve` as by [`serve_with`](Self::serve_with), with so many open files at most.
    pub(crate) async fn serve_with_open_files(
        hard: usize,
        options: &[String],
        cognito_url: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("ulimit -n {hard}; exec \"$@\""), "sh", PROGRAM]);
        shell.args(["serve", "--listen", "127.0.0.1:0", "--cognito-endpoint", cognito_url]).args(options);
        let mut process = Self::spawn(shell, environment);
        process.address().await;
        process
    }

    fn spawn(mut command: Command, environment: &[(&str, &str)]) -> Self {
        let mut child = command
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdout = Output::collect(child.stdout.take().unwrap());
        let stderr = Output::collect(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// `mfagate dev` on free ports, once it has printed its banner.
    pub(crate) async fn dev(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut process = Self::start(&[&["dev", "--listen", "127.0.0.1:0"], arguments].concat(), environment);
        process.stdout.wait_for("Ctrl-C ends it.").await;
        process
    }

    /// `mfagate dev` on a free port before another Cognito, once it serves.
    pub(crate) async fn dev_with_cognito(cognito_url: &str, arguments: &[&str]) -> Self {
        let dev = ["dev", "--listen", "127.0.0.1:0", "--cognito-endpoint", cognito_url];
        let mut process = Self::start(&[&dev, arguments].concat(), &[]);
        process.wait_for_log("serving address=").await;
        process
    }

    /// `mfagate serve` on a free port before that Cognito, for the callers of `fixture`, once it serves.
    pub(crate) async fn serve(fixture: &PolicyFixture, cognito_url: &str, environment: &[(&str, &str)]) -> Self {
        Self::serve_with(&fixture.options(), cognito_url, environment).await
    }

    /// `mfagate serve` on a free port before that Cognito, with these options, once it serves.
    pub(crate) async fn serve_with(options: &[String], cognito_url: &str, environment: &[(&str, &str)]) -> Self {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--cognito-endpoint", cognito_url];
        let mut process = Self::start(&command_line(&serve, options), environment);
        process.wait_for_log("serving address=").await;
        process
    }

    /// As [`serve_with`](Self::serve_with), on a disk that `fill_disk` can make full.
    pub(crate) async fn serve_on_filling_disk(
        options: &[String],
        cognito_url: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut program = Command::from(filling_disk_command(PROGRAM));
        program.args(["serve", "--listen", "127.0.0.1:0", "--cognito-endpoint", cognito_url]).args(options);
        let mut process = Self::spawn(program, environment);
        process.wait_for_log("serving address=").await;
        process
    }

    /// As [`serve_with`](Self::serve_with), with standard output in this file.
    pub(crate) async fn serve_with_stdout_in(
        file: &str,
        options: &[String],
        cognito_url: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let serve = [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--cognito-endpoint", cognito_url];
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "exec \"$@\" > \"$0\"", file]).args(command_line(&serve, options));
        let mut process = Self::spawn(shell, environment);
        process.wait_for_log("serving address=").await;
        process
    }

    /// Runs the program until it exits.
    pub(crate) async fn run(arguments: &[impl AsRef<OsStr>], environment: &[(&str, &str)]) -> Exit {
        Self::start(arguments, environment).wait().await
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// What was printed to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Waits until the log contains `wanted`.
    pub(crate) async fn wait_for_log(&mut self, wanted: &str) {
        self.stderr.wait_for(wanted).await;
    }

    /// Waits until the log contains `wanted` after what the last call waited for: for events that repeat.
    pub(crate) async fn wait_for_next_log(&mut self, wanted: &str) {
        self.stderr.wait_for_next(wanted).await;
    }

    /// What was logged so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// The word after `label` in the banner.
    pub(crate) fn banner_value(&self, label: &str) -> String {
        let text = self.stdout();
        let after = text.lines().find_map(|line| line.strip_prefix(label));
        after
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap_or_else(|| panic!("no {label} in {text}"))
            .to_owned()
    }

    /// The address of the gRPC listener, from the log.
    pub(crate) async fn address(&mut self) -> SocketAddr {
        self.wait_for_log("serving address=").await;
        let text = self.stderr.text();
        let (_, after) = text.split_once("serving address=").unwrap();
        after.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// A connection to it.
    pub(crate) async fn channel(&mut self) -> Channel {
        let address = self.address().await;
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
    }

    /// Sends a signal, by its name without `SIG`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().await.unwrap().success());
    }

    /// Reloads everything as an operator does, which must succeed.
    pub(crate) async fn reload(&mut self) {
        self.signal("HUP").await;
        self.wait_for_next_log("serve: reloaded\n").await;
    }

    /// Waits for the exit.
    pub(crate) async fn wait(mut self) -> Exit {
        let status = tokio::time::timeout(TIMEOUT, self.child.wait()).await.unwrap().unwrap();
        Exit { status, stdout: self.stdout.all().await, stderr: self.stderr.all().await }
    }

    /// Terminates it as an operator does, which must succeed.
    pub(crate) async fn terminate(self) -> Exit {
        self.signal("TERM").await;
        let exit = self.wait().await;
        assert!(exit.status.success(), "{exit:?}");
        exit
    }
}
