//! This file opens files that are read again and again: regular ones only. A FIFO without a writer would hold up the start,
//! every later reload, and the end.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The file; none where something else is in its place.
pub(crate) fn open(path: &Path) -> io::Result<Option<File>> {
    if fs::metadata(path)?.is_file() { File::open(path).map(Some) } else { Ok(None) }
}
