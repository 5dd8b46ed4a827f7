//! The file of `mfagate dev --ready-file`: what a test suite needs to begin.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::command::CommandError;

/// What the file says; the demo only with the embedded Cognito.
#[derive(Debug, Serialize)]
pub(super) struct Ready<'a> {
    /// The address of the gRPC server.
    pub(super) grpc: String,
    /// The endpoint URL of Cognito, `None` for AWS.
    pub(super) cognito: Option<&'a str>,
    #[serde(flatten)]
    pub(super) demo: Option<Demo<'a>>,
}

/// The demo pool, its first user, and an access token of that user.
#[derive(Debug, Serialize)]
pub(super) struct Demo<'a> {
    pub(super) region: &'a str,
    pub(super) user_pool_id: &'a str,
    pub(super) client_id: &'a str,
    pub(super) username: &'a str,
    pub(super) password: &'a str,
    pub(super) access_token: &'a str,
}

/// The file, which exists while everything that it names is served.
#[derive(Debug)]
pub(super) struct ReadyFile(PathBuf);

impl ReadyFile {
    /// Removes the file of an earlier run, which would be taken for this one's.
    pub(super) fn claim(path: PathBuf) -> Result<Self, CommandError> {
        match remove(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(CommandError::ReadyFile(path, error)),
        }
    }

    /// Writes the file, which appears with all of its contents at once.
    pub(super) fn write(&self, ready: &Ready<'_>) -> Result<(), CommandError> {
        replace(&self.0, ready).map_err(|error| CommandError::ReadyFile(self.0.clone(), error))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "ready file not removed");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn replace(path: &Path, ready: &Ready<'_>) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(".new");
    let draft = path.with_file_name(name);
    remove(&draft)?;
    // Its owner's alone, since it holds a token.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    serde_json::to_writer_pretty(&mut file, ready)?;
    file.write_all(b"\n")?;
    fs::rename(&draft, path)
}
