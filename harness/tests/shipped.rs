//! The workloads that are shipped: each can be read, states its question, and stands for the same
//! operations as ever.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use harness::workload::{Overrides, Source, load, stream};

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads");
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> Source {
    let label = path.file_name().unwrap().to_string_lossy().into_owned();
    Source { label, text: fs::read_to_string(path).unwrap() }
}

#[test]
fn every_shipped_workload_is_valid_and_begins_with_its_question() {
    assert!(shipped().len() >= 11);
    for path in shipped() {
        let source = read(&path);
        assert!(source.question().contains('?'), "{}", source.label);
        let cases = load(&source, &Overrides::default()).unwrap();
        assert_eq!(format!("{}.toml", cases[0].workload.name), source.label);
    }
}

/// The promise that the same file gives the same operations on every machine and with every
/// release. If this fails on purpose, raise `GENERATION` in `stream.rs`: old reports are not
/// comparable with new ones.
#[test]
fn the_operations_of_a_workload_are_the_same_as_ever() {
    let text = include_str!("golden.toml").to_owned();
    let source = Source { label: "golden.toml".into(), text };
    let workload = load(&source, &Overrides::default()).unwrap().remove(0).workload;
    let digest = stream::digest(&workload, &stream::scripts(&workload));
    assert_eq!(digest, "f381e3f22b4389c4af1e811cf122322335ed907f5a2b7cdd4b98f87ecbf455ba");
}
