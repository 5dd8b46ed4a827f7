//! The active policies, replaced when their files change.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_stream::{Stream, StreamExt as _};

use crate::authz::policy::error::LoadError;
use crate::authz::policy::policies::Policies;
use crate::authz::policy::source::Sources;
use crate::reload::{Digest, Rejected, Reload, ReloadGuard, Reloadable};

/// The active policies. They are replaced whole or not at all.
#[derive(Debug)]
pub struct PolicyStore {
    directory: PathBuf,
    entities: Option<PathBuf>,
    policies: Reloadable<Policies>,
}

impl PolicyStore {
    /// Loads the policies for the first time.
    pub fn open(directory: PathBuf, entities: Option<PathBuf>) -> Result<Self, LoadError> {
        let sources = Sources::read(&directory, entities.as_deref());
        let policies = Policies::from_sources(&sources)?;
        tracing::info!(policy_set_hash = %policies.hash(), policies = policies.count(), "policies loaded");
        let digest = Digest::of(policies.hash().as_bytes());
        Ok(Self { directory, entities, policies: Reloadable::new(policies, Some(digest)) })
    }

    /// The active policies. Take them again for each decision.
    pub fn current(&self) -> Arc<Policies> {
        self.policies.current()
    }

    /// Reads the files and activates their policies, or keeps the active ones if there is any problem. Both are logged. Blocks
    /// for as long as the files take to read.
    pub fn reload(&self) -> Result<Reload, LoadError> {
        let mut guard = self.policies.begin_reload();
        let sources = self.read();
        load(&mut guard, &sources)
    }

    /// Looks whether the files have changed, and reloads those that have and then stayed the same for one look more. A set that
    /// was rejected is not tried again until it changes.
    pub fn poll(&self) {
        let mut guard = self.policies.begin_reload();
        let sources = self.read();
        if guard.has_settled(digest(&sources)) {
            // The problems are logged, and nobody is waiting for them.
            let _: Result<Reload, LoadError> = load(&mut guard, &sources);
        }
    }

    /// Polls at every tick until there are no more.
    pub async fn watch(self: Arc<Self>, ticks: impl Stream<Item = ()>) {
        tokio::pin!(ticks);
        while ticks.next().await.is_some() {
            let store = Arc::clone(&self);
            if let Err(error) = tokio::task::spawn_blocking(move || store.poll()).await {
                tracing::error!(policies = %self.directory.display(), %error, "poll of the policies aborted");
            }
        }
    }

    fn read(&self) -> Sources {
        Sources::read(&self.directory, self.entities.as_deref())
    }
}

fn digest(sources: &Sources) -> Digest {
    Digest::of(sources.hash().as_bytes())
}

fn load(guard: &mut ReloadGuard<'_, Policies>, sources: &Sources) -> Result<Reload, LoadError> {
    let outcome = guard.replace(digest(sources), || Policies::from_sources(sources));
    let policies = guard.current();
    let policy_set_hash = policies.hash();
    match outcome {
        Ok(reload) => {
            match reload {
                Reload::Unchanged => {}
                Reload::Recovered => tracing::info!(%policy_set_hash, "policies valid again"),
                Reload::Replaced => {
                    tracing::info!(%policy_set_hash, policies = policies.count(), "policies replaced");
                }
            }
            Ok(reload)
        }
        Err(Rejected { error, .. }) => {
            for problem in error.problems() {
                tracing::error!(%problem, %policy_set_hash, "new policies rejected, the old ones stay active");
            }
            Err(error)
        }
    }
}
