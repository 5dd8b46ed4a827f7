//! Opens every file that an option names, regular ones only. A FIFO without a writer would block the start, every later
//! reload, and the shutdown.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The file, or `None` if something else is in its place.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    if fs::metadata(path)?.is_file() { File::open(path).map(Some) } else { Ok(None) }
}
