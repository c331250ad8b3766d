//! The workloads that are shipped: each can be read, states its question, and stands for the same
//! operations as ever.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    assert!(shipped().len() >= 17);
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
/// sweep, digest. A file is added when reports of it are committed, and does not change from then on.
const DIGESTS: [(&str, &str, &str); 22] = [
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
    ("ycsb_a.toml", "", "177cddac4779cae7a4e4f684a2975b6ec755ed432f3ee3f1466fcff498d83031"),
    ("ycsb_b.toml", "", "fcc5301c58517aec6a61d3285c6d2536aaa365265a4be6cdb7d7a6348a11e37e"),
    ("ycsb_c.toml", "", "d89b6a229ede5e8e7531094f750eacb9d04645c6a609595d440187b9bcffea4e"),
    ("ycsb_d.toml", "", "6e044c47af895860609d059992eb89878074eb20bb57e11efaed28807780d801"),
    ("ycsb_e.toml", "", "1604ea59700cb7e976a50d2dd73f315f3b5139d90f4b4eea29c235ebd728c509"),
    ("ycsb_f.toml", "", "8d55673233ba45825b622b1d987820136f50bf1c9f3e65338acf65f497468fa6"),
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
    for (file, case, digest) in DIGESTS {
        let known = (file.to_owned(), case.to_owned(), digest.to_owned());
        assert!(found.contains(&known), "{file} {case}: other operations, or no such file");
    }
}

/// What makes a hundredth of a file still longer than a test should be.
const SHORTENED: [(&str, &[&str]); 3] = [
    ("abusive.toml", &["phase.overload.arrival.rate=100k/s"]),
    ("session_store.toml", &["phase.settle.duration=2s", "phase.sessions.duration=5s"]),
    ("ttl_churn.toml", &["phase.churn.ops=10_000_000"]),
];

/// Objectives are for an undisturbed machine and an optimized build, so they may be missed here;
/// answers may not be false.
#[test]
fn a_hundredth_of_every_shipped_workload_runs_and_gets_right_answers() {
    for path in shipped() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(["bench", "--quick", "--no-write", "--target", "store"]).arg(&path);
        let shortened = SHORTENED.iter().filter(|(name, _)| path.ends_with(name));
        for set in shortened.flat_map(|(_, sets)| *sets) {
            command.args(["--set", set]);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 3)), "{}: {text}", path.display());
    }
}
