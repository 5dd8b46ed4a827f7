//! Small and full disks, and files that never end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// The command that runs `program` on a disk whose files hold so many blocks of 512 bytes.
pub(crate) fn small_disk_command(blocks: u32, program: impl AsRef<OsStr>) -> Command {
    let mut shell = Command::new("/bin/sh");
    // Without the trap, the signal would kill the process; a full disk only fails the write.
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), "sh"]).arg(program);
    shell
}

/// The command that runs `program` on a disk that [`fill_disk`] can make full.
pub(crate) fn filling_disk_command(program: impl AsRef<OsStr>) -> Command {
    let mut shell = Command::new("/bin/sh");
    // As on a small disk.
    shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(program);
    shell
}

/// From now on, the files of the process hold so many bytes, renamed and new ones as well; `None` gives it all the space again.
pub(crate) fn fill_disk(process: u32, bytes: Option<u64>) {
    let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
    // The soft limit alone: whoever has set it may raise it again.
    let command = ["--pid", &process.to_string(), &format!("--fsize={limit}:")].map(str::to_owned);
    assert!(Command::new("prlimit").args(command).status().unwrap().success());
}

/// Makes a FIFO. Opening one that nobody writes to never returns.
pub(crate) fn make_fifo(path: impl AsRef<Path>) {
    assert!(Command::new("mkfifo").arg(path.as_ref()).status().unwrap().success());
}
