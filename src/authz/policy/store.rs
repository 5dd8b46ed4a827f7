//! The active policies, replaced when their files change.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio_stream::{Stream, StreamExt as _};

use crate::authz::policy::error::{LoadError, PolicyProblem};
use crate::authz::policy::policies::Policies;
use crate::authz::policy::source::Sources;
use crate::reload::{Digest, Rejected, Reload, ReloadGuard, Reloadable};

/// How long the files must stay the same before a reload that is asked for loads them: whoever asks may still be copying.
const QUIET: Duration = Duration::from_millis(500);

/// How often to look for that. The watch loads what is quiet later.
const MAX_LOOKS: usize = 20;

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
    /// until the files have stayed the same for a moment.
    pub fn reload(&self) -> Result<Reload, LoadError> {
        let mut guard = self.policies.begin_reload();
        let mut sources = self.read();
        let mut is_quiet = guard.has_seen(digest(&sources));
        for _ in 0..MAX_LOOKS {
            if is_quiet {
                return load(&mut guard, &sources);
            }
            thread::sleep(QUIET);
            let next = self.read();
            is_quiet = digest(&next) == digest(&sources);
            sources = next;
        }
        let problem = PolicyProblem::at(&self.directory, None, "keeps changing, so it is not loaded yet");
        let Rejected { error, .. } = guard.reject(None, LoadError::from(problem));
        log_rejected(&guard, error)
    }

    /// Looks whether the files have changed, and reloads those that have and then stayed the same for one look more. A set that
    /// was rejected is not tried again until it changes.
    pub fn poll(&self) {
        let mut guard = self.policies.begin_reload();
        let sources = self.read();
        if guard.has_settled(digest(&sources)) {
            // The problems are logged, and nobody is waiting for them.
            let _: Result<Reload, LoadError> = load(&mut guard, &sources);
        } else if let Some(problems) = guard.reminder() {
            let policy_set_hash = Arc::clone(guard.current().hash());
            for problem in problems.lines() {
                tracing::error!(%problem, %policy_set_hash, "policies still rejected, a restart would fail");
            }
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
    let before = guard.current();
    match guard.replace(digest(sources), || Policies::from_sources(sources)) {
        Ok(reload) => {
            let policies = guard.current();
            let policy_set_hash = policies.hash();
            match reload {
                Reload::Unchanged => {}
                Reload::Recovered => tracing::info!(%policy_set_hash, "policies valid again"),
                Reload::Replaced => {
                    for policy_id in before.forbids_missing_in(&policies) {
                        tracing::warn!(policy_id, %policy_set_hash, "forbid removed by a reload");
                    }
                    tracing::info!(%policy_set_hash, policies = policies.count(), "policies replaced");
                }
            }
            Ok(reload)
        }
        Err(Rejected { error, .. }) => log_rejected(guard, error),
    }
}

fn log_rejected(guard: &ReloadGuard<'_, Policies>, error: LoadError) -> Result<Reload, LoadError> {
    let policies = guard.current();
    for problem in error.problems() {
        tracing::error!(%problem, policy_set_hash = %policies.hash(), "new policies rejected, the old ones stay active");
    }
    Err(error)
}
