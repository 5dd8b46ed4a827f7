//! The files of a set of policies, and the hash that names the set.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use crate::authz::policy::error::PolicyProblem;
use crate::authz::policy::schema;
use crate::reload::file;

/// The maximum size of a file, in bytes: far more than people write, and no more than is read in a moment.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The contents of the files, read once: what is hashed is what is parsed.
#[derive(Debug)]
pub(super) struct Sources {
    /// The directory of the policies.
    pub(super) directory: PathBuf,
    /// The `.cedar` files, by name.
    pub(super) policies: Vec<SourceFile>,
    /// The entities file, if there is one.
    pub(super) entities: Option<SourceFile>,
    /// What could not be read.
    pub(super) problems: Vec<PolicyProblem>,
}

/// A file and its text.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// The name without the directory.
    pub(super) name: String,
    /// The path.
    pub(super) path: PathBuf,
    /// The contents.
    pub(super) text: String,
}

impl Sources {
    /// Reads the `.cedar` files of `directory`, not of its subdirectories, and the entities file.
    pub(super) fn read(directory: &Path, entities: Option<&Path>) -> Self {
        let mut problems = Vec::new();
        let mut keep = |file: Result<SourceFile, PolicyProblem>| file.map_err(|problem| problems.push(problem)).ok();
        let paths = cedar_files(directory);
        let (policies, unlisted) = match paths {
            Ok(paths) => (paths.iter().filter_map(|path| keep(SourceFile::read(path))).collect(), None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let entities = entities.and_then(|path| keep(SourceFile::read(path)));
        problems.extend(unlisted);
        Self { directory: directory.to_owned(), policies, entities, problems }
    }

    /// SHA-256 in hexadecimal over the schema and the names and contents of the files: the same files give the same hash,
    /// wherever they are. Every part goes in with its length, so that no two sets are hashed alike.
    pub(super) fn hash(&self) -> String {
        let mut digest = Context::new(&SHA256);
        let mut part = |text: &str| {
            digest.update(&(text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        };
        part(schema::TEXT);
        for file in &self.policies {
            part("policies");
            part(&file.name);
            part(&file.text);
        }
        if let Some(file) = &self.entities {
            part("entities");
            part(&file.text);
        }
        for problem in &self.problems {
            part("problem");
            part(&problem.to_string());
        }
        HEXLOWER.encode(digest.finish().as_ref())
    }
}

fn cedar_files(directory: &Path) -> Result<Vec<PathBuf>, PolicyProblem> {
    let failed = |error: io::Error| PolicyProblem::at(directory, None, format!("cannot be read: {error}"));
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "cedar") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn text(path: &Path) -> io::Result<String> {
    let refused = |problem| Err(io::Error::other(problem));
    let Some(file) = file::open(path)? else { return refused("it is not a regular file") };
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES { refused("it is larger than 4 MiB") } else { Ok(text) }
}

impl SourceFile {
    fn read(path: &Path) -> Result<Self, PolicyProblem> {
        let failed = |error: io::Error| PolicyProblem::at(path, None, format!("cannot be read: {error}"));
        let text = text(path).map_err(failed)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, path: path.to_owned(), text })
    }

    /// The line that holds the byte at `offset`, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }
}
