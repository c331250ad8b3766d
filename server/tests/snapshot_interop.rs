//! What a snapshot unpacks to, before the programs of Redis: its checker accepts it, and its server
//! loads the same pairs with the same deadlines; and the other way round.

#[path = "support/process.rs"]
mod process;
#[path = "support/redis.rs"]
mod redis;
mod support;

use std::fs;
use std::process::Command;

use process::{Serving, path_in};
use redis::Redis;
use server::interpret::packed;
use support::Client;

const PAIRS: usize = 2_000;

/// What `client` tells of each pair.
fn pairs(client: &mut Client) -> Vec<(Vec<u8>, Vec<u8>)> {
    let key = |number: usize| format!("k{number}\r\n\0\u{fffd}");
    (0..PAIRS)
        .map(|number| {
            (client.ask(&["GET", &key(number)]), client.ask(&["PEXPIRETIME", &key(number)]))
        })
        .collect()
}

fn are_alike(loaded: &[(Vec<u8>, Vec<u8>)], kept: &[(Vec<u8>, Vec<u8>)]) {
    for (number, (loaded, kept)) in loaded.iter().zip(kept).enumerate() {
        let [loaded, kept] = [loaded, kept].map(|(value, deadline)| {
            (value.escape_ascii().to_string(), deadline.escape_ascii().to_string())
        });
        assert_eq!(loaded, kept, "pair {number}");
    }
}

fn fill(client: &mut Client) {
    for number in 0..PAIRS {
        let (key, value) = (format!("k{number}\r\n\0\u{fffd}"), "*3\r\n$".repeat(number % 50));
        let ttl = (1_000_000 + number).to_string();
        let reply = match number % 3 {
            0 => client.ask(&["SET", &key, &value, "PX", &ttl]),
            _ => client.ask(&["SET", &key, &value]),
        };
        assert_eq!(reply, b"+OK\r\n");
    }
}

#[test]
fn redis_checks_and_loads_what_a_snapshot_unpacks_to() {
    // Whether it can be started at all.
    let Some(_redis) = Redis::start(&[]) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "pairs.zst");
    let serving = Serving::start(&["--snapshot", &file]);
    let mut client = Client::connect(serving.resp);
    fill(&mut client);
    assert_eq!(client.say("SAVE"), "+OK\r\n");
    let ours = pairs(&mut client);
    assert!(ours[3].1.len() == 16 && ours[1].1 == b":-1\r\n", "{:?}", &ours[..4]);

    let text = path_in(folder.path(), "appendonly.aof");
    let unpacked = fs::File::create(&text).expect("there is room");
    let status = Command::new(env!("CARGO_BIN_EXE_server"))
        .args(["snapshot", "cat", &file])
        .stdout(unpacked)
        .status();
    assert!(status.expect("it can be run").success());
    let checked = Command::new("redis-check-aof").arg(&text).output().expect("it can be run");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && said.contains("is valid"), "{said}");
    let length = fs::metadata(&text).expect("it is there").len();
    assert!(said.contains(&format!("ok_up_to={length}, ")), "{said}");

    let dir = folder.path().to_string_lossy();
    let redis = Redis::start(&["--dir", &dir, "--appendonly", "yes"]).expect("as before");
    let mut client = Client::connect(redis.addr);
    assert_eq!(client.say("DBSIZE"), format!(":{PAIRS}\r\n"));
    are_alike(&pairs(&mut client), &ours);
}

#[test]
fn what_redis_makes_of_strings_is_read_once_it_is_packed() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().to_string_lossy().into_owned();
    let arguments = ["--dir", &dir, "--appendonly", "yes", "--aof-use-rdb-preamble", "no"];
    let Some(redis) = Redis::start(&arguments) else { return };
    let mut client = Client::connect(redis.addr);
    fill(&mut client);
    let theirs = pairs(&mut client);
    assert!(client.say("BGREWRITEAOF").starts_with("+Background"));
    while !client.say("INFO persistence").contains("aof_rewrites:1\r\n")
        || client.say("INFO persistence").contains("aof_rewrite_in_progress:1\r\n")
    {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let base = fs::read_dir(folder.path().join("appendonlydir"))
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with(".base.aof"))
        .expect("what it wrote anew");
    let file = path_in(folder.path(), "pairs.zst");
    let text = fs::read(base).expect("it is there");
    fs::write(&file, packed(&text).expect("memory takes it")).expect("there is room");
    let serving = Serving::start(&["--snapshot", &file]);
    are_alike(&pairs(&mut Client::connect(serving.resp)), &theirs);
}
