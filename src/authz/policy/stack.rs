//! Work on a stack of a chosen size: how deep Cedar may recurse must not depend on the thread that asks.

use std::thread;

use crate::authz::policy::error::PolicyProblem;

/// Does the work on a thread with a stack of so many bytes.
pub(super) fn with_stack<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> Result<T, PolicyProblem> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("policies".to_owned()).stack_size(bytes).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| PolicyProblem::built_in(format!("no thread to load policies: {error}")))?;
        thread.join().map_err(|_| PolicyProblem::built_in("loading the policies panicked"))
    })
}
