//! This file holds the policies that are in force and replaces them when their files change.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio_stream::{Stream, StreamExt as _};

use crate::authz::policy::error::LoadError;
use crate::authz::policy::policies::Policies;
use crate::authz::policy::source::Sources;

/// The policies in force. They are replaced whole or not at all.
#[derive(Debug)]
pub struct PolicyStore {
    directory: PathBuf,
    entities: Option<PathBuf>,
    current: ArcSwap<Policies>,
    /// Held while policies are replaced, so that an older set cannot overtake a newer one.
    seen: Mutex<Seen>,
}

/// What is known of the files, as hashes of their contents.
#[derive(Debug)]
struct Seen {
    /// What was last loaded or refused.
    acted_on: String,
    /// What a poll found to be new; it is acted on when the next poll finds the same, since several files may be changing.
    changed_to: Option<String>,
}

/// What a reload did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The files are those in force.
    Unchanged,
    /// Other policies are in force now.
    Replaced,
}

impl PolicyStore {
    /// Loads the policies for the first time.
    pub fn open(directory: PathBuf, entities: Option<PathBuf>) -> Result<Self, LoadError> {
        let sources = Sources::read(&directory, entities.as_deref());
        let policies = Policies::from_sources(&sources)?;
        tracing::info!(policy_set_hash = %policies.hash(), policies = policies.count(), "policies loaded");
        let seen = Mutex::new(Seen { acted_on: policies.hash().to_string(), changed_to: None });
        Ok(Self { directory, entities, current: ArcSwap::from_pointee(policies), seen })
    }

    /// The policies in force. Take them anew for each decision.
    pub fn current(&self) -> Arc<Policies> {
        self.current.load_full()
    }

    /// Reads the files and puts their policies in force, or keeps those that are if there is any fault. Both are logged.
    /// It blocks for as long as the files take to read.
    pub fn reload(&self) -> Result<Reload, LoadError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.act_on(&mut seen, &Sources::read(&self.directory, self.entities.as_deref()))
    }

    /// Looks whether the files have changed, and reloads those that have and then stayed the same for one look more. A
    /// set that was refused is not tried again until it changes.
    pub fn poll(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let sources = Sources::read(&self.directory, self.entities.as_deref());
        let hash = sources.hash();
        if hash == seen.acted_on {
            seen.changed_to = None;
        } else if seen.changed_to.as_ref() == Some(&hash) {
            // The fault is logged, and nobody is waiting for it.
            let _: Result<Reload, LoadError> = self.act_on(&mut seen, &sources);
        } else {
            seen.changed_to = Some(hash);
        }
    }

    /// Polls at every tick until there are no more.
    pub async fn watch(self: Arc<Self>, ticks: impl Stream<Item = ()>) {
        tokio::pin!(ticks);
        while ticks.next().await.is_some() {
            let store = Arc::clone(&self);
            if let Err(error) = tokio::task::spawn_blocking(move || store.poll()).await {
                tracing::error!(%error, "the policies could not be polled");
            }
        }
    }

    fn act_on(&self, seen: &mut Seen, sources: &Sources) -> Result<Reload, LoadError> {
        *seen = Seen { acted_on: sources.hash(), changed_to: None };
        if **self.current.load().hash() == *seen.acted_on {
            return Ok(Reload::Unchanged);
        }
        match Policies::from_sources(sources) {
            Ok(policies) => {
                let policies = Arc::new(policies);
                self.current.store(Arc::clone(&policies));
                tracing::info!(policy_set_hash = %policies.hash(), policies = policies.count(), "policies replaced");
                Ok(Reload::Replaced)
            }
            Err(error) => {
                let kept = self.current.load();
                for fault in error.faults() {
                    tracing::error!(%fault, policy_set_hash = %kept.hash(), "new policies refused, the old ones stay in force");
                }
                Err(error)
            }
        }
    }
}
