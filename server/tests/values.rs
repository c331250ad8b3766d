//! Values on disk where something is wrong with the disk, or with the folder; and that nothing
//! outlives the server.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use server::serve::{Config, Running};
use server::{Settings, ValuesOnDisk};
use support::{Client, PATIENCE, config, on_disk};

const NO_DISK: &str = "-ERR the disk with the values failed; see the server's log\r\n";
const NO_ROOM: &str = "-OOM command not allowed when the disk with the values is full.\r\n";

/// A server with its values on disk, as `change` has them.
fn with_values(change: impl FnOnce(&mut ValuesOnDisk)) -> (Running, PathBuf) {
    let mut values = on_disk();
    change(&mut values);
    let folder = values.folder.clone();
    let keyspace = Settings { values: Some(values), ..Settings::default() };
    let config = Config { keyspace, ..config() };
    (Running::start(&config).expect("it starts"), folder)
}

/// Sends a request over HTTP; returns the whole answer.
fn http(addr: Option<SocketAddr>, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(addr.expect("it was asked for")).expect("it listens");
    let length = body.len();
    let head = format!("{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    write!(stream, "{head}content-length: {length}\r\n\r\n{body}").expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// What a metric stands at.
fn metric(running: &Running, name: &str) -> u64 {
    let text = http(running.http, "GET /metrics", "");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A value of 64 KiB that its key can be told from.
fn large(number: usize) -> String {
    format!("{number:08}").repeat(8 << 10)
}

#[test]
fn a_full_disk_refuses_values_and_nothing_else() {
    let (running, folder) = with_values(|values| values.spare = u64::MAX);
    let mut client = Client::connect(running.resp);
    for write in ["SET k v", "SET k v EX 9", "SETNX k v", "INCR n", "APPEND k v", "MSET a 1 b 2"] {
        assert_eq!(client.say(write), NO_ROOM, "{write}");
    }
    assert!(http(running.http, "PUT /k", "v").starts_with("HTTP/1.1 507 "));
    for (command, reply) in [("GET k", "$-1\r\n"), ("DEL k n", ":0\r\n"), ("DBSIZE", ":0\r\n")] {
        assert_eq!(client.say(command), reply, "{command}");
    }
    assert_eq!(metric(&running, "values_refusals_total"), 7);
    assert_eq!(metric(&running, "values_failures_total"), 0);
    drop(running);
    assert!(!folder.join("data").exists(), "nothing is left");
}

#[test]
fn a_disk_that_fails_refuses_writes_and_loses_nothing_else() {
    let (running, folder) = with_values(|values| values.cache = 1 << 20);
    let mut client = Client::connect(running.resp);
    assert_eq!(client.say("SET before value"), "+OK\r\n");
    fs::remove_dir_all(folder.join("data")).expect("it can be removed");
    // Nobody notices until something is to be made there.
    let mut stored = 0;
    while client.ask(&["SET", "large", &large(stored)]) == b"+OK\r\n" {
        stored += 1;
        assert!(stored < 4_000, "it goes on without a folder");
    }
    for write in ["SET before after", "INCR n", "APPEND before x", "MSET a 1 b 2"] {
        assert_eq!(client.say(write), NO_DISK, "{write}");
    }
    assert!(http(running.http, "PUT /k", "v").starts_with("HTTP/1.1 500 "));
    assert_eq!(client.say("EXISTS a b n"), ":0\r\n");
    // The value from before was not hot any more, so it is there, or reading it says why not.
    let before = client.say("GET before");
    assert!(before == "$5\r\nvalue\r\n" || before == NO_DISK, "{before}");
    assert!(metric(&running, "values_failures_total") >= 5);
    for (command, reply) in
        [("DEL before", ":1\r\n"), ("FLUSHALL", "+OK\r\n"), ("DBSIZE", ":0\r\n")]
    {
        assert_eq!(client.say(command), reply, "{command}");
    }
    // And it stops.
    drop(running);
}

#[test]
fn damaged_files_give_errors_and_never_another_value() {
    // No more than 64 MiB of them wait to be written: at least 100 are in files.
    const VALUES: usize = 2_600;
    let (running, folder) = with_values(|values| values.cache = 0);
    let mut client = Client::connect(running.resp);
    for number in 0..VALUES {
        assert_eq!(client.ask(&["SET", &format!("k{number}"), &large(number)]), b"+OK\r\n");
    }
    let mut damaged = 0;
    for file in files(&folder.join("data/keyspaces")) {
        let length = fs::metadata(&file).map_or(0, |data| data.len());
        if length > 1 << 20 {
            let zeros = vec![0; usize::try_from(length).expect("it fits")];
            // Where it lies, for who has it open.
            let mut open = fs::OpenOptions::new().write(true).open(&file).expect("it is there");
            open.write_all(&zeros).expect("it can be written");
            damaged += 1;
        }
    }
    assert!(damaged > 0, "values have gone to files");
    let (mut failed, mut found) = (0, 0);
    for number in 0..VALUES {
        let reply = client.ask(&["GET", &format!("k{number}")]);
        if reply == NO_DISK.as_bytes() {
            failed += 1;
            // One error, not half a list.
            assert_eq!(client.say(&format!("MGET none k{number} none")), NO_DISK);
            assert_eq!(client.say(&format!("GETDEL k{number}")), NO_DISK);
            assert_eq!(client.say(&format!("EXISTS k{number}")), ":1\r\n");
        } else {
            found += 1;
            let expected = large(number);
            assert!(reply == format!("${}\r\n{expected}\r\n", expected.len()).as_bytes());
        }
    }
    assert!(failed > 0, "{failed} failed, {found} found");
    assert_eq!(metric(&running, "values_failures_total"), 3 * failed);
    // Keys whose values are damaged take others.
    for number in 0..VALUES {
        assert_eq!(client.say(&format!("SET k{number} new")), "+OK\r\n");
        assert_eq!(client.say(&format!("GET k{number}")), "$3\r\nnew\r\n");
    }
}

/// The program with its values in `folder`.
fn server(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.args(["--resp", "127.0.0.1:0", "--http", "off", "--values"]).arg(folder);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A server that runs; killed when dropped.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it; returns it and where it listens.
fn serving(folder: &Path) -> (Serving, SocketAddr) {
    let mut child = server(folder, &[]).spawn().expect("it starts");
    let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("resp=") {
        line.clear();
        assert!(log.read_line(&mut line).expect("text") > 0, "it ended");
    }
    let addr = line.split("resp=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let addr = addr.and_then(|addr| addr.parse().ok()).expect("an address");
    // What else it says must not fill the pipe.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    (Serving(child), addr)
}

/// How it ends, and what it says; one that goes on is killed after a while.
fn refused(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = server(folder, arguments).spawn().expect("it can be run");
    let begun = Instant::now();
    while child.try_wait().expect("it can be asked").is_none() {
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let Output { status, stderr, .. } = child.wait_with_output().expect("it ended");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_killed_server_leaves_what_the_next_one_deletes() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("values");
    let (mut first, addr) = serving(&folder);
    let mut client = Client::connect(addr);
    for number in 0..500 {
        assert_eq!(client.ask(&["SET", &format!("k{number}"), &large(number)]), b"+OK\r\n");
    }
    // Nobody else may have it meanwhile, and the values are as safe as before.
    let (code, complaint) = refused(&folder, &[]);
    assert_eq!(code, Some(1), "{complaint}");
    assert!(complaint.contains("another server keeps its values there"), "{complaint}");
    assert!(complaint.contains(&folder.display().to_string()), "{complaint}");
    assert_eq!(client.ask(&["GET", "k7"]).len(), (64 << 10) + 10);
    first.0.kill().expect("it runs");
    first.0.wait().expect("it ran");
    let bytes = || -> u64 {
        let length = |path: PathBuf| fs::metadata(path).map_or(0, |data| data.len());
        files(&folder.join("data/keyspaces")).into_iter().map(length).sum()
    };
    assert!(bytes() > 1 << 20, "it had no time to tidy up");

    let (mut second, addr) = serving(&folder);
    assert!(bytes() < 1 << 20, "what was left is deleted");
    let mut client = Client::connect(addr);
    assert_eq!((client.say("DBSIZE"), client.say("GET k7")), (":0\r\n".into(), "$-1\r\n".into()));
    assert_eq!(
        (client.say("SET k7 new"), client.say("GET k7")),
        ("+OK\r\n".into(), "$3\r\nnew\r\n".into())
    );
    let pid = second.0.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status().expect("it can be told");
    assert!(told.success());
    assert!(second.0.wait().expect("it stops").success());
    assert!(!folder.join("data").exists(), "it tidied up");
}

#[test]
fn a_folder_with_other_things_is_refused_and_a_full_disk_named_by_line() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("thesis.txt"), "years of work").expect("it can be written");
    let (code, complaint) = refused(folder.path(), &[]);
    assert_eq!(code, Some(1), "{complaint}");
    assert!(complaint.contains("name an empty folder"), "{complaint}");
    assert_eq!(files(folder.path()).len(), 1);

    let pairs = folder.path().join("pairs.data");
    fs::write(&pairs, "a 1\nb 2\n").expect("it can be written");
    let load = ["--load", &pairs.display().to_string(), "--load-errors", "count"];
    let arguments = [&load[..], &["--values-spare", "1000000GiB"]].concat();
    let (code, complaint) = refused(&folder.path().join("values"), &arguments);
    assert_eq!(code, Some(1), "{complaint}");
    assert!(complaint.contains("pairs.data:1: the disk at `--values`"), "{complaint}");
    let cache_alone = ["--values-cache", "1MiB"];
    let output = Command::new(env!("CARGO_BIN_EXE_server")).args(cache_alone).output();
    let output = output.expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--values <DIR>"));
}
