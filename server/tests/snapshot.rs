//! Snapshots of the command `server` as it is run: written on demand, now and then and at the end,
//! read at the start; torn, damaged, taken by another, and killed while it is written.

#[path = "support/process.rs"]
mod process;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use process::{Serving, errors, path_in, run};
use server::interpret::{packed, read_snapshot};
use support::{Client, PATIENCE, request};

/// Sends a signal, and returns how it ended and what it still said.
fn end(mut serving: Serving, signal: &str) -> (Option<i32>, String) {
    let id = serving.child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status().expect("kill is there");
    assert!(sent.success());
    let status = serving.child.wait().expect("it ends");
    let mut log = String::new();
    serving.log.read_to_string(&mut log).expect("text");
    (status.code(), log)
}

/// What is after `name:` in a reply of INFO.
fn told(client: &mut Client, name: &str) -> String {
    let info = client.say("INFO persistence");
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no {name} in {info}")).to_owned()
}

/// Waits until INFO tells `value` of `name`.
fn wait_for(client: &mut Client, name: &str, value: &str) {
    let begun = std::time::Instant::now();
    while told(client, name) != value {
        assert!(begun.elapsed() < PATIENCE, "{name} is {}", told(client, name));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_was_there_at_the_end_is_there_again_to_the_millisecond() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    for signal in ["TERM", "INT"] {
        let _ = fs::remove_file(&file);
        let serving = Serving::start(&["--snapshot", &file]);
        assert!(serving.before.contains("there is none yet"), "{}", serving.before);
        let mut client = Client::connect(serving.resp);
        for number in 0..3_000 {
            client.ask(&["SET", &format!("k{number}"), &format!("v{number}")]);
        }
        assert_eq!(client.ask(&["SET", "\r\n\0 key", "\0\r\n value"]), b"+OK\r\n");
        assert_eq!(client.say("SET soon x PX 1"), "+OK\r\n");
        let mut deadlines = Vec::new();
        for number in 0..100 {
            assert_eq!(client.say(&format!("PEXPIRE k{number} {}", 1_000_000 + number)), ":1\r\n");
            deadlines.push(client.say(&format!("PEXPIRETIME k{number}")));
        }
        let (code, log) = end(serving, signal);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("wrote") && log.contains("pairs=3001"), "{log}");

        let serving = Serving::start(&["--snapshot", &file]);
        assert!(serving.before.contains("pairs=3001 with_deadline=100 expired=0"));
        let mut client = Client::connect(serving.resp);
        assert_eq!(client.say("DBSIZE"), ":3001\r\n");
        for number in 0..3_000 {
            let value = format!("v{number}");
            let reply = format!("${}\r\n{value}\r\n", value.len());
            assert_eq!(client.say(&format!("GET k{number}")), reply);
        }
        assert_eq!(client.ask(&["GET", "\r\n\0 key"]), b"$9\r\n\0\r\n value\r\n");
        for (number, deadline) in deadlines.iter().enumerate() {
            assert_eq!(client.say(&format!("PEXPIRETIME k{number}")), *deadline);
        }
        assert_eq!(client.say("TTL k100"), ":-1\r\n");
        let (loaded, expired) = ("rdb_last_load_keys_loaded", "rdb_last_load_keys_expired");
        assert_eq!(
            (told(&mut client, loaded), told(&mut client, expired)),
            ("3001".into(), "0".into())
        );
    }
    let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    assert_eq!(left.len(), 2, "only the snapshot and its lock: {left:?}");
}

#[test]
fn what_expired_while_nothing_ran_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    let serving = Serving::start(&["--snapshot", &file]);
    let mut client = Client::connect(serving.resp);
    client.say("SET stays 1");
    client.say("SET goes 1 PX 1500");
    assert_eq!(client.say("SAVE"), "+OK\r\n");
    end(serving, "KILL");
    std::thread::sleep(Duration::from_millis(1_600));
    let serving = Serving::start(&["--snapshot", &file]);
    assert!(serving.before.contains("pairs=1 with_deadline=0 expired=1"), "{}", serving.before);
    let mut client = Client::connect(serving.resp);
    assert_eq!(client.say("MGET stays goes"), "*2\r\n$1\r\n1\r\n$-1\r\n");
    assert_eq!(client.say("DBSIZE"), ":1\r\n");
}

#[test]
fn commands_reply_as_those_of_redis() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    let serving = Serving::start(&["--snapshot", &file]);
    let mut client = Client::connect(serving.resp);
    let first: u64 = client.say("LASTSAVE")[1..].trim_end().parse().expect("a number");
    client.say("SET a 1");
    assert_eq!(told(&mut client, "rdb_saves"), "0");
    assert_eq!(client.say("BGSAVE"), "+Background saving started\r\n");
    wait_for(&mut client, "rdb_saves", "1");
    wait_for(&mut client, "rdb_bgsave_in_progress", "0");
    assert_eq!(client.say("BGSAVE SCHEDULE"), "+Background saving started\r\n");
    wait_for(&mut client, "rdb_saves", "2");
    assert_eq!(client.say("SAVE"), "+OK\r\n");
    assert_eq!(told(&mut client, "rdb_saves"), "3");
    assert_eq!(told(&mut client, "rdb_last_bgsave_status"), "ok");
    assert_eq!(told(&mut client, "snapshot_pairs"), "1");
    let bytes = fs::metadata(&file).expect("it is there").len();
    assert_eq!(told(&mut client, "snapshot_bytes"), bytes.to_string());
    let last: u64 = client.say("LASTSAVE")[1..].trim_end().parse().expect("a number");
    assert!(last >= first && first > 1_700_000_000, "{first} {last}");
    assert_eq!(client.say("BGSAVE foo"), "-ERR syntax error\r\n");
    assert!(client.say("SAVE foo").contains("wrong number of arguments for 'save'"));
    let metrics = metrics(&serving.http);
    for line in [
        "server_snapshots_total 3".to_owned(),
        "server_snapshot_failures_total 0".to_owned(),
        "server_snapshot_in_progress 0".to_owned(),
        format!("server_snapshot_last_timestamp_seconds {last}"),
        format!("server_snapshot_last_bytes {bytes}"),
        "server_snapshot_last_pairs 1".to_owned(),
    ] {
        assert!(metrics.contains(&format!("{line}\n")), "{line}:\n{metrics}");
    }

    let serving = Serving::start(&[]);
    let mut client = Client::connect(serving.resp);
    for command in ["SAVE", "BGSAVE", "LASTSAVE"] {
        let reply = client.say(command);
        assert!(reply.starts_with("-ERR") && reply.contains("--snapshot FILE"), "{reply}");
    }
}

fn metrics(http: &str) -> String {
    let mut stream = TcpStream::connect(http).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

#[test]
fn a_snapshot_that_fails_is_told_and_leaves_the_former() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    let serving = Serving::start(&["--snapshot", &file]);
    let mut client = Client::connect(serving.resp);
    client.say("SET a 1");
    assert_eq!(client.say("SAVE"), "+OK\r\n");
    let former = fs::read(&file).expect("it is there");
    // A folder stands where the new one would be written; that cannot be removed by mistake.
    fs::create_dir_all(folder.path().join("pairs.zst.tmp/x")).expect("there is room");
    client.say("SET b 2");
    let reply = client.say("SAVE");
    assert!(reply.starts_with("-ERR ") && reply.contains(&file), "{reply}");
    assert_eq!(told(&mut client, "rdb_last_bgsave_status"), "err");
    assert!(told(&mut client, "snapshot_failure").contains(&file));
    assert!(metrics(&serving.http).contains("server_snapshot_failures_total 1\n"));
    assert_eq!(fs::read(&file).expect("it is there"), former);
    // The last one fails as well, which whoever stopped the server should know.
    let (code, log) = end(serving, "TERM");
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("error: ") && log.contains("not written"), "{log}");
    assert_eq!(fs::read(&file).expect("it is there"), former);
}

#[test]
fn a_snapshot_is_written_now_and_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    let serving = Serving::start(&["--snapshot", &file, "--snapshot-every", "20ms"]);
    let mut client = Client::connect(serving.resp);
    for number in 0..3 {
        client.say(&format!("SET k{number} v"));
        wait_for(&mut client, "snapshot_pairs", &(number + 1).to_string());
    }
    let output = run(&["--snapshot-every", "20ms"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("--snapshot <FILE>"), "{}", errors(&output));
}

#[test]
fn what_is_not_whole_is_refused_and_nothing_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    let text: Vec<u8> =
        (10..60).flat_map(|n| request(&["SET", n.to_string().as_str(), "x"])).collect();
    let whole = packed(&text).expect("memory takes it");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let foreign = b"*1\r\n$4\r\nPING\r\n";
    let heavy = [&whole[..], b"x"].concat();
    let cases: [(Vec<u8>, &str); 6] = [
        (whole[..whole.len() - 1].to_vec(), "it was cut off"),
        (Vec::new(), "byte 0: this is no snapshot"),
        (text.clone(), "byte 0: this is no snapshot"),
        (damaged, "it is damaged"),
        (packed(foreign).expect("memory takes it"), "byte 0 of what it unpacks to: `PING`"),
        (heavy, "more follows"),
    ];
    for (bytes, complaint) in cases {
        fs::write(&file, &bytes).expect("there is room");
        let output = run(&["--resp", "127.0.0.1:0", "--http", "off", "--snapshot", &file]);
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(complaint) && said.contains(&file), "{complaint}: {said}");
        assert!(said.contains("nothing was loaded") && !said.contains("listening"), "{said}");
        assert_eq!(fs::read(&file).expect("it is there"), bytes, "it was not touched");
        for verb in ["check", "cat"] {
            let output = run(&["snapshot", verb, &file]);
            assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{verb}");
            assert!(errors(&output).contains(complaint), "{verb}: {}", errors(&output));
        }
    }
    fs::write(&file, &whole).expect("there is room");
    let output = run(&["snapshot", "cat", &file]);
    assert_eq!((output.status.code(), output.stdout), (Some(0), text));
    let output = run(&["snapshot", "check", &file]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("whole: 50 pairs, 0 of them"));
    let output = run(&["snapshot", "cat", &path_in(folder.path(), "none")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("cannot be read"), "{}", errors(&output));
    let tight =
        ["--resp", "127.0.0.1:0", "--http", "off", "--max-memory", "64B", "--snapshot", &file];
    let output = run(&tight);
    assert!(errors(&output).contains("allow more"), "{}", errors(&output));
}

#[test]
fn two_servers_do_not_share_a_file_and_a_folder_must_be_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    let serving = Serving::start(&["--snapshot", &file]);
    let arguments = ["--resp", "127.0.0.1:0", "--http", "off", "--snapshot", &file];
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("another server keeps"), "{}", errors(&output));
    let (code, _) = end(serving, "KILL");
    assert_eq!(code, None);
    // Whoever was killed keeps nothing to itself.
    let serving = Serving::start(&["--snapshot", &file]);
    drop(serving);
    let nowhere = path_in(folder.path(), "none/pairs.zst");
    let output = run(&["--resp", "127.0.0.1:0", "--http", "off", "--snapshot", &nowhere]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("needs a folder"), "{}", errors(&output));
}

#[test]
fn a_snapshot_goes_before_files_of_pairs() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, data) = (path_in(folder.path(), "pairs.zst"), path_in(folder.path(), "pairs.data"));
    fs::write(&data, "a 1\nb 1\n").expect("there is room");
    let arguments = ["--snapshot", &file, "--load", &data, "--default-ttl", "1000s"];
    let serving = Serving::start(&arguments);
    let mut client = Client::connect(serving.resp);
    assert_eq!(client.say("MGET a b"), "*2\r\n$1\r\n1\r\n$1\r\n1\r\n");
    client.say("DEL a");
    client.say("SET b 2");
    client.say("PERSIST b");
    assert_eq!(end(serving, "TERM").0, Some(0));
    let serving = Serving::start(&arguments);
    assert!(serving.before.contains("not loaded: there is a snapshot"), "{}", serving.before);
    let mut client = Client::connect(serving.resp);
    assert_eq!(client.say("MGET a b"), "*2\r\n$-1\r\n$1\r\n2\r\n");
    // What had no deadline has none, whatever others get.
    assert_eq!(client.say("TTL b"), ":-1\r\n");
}

#[test]
fn killed_while_it_writes_one_after_another_it_leaves_a_whole_one() {
    const PAIRS: u64 = 5_000;
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    let mut least = 0;
    for round in 0_u64..12 {
        let serving = Serving::start(&["--snapshot", &file, "--snapshot-every", "1ms"]);
        let mut client = Client::connect(serving.resp);
        if round == 0 {
            for number in 0..PAIRS {
                client.ask(&["SET", &format!("k{number}"), &"x".repeat(100)]);
            }
            client.say("SET counter 0");
            assert!(matches!(
                client.say("SAVE").as_str(),
                "+OK\r\n" | "-ERR Background save already in progress\r\n"
            ));
            wait_for(&mut client, "snapshot_pairs", &(PAIRS + 1).to_string());
        } else {
            // What was saved last before the kill is there, or what was saved later.
            assert_eq!(client.say("DBSIZE"), format!(":{}\r\n", PAIRS + 1));
            let counter = client.say("GET counter");
            let counter: u64 =
                counter.lines().nth(1).and_then(|n| n.parse().ok()).expect("a number");
            assert!(counter >= least, "round {round}: {counter} of {least}");
        }
        let saves: u64 = told(&mut client, "rdb_saves").parse().expect("a number");
        // A snapshot that begins after this has it: the one after the one that is being written.
        least = client.say("INCR counter")[1..].trim_end().parse().expect("a number");
        while told(&mut client, "rdb_saves").parse::<u64>().expect("a number") < saves + 2 {
            client.say("INCR counter");
        }
        std::thread::sleep(Duration::from_micros(1_300 * round));
        end(serving, "KILL");
        let bytes = fs::read(&file).expect("it is there");
        let contents = read_snapshot(&bytes).expect("a server").expect("it is whole");
        assert_eq!(contents.pairs, PAIRS + 1);
    }
}

#[test]
fn what_was_cut_off_is_cleared_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    fs::write(path_in(folder.path(), "pairs.zst.tmp"), "half").expect("there is room");
    let serving = Serving::start(&["--snapshot", &file]);
    assert!(serving.before.contains("cut off"), "{}", serving.before);
    assert!(!folder.path().join("pairs.zst.tmp").exists());
    assert_eq!(Client::connect(serving.resp).say("DBSIZE"), ":0\r\n");
}

#[test]
fn who_waits_for_a_snapshot_when_the_server_stops_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    let serving = Serving::start(&["--snapshot", &file]);
    let mut client = Client::connect(serving.resp);
    let value = "x".repeat(1_000);
    for number in 0..20_000 {
        client.ask(&["SET", &format!("k{number}"), &value]);
    }
    let mut waiting = Client::connect(serving.resp);
    waiting.send(b"SAVE\r\n");
    wait_for(&mut client, "rdb_bgsave_in_progress", "1");
    let (code, log) = end(serving, "TERM");
    assert_eq!(code, Some(0), "{log}");
    let reply = String::from_utf8_lossy(&waiting.rest()).into_owned();
    assert!(reply == "+OK\r\n" || reply.contains("the server stops"), "{reply}");
    let contents = read_snapshot(&fs::read(&file).expect("it is there")).expect("a server");
    assert_eq!(contents.expect("it is whole").pairs, 20_000);
}
