//! Keeps the rules of ARCHITECTURE.md that a program can check.
//!
//! Each rule is a function from text to complaints, tried first on text that breaks it, so that
//! none can pass because it sees nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the store, lowest first: a module uses those of earlier rows, or of its own.
const STORE_LAYERS: &[&[&str]] = &[
    &["sync", "error", "planted", "machine"],
    &["clock", "stats", "slab", "listener", "flights", "owned_bytes"],
    &["expiry"],
    &["eviction", "entry"],
    &["record"],
    &["removed"],
    &["table"],
    &["sweep"],
    &["store"],
    &["builder"],
];

/// The same for the harness.
const HARNESS_LAYERS: &[&[&str]] = &[
    &["workload"],
    &["trace"],
    &["target"],
    &["report"],
    &["compare", "environment"],
    &["doctor"],
    &["output", "replay", "hit_ratio"],
    &["cli"],
];

/// The same for the server.
const SERVER_LAYERS: &[&[&str]] = &[
    &["keyspace", "wire"],
    &["state", "data", "snapshot"],
    &["commands"],
    &["resp", "http", "interpret"],
    &["serve"],
    &["cli"],
];

/// A source file: its path within its crate's `src`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The top-level module it belongs to: `expiry` for `expiry.rs` and `expiry/slab.rs`.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// The text before its unit tests.
    fn code(&self) -> &str {
        let end = self.text.find("\nmod tests {").unwrap_or(self.text.len());
        &self.text[..end]
    }

    fn is_check(&self) -> bool {
        self.module() == "checks"
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `folder` whose name ends in `ending`.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder's entry can be read").path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources(crate_name: &str) -> Vec<Source> {
    let root = workspace().join(crate_name).join("src");
    let sources: Vec<Source> = files(&root, ".rs")
        .into_iter()
        .map(|path| Source {
            path: path.strip_prefix(&root).expect("it lies below").to_string_lossy().into_owned(),
            text: read(&path),
        })
        .collect();
    assert!(!sources.is_empty(), "no sources in {}", root.display());
    sources
}

fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

/// Lines of code that name one of `words`, comments and attributes aside.
fn naming<'s>(source: &'s Source, words: &'s [&str]) -> impl Iterator<Item = String> + 's {
    source.text.lines().enumerate().filter_map(move |(number, line)| {
        let code = line.split("//").next().unwrap_or_default();
        let word = words.iter().find(|word| code.contains(*word))?;
        Some(format!("{}:{}: names {word}", source.path, number + 1))
    })
}

fn names_foreign_parts(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    if source.module() != "table" {
        complaints.extend(naming(source, &["scc::", "use scc"]));
    }
    if source.module() != "sync" {
        complaints.extend(naming(source, &["std::sync", "loom::", "shuttle::"]));
    }
    complaints
}

#[test]
fn only_the_table_names_the_map_and_only_the_facade_names_threads() {
    let bad = source("stats.rs", "use std::sync::Mutex;\nlet m: scc::HashMap<u8, u8>;\n// scc::\n");
    assert_eq!(names_foreign_parts(&bad).len(), 2);
    assert_eq!(names_foreign_parts(&source("table.rs", "use std::sync::Arc;")).len(), 1);
    assert_none(sources("store").iter().filter(|s| !s.is_check()).flat_map(names_foreign_parts));
}

fn uses_upwards(source: &Source, layers: &[&[&str]]) -> Vec<String> {
    let layer_of = |module: &str| layers.iter().position(|layer| layer.contains(&module));
    let Some(own) = layer_of(source.module()) else { return Vec::new() };
    let above = layers.iter().skip(own + 1).flat_map(|layer| layer.iter());
    let words: Vec<String> = above.map(|module| format!("crate::{module}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let code = Source { path: source.path.clone(), text: source.code().to_owned() };
    naming(&code, &words).collect()
}

#[test]
fn modules_use_only_what_lies_below_them() {
    let bad = source("expiry/wheel.rs", "use crate::clock::Deadline;\nuse crate::table::Table;\n");
    assert_eq!(uses_upwards(&bad, STORE_LAYERS), ["expiry/wheel.rs:2: names crate::table"]);
    assert_none(sources("store").iter().flat_map(|s| uses_upwards(s, STORE_LAYERS)));
    assert_none(sources("harness").iter().flat_map(|s| uses_upwards(s, HARNESS_LAYERS)));
    assert_none(sources("server").iter().flat_map(|s| uses_upwards(s, SERVER_LAYERS)));
}

/// The server's keyspace alone names the store, and its wire knows nothing else of the server.
fn reaches_past_the_keyspace(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    if source.path != "keyspace.rs" {
        complaints.extend(naming(source, &["store::", "use store"]));
    }
    if source.path != "keyspace/on_disk/disk.rs" {
        complaints.extend(naming(source, &["fjall::", "use fjall"]));
    }
    if source.module() == "wire" {
        complaints.extend(naming(source, &["crate::keyspace", "crate::state"]));
    }
    complaints
}

#[test]
fn only_the_keyspace_names_the_store() {
    assert_eq!(reaches_past_the_keyspace(&source("resp.rs", "use store::Store;")).len(), 1);
    assert_eq!(reaches_past_the_keyspace(&source("keyspace.rs", "use fjall::Error;")).len(), 1);
    assert_eq!(reaches_past_the_keyspace(&source("wire/a.rs", "use crate::state::S;")).len(), 1);
    assert_none(sources("server").iter().flat_map(reaches_past_the_keyspace));
}

/// What a layer may not know although it lies beside or below: a saved report is shown again
/// without anything being run.
fn output_replays(source: &Source) -> Vec<String> {
    match source.module() {
        "output" | "compare" | "doctor" => {
            naming(source, &["crate::replay", "crate::target", "crate::hit_ratio"]).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn a_saved_report_is_shown_without_the_replay() {
    assert_eq!(output_replays(&source("output/html.rs", "use crate::replay::run;")).len(), 1);
    assert_none(sources("harness").iter().flat_map(output_replays));
}

fn unexplained_orderings(source: &Source) -> Vec<String> {
    let weak = ["Ordering::Relaxed", "Ordering::Acquire", "Ordering::Release", "Ordering::AcqRel"];
    let lines: Vec<&str> = source.text.lines().collect();
    let explained = |number: usize| {
        // A statement that the formatter broke over lines has its comment above the first.
        let above = lines[..number].iter().rev().take(6);
        above.take_while(|line| !line.trim().is_empty()).any(|line| line.contains("// ORDERING:"))
    };
    lines
        .iter()
        .enumerate()
        .filter(|(_, line)| weak.iter().any(|word| line.contains(word)))
        .filter(|(number, _)| !explained(*number))
        .map(|(number, _)| format!("{}:{}: no ORDERING line", source.path, number + 1))
        .collect()
}

#[test]
fn every_weak_ordering_says_why() {
    let bad = "n.load(Ordering::Acquire);\n\n// ORDERING: a count.\nn.load(Ordering::Relaxed);\n";
    assert_eq!(unexplained_orderings(&source("a.rs", bad)), ["a.rs:1: no ORDERING line"]);
    for name in ["store", "harness", "server"] {
        assert_none(sources(name).iter().flat_map(unexplained_orderings));
    }
}

fn is_unsafe(source: &Source) -> Vec<String> {
    let allowed = source.path == "machine.rs";
    if allowed {
        Vec::new()
    } else {
        naming(source, &["unsafe {", "unsafe fn", "unsafe impl"]).collect()
    }
}

#[test]
fn one_file_alone_has_unsafe_code() {
    assert_eq!(is_unsafe(&source("table.rs", "let a = unsafe { *b };\n// unsafe {\n")).len(), 1);
    for name in ["store", "harness", "server"] {
        assert_none(sources(name).iter().flat_map(is_unsafe));
    }
    for root in
        ["harness/src/lib.rs", "harness/src/main.rs", "server/src/lib.rs", "server/src/main.rs"]
    {
        let text = read(&workspace().join(root));
        assert!(text.contains("#![forbid(unsafe_code)]"), "{root}: unsafe code is not forbidden");
    }
}

fn long_functions(source: &Source, limit: usize) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let starts = |line: &str| {
        let line = line.trim_start();
        let after = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub(super) "));
        let line = after.unwrap_or(line);
        line.strip_prefix("pub ").unwrap_or(line).starts_with("fn ")
    };
    let mut complaints = Vec::new();
    for (first, line) in lines.iter().enumerate().filter(|(_, line)| starts(line)) {
        let closes = |other: &&str| other.trim_end() == format!("{}}}", " ".repeat(indent(line)));
        let one_line = line.trim_end().ends_with(['}', ';']);
        let Some(length) = lines[first..].iter().position(closes) else { continue };
        if !one_line && length + 1 > limit {
            complaints.push(format!("{}:{}: {} lines", source.path, first + 1, length + 1));
        }
    }
    complaints
}

#[test]
fn no_function_is_longer_than_70_lines() {
    let bad = format!("    pub fn long() {{\n{}    }}\n", "        work();\n".repeat(69));
    assert_eq!(long_functions(&source("a.rs", &bad), 70), ["a.rs:1: 71 lines"]);
    for name in ["store", "harness", "server"] {
        assert_none(sources(name).iter().flat_map(|source| long_functions(source, 70)));
    }
}

fn long_file(source: &Source, limit: usize) -> Vec<String> {
    let lines = source.code().lines().count();
    let complaint = format!("{}: {lines} lines", source.path);
    if lines > limit { vec![complaint] } else { Vec::new() }
}

#[test]
fn no_file_is_longer_than_about_400_lines() {
    assert_eq!(long_file(&source("a.rs", &"x\n".repeat(421)), 420).len(), 1);
    for name in ["store", "harness", "server"] {
        assert_none(sources(name).iter().flat_map(|source| long_file(source, 420)));
    }
}

fn vague_name(source: &Source) -> Vec<String> {
    let vague = ["util", "utils", "common", "helper", "helpers", "manager", "misc", "base"];
    let parts = source.path.trim_end_matches(".rs").split(['/', '_']);
    parts.filter(|part| vague.contains(part)).map(|p| format!("{}: {p}", source.path)).collect()
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    assert_eq!(vague_name(&source("store/utils.rs", "")).len(), 1);
    for name in ["store", "harness", "server"] {
        assert_none(sources(name).iter().flat_map(vague_name));
    }
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    for name in ["store", "harness", "server"] {
        let silent = sources(name).into_iter().filter(|source| !source.text.starts_with("//!"));
        assert_none(silent.map(|source| source.path));
    }
}

#[test]
fn the_store_depends_on_no_runtime_and_no_format() {
    let manifest = read(&workspace().join("store/Cargo.toml"));
    let (normal, _) = manifest.split_once("[dev-dependencies]").unwrap_or((&manifest, ""));
    for name in ["tokio", "serde", "toml", "async", "futures"] {
        assert!(!normal.contains(name), "the store depends on {name}");
    }
}

#[test]
fn the_architecture_stays_short_and_workflows_only_call_recipes() {
    assert!(read(&workspace().join("ARCHITECTURE.md")).lines().count() <= 150);
    for path in files(&workspace().join(".github/workflows"), ".yml") {
        for line in read(&path).lines().filter(|line| line.trim_start().starts_with("- run:")) {
            let command = line.trim_start().trim_start_matches("- run:").trim();
            let allowed = command.starts_with("just ") || command.starts_with("cargo install just");
            assert!(allowed, "{}: {command}", path.display());
        }
    }
}

#[test]
fn every_workload_opens_with_its_question() {
    for path in files(&workspace().join("workloads"), ".toml") {
        let text = read(&path);
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("# ") && first.ends_with('?'), "{}: {first}", path.display());
    }
}

fn assert_none(complaints: impl Iterator<Item = String>) {
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}
