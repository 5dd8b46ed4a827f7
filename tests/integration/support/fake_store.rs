//! A store of quotas that speaks as much of Redis' protocol as mfagate needs, grants whatever is asked for, and fails on demand.
//!
//! What a real one does is in `conformance/`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::support::loopback::{listen, url_of};

/// How the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreState {
    /// It responds.
    Up,
    /// It accepts, reads, and does not respond.
    Silent,
    /// It ends every connection at once.
    Down,
}

/// The store. It ends with the test.
#[derive(Clone, Debug)]
pub(crate) struct FakeStore {
    pub(crate) url: String,
    state: watch::Sender<StoreState>,
    granted: Arc<AtomicUsize>,
}

impl FakeStore {
    pub(crate) async fn start() -> Self {
        let listener = listen().await;
        let url = url_of(&listener).replace("http://", "redis://");
        let store = Self { url, state: watch::Sender::new(StoreState::Up), granted: Arc::default() };
        let this = store.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (this, mut state) = (this.clone(), this.state.subscribe());
                tokio::spawn(async move {
                    // The client may go at any time.
                    tokio::select! {
                        _ = state.wait_for(|state| *state == StoreState::Down) => {}
                        _ = this.connection(stream) => {}
                    }
                });
            }
        });
        store
    }

    pub(crate) fn set(&self, state: StoreState) {
        self.state.send_replace(state);
    }

    /// How often tokens were granted.
    pub(crate) fn granted(&self) -> usize {
        self.granted.load(Ordering::SeqCst)
    }

    async fn connection(&self, stream: TcpStream) -> io::Result<()> {
        let (mut stream, mut state) = (BufReader::new(stream), self.state.subscribe());
        loop {
            let words = read_command(&mut stream).await?;
            // A process that is paused responds when it goes on.
            let _: Result<_, _> = state.wait_for(|state| *state != StoreState::Silent).await;
            let response = if words[0].eq_ignore_ascii_case("EVALSHA") {
                self.granted.fetch_add(1, Ordering::SeqCst);
                // As many as wanted, the first of them now.
                format!("*2\r\n:{}\r\n$1\r\n0\r\n", words[7])
            } else {
                "+OK\r\n".to_owned()
            };
            stream.write_all(response.as_bytes()).await?;
        }
    }
}

/// Reads a command: an array of texts, each with its length.
async fn read_command(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..read_number(stream).await? {
        let mut word = vec![0; read_number(stream).await? + 2];
        stream.read_exact(&mut word).await?;
        words.push(String::from_utf8_lossy(&word).trim_end().to_owned());
    }
    Ok(words)
}

/// Reads a line: a letter and a number.
async fn read_number(stream: &mut BufReader<TcpStream>) -> io::Result<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let number = line.get(1..).and_then(|number| number.trim_end().parse().ok());
    number.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
