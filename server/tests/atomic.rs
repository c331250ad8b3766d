//! Commands of many connections on one key: each is one step, whichever thread serves it.

mod support;

use std::sync::Barrier;
use std::thread;

use support::{Client, request, start};

#[test]
fn increments_of_many_connections_add_up() {
    const CONNECTIONS: usize = 16;
    const EACH: usize = 500;
    let running = start();
    let mut seen: Vec<i64> = thread::scope(|scope| {
        let body = || {
            let mut client = Client::connect(running.resp);
            // Half at once, half one by one.
            client.send(&request(&["INCR", "n"]).repeat(EACH / 2));
            let mut seen: Vec<i64> = (0..EACH / 2).map(|_| number(&client.reply())).collect();
            seen.extend((EACH / 2..EACH).map(|_| number(&client.ask(&["INCR", "n"]))));
            assert!(seen.is_sorted(), "a connection's increments come in its order");
            seen
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(body)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    // Each step was seen by exactly one connection.
    seen.sort_unstable();
    let total = i64::try_from(CONNECTIONS * EACH).expect("a few");
    assert_eq!(seen, (1..=total).collect::<Vec<_>>());
}

#[test]
fn appends_and_conditions_of_many_connections_are_single_steps() {
    let running = start();
    let won: usize = thread::scope(|scope| {
        let body = || {
            let mut client = Client::connect(running.resp);
            let mut won = 0;
            for round in 0..200 {
                client.say("APPEND log x");
                client.say("INCRBYFLOAT sum 0.25");
                won += usize::from(client.say(&format!("SET lock:{round} me NX")) == "+OK\r\n");
                won += usize::from(client.say(&format!("GETDEL gift:{round}")) != "$-1\r\n");
                won += usize::from(client.say(&format!("SETNX turn:{round} me")) == ":1\r\n");
            }
            won
        };
        let mut giver = Client::connect(running.resp);
        for round in 0..200 {
            giver.say(&format!("SET gift:{round} x"));
        }
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(body)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    // One wins each lock, one each gift, one each turn.
    assert_eq!(won, 3 * 200);
    let mut client = Client::connect(running.resp);
    assert_eq!(client.say("STRLEN log"), ":1600\r\n");
    assert_eq!(client.say("GET sum"), "$3\r\n400\r\n");
}

#[test]
fn conditions_on_a_ttl_are_single_steps() {
    const KEYS: usize = 500;
    let running = start();
    let every = |words: &dyn Fn(&str) -> Vec<u8>| -> Vec<u8> {
        (0..KEYS).flat_map(|key| words(&format!("k{key}"))).collect()
    };
    let set = every(&|key| request(&["SET", key, "v"]));
    let expire = every(&|key| request(&["EXPIRE", key, "100", "NX"]));
    let mut client = Client::connect(running.resp);
    for _ in 0..20 {
        client.send(&set);
        (0..KEYS).for_each(|_| assert_eq!(client.reply(), b"+OK\r\n"));
        // All begin together, and race each other down the same row of keys.
        let start = Barrier::new(4);
        let won: i64 = thread::scope(|scope| {
            let body = || {
                let mut client = Client::connect(running.resp);
                client.say("PING");
                start.wait();
                client.send(&expire);
                (0..KEYS).map(|_| number(&client.reply())).sum::<i64>()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(body)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(won, i64::try_from(KEYS).expect("a few"), "one finds each key without a TTL");
    }
}

fn number(reply: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(reply);
    let digits = text.strip_prefix(':').unwrap_or_else(|| panic!("no number: {text}"));
    digits.trim_end().parse().expect("a number")
}
