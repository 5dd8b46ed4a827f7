//! The workers: a thread and a current-thread runtime each, which serve the connections that they are handed.
//!
//! A call and its requests to Cognito stay on one thread: waking a task costs no system call, and no lock is contended. What
//! workers share is read-only, or atomic.

use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::server::connection::tls::TlsAcceptor;
use crate::server::connection::{Accepted, HandshakeLimits, Load, secured};
use crate::server::error::ServeError;
use crate::server::share::Share;

/// The stack of a worker, in bytes. Policies are evaluated on it; loading refuses those that need more.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// The maximum number of connections that wait for one worker. Others wait in the backlog of the listener.
const MAX_HANDED: usize = 64;

/// How a worker makes accepted connections ready to be served.
#[derive(Clone, Debug)]
pub(super) struct Handshakes {
    pub(super) tls: Option<Arc<TlsAcceptor>>,
    pub(super) preface_timeout: Duration,
    pub(super) limits: HandshakeLimits,
}

/// The workers. Dropping it ends them, and with them the calls that they still serve.
#[derive(Debug)]
pub(super) struct Workers {
    all: Vec<Worker>,
    /// What serving ended with, for each worker.
    served: JoinSet<Result<(), ServeError>>,
    end: DropGuard,
}

/// One worker, as seen from outside its thread.
#[derive(Debug)]
struct Worker {
    connections: mpsc::Sender<Accepted>,
    load: Load,
    /// Closed when the thread has dropped everything.
    gone: oneshot::Receiver<()>,
}

impl Workers {
    /// Starts a worker for each share. On `stop`, each ends its connections gracefully.
    pub(super) fn start(
        shares: Vec<Share>,
        handshakes: &Handshakes,
        stop: &CancellationToken,
    ) -> Result<Self, ServeError> {
        let end = CancellationToken::new();
        let mut started = Self { all: Vec::new(), served: JoinSet::new(), end: end.clone().drop_guard() };
        for (number, share) in shares.into_iter().enumerate() {
            let runtime = Builder::new_current_thread().enable_all().build().map_err(ServeError::Worker)?;
            let (connections, handed) = mpsc::channel(MAX_HANDED);
            let (serving, served) = oneshot::channel();
            let (exists, gone) = oneshot::channel();
            let (handshakes, stop, end) = (handshakes.clone(), stop.clone(), end.clone());
            let work = move || {
                run(&runtime, share, handed, handshakes, &stop, &end, serving);
                // What is left are calls and changes beyond the drain timeout, and lookups of names that block.
                runtime.shutdown_background();
                drop(exists);
            };
            let thread = thread::Builder::new().name(format!("worker-{number}")).stack_size(STACK_BYTES);
            thread.spawn(work).map_err(ServeError::Worker)?;
            started.served.spawn(async move { served.await.map_err(|_| ServeError::WorkerLost) });
            started.all.push(Worker { connections, load: Load::default(), gone });
        }
        Ok(started)
    }

    /// Hands connections to the workers until `stop`, then waits until each has served those that it has.
    pub(super) async fn serve(
        &mut self,
        connections: impl Stream<Item = Accepted>,
        stop: &CancellationToken,
    ) -> Result<(), ServeError> {
        let workers = &self.all;
        // Ends with `connections` dropped, and so with the listener closed.
        let mut handing_over = pin!(async move {
            tokio::select! {
                () = hand_over(workers, connections) => {}
                () = stop.cancelled() => {}
            }
        });
        let mut accepts = true;
        loop {
            tokio::select! {
                () = &mut handing_over, if accepts => accepts = false,
                ended = self.served.join_next() => match ended {
                    Some(ended) => ended.unwrap_or(Err(ServeError::WorkerLost))?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// Ends what the workers still do, and waits until their threads have ended.
    pub(super) async fn end(self) {
        let Self { all, served: _, end } = self;
        drop(end);
        for worker in all {
            // Nothing is sent: the other end is dropped.
            let _: Result<(), _> = worker.gone.await;
        }
    }
}

/// Hands each connection to the worker that has the fewest: connections of gRPC clients live long, so turns would leave some
/// workers with more of those that stay.
async fn hand_over(workers: &[Worker], connections: impl Stream<Item = Accepted>) {
    let mut connections = pin!(connections);
    while let Some(accepted) = connections.next().await {
        let Some(worker) = workers.iter().min_by_key(|worker| worker.load.connections()) else { return };
        // It fails only if the worker has ended, which ends the service.
        let _: Result<(), _> = worker.connections.send(accepted.on_worker(&worker.load)).await;
    }
}

/// Serves what is handed over, reports how that ended, and goes on until `end`: changes outlive their calls.
fn run(
    runtime: &Runtime,
    share: Share,
    handed: mpsc::Receiver<Accepted>,
    handshakes: Handshakes,
    stop: &CancellationToken,
    end: &CancellationToken,
    serving: oneshot::Sender<()>,
) {
    let Handshakes { tls, preface_timeout, limits } = handshakes;
    runtime.block_on(async {
        let incoming = secured(tls, ReceiverStream::new(handed), preface_timeout, limits);
        tokio::select! {
            // Nobody is told any more if the service has ended.
            () = share.serve(incoming, stop.cancelled()) => drop(serving.send(())),
            () = end.cancelled() => {}
        }
        end.cancelled().await;
    });
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};
    use tokio_stream::wrappers::TcpListenerStream;

    use super::*;
    use crate::server::connection::{ConnectionSlots, accepted};

    /// A worker that only takes what it is handed.
    fn worker() -> (Worker, mpsc::Receiver<Accepted>) {
        let (connections, handed) = mpsc::channel(MAX_HANDED);
        let (_, gone) = oneshot::channel();
        (Worker { connections, load: Load::default(), gone }, handed)
    }

    #[tokio::test]
    async fn a_connection_goes_to_the_worker_that_has_the_fewest() {
        const CONNECTIONS: usize = 8;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections =
            Box::pin(accepted(TcpListenerStream::new(listener), ConnectionSlots::new(2 * CONNECTIONS)));
        let ((first, mut of_first), (second, mut of_second)) = (worker(), worker());
        let workers = [first, second];
        let loads = || [&workers[0], &workers[1]].map(|worker| worker.load.connections());

        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        hand_over(&workers, (&mut connections).take(CONNECTIONS)).await;
        assert_eq!(loads(), [4, 4]);

        // Three of the second worker's end, so the next three are its.
        for _ in 0..3 {
            drop(of_second.recv().await.unwrap());
        }
        assert_eq!(loads(), [4, 1]);
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        hand_over(&workers, (&mut connections).take(3)).await;
        assert_eq!(loads(), [4, 4]);
        drop(of_first.recv().await.unwrap());
        assert_eq!(loads(), [3, 4]);
    }
}
