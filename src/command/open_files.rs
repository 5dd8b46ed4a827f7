//! The limit of open files: a process may raise its soft limit to the hard one by itself, and starts with the soft one for programs
//! that use `select`.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one. A process that may not goes on with what it has.
pub(super) fn raise_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| (soft, hard)));
    match raised {
        Ok((soft, hard)) => tracing::debug!(soft, hard, "limit of open files raised"),
        Err(error) => tracing::warn!(%error, "limit of open files not raised"),
    }
}
