//! Targets at the end of a wire, against a server that is made for the purpose: answers, memory,
//! and what comes of a server that goes away.

#![cfg(feature = "redis")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod resp_server;

use std::fs;
use std::process::Command;
use std::time::Duration;

use harness::report::load;
use harness::target::redis::{RedisCluster, RedisServer};
use harness::target::{Options, Place, Target};
use resp_server::Server;

const TINY: &str = include_str!("tiny.toml");

fn options(address: String) -> Options {
    Options { address: Some(address), ..Options::default() }
}

fn every_call_is_answered<T: Target<u64, u64>>(server: &Server, address: String) {
    let mut target = T::open(&options(address)).unwrap();
    target.put(7, 70);
    target.put_with_ttl(8, 80, Duration::from_millis(40));
    let mut other = target.clone();
    assert_eq!(other.get(&7, |value| *value), Some(70));
    assert_eq!(other.get(&8, |value| *value), Some(80));
    let mut answers = Vec::new();
    other.get_many([9, 8, 7, 8].iter(), |at, value| answers.push((at, value.copied())));
    assert_eq!(answers, [(0, None), (1, Some(80)), (2, Some(70)), (3, Some(80))]);
    assert_eq!(other.entries(), Some(2), "the mark of the harness is not counted");
    assert!(target.expire(&7, Duration::from_millis(40)) && !target.expire(&9, Duration::MAX));
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!((target.get(&7, |value| *value), target.get(&8, |value| *value)), (None, None));
    target.put(9, 90);
    assert!(target.delete(&9) && !target.delete(&9));
    assert_eq!(target.place(), Place::Elsewhere { used_bytes: Some(1_000_100) });
    assert_eq!((target.failure(), target.evicts()), (None, false));
    assert_eq!(server.len(), 1, "only the mark is left");
}

#[test]
fn a_server_answers_every_call() {
    let server = Server::new();
    every_call_is_answered::<RedisServer<u64, u64>>(&server, server.url());
}

#[test]
fn a_cluster_answers_every_call() {
    let server = Server::new();
    let url = server.url().replace("redis://", "redis+cluster://");
    every_call_is_answered::<RedisCluster<u64, u64>>(&server, url);
}

#[test]
fn a_server_with_somebodys_data_is_left_alone() {
    let server = Server::new();
    server.put("theirs", "precious");
    let error = RedisServer::<u64, u64>::open(&options(server.url())).map(drop).unwrap_err();
    assert!(error.starts_with(&server.url()) && error.contains("holds 1 keys"), "{error}");
    assert_eq!(server.len(), 1);

    let own = Server::new();
    RedisServer::<u64, u64>::open(&options(own.url())).unwrap().put(1, 1);
    let again = RedisServer::<u64, u64>::open(&options(own.url()));
    assert_eq!(again.unwrap().entries(), Some(0), "what a run has left is flushed by the next");
}

/// Runs the workload against `target` in a folder of its own; the exit code, what was said, and
/// the folder.
fn bench(workload: &str, target: &str) -> (Option<i32>, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("w.toml"), workload).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["bench", "w.toml", "--out", "r", "--target", target])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap(), folder)
}

#[test]
fn a_run_is_reported_under_its_label_with_the_servers_memory() {
    let server = Server::new();
    let (code, text, folder) = bench(TINY, &format!("mine={}", server.url()));
    assert_eq!(code, Some(0), "{text}");
    let reports = folder.path().join("r/tiny/mine");
    let path = fs::read_dir(&reports).unwrap().next().unwrap().unwrap().path();
    let report = load::read(&path).unwrap();
    let memory = report.repeats[1].phases[0].memory;
    assert_eq!(memory.baseline_bytes, Some(1_000_100));
    assert_eq!(memory.rss_after_bytes, Some(1_000_100 + 2_000 * 100));
    assert_eq!(memory.entries, Some(2_000));
    assert!(report.repeats[0].phases[1].series.rss_bytes.iter().all(Option::is_none));
    let text = fs::read_to_string(path).unwrap();
    assert!(!text.contains("127.0.0.1"), "a report names no host");
}

#[test]
fn a_server_that_goes_away_ends_the_run_and_leaves_no_report() {
    // Of two repeats of 22 000 operations: in the first load, in a phase, in the second repeat.
    for (requests, place) in [(500, "`load`"), (12_000, "`mixed`"), (30_000, "`mixed`")] {
        let server = Server::with_patience(requests);
        let (code, text, folder) = bench(TINY, &server.url());
        assert_eq!(code, Some(1), "{text}");
        let complaint = format!("phase {place}: {}: a request failed", server.url());
        assert!(text.contains(&complaint), "{text}");
        assert_eq!(text.matches("error: ").count(), 1, "{text}");
        assert!(!folder.path().join("r/tiny").exists(), "part of a run was reported");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let (code, text, _folder) = bench(TINY, "redis://127.0.0.1:1");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("redis://127.0.0.1:1: cannot be reached"), "{text}");
}
