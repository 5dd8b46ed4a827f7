//! Small disks, and files that never end.

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

/// Makes a FIFO. Opening one that nobody writes to never returns.
pub(crate) fn make_fifo(path: impl AsRef<Path>) {
    assert!(Command::new("mkfifo").arg(path.as_ref()).status().unwrap().success());
}
