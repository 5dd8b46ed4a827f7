//! The mutations in flight: each runs to its end, or is abandoned when the process ends, and has a record either way.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

/// How long the records of abandoned mutations may take: an audit log that hangs must not keep the process from ending.
const RECORD_GRACE: Duration = Duration::from_secs(1);

/// The mutations in flight. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Mutations {
    tasks: TaskTracker,
    abandoned: CancellationToken,
}

impl Mutations {
    /// The same mutations for another runtime, whose mutations wait for nothing that another runtime locks.
    pub(super) fn for_worker(&self) -> Self {
        Self { tasks: self.tasks.clone(), abandoned: self.abandoned.child_token() }
    }

    /// Starts a mutation.
    pub(super) fn spawn<T: Send + 'static>(&self, mutation: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.tasks.spawn(mutation)
    }

    /// Done when mutations in flight are to end without a response.
    pub(super) fn abandoned(&self) -> WaitForCancellationFutureOwned {
        self.abandoned.clone().cancelled_owned()
    }

    /// The number of mutations that were sent to Cognito and have not ended.
    pub fn in_flight(&self) -> usize {
        self.tasks.len()
    }

    /// Waits until every mutation has ended, whether or not its caller is still there. No other may begin.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends every mutation as one whose outcome is not known, and waits for their records. Needs the runtimes that they run on.
    pub async fn abandon(&self) {
        self.abandoned.cancel();
        if tokio::time::timeout(RECORD_GRACE, self.drain()).await.is_err() {
            tracing::error!(mutations = self.in_flight(), "mutations end without a record, the audit log is too slow");
        }
    }
}
