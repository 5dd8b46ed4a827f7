//! Identical reads at the same time: one request to Cognito serves all that wait for it.
//!
//! A read takes the response to a request that was sent after the read began, and to no other. So it never misses a change that was made
//! before it, whoever made it: another replica, the user, or a console. A request that is in flight when a read begins is too early
//! for it; the read waits for that one to end, for a moment at most, so that the next request serves all that came meanwhile.
//!
//! Each read keeps its own place in the line of its caller, whose deadline, share and priority decide when its turn comes. The first that
//! has its turn sends, and the others leave the line.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::Operation;
use crate::error::Error;

/// How long a read waits for an identical one that is in flight, so that others can join it. Many identical reads make ten
/// requests a second, before a Cognito that takes long; a single one never waits.
const MAX_GATHERING: Duration = Duration::from_millis(100);

/// What makes reads identical: the whole request, and who signs it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ReadKey {
    pub(super) operation: Operation,
    pub(super) user_pool_id: String,
    /// The caller whose role signs the request. `None` where mfagate signs it, or an access token stands for a user.
    pub(super) signer: Option<String>,
    /// The texts of the request, such as the username or the access token.
    pub(super) texts: Vec<String>,
    pub(super) page_size: Option<i32>,
}

/// The reads that wait or are in flight, of one worker: no worker waits for another.
#[derive(Default)]
pub(super) struct SharedReads(Mutex<HashMap<ReadKey, Arc<Newest>>>);

impl fmt::Debug for SharedReads {
    /// The keys hold access tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedReads").finish_non_exhaustive()
    }
}

/// The newest request of a key.
type Newest = watch::Sender<Option<watch::Receiver<Progress>>>;

/// The response to a read, of the type of its operation.
pub(super) type Response = Arc<dyn Any + Send + Sync>;

/// What became of a request.
#[derive(Clone)]
enum Progress {
    InFlight,
    Ended(Result<Response, Error>),
}

/// A read that has begun, and was not sent.
pub(super) struct WaitingRead {
    reads: Arc<SharedReads>,
    key: ReadKey,
    newest: Arc<Newest>,
    /// Sees the requests that are sent after the read began.
    later: watch::Receiver<Option<watch::Receiver<Progress>>>,
}

/// How a read goes on.
pub(super) enum Next<T> {
    /// It has its turn.
    Send(T),
    /// A request that was sent after it began has ended so.
    Shared(Result<Response, Error>),
}

/// A read that was sent, until its outcome is known. Dropping it before leaves those that wait for it to send their own.
pub(super) struct SentRead {
    progress: watch::Sender<Progress>,
    waiting: WaitingRead,
}

impl SharedReads {
    /// Begins a read.
    pub(super) fn begin(self: &Arc<Self>, key: ReadKey) -> WaitingRead {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = Arc::clone(reads.entry(key.clone()).or_default());
        let later = newest.subscribe();
        WaitingRead { reads: Arc::clone(self), key, newest, later }
    }
}

impl WaitingRead {
    /// Waits for what comes first: the read's `turn`, or the outcome of an identical request that was sent after it began.
    pub(super) async fn next<T, F: Future<Output = T>>(&mut self, turn: impl Fn() -> F) -> Next<T> {
        let ahead = self.later.borrow().clone();
        let sent = if let Some(mut ahead) = ahead.filter(is_in_flight) {
            tokio::select! {
                biased;
                sent = self.sent() => Some(sent),
                // Its sender is dropped if nobody waits for its outcome any more.
                _ = ahead.changed() => None,
                () = tokio::time::sleep(MAX_GATHERING) => None,
            }
        } else {
            None
        };
        let mut sent = if let Some(sent) = sent {
            sent
        } else {
            tokio::select! {
                biased;
                sent = self.sent() => sent,
                turn = turn() => return Next::Send(turn),
            }
        };
        let ended = sent.wait_for(|progress| matches!(progress, Progress::Ended(_))).await.map(|ended| ended.clone());
        match ended {
            Ok(Progress::Ended(outcome)) => Next::Shared(outcome),
            // Its caller has left, or ran out of time. To wait for another of those could take forever.
            Ok(Progress::InFlight) | Err(_) => Next::Send(turn().await),
        }
    }

    /// The next request that is sent.
    async fn sent(&mut self) -> watch::Receiver<Progress> {
        loop {
            // The sender is here, so it is there.
            if self.later.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some(sent) = self.later.borrow_and_update().clone() {
                return sent;
            }
        }
    }

    /// Tells those that wait that this read is being sent.
    pub(super) fn send(self) -> SentRead {
        let (progress, sent) = watch::channel(Progress::InFlight);
        self.newest.send_replace(Some(sent));
        SentRead { progress, waiting: self }
    }
}

/// Whether a request has not ended, and somebody waits for it.
fn is_in_flight(request: &watch::Receiver<Progress>) -> bool {
    request.has_changed().is_ok() && matches!(*request.borrow(), Progress::InFlight)
}

impl Drop for WaitingRead {
    fn drop(&mut self) {
        let mut reads = self.reads.0.lock().unwrap_or_else(PoisonError::into_inner);
        // That of the map, and this one.
        if Arc::strong_count(&self.newest) <= 2 {
            reads.remove(&self.key);
        }
    }
}

impl SentRead {
    /// Gives the outcome to those that wait for it.
    pub(super) fn end<T: Clone + Send + Sync + 'static>(self, outcome: &Result<T, Error>) {
        if self.progress.receiver_count() <= 1 && Arc::strong_count(&self.waiting.newest) <= 2 {
            return;
        }
        let outcome = match outcome {
            Ok(response) => Ok(Arc::new(response.clone()) as Response),
            Err(error) => Err(error.clone()),
        };
        self.progress.send_replace(Progress::Ended(outcome));
    }
}

/// The response of a shared request, as its operation has it. `None` if it is another's, which no key allows.
pub(super) fn downcast<T: Clone + 'static>(response: &Response) -> Option<T> {
    response.downcast_ref::<T>().cloned()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::api::v1::ErrorReason;

    fn key(user: &str) -> ReadKey {
        ReadKey {
            operation: Operation::AdminGetUser,
            user_pool_id: "eu-west-1_a".to_owned(),
            signer: None,
            texts: vec![user.to_owned()],
            page_size: None,
        }
    }

    fn shared<T>(next: &Next<T>) -> Option<String> {
        match next {
            Next::Shared(Ok(response)) => downcast(response),
            Next::Shared(Err(error)) => Some(format!("{:?}", error.reason())),
            Next::Send(_) => None,
        }
    }

    #[tokio::test]
    async fn reads_that_wait_have_the_response_to_the_first_that_is_sent() {
        let reads = Arc::<SharedReads>::default();
        let first = reads.begin(key("user"));
        let mut others = [(); 3].map(|()| reads.begin(key("user")));
        let mut another = reads.begin(key("another"));
        let sent = first.send();
        let [a, b, c] = &mut others;
        let waiting = async { tokio::join!(a.next(pending::<()>), b.next(pending::<()>), c.next(pending::<()>)) };
        let ((a, b, c), ()) = tokio::join!(waiting, async { sent.end(&Ok("response".to_owned())) });
        assert_eq!([a, b, c].each_ref().map(shared), [(); 3].map(|()| Some("response".to_owned())));
        assert!(matches!(another.next(|| ready(())).await, Next::Send(())));
    }

    #[tokio::test]
    async fn a_read_that_begins_after_a_request_was_sent_has_another() {
        let reads = Arc::<SharedReads>::default();
        let early = reads.begin(key("user")).send();
        let (mut second, mut third) = (reads.begin(key("user")), reads.begin(key("user")));
        let sent = async {
            assert!(matches!(second.next(|| ready(())).await, Next::Send(())));
            second.send().end(&Ok("new".to_owned()));
        };
        let (third, (), ()) = tokio::join!(third.next(pending::<()>), sent, async { early.end(&Ok("old".to_owned())) });
        assert_eq!(shared(&third).as_deref(), Some("new"));
    }

    #[tokio::test]
    async fn a_read_does_not_wait_for_long_before_it_is_sent() {
        let reads = Arc::<SharedReads>::default();
        let _slow = reads.begin(key("user")).send();
        assert!(matches!(reads.begin(key("user")).next(|| ready(())).await, Next::Send(())));
    }

    #[tokio::test]
    async fn a_request_whose_caller_left_leaves_the_others_their_turns() {
        let reads = Arc::<SharedReads>::default();
        let (first, mut second) = (reads.begin(key("user")), reads.begin(key("user")));
        let sent = first.send();
        // The second joins the first before that leaves.
        let (next, ()) = tokio::join!(second.next(|| ready(())), async { drop(sent) });
        assert!(matches!(next, Next::Send(())));
    }

    #[tokio::test]
    async fn errors_are_shared_and_nothing_is_kept() {
        let reads = Arc::<SharedReads>::default();
        let (first, mut second) = (reads.begin(key("user")), reads.begin(key("user")));
        first.send().end(&Err::<String, _>(Error::new(ErrorReason::UserNotFound)));
        assert_eq!(shared(&second.next(pending::<()>).await).as_deref(), Some("UserNotFound"));
        drop(second);
        assert!(reads.0.lock().unwrap().is_empty());
    }
}
