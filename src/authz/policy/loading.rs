//! Loads a set of policies: parsed, validated and probed on stacks of fixed sizes, wherever that is done.

use std::path::Path;

use crate::authz::policy::error::LoadError;
use crate::authz::policy::policies::Policies;
use crate::authz::policy::probe;
use crate::authz::policy::source::Sources;
use crate::authz::policy::stack;

/// The stack on which a set is parsed and validated, wherever it is loaded: what `check` accepts, a reload can load. Only what is
/// used of it takes memory.
const LOAD_STACK_BYTES: usize = 16 * 1024 * 1024;

impl Policies {
    /// Loads the `.cedar` files of a directory and, if given, the entities file, or finds every problem in them.
    pub fn load(directory: &Path, entities: Option<&Path>) -> Result<Self, LoadError> {
        Self::from_sources(&Sources::read(directory, entities))
    }

    pub(super) fn from_sources(sources: &Sources) -> Result<Self, LoadError> {
        stack::with_stack(LOAD_STACK_BYTES, || {
            let policies = Self::build(sources)?;
            LoadError::check(probe::probe(&policies))?;
            Ok(policies)
        })?
    }
}
