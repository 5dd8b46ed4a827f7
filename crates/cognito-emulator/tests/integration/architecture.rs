//! The files of `src/` depend on each other in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The sources by module path: `state::pool` of `src/state/pool.rs`, the empty path of `src/lib.rs`.
type Sources = BTreeMap<String, String>;

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = sources();
    assert!(sources.len() > 30, "only {} files found", sources.len());
    if let Some(circle) = circle(&sources) {
        panic!(
            "{}: these modules import each other in a circle. Move what they share into a file that imports none of \
             them, or pass it in as an argument.",
            circle.join(" -> ")
        );
    }
}

#[test]
fn paths_begin_with_crate() {
    for (module, source) in sources() {
        let code = code(&source);
        let line = code.lines().find(|line| line.contains("super::") || line.contains("self::"));
        assert_eq!(line, None, "write the path from `crate::` in module {module:?}");
    }
}

#[test]
fn a_circle_is_found_in_every_form_of_path() {
    for path in [
        "use crate::b;",
        "use crate::b::Type;",
        "use crate::{d, b::{Type, other}};",
        "use crate::{\n    c::deep,\n    b,\n};",
        "fn f() { crate::b::f() }",
        "mod b;",
    ] {
        let of = |module: &str, source: &str| (module.to_owned(), source.to_owned());
        let child = if path == "mod b;" { "a::b" } else { "b" };
        let straight = Sources::from([of("a", path), of(child, "use crate::c;"), of("c", ""), of("c::deep", "")]);
        assert_eq!(circle(&straight), None, "{path}");
        let round = Sources::from([of("a", path), of(child, "use crate::c;"), of("c", "use crate::a::Type;")]);
        assert_eq!(circle(&round).unwrap().first().unwrap(), "a", "{path}");
    }
}

fn sources() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Sources::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(&root).unwrap().with_extension("");
            let mut module: Vec<_> = relative.iter().map(|part| part.to_str().unwrap()).collect();
            if matches!(module.last(), Some(&("mod" | "lib"))) {
                module.pop();
            }
            sources.insert(module.join("::"), fs::read_to_string(&path).unwrap());
        }
    }
    sources
}

/// The source without its comments and its tests, which may import what they like.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join(
        "
",
    )
}

/// The modules that a module imports or declares.
fn imports(module: &str, source: &str, sources: &Sources) -> BTreeSet<String> {
    let code = code(source);
    let mut paths = Vec::new();
    for (start, crate_path) in code.match_indices("crate::") {
        if !code[..start].ends_with(|character: char| character.is_alphanumeric() || "_$".contains(character)) {
            expand("", &code[start + crate_path.len()..], &mut paths);
        }
    }
    let declared = code.lines().filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'));
    paths.extend(declared.map(|child| format!("{module}::{child}").trim_start_matches(':').to_owned()));
    paths.iter().map(|path| owner(path, sources)).filter(|owner| owner != module).collect()
}

/// Writes out the path, or tree of paths, that the text begins with.
fn expand(prefix: &str, text: &str, paths: &mut Vec<String>) {
    let end = text.find(|character: char| !(character.is_alphanumeric() || "_:".contains(character)));
    let (head, rest) = text.split_at(end.unwrap_or(text.len()));
    let Some(group) = rest.strip_prefix('{').filter(|_| head.is_empty() || head.ends_with("::")) else {
        paths.push(format!("{prefix}{head}"));
        return;
    };
    let prefix = format!("{prefix}{head}");
    let (mut depth, mut start) = (0, 0);
    for (index, character) in group.char_indices() {
        if depth == 0 && ",}".contains(character) {
            expand(&prefix, group[start..index].trim(), paths);
            start = index + 1;
        }
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return,
            '}' => depth -= 1,
            _ => {}
        }
    }
}

/// The module whose file has the item of this path.
fn owner(path: &str, sources: &Sources) -> String {
    let mut owner = path.trim_end_matches("::");
    while !sources.contains_key(owner) {
        owner = owner.rsplit_once("::").map_or("", |(parent, _)| parent);
        if owner.is_empty() {
            break;
        }
    }
    owner.to_owned()
}

/// A circle of imports, its first module once more at the end.
fn circle(sources: &Sources) -> Option<Vec<String>> {
    let graph: BTreeMap<&str, BTreeSet<String>> =
        sources.iter().map(|(module, source)| (module.as_str(), imports(module, source, sources))).collect();
    let mut finished = BTreeSet::new();
    graph.keys().find_map(|module| walk(module, &graph, &mut Vec::new(), &mut finished))
}

fn walk(
    module: &str,
    graph: &BTreeMap<&str, BTreeSet<String>>,
    path: &mut Vec<String>,
    finished: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(start) = path.iter().position(|earlier| earlier == module) {
        let mut circle = path.split_off(start);
        circle.push(module.to_owned());
        return Some(circle);
    }
    if finished.contains(module) {
        return None;
    }
    path.push(module.to_owned());
    let imports = graph.get(module).into_iter().flatten();
    let found = imports.clone().find_map(|import| walk(import, graph, path, finished));
    if found.is_none() {
        path.pop();
        finished.insert(module.to_owned());
    }
    found
}
