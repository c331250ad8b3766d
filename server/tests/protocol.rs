//! What goes over the wire, judged by a codec that is not ours; requests in pieces; times and walks.

mod support;

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use redis_protocol::resp2::decode::decode as decode2;
use redis_protocol::resp3::decode::complete::decode as decode3;
use redis_protocol::resp3::types::OwnedFrame;
use support::{Client, request, start};

const COMMANDS: &[&str] = &[
    "SET k v",
    "GET k",
    "GET none",
    "MGET k none",
    "INCR n",
    "TTL k",
    "KEYS *",
    "SCAN 0",
    "DBSIZE",
    "INFO",
    "CONFIG GET *",
    "COMMAND",
    "COMMAND COUNT",
    "COMMAND DOCS get",
    "COMMAND INFO get no",
    "COMMAND LIST",
    "CLIENT ID",
    "CLIENT INFO",
    "CLIENT GETNAME",
    "NOSUCH",
    "HELLO",
    "TYPE k",
    "RANDOMKEY",
    "INCRBYFLOAT f 1.5",
    "CLIENT SETINFO lib-name tests",
    "CLIENT NO-TOUCH on",
];

#[test]
fn both_versions_of_the_protocol_are_read_by_another_codec() {
    let running = start();
    let mut client = Client::connect(running.resp);
    for command in COMMANDS {
        let reply = client.say(command);
        let (_, length) = decode2(reply.as_bytes())
            .unwrap_or_else(|error| panic!("{command}: {error}: {reply}"))
            .unwrap_or_else(|| panic!("{command}: cut off: {reply}"));
        assert_eq!(length, reply.len(), "{command}: {reply}");
    }
    client.say("HELLO 3");
    for command in COMMANDS {
        let reply = client.say(command);
        let (frame, length) = decode3(reply.as_bytes())
            .unwrap_or_else(|error| panic!("{command}: {error}: {reply}"))
            .unwrap_or_else(|| panic!("{command}: cut off: {reply}"));
        assert_eq!(length, reply.len(), "{command}: {reply}");
        match *command {
            "GET none" => assert_eq!(frame, OwnedFrame::Null),
            "CONFIG GET *" | "HELLO" => assert!(matches!(frame, OwnedFrame::Map { .. })),
            "INFO" => assert!(matches!(frame, OwnedFrame::VerbatimString { .. })),
            _ => {}
        }
    }
}

#[test]
fn info_tells_what_is_asked_after() {
    let running = start();
    let mut client = Client::connect(running.resp);
    assert!(client.say("INFO stats").contains("\r\nexpired_keys:0\r\n"));
    client.say("SET k v EX 100");
    let info = client.say("INFO");
    for line in ["redis_version:7.0.15", "db0:keys=1,expires=1,avg_ttl=0", "role:master"] {
        assert!(info.contains(&format!("\r\n{line}\r\n")), "{line}: {info}");
    }
    if cfg!(target_os = "linux") {
        assert!(info.contains("\r\nused_memory:"), "{info}");
    }
    let memory = client.say("INFO memory");
    assert!(memory.contains("# Memory") && !memory.contains("# Server"), "{memory}");
}

#[test]
fn requests_may_come_in_any_pieces() {
    let running = start();
    let mut all = Vec::new();
    for round in 0..4 {
        all.extend(request(&["SET", "key", &"v".repeat(round * 7)]));
        all.extend(b"GET key\r\n");
        all.extend(request(&["MGET", "key", "none"]));
        all.extend(b"*0\r\n\r\n");
    }
    let replies = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut client = Client::connect(running.resp);
        for piece in pieces {
            client.send(piece);
        }
        (0..12).flat_map(|_| client.reply()).collect::<Vec<u8>>()
    };
    let whole = replies(&mut std::iter::once(&all[..]));
    for size in [1, 2, 3, 5, 7, 11] {
        assert_eq!(replies(&mut all.chunks(size)), whole, "in pieces of {size}");
    }
}

#[test]
fn a_deadline_comes_back_as_it_was_set_and_never_early() {
    let running = start();
    let mut client = Client::connect(running.resp);
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let mut exact = 0;
    for round in 0..500 {
        let deadline_ms = now_ms + 100_000 + round * 37;
        client.say(&format!("SET k v PXAT {deadline_ms}"));
        let told = client.say("PEXPIRETIME k");
        let told: u128 = told[1..].trim_end().parse().expect("a number");
        assert!(told >= deadline_ms, "{told} is before {deadline_ms}");
        exact += u32::from(told == deadline_ms);
    }
    // Not all: a thread may be interrupted between looking at one clock and at the other.
    assert!(exact > 400, "{exact} of 500 were exact");
}

#[test]
fn a_walk_finds_every_key_that_stays() {
    let running = start();
    let mut client = Client::connect(running.resp);
    // More than are kept for a walk at once, and than are walked over on the spot.
    let batch = |from: u32| -> Vec<u8> {
        (from..from + 1_000).flat_map(|n| request(&["SET", &format!("stay:{n}"), "x"])).collect()
    };
    for from in (0..15_000).step_by(1_000) {
        client.send(&batch(from));
        for _ in 0..1_000 {
            assert_eq!(client.reply(), b"+OK\r\n");
        }
    }
    let (mut cursor, mut seen, mut steps) = ("0".to_owned(), Vec::new(), 0);
    loop {
        let reply = client.ask(&["SCAN", &cursor, "COUNT", "500", "MATCH", "stay:*"]);
        let text = String::from_utf8(reply).expect("text");
        let mut lines = text.split("\r\n").filter(|line| !line.starts_with(['$', '*']));
        cursor = lines.next().expect("a cursor").to_owned();
        seen.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
        steps += 1;
        client.say(&format!("SET come:{steps} x"));
        client.say(&format!("DEL come:{}", steps - 3));
        if cursor == "0" {
            break;
        }
    }
    let different: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), different.len()), (15_000, 15_000));
    assert!(steps >= 30, "{steps}");
    assert_eq!(client.say("KEYS stay:1499?").matches("stay:").count(), 10);
    assert!(client.say("RANDOMKEY").starts_with('$'));
    assert_eq!(client.say("FLUSHALL"), "+OK\r\n");
    assert_eq!(client.say("DBSIZE"), ":0\r\n");
}
