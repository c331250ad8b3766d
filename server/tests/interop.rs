//! The same commands to this server and to redis-server: the replies must be the same bytes.

#[path = "support/redis.rs"]
mod redis;
mod support;

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, TestRunner};
use redis::Redis;
use server::serve::Running;
use support::{Client, config};

/// Both servers, and a client of each.
struct Pair {
    ours: Client,
    theirs: Client,
    running: Running,
    redis: Redis,
}

impl Pair {
    fn start() -> Option<Self> {
        let redis = Redis::start(&[])?;
        let running = Running::start(&config()).expect("it starts");
        let (ours, theirs) = (Client::connect(running.resp), Client::connect(redis.addr));
        Some(Self { ours, theirs, running, redis })
    }

    /// Asks both; the replies, as text.
    fn ask(&mut self, words: &[Vec<u8>]) -> (String, String) {
        let shown = |bytes: Vec<u8>| bytes.escape_ascii().to_string();
        (shown(self.ours.ask(words)), shown(self.theirs.ask(words)))
    }

    /// Asks both for `words`, which must be answered alike.
    fn compare(&mut self, words: &[Vec<u8>]) -> Result<(), String> {
        let (ours, theirs) = self.ask(words);
        let name = words[0].to_ascii_lowercase();
        if ours == theirs || is_alike(&name, &ours, &theirs) {
            return Ok(());
        }
        let command: Vec<_> = words.iter().map(|word| word.escape_ascii().to_string()).collect();
        Err(format!("{}\n  ours   {ours}\n  theirs {theirs}", command.join(" ")))
    }

    /// The same, but for times further away than the store can represent, which it refuses: the
    /// key is then deleted from both.
    fn compare_near_times(&mut self, words: &[Vec<u8>]) -> Result<(), String> {
        let number = |word: &Vec<u8>| std::str::from_utf8(word).ok()?.parse::<i64>().ok();
        let far = words.iter().any(|word| number(word).is_some_and(|time| time > 1_000_000_000));
        match self.compare(words) {
            Err(complaint) if far && complaint.contains("ours   -ERR invalid expire time") => {
                self.compare(&[b"UNLINK".to_vec(), words[1].clone()]).or(Ok(()))
            }
            compared => compared,
        }
    }

    fn script(&mut self, script: &str) {
        let mut complaints = Vec::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            complaints.extend(self.compare(&words(line)).err());
        }
        assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    }
}

/// Replies that may differ: what remains of a time by a little, as time passes between the two;
/// and lists without an order by theirs.
fn is_alike(command: &[u8], ours: &str, theirs: &str) -> bool {
    let number = |reply: &str| -> Option<i64> {
        reply.strip_prefix(':')?.strip_suffix("\\r\\n")?.parse().ok()
    };
    let sorted = |reply: &str| {
        let mut items: Vec<String> = reply.split('$').map(str::to_owned).collect();
        items.sort();
        items
    };
    let near = |most: i64| match (number(ours), number(theirs)) {
        (Some(ours), Some(theirs)) => ours > 0 && theirs > 0 && (ours - theirs).abs() <= most,
        _ => false,
    };
    match command {
        b"pttl" | b"pexpiretime" => near(5_000),
        b"ttl" | b"expiretime" => near(5),
        b"keys" => sorted(ours) == sorted(theirs),
        b"hello" => without_id(ours) == without_id(theirs),
        _ => false,
    }
}

/// What HELLO replies, without the client's number.
fn without_id(reply: &str) -> Option<(&str, &str)> {
    let (before, after) = reply.split_once("id\\r\\n:")?;
    Some((before, after.split_once("\\r")?.1))
}

/// Words apart by spaces; `""` is the empty one, `\x` escapes are bytes.
fn words(line: &str) -> Vec<Vec<u8>> {
    line.split_whitespace()
        .map(|word| match word {
            "\"\"" => Vec::new(),
            word => word
                .replace("\\r", "\r")
                .replace("\\n", "\n")
                .replace("\\0", "\0")
                .replace("\\s", " ")
                .into_bytes(),
        })
        .collect()
}

#[test]
fn strings_are_as_in_redis() {
    let Some(mut pair) = Pair::start() else { return };
    pair.script(include_str!("interop/strings.txt"));
}

#[test]
fn parts_of_strings_are_as_in_redis() {
    let Some(mut pair) = Pair::start() else { return };
    pair.script(include_str!("interop/ranges.txt"));
}

#[test]
fn the_edges_of_all_of_them_are_as_in_redis() {
    let Some(mut pair) = Pair::start() else { return };
    pair.script(include_str!("interop/edges.txt"));
}

/// What may be answered differently however it is asked: what a server says of itself, where a walk
/// goes on, and what hangs up.
const OWN: [&str; 12] = [
    "bgsave",
    "client",
    "command",
    "config",
    "hello",
    "info",
    "lastsave",
    "quit",
    "randomkey",
    "save",
    "scan",
    "time",
];

#[test]
fn every_command_with_any_number_of_words_is_answered_as_in_redis() {
    let Some(mut pair) = Pair::start() else { return };
    let mut complaints = Vec::new();
    let names = String::from_utf8(pair.ours.ask(&["COMMAND", "LIST"])).expect("text");
    let names: Vec<&str> = names.split("\r\n").skip(2).step_by(2).collect();
    for name in names.into_iter().filter(|name| !OWN.contains(name)) {
        for word in ["k", "100", "-1", ""] {
            for before in ["SET k v", "SET k 100", "SET 100 1 EX 1000"] {
                for count in 0..6 {
                    pair_is_empty(&mut pair);
                    pair.compare(&words(before)).expect("a plain SET");
                    let mut request = vec![name.as_bytes().to_vec()];
                    request.extend(vec![word.as_bytes().to_vec(); count]);
                    complaints.extend(pair.compare(&request).err());
                    complaints.extend(pair.compare(&words("MGET k 100 -1")).err());
                    complaints.extend(pair.compare(&words("TTL 100")).err());
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn numbers_are_as_in_redis() {
    let Some(mut pair) = Pair::start() else { return };
    pair.script(include_str!("interop/numbers.txt"));
}

#[test]
fn expiry_is_as_in_redis() {
    let Some(mut pair) = Pair::start() else { return };
    pair.script(include_str!("interop/expiry.txt"));
}

#[test]
fn keys_and_the_connection_are_as_in_redis() {
    let Some(mut pair) = Pair::start() else { return };
    pair.script(include_str!("interop/keys.txt"));
    pair.script("HELLO 3 SETNAME me");
}

#[test]
fn the_third_version_of_the_protocol_is_as_in_redis() {
    let Some(mut pair) = Pair::start() else { return };
    pair.script("HELLO 3");
    pair.script(include_str!("interop/strings.txt"));
    pair.script(include_str!("interop/numbers.txt"));
    pair.script(include_str!("interop/expiry.txt"));
}

#[test]
fn what_is_no_request_is_refused_as_in_redis() {
    let cases: [&[u8]; 21] = [
        b"*1\r\n+PING\r\n",
        b"*1\r\n$abc\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$600000000\r\n",
        b"*abc\r\n",
        b"*99999999999\r\n",
        b"*1\r\n\r\n",
        b"SET a \"b\r\n",
        b"SET a \"b\"c\r\n",
        b"SET a 'b' \"x\\x41\\n\"\r\nGET a\r\nQUIT\r\n",
        b"*0\r\n*-5\r\n\r\n\r\nPING\r\nPING 'a b'\r\nQUIT\r\n",
        b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\nECHO \"\"\r\nquit\r\n",
        b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nQUIT\r\n",
        b"ping\nPiNg\r\nNOSUCH 'a\\'b' \"c\\td\"\r\nQUIT\r\n",
        b"* 1\r\n",
        b"*01\r\n",
        b"*+1\r\n",
        b"*1\r\n$04\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a 1\r\n",
        b"HOST: a\r\nPING\r\n",
        b"GET\r\nGET a b\r\nQUIT\r\nPING\r\n",
    ];
    let Some(pair) = Pair::start() else { return };
    let mut complaints = Vec::new();
    for case in cases {
        let [ours, theirs] = [pair.running.resp, pair.redis.addr].map(|addr| {
            let mut client = Client::connect(addr);
            client.send(case);
            client.rest().escape_ascii().to_string()
        });
        if ours != theirs {
            complaints.push(format!("{}\n  {ours}\n  {theirs}", case.escape_ascii()));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// A word of a command that proptest makes up: mostly one that makes sense somewhere.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let sensible = [
        "a",
        "b",
        "c",
        "k",
        "0",
        "1",
        "-1",
        "10",
        "007",
        "3.5",
        "1e3",
        "-0",
        "9223372036854775807",
        "-9223372036854775808",
        "100",
        "1000000",
        "abc",
        "",
        " 1",
        "+1",
        "0x10",
        "EX",
        "PX",
        "NX",
        "XX",
        "GET",
        "KEEPTTL",
        "PERSIST",
        "GT",
        "LT",
        "EXAT",
        "PXAT",
        "2000000000",
        "2000000000000",
        "get",
        "eX",
    ];
    prop_oneof![
        12 => proptest::sample::select(sensible.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ]
}

fn command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let names = [
        "GET",
        "SET",
        "SET",
        "SET",
        "SETEX",
        "PSETEX",
        "SETNX",
        "GETSET",
        "GETDEL",
        "GETEX",
        "MGET",
        "MSET",
        "DEL",
        "UNLINK",
        "EXISTS",
        "TYPE",
        "STRLEN",
        "APPEND",
        "GETRANGE",
        "SETRANGE",
        "SUBSTR",
        "TOUCH",
        "INCR",
        "DECR",
        "INCRBY",
        "DECRBY",
        "INCRBYFLOAT",
        "EXPIRE",
        "PEXPIRE",
        "EXPIREAT",
        "PEXPIREAT",
        "TTL",
        "PTTL",
        "EXPIRETIME",
        "PEXPIRETIME",
        "PERSIST",
        "KEYS",
        "DBSIZE",
        "PING",
        "ECHO",
        "NOSUCH",
    ];
    let key = proptest::sample::select(vec!["a", "b", "c", "k"]);
    let key = key.prop_map(|key| key.as_bytes().to_vec());
    let rest = proptest::collection::vec(word(), 0..5);
    (proptest::sample::select(names.to_vec()), proptest::option::weighted(0.9, key), rest).prop_map(
        |(name, key, rest)| {
            let mut words = vec![name.as_bytes().to_vec()];
            words.extend(key);
            words.extend(rest);
            words
        },
    )
}

/// What the two may answer differently.
fn is_known_difference(words: &[Vec<u8>]) -> bool {
    let name = words[0].to_ascii_lowercase();
    let compares = words.iter().any(|word| word == b"GT" || word == b"LT");
    // A value that is to stay for less than ten seconds may be gone from one before it is from the
    // other.
    let number = |word: &Vec<u8>| std::str::from_utf8(word).ok()?.parse::<i64>().ok();
    let is_below = |most| words.iter().filter_map(number).any(|number| (1..most).contains(&number));
    let counts_in = |commands: [&[u8]; 2], option: &[u8]| {
        commands.contains(&&*name) || words.iter().any(|word| word.eq_ignore_ascii_case(option))
    };
    // Sums that need more digits than either computes with, and numbers as C reads them; and
    // what depends on the millisecond in which each is asked.
    name == b"incrbyfloat"
        || (compares && (name == b"expire" || name == b"pexpire"))
        || (is_below(10_000) && counts_in([b"pexpire", b"psetex"], b"px"))
        || (is_below(10) && counts_in([b"expire", b"setex"], b"ex"))
}

#[test]
fn whatever_is_asked_is_answered_as_by_redis() {
    let Some(pair) = Pair::start() else { return };
    let pair = RefCell::new(pair);
    let cases = ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() };
    let mut runner = TestRunner::new(cases);
    let scripts = proptest::collection::vec(command(), 1..40);
    let outcome = runner.run(&scripts, |script| {
        let mut pair = pair.borrow_mut();
        pair_is_empty(&mut pair);
        for words in script.iter().filter(|words| !is_known_difference(words)) {
            pair.compare_near_times(words).map_err(TestCaseError::fail)?;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn pair_is_empty(pair: &mut Pair) {
    for client in [&mut pair.ours, &mut pair.theirs] {
        assert_eq!(client.say("FLUSHALL"), "+OK\r\n");
    }
}
