//! The data file: read at the start, written after each change.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::state::State;

/// What a data file holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Contents<S> {
    pub(crate) state: S,
    /// The signing key, absent until one was needed.
    pub(crate) key: Option<String>,
}

/// The contents of a data file, `None` if it does not exist yet.
pub(crate) fn read(path: &Path) -> io::Result<Option<Contents<State>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the contents atomically: a reader sees the old or the new ones.
pub(crate) fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(".new");
    let draft: PathBuf = path.with_file_name(name);
    let mut file = create(&draft)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// Readable only by its owner, since it holds a private key and secrets.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
