//! What a process holds, from `/proc`.

use std::fmt;
use std::fs;

use crate::support::process::Process;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) open_files: usize,
    pub(crate) threads: usize,
    /// Resident memory, in KiB.
    pub(crate) memory_kib: usize,
}

impl Usage {
    pub(crate) fn of(process: &Process) -> Self {
        let directory = format!("/proc/{}", process.id());
        let status = fs::read_to_string(format!("{directory}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let open_files = fs::read_dir(format!("{directory}/fd")).unwrap().count();
        Self { open_files, threads: number("Threads:"), memory_kib: number("VmRSS:") }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files, {} threads, {} KiB", self.open_files, self.threads, self.memory_kib)
    }
}
