//! What the requests share: state, signing key, faults, recorded requests, data file.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::{OnceCell, watch};

use crate::demo;
use crate::fault::Faults;
use crate::issuer::Issuers;
use crate::protocol::Failure;
use crate::signer::Signer;
use crate::state::State;
use crate::store::{self, Contents};

/// Requests kept for `/_embedded/requests`; older ones are dropped.
const MAX_RECORDED_REQUESTS: usize = 512;

/// The emulator behind its listener.
#[derive(Debug)]
pub(crate) struct Backend {
    state: Mutex<State>,
    signer: OnceCell<Arc<Signer>>,
    faults: Mutex<Faults>,
    requests: Mutex<VecDeque<Value>>,
    issuers: Issuers,
    demo: bool,
    data: Option<PathBuf>,
    /// Held while the data file is written, so that an older state never overwrites a newer one.
    writing: tokio::sync::Mutex<()>,
    closing: watch::Receiver<bool>,
}

/// How an emulator starts.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) data: Option<PathBuf>,
    pub(crate) demo: bool,
    pub(crate) issuers: Issuers,
}

fn started(mut state: State, demo: bool, issuers: &Issuers) -> Result<State, Failure> {
    state.issuers = issuers.clone();
    if demo {
        demo::seed(&mut state)?;
    }
    Ok(state)
}

/// Ignores poisoning: after a panic, other requests continue with the state as it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend {
    /// Shares a restored state, or a fresh one.
    pub(crate) fn new(
        restored: Option<State>,
        signer: Option<Signer>,
        start: Start,
        closing: watch::Receiver<bool>,
    ) -> Result<Self, Failure> {
        let Start { data, demo, issuers } = start;
        let state = started(restored.unwrap_or_default(), demo, &issuers)?;
        Ok(Self {
            state: Mutex::new(state),
            signer: OnceCell::new_with(signer.map(Arc::new)),
            faults: Mutex::default(),
            requests: Mutex::default(),
            issuers,
            demo,
            data,
            writing: tokio::sync::Mutex::default(),
            closing,
        })
    }

    /// The state of a first start.
    pub(crate) fn fresh_state(&self) -> Result<State, Failure> {
        started(State::default(), self.demo, &self.issuers)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, VecDeque<Value>> {
        lock(&self.requests)
    }

    /// The signing key, generated on first use unless the data file has one.
    pub(crate) async fn signer(&self) -> Result<Arc<Signer>, Failure> {
        self.signer.get_or_try_init(Signer::shared).await.cloned()
    }

    /// Writes the data file, if there is one.
    pub(crate) async fn save(&self) -> Result<(), Failure> {
        let Some(path) = self.data.clone() else {
            return Ok(());
        };
        let failed = |error: &dyn fmt::Display| Failure::internal(&format!("the data file cannot be written: {error}"));
        let key = Some(self.signer().await?.store()?);
        let _writing = self.writing.lock().await;
        let contents = serde_json::to_vec(&Contents { state: &*self.state(), key }).map_err(|error| failed(&error))?;
        tokio::task::spawn_blocking(move || store::write(&path, &contents))
            .await
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))
    }

    /// Resolves when the emulator shuts down.
    pub(crate) async fn closing(&self) {
        // An error means that the handle was dropped, which is a shutdown as well.
        drop(self.closing.clone().wait_for(|closing| *closing).await);
    }

    /// Keeps a request for `/_embedded/requests`.
    pub(crate) fn record(&self, headers: &HeaderMap, operation: Option<&str>, id: &str, body: &Value) {
        let headers: Value = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), Value::from(String::from_utf8_lossy(value.as_bytes()))))
            .collect();
        let mut requests = self.requests();
        requests.push_back(json!({
            "Operation": operation,
            "RequestId": id,
            "Headers": headers,
            "Body": body,
        }));
        while requests.len() > MAX_RECORDED_REQUESTS {
            requests.pop_front();
        }
    }
}
