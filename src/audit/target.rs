//! The target of records: a file that may be rotated or removed at any time, or standard output.

use std::convert::Infallible;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How many bytes a pipe takes at once, so that lines of others who write to it stay whole too (Linux's `PIPE_BUF`). What is
/// appended to a file is never mixed.
const PIPE_BUF: usize = 4096;

/// The target of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditTarget {
    /// A file, appended to; created with mode 0600 if it is missing.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl FromStr for AuditTarget {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "stdout" { Self::Stdout } else { Self::File(text.into()) })
    }
}

impl fmt::Display for AuditTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdout => f.write_str("stdout"),
        }
    }
}

/// An open target.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) file: File,
    /// Whether the last line has no line break: an earlier write was cut off.
    pub(super) torn: bool,
    /// How many bytes a write takes without those of others among them.
    pub(super) atomic_bytes: usize,
    identity: Identity,
}

/// What tells one file from another, whatever its name (device and inode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

impl AuditTarget {
    pub(super) fn open(&self) -> io::Result<Open> {
        let (file, torn) = match self {
            Self::File(path) => open_file(path)?,
            // Not through std's buffer, which would keep a line that failed and join it to the next.
            Self::Stdout => (File::from(io::stdout().as_fd().try_clone_to_owned()?), false),
        };
        let metadata = file.metadata()?;
        let atomic_bytes = if metadata.is_file() { usize::MAX } else { PIPE_BUF };
        Ok(Open { file, torn, atomic_bytes, identity: Identity::from(&metadata) })
    }

    /// Whether the target is still what `open` is: a file may have been renamed or removed.
    pub(super) fn is(&self, open: &Open) -> bool {
        match self {
            Self::File(path) => fs::metadata(path).is_ok_and(|metadata| Identity::from(&metadata) == open.identity),
            Self::Stdout => true,
        }
    }

    /// Whether what was written last is in no file any more. A renamed file still has it; one that cannot be looked at may not.
    pub(super) fn is_lost(&self, open: &Open) -> bool {
        matches!(self, Self::File(_)) && !open.file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
    }
}

fn open_file(path: &Path) -> io::Result<(File, bool)> {
    // A FIFO without a reader would block the start forever.
    if fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "it is a FIFO; use stdout"));
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let torn = file.metadata()?.is_file() && !ends_with_a_line(path)?;
    Ok((file, torn))
}

fn ends_with_a_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
