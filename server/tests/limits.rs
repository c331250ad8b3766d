//! What a client may not do: too much, too slowly, or without the password; and that others do not
//! notice.

mod support;

use std::time::{Duration, Instant};

use server::serve::{Running, StartError};
use server::{Limits, RequestLimits};
use support::{Client, PATIENCE, config, request, start};

fn limited(change: impl FnOnce(&mut Limits)) -> Running {
    let mut config = config();
    config.threads = 1;
    change(&mut config.limits);
    Running::start(&config).expect("it starts")
}

/// That the server serves others as ever.
fn others_are_served(running: &Running) {
    let mut other = Client::connect(running.resp);
    assert_eq!(other.say("PING"), "+PONG\r\n");
}

#[test]
fn requests_beyond_a_limit_are_refused_and_the_client_closed() {
    let small = RequestLimits { bulk: 100, words: 4, request: 300 };
    let running = limited(|limits| limits.request = small);
    let mut bystander = Client::connect(running.resp);
    let word = "x".repeat(100);
    let cases: [(Vec<u8>, &str); 4] = [
        (request(&["SET", "k", &"x".repeat(101)]), "invalid bulk length"),
        (request(&["MGET", "a", "b", "c", "d"]), "invalid multibulk length"),
        (request(&["MGET", &word, &word, &word]), "request too large"),
        (vec![b'x'; 70_000], "too big inline request"),
    ];
    for (bytes, complaint) in cases {
        let mut client = Client::connect(running.resp);
        let _ = client.try_send(&bytes);
        let rest = String::from_utf8_lossy(&client.rest()).into_owned();
        // What is unread when a connection is closed may take the complaint with it.
        let said = rest == format!("-ERR Protocol error: {complaint}\r\n");
        assert!(said || (rest.is_empty() && bytes.len() > 60_000), "{complaint}: {rest}");
        assert_eq!(bystander.say("PING"), "+PONG\r\n");
    }
    // Just within them all is well.
    let mut client = Client::connect(running.resp);
    assert_eq!(client.ask(&["SET", "k", &word]), b"+OK\r\n");
    assert_eq!(client.ask(&["MGET", "a", "b", "k"]).len(), 3 * 5 + 4 + 103);
    assert_eq!(client.ask(&["APPEND", "k", "y"])[..4], *b"-ERR");
}

#[test]
fn there_are_no_more_clients_than_may_be() {
    let running = limited(|limits| limits.clients = 2);
    let mut first = Client::connect(running.resp);
    let mut second = Client::connect(running.resp);
    assert_eq!((first.say("PING"), second.say("PING")), ("+PONG\r\n".into(), "+PONG\r\n".into()));
    let mut third = Client::connect(running.resp);
    assert_eq!(third.rest(), b"-ERR max number of clients reached\r\n");
    assert_eq!(first.say("QUIT"), "+OK\r\n");
    assert_eq!(first.rest(), b"");
    // The place is free again, if not at once.
    let let_in = (0..1_000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        let mut next = Client::connect(running.resp);
        let _ = next.try_send(b"PING\r\n");
        next.rest_or_reply() == b"+PONG\r\n"
    });
    assert!(let_in, "the place was not given back");
}

#[test]
fn who_does_not_read_replies_is_closed_and_holds_little() {
    let running = limited(|limits| {
        limits.stall = Duration::from_millis(300);
        limits.output = 8 << 20;
    });
    let mut slow = Client::connect(running.resp);
    slow.ask(&["SET", "big", &"x".repeat(1 << 20)]);
    // It asks for far more than the sockets hold, and reads nothing of it.
    let _ = slow.try_send(&request(&["GET", "big"]).repeat(200));
    std::thread::sleep(Duration::from_millis(100));
    others_are_served(&running);
    // What it gets in the end is cut off: it was closed.
    let mut other = Client::connect(running.resp);
    while other.say("INFO clients").contains("connected_clients:2") {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(slow.rest().len() < 200 << 20);
    // One reply larger than may be held closes at once.
    let keys: Vec<&str> = ["MGET"].into_iter().chain(["big"; 9]).collect();
    let mut greedy = Client::connect(running.resp);
    greedy.send(&request(&keys));
    assert_eq!(greedy.rest(), b"");
    others_are_served(&running);
}

#[test]
fn who_sends_a_large_request_byte_by_byte_is_closed() {
    let running = limited(|limits| limits.stall = Duration::from_millis(300));
    let mut client = Client::connect(running.resp);
    client.send(b"*2\r\n$4\r\nECHO\r\n$1000000\r\n");
    client.send("x".repeat(500_000).as_bytes());
    // Something moves all the time, and yet it would take for ever.
    let begun = Instant::now();
    while client.try_send(b"x").is_ok() {
        assert!(begun.elapsed() < PATIENCE, "half a megabyte is held for ever");
        std::thread::sleep(Duration::from_millis(20));
    }
    others_are_served(&running);
}

#[test]
fn what_a_client_calls_itself_is_short() {
    let running = start();
    let mut client = Client::connect(running.resp);
    let (most, more) = ("x".repeat(1_024), "x".repeat(1_025));
    let too_long = "-ERR Client names cannot be longer than 1024 bytes.\r\n";
    assert_eq!(client.say(&format!("CLIENT SETNAME {most}")), "+OK\r\n");
    assert_eq!(client.say(&format!("CLIENT SETNAME {more}")), too_long);
    assert_eq!(client.say(&format!("HELLO 2 SETNAME {more}")), too_long);
    assert_eq!(client.say("CLIENT GETNAME"), format!("$1024\r\n{most}\r\n"));
    for option in ["lib-name", "lib-ver"] {
        let too_long = format!("-ERR {option} cannot be longer than 1024 bytes.\r\n");
        assert_eq!(client.say(&format!("CLIENT SETINFO {option} {most}")), "+OK\r\n");
        assert_eq!(client.say(&format!("CLIENT SETINFO {option} {more}")), too_long);
    }
}

#[test]
fn who_rests_within_a_request_or_too_long_is_closed() {
    let running = limited(|limits| limits.stall = Duration::from_millis(100));
    let mut client = Client::connect(running.resp);
    client.send(b"*2\r\n$3\r\nGET\r\n$10\r\nabc");
    assert_eq!(client.rest(), b"");
    others_are_served(&running);

    let running = limited(|limits| limits.idle = Some(Duration::from_millis(100)));
    let mut client = Client::connect(running.resp);
    assert_eq!(client.say("PING"), "+PONG\r\n");
    assert_eq!(client.rest(), b"");
}

#[test]
fn without_the_password_nothing_is_done() {
    let mut config = config();
    config.password = Some("secret".to_owned());
    let running = Running::start(&config).expect("it starts");
    let mut client = Client::connect(running.resp);
    let denied = "-NOAUTH Authentication required.\r\n";
    for command in ["GET a", "PING", "SET a 1", "FLUSHALL", "KEYS *", "CONFIG GET *"] {
        assert_eq!(client.say(command), denied);
    }
    assert_eq!(
        client.say("NOSUCH"),
        "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"
    );
    assert!(client.say("HELLO 3").starts_with("-NOAUTH HELLO must be called"));
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    for command in ["AUTH secre", "AUTH secret1", "AUTH x secret", "HELLO 3 AUTH default no"] {
        assert_eq!(client.say(command), wrong);
    }
    assert_eq!(client.say("GET a"), denied);
    assert_eq!(client.say("AUTH secret"), "+OK\r\n");
    assert_eq!(client.say("GET a"), "$-1\r\n");
    let mut client = Client::connect(running.resp);
    assert!(client.say("HELLO 3 AUTH default secret SETNAME me").starts_with("%7\r\n"));
    assert_eq!(client.say("CLIENT GETNAME"), "$2\r\nme\r\n");
    // Who has not said it may not even send much.
    for (bytes, complaint) in [
        (&b"*11\r\n"[..], "unauthenticated multibulk length"),
        (&b"*1\r\n$20000\r\n"[..], "unauthenticated bulk length"),
    ] {
        let mut client = Client::connect(running.resp);
        client.send(bytes);
        let rest = String::from_utf8_lossy(&client.rest()).into_owned();
        assert_eq!(rest, format!("-ERR Protocol error: {complaint}\r\n"));
    }
}

/// Whatever the command, a value that could not stay even alone is refused as one, and what was
/// there before is there still, with its TTL.
#[test]
fn a_value_heavier_than_all_memory_is_refused_and_changes_nothing() {
    const ROOM: usize = 2_000 - 96 - "heavy".len();
    let mut config = config();
    config.keyspace.max_memory = Some(2_000);
    if config.keyspace.values.is_some() {
        // There every value counts alike.
        return;
    }
    let running = Running::start(&config).expect("it starts");
    let mut client = Client::connect(running.resp);
    let (most, more) = ("x".repeat(ROOM), "x".repeat(ROOM + 1));
    let end = ROOM.to_string();
    let fill: &[&[&str]] = &[
        &["SET", "heavy", &more],
        &["SET", "heavy", &more, "NX"],
        &["SET", "heavy", &more, "GET"],
        &["SET", "heavy", &more, "NX", "GET"],
        &["SET", "heavy", &more, "EX", "100"],
        &["SETEX", "heavy", "100", &more],
        &["PSETEX", "heavy", "100000", &more],
        &["SETNX", "heavy", &more],
        &["GETSET", "heavy", &more],
        &["APPEND", "heavy", &more],
        &["SETRANGE", "heavy", &end, "x"],
        &["MSET", "light", "1", "heavy", &more],
    ];
    let oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    for command in fill {
        let reply = client.ask(command);
        assert_eq!(String::from_utf8_lossy(&reply), oom, "{}", command[0]);
        assert_eq!(client.say("DBSIZE"), ":0\r\n", "{} left something", command[0]);
    }
    let over: &[&[&str]] = &[
        &["SET", "heavy", &more, "XX"],
        &["SET", "heavy", &more, "XX", "GET"],
        &["SET", "heavy", &more, "KEEPTTL"],
        &["APPEND", "heavy", &most],
        &["MSET", "heavy", "new", "heavy", &more],
    ];
    assert_eq!(client.say("SET heavy old EX 1000"), "+OK\r\n");
    let only_absent = |command: &&&[&str]| command[0] == "SETNX" || command.contains(&"NX");
    for command in fill.iter().filter(|command| !only_absent(command)).chain(over) {
        let reply = client.ask(command);
        assert_eq!(String::from_utf8_lossy(&reply), oom, "{}", command[0]);
        assert_eq!(client.say("GET heavy"), "$3\r\nold\r\n", "{}", command[0]);
        assert!(matches!(client.say("TTL heavy").as_str(), ":1000\r\n" | ":999\r\n"));
    }
    // Whether there is a value decides first, and what just fits is stored.
    assert_eq!(client.ask(&["SET", "heavy", &more, "NX"]), b"$-1\r\n");
    assert_eq!(client.ask(&["SETNX", "heavy", &more]), b":0\r\n");
    assert_eq!(client.ask(&["SET", "heavy", &most, "XX"]), b"+OK\r\n");
    assert_eq!(client.say("STRLEN heavy"), format!(":{ROOM}\r\n"));
    assert_eq!(client.say("EXPIRE heavy 100 NX"), ":1\r\n");
    assert_eq!(client.say("APPEND heavy x"), oom);

    // A number may grow, too.
    let key = "k".repeat(2_000 - 96 - 1);
    assert_eq!(client.ask(&["INCRBY", &key, "10"]), oom.as_bytes());
    assert_eq!(client.ask(&["INCRBY", &key, "9"]), b":9\r\n");
    assert_eq!(client.ask(&["INCR", &key]), oom.as_bytes());
    assert_eq!(client.ask(&["INCRBYFLOAT", &key, "0.5"]), oom.as_bytes());
    assert_eq!(client.ask(&["GET", &key]), b"$1\r\n9\r\n");
}

#[test]
fn an_open_address_needs_a_password_or_the_wish() {
    let mut open = config();
    open.resp = "0.0.0.0:0".parse().expect("an address");
    let refused = Running::start(&open).expect_err("anybody could use it");
    assert!(matches!(refused, StartError::Open(_)));
    assert!(refused.to_string().contains("--requirepass"), "{refused}");
    open.insecure = true;
    drop(Running::start(&open).expect("it was wished for"));
    open.insecure = false;
    open.password = Some("secret".to_owned());
    drop(Running::start(&open).expect("there is a password"));
}

#[test]
fn a_thread_that_cannot_be_had_is_told_with_the_remedy() {
    let starved = StartError::Thread(std::io::Error::other("no more")).to_string();
    assert!(starved.contains("no more") && starved.contains("--threads"), "{starved}");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let running = start();
    let mut taken = config();
    taken.resp = running.resp;
    let refused = Running::start(&taken).expect_err("it is taken");
    assert!(refused.to_string().starts_with(&running.resp.to_string()), "{refused}");
}

#[test]
fn what_was_asked_before_a_stop_is_answered() {
    // Far more than the sockets hold, so that most of it is still to be sent.
    const ASKED: usize = 300;
    let running = start();
    let mut client = Client::connect(running.resp);
    client.ask(&["SET", "k", &"x".repeat(100_000)]);
    client.send(&request(&["GET", "k"]).repeat(ASKED));
    let first = client.reply();
    let stopping = std::thread::spawn(move || running.stop());
    std::thread::sleep(Duration::from_millis(100));
    // What had been received by then is answered, if not all that had been sent.
    let rest = client.rest();
    assert!(rest.len() > ASKED / 3 * first.len(), "{} bytes came", rest.len());
    assert_eq!(rest.len() % first.len(), 0, "a reply was cut off");
    stopping.join().expect("it stops").expect("no snapshot is kept");
}
