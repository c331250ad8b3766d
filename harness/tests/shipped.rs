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

/// The digests of what is shipped, a hundredth of each so that they are soon made: file, case of a
/// sweep, digest. A file may be added; one that reports have been committed for may not change.
const DIGESTS: [(&str, &str, &str); 16] = [
    ("10m_mixed.toml", "", "fabda49240f7a3ac2509a74ecbb32105fc253b42692aa99a56b6dedfb222edcc"),
    ("abusive.toml", "", "29e8e357498ec80a039a2afa42b9742f3fe7d17405de970916b3e3a43fd5d4b0"),
    ("capped.toml", "", "31960fa996bd62fff0238363a86e3b880550043b4d2cae35caa915c62b821af0"),
    ("expiry_storm.toml", "", "ec14ba304696cf8c861ee056cdcf8ec3a9b6414139a2e583bef2b84b9b94df23"),
    (
        "key_count_sweep.toml",
        "keys=1000",
        "7cc9ffb6f91338a607795f47995482c1eed5f37a79577b3629bec73f8116ea86",
    ),
    (
        "key_count_sweep.toml",
        "keys=5000",
        "ab43be086c8c016341337ebad244665cb932c9185ab03664d57abcfefc0e06f5",
    ),
    (
        "key_count_sweep.toml",
        "keys=10000",
        "6662dc569ac567bbbb3ff75e5f1dbd9678cb16145db0bad47c63c5e9cec7f7a5",
    ),
    (
        "key_count_sweep.toml",
        "keys=50000",
        "809f70e89daa53caf25e12b4aa8feb6264ba836460d5823a8513a16a9501f3a8",
    ),
    (
        "key_count_sweep.toml",
        "keys=100000",
        "371c85f5c178c7138fdb4069638afccc7e7e340cbab8d81f30a87653e2476687",
    ),
    ("memory_u64.toml", "", "c98b7ee8f280604ca9dce8255aefb5e863a1dc24583d9d54e033176d51ea9f78"),
    ("memory_u64_ttl.toml", "", "96410b6e92840b5be72925158383bc051a5fb20f0feae18e4f09a129775d6aa3"),
    (
        "read_blocks.toml",
        "threads=1",
        "04b228024f657f265adbb3312872b975c23dcd9d4872cc4fdac5283ddd827fa6",
    ),
    (
        "read_blocks.toml",
        "threads=2",
        "6df2a8595d2f24893ad5b2342bcd1199b24e78e2039a20d1f85211fcf86d3e00",
    ),
    ("session_store.toml", "", "081b5f19b034ec98e726a0fe3993102fd65626dc6b1e5138270a561ef0fd08c0"),
    ("smoke.toml", "", "843404404d071eff4768b84f7f322be4833ab47555f0d9f93335de6e81a57dcb"),
    ("ttl_churn.toml", "", "fab0cd68f243ba005ac2cba929e9541231edff4b0383d06d8fcd78fd4f5344bf"),
];

#[test]
fn the_operations_of_every_shipped_workload_are_the_same_as_ever() {
    let mut found = Vec::new();
    for path in shipped() {
        let source = read(&path);
        for case in load(&source, &Overrides { quick: true, ..Overrides::default() }).unwrap() {
            let digest = stream::digest(&case.workload, &stream::scripts(&case.workload));
            found.push((source.label.clone(), case.label.unwrap_or_default(), digest));
        }
    }
    let known = DIGESTS.map(|(file, case, digest)| (file.into(), case.into(), digest.into()));
    assert_eq!(found, known, "see `DIGESTS`");
}
