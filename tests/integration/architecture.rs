//! The dependencies between modules: a module imports only modules above it, files of a module form no circle, and what only
//! one module may name is named nowhere else. ARCHITECTURE.md says why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

/// The modules of `src/` in the order of their dependencies. Some are still to come.
const MODULES: &[&str] = &[
    "api",
    "telemetry",
    "reload",
    "domain",
    "error",
    "request",
    "mfa",
    "audit",
    "quota",
    "admission",
    "authn",
    "authz",
    "cognito",
    "service",
    "server",
    "admin",
    "client",
    "config",
    "command",
];

/// What only some files may name: a pattern, the paths that may, and the reason.
const RESERVED: &[(&str, &[&str], &str)] = &[
    (
        r"\baws_(sdk_\w+|config|smithy_\w+|types|credential_types)\b",
        &["cognito/"],
        "the AWS SDK belongs to cognito/: return a type of ours from there",
    ),
    (
        r#""[A-Za-z]+(Exception|Throttling|Failure)""#,
        &["cognito/"],
        "Cognito's error codes belong to cognito/classify: match on the reason of the error instead",
    ),
    (r"\bcedar_policy\b", &["authz/policy/"], "Cedar belongs to authz/policy: ask it through Policies"),
    (
        r"\bStatus::[a-z]\w*\s*\(",
        &["error/status.rs"],
        "only error/status builds a Status that callers see: return an Error, or error::rejection from a layer",
    ),
    (r"\benv::(var|vars|args)", &["main.rs"], "only main.rs reads the environment: make it an option in config/"),
    (
        r"\b(tonic|tokio|axum|hyper|tower|rustls|std::fs|std::env)::",
        &["!domain/"],
        "domain/ is nouns: no I/O, no framework. Move the code to the module that does the I/O",
    ),
];

/// The source files below `src/` by their path there, without their tests.
fn sources() -> BTreeMap<String, String> {
    fn collect(root: &Path, directory: &Path, sources: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, sources);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                sources.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = BTreeMap::new();
    collect(&root, &root, &mut sources);
    sources
}

/// The code of a file: without its test module and its comments.
fn code(source: &str) -> String {
    let source = source.split("\n#[cfg(test)]\nmod ").next().unwrap();
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every path that starts with `crate::`, one for each name of a braced import.
fn crate_paths(code: &str) -> Vec<String> {
    fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
        let (mut depth, mut start) = (0, 0);
        let mut parts = Vec::new();
        for (position, character) in tree.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(&tree[start..position]);
                    start = position + 1;
                }
                _ => {}
            }
        }
        parts.push(&tree[start..]);
        for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('{') {
                Some((head, rest)) => expand(&format!("{prefix}{head}"), rest.strip_suffix('}').unwrap_or(rest), paths),
                None => {
                    paths.push(format!("{prefix}{}", part.split(" as ").next().unwrap().trim_end_matches("::self")));
                }
            }
        }
    }
    let import = Regex::new(r"(?s)\buse crate::([^;]+);").unwrap();
    let inline = Regex::new(r"\bcrate((?:::\w+)+)").unwrap();
    let mut paths = Vec::new();
    for found in import.captures_iter(code) {
        expand("", &found[1], &mut paths);
    }
    let rest = import.replace_all(code, "");
    paths.extend(inline.captures_iter(&rest).map(|found| found[1].trim_start_matches("::").to_owned()));
    paths
}

/// The module of a file below `src/`; `main.rs` and `lib.rs` are in none.
fn module_of(file: &str) -> Option<&str> {
    let module = file.split('/').next()?.trim_end_matches(".rs");
    (module != "main" && module != "lib").then_some(module)
}

/// The file of `src/` that a module path leads to: the longest part of it that is a file.
fn file_of(path: &str, sources: &BTreeMap<String, String>) -> Option<String> {
    let segments: Vec<&str> = path.split("::").collect();
    (1..=segments.len()).rev().find_map(|length| {
        let module = segments[..length].join("/");
        [format!("{module}.rs"), format!("{module}/mod.rs")].into_iter().find(|file| sources.contains_key(file))
    })
}

/// The file that a `mod.rs` re-exports a name from.
fn reexported(module: &str, name: &str) -> Option<String> {
    let export = Regex::new(r"(?s)\bpub(?:\([^)]*\))? use ([a-z]\w*)::([^;]+);").unwrap();
    let names = Regex::new(r"\w+").unwrap();
    let exports =
        export.captures_iter(module).find(|found| names.find_iter(&found[2]).any(|found| found.as_str() == name));
    exports.map(|found| found[1].to_owned())
}

/// Everything that runs against the direction of the house.
fn violations(sources: &BTreeMap<String, String>) -> Vec<String> {
    let declaration = Regex::new(r"(?m)^(?:pub )?mod (\w+);").unwrap();
    let imports = Regex::new(r"(?s)\b(?:pub(?:\([^)]*\))? use|use crate::)[^;]+;").unwrap();
    let relative = Regex::new(r"\bsuper::").unwrap();
    let mut violations = Vec::new();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, source) in sources {
        let code = code(source);
        if let Some(module) = module_of(file) {
            let Some(level) = MODULES.iter().position(|known| *known == module) else {
                violations.push(format!(
                    "{file}: the module {module}/ is not in MODULES: add it where its dependencies allow"
                ));
                continue;
            };
            for path in crate_paths(&code) {
                let other = path.split("::").next().unwrap();
                match MODULES.iter().position(|known| *known == other) {
                    None => violations.push(format!("{file}: crate::{path} is in no module of MODULES")),
                    Some(target) if target > level => violations.push(format!(
                        "{file}: {module}/ must not import crate::{path}: {other}/ is below it. Move what both need to a module \
                         above {module}/, or pass it in"
                    )),
                    Some(target) if target == level => {
                        let Some(to) = file_of(&path, sources) else { continue };
                        let name = path.rsplit("::").next().unwrap();
                        let folder = to.strip_suffix("mod.rs");
                        let from = folder.and_then(|folder| Some((folder, reexported(&sources[&to], name)?)));
                        let to = if let Some((folder, from)) = from {
                            if file.starts_with(folder) {
                                violations.push(format!("{file}: inside a folder name the file: {name} is in {from}.rs"));
                            }
                            file_of(&format!("{folder}{from}").replace('/', "::"), sources).unwrap_or(to)
                        } else {
                            to
                        };
                        arrows.entry(file.clone()).or_default().insert(to);
                    }
                    Some(_) => {}
                }
            }
            // A `mod.rs` also depends on the modules that its own code names.
            for child in declaration.captures_iter(&code) {
                let own = imports.replace_all(&code, "");
                if own.contains(&format!("{}::", &child[1])) {
                    let module = file.trim_end_matches("/mod.rs").replace('/', "::");
                    arrows
                        .entry(file.clone())
                        .or_default()
                        .extend(file_of(&format!("{module}::{}", &child[1]), sources));
                }
            }
            if relative.is_match(&code) {
                violations.push(format!("{file}: write crate:: paths, not super::"));
            }
        }
        for (pattern, allowed, reason) in RESERVED {
            let may = match allowed {
                [forbidden] if forbidden.starts_with('!') => !file.starts_with(&forbidden[1..]),
                allowed => allowed.iter().any(|path| file.starts_with(path)),
            };
            if let Some(found) = Regex::new(pattern).unwrap().find(&code).filter(|_| !may) {
                violations.push(format!("{file}: {}: {reason}", found.as_str()));
            }
        }
    }
    violations.extend(circles(&arrows));
    violations
}

/// The circles of files, each named once.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    fn reach(from: &str, arrows: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            for next in arrows.get(file).into_iter().flatten() {
                if next != file && reached.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        reached
    }
    let reached: BTreeMap<&String, _> = arrows.keys().map(|file| (file, reach(file, arrows))).collect();
    let mut found = BTreeSet::new();
    for (file, files) in &reached {
        let circle: BTreeSet<&String> =
            files.iter().filter(|other| reached.get(other).is_some_and(|back| back.contains(*file))).collect();
        if !circle.is_empty() {
            found.insert(circle.into_iter().cloned().collect::<Vec<_>>());
        }
    }
    let message = |files: Vec<String>| {
        format!("files import each other: {}. Move what they share to a file of its own", files.join(", "))
    };
    found.into_iter().map(message).collect()
}

#[test]
fn every_import_runs_one_way_and_reserved_names_stay_in_their_module() {
    let violations = violations(&sources());
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn lib_lists_the_modules_in_order_with_a_sentence_each() {
    let lib = &sources()["lib.rs"];
    let listed = Regex::new(r"(?m)^/// [A-Z].*\.\npub mod (\w+);$").unwrap();
    let listed: Vec<String> = listed.captures_iter(lib).map(|found| found[1].to_owned()).collect();
    let modules = Regex::new(r"(?m)^(?:pub )?mod (\w+);").unwrap();
    let modules: Vec<String> = modules.captures_iter(lib).map(|found| found[1].to_owned()).collect();
    assert_eq!(listed, modules, "each module of lib.rs has one sentence of documentation");
    let expected: Vec<_> = MODULES.iter().filter(|known| modules.iter().any(|module| module == *known)).collect();
    assert!(
        expected.iter().copied().eq(modules.iter()),
        "lib.rs lists {modules:?}, in the order of MODULES: {expected:?}"
    );
}

fn house(files: &[(&str, &str)]) -> Vec<String> {
    violations(&files.iter().map(|(file, code)| ((*file).to_owned(), (*code).to_owned())).collect())
}

#[test]
fn an_arrow_against_the_direction_is_reported_with_what_to_do() {
    let found = house(&[("audit/log.rs", "use crate::domain::Call;\nuse crate::server::{serve, Service};\n")]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("audit/log.rs: audit/ must not import crate::server::serve: server/ is below it."),
        "{found:?}"
    );
    assert!(found[0].contains("Move what both need to a module above audit/"), "{found:?}");
    let found = house(&[("error/mod.rs", "fn f() { crate::cognito::classify(); }\n")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        house(&[(
            "audit/log.rs",
            "// use crate::server::Service;\n\n#[cfg(test)]\nmod tests { use crate::server::S; }"
        )])
        .is_empty()
    );
}

#[test]
fn a_circle_between_files_of_a_module_is_reported() {
    let found = house(&[
        ("audit/mod.rs", "mod log;\nmod writer;\npub use log::AuditLog;\n"),
        ("audit/log.rs", "use crate::audit::writer::Writer;\n"),
        ("audit/writer.rs", "use crate::audit::log::AuditLog;\n"),
    ]);
    assert_eq!(
        found,
        ["files import each other: audit/log.rs, audit/writer.rs. Move what they share to a file of its own"]
    );
    let found = house(&[
        ("audit/mod.rs", "mod log;\npub struct Job;\nfn f() { log::g() }\n"),
        ("audit/log.rs", "use crate::audit::Job;\n"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    let found = house(&[
        ("audit/mod.rs", "mod log;\nmod writer;\npub use log::{AuditLog, Job};\n"),
        ("audit/log.rs", ""),
        ("audit/writer.rs", "use crate::audit::Job;\n"),
    ]);
    assert_eq!(found, ["audit/writer.rs: inside a folder name the file: Job is in log.rs"]);
}

#[test]
fn a_module_that_is_not_in_the_list_and_a_reserved_name_are_reported() {
    assert!(house(&[("helpers/mod.rs", "")])[0].contains("helpers/ is not in MODULES"));
    for (file, code) in [
        ("service/mod.rs", "use aws_sdk_cognitoidentityprovider::Client;"),
        ("error/reason.rs", "match code { \"UserNotFoundException\" => 1 }"),
        ("authz/gate.rs", "use cedar_policy::Decision;"),
        ("service/mod.rs", "Err(Status::internal(\"no\"))"),
        ("config/mod.rs", "let home = std::env::var(\"HOME\");"),
        ("domain/call.rs", "use tonic::Request;\nfn f(r: tonic::Request<()>) {}"),
    ] {
        let found = house(&[(file, code)]);
        assert_eq!(found.len(), 1, "{file} {code}: {found:?}");
    }
    assert!(
        house(&[("cognito/classify.rs", "use aws_sdk_sts::Client;\nlet code = \"UserNotFoundException\";")]).is_empty()
    );
}
