//! The machine and the versions of what runs on it.

use std::fs;
use std::thread::available_parallelism;

use serde::Serialize;

use crate::go::GO_MOD;

/// The pinned compiler and the locked crates of this build.
const TOOLCHAIN: &str = include_str!("../../rust-toolchain.toml");
const LOCK: &str = include_str!("../../Cargo.lock");

/// The crates that matter most here.
const CRATES: [&str; 11] = [
    "tonic",
    "hyper",
    "h2",
    "tokio",
    "rustls",
    "aws-lc-rs",
    "aws-config",
    "aws-sdk-cognitoidentityprovider",
    "aws-smithy-runtime",
    "cedar-policy",
    "jsonwebtoken",
];

/// The machine.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// The average load of the last minute before the run, which includes other programs.
    pub(crate) load_average: String,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let model = read("/proc/cpuinfo");
        let model = model.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
        Self {
            cpu: model.map_or("unknown", |(_, model)| model).trim().to_owned(),
            cores: available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_average: read("/proc/loadavg").split_whitespace().next().unwrap_or_default().to_owned(),
        }
    }
}

/// Names and versions.
pub(crate) type Versions = Vec<(String, String)>;

/// The compiler and crates of this build, and Go and its modules, if there is Go.
pub(crate) fn versions(go: Option<&str>) -> Versions {
    let mut versions = vec![("rustc".to_owned(), toolchain())];
    versions.extend(CRATES.iter().filter_map(|name| Some(((*name).to_owned(), locked(name)?))));
    if let Some(go) = go {
        versions.push(("go".to_owned(), go.to_owned()));
        versions.extend(modules());
    }
    versions
}

fn toolchain() -> String {
    let channel = TOOLCHAIN.lines().find_map(|line| line.strip_prefix("channel = "));
    channel.unwrap_or_default().trim_matches('"').to_owned()
}

fn locked(name: &str) -> Option<String> {
    let (_, after) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    after.split('"').next().map(str::to_owned)
}

/// The modules that the façade names itself.
fn modules() -> impl Iterator<Item = (String, String)> {
    let lines = GO_MOD.lines().filter(|line| line.starts_with('\t') && !line.ends_with("// indirect"));
    lines.filter_map(|line| line.trim().split_once(' ')).map(|(name, version)| (name.to_owned(), version.to_owned()))
}
