//! Clients that others have made, driving the server as their users do: the `redis` crate, redis-py,
//! `redis-cli` and `redis-benchmark`.

#[path = "support/programs.rs"]
mod programs;
#[path = "support/redis.rs"]
mod redis_server;
mod support;

use std::collections::BTreeSet;
use std::process::Output;

use programs::{are_here, is_fetched, program, repository, run, text};
use redis::{
    Client, Commands, Connection, ErrorKind, ExistenceCheck, RedisError, RedisResult, SetExpiry,
    SetOptions, Value, cmd, pipe,
};
use redis_server::Redis;
use server::serve::Running;
use support::{config, start};

/// A connection of the `redis` crate in either version of the protocol.
fn connect(running: &Running, protocol: u8) -> Connection {
    let url = format!("redis://{}/?protocol=resp{protocol}", running.resp);
    let client = Client::open(url).expect("an address");
    client.get_connection().expect("the server lets it in")
}

#[test]
fn the_redis_crate_uses_strings_numbers_and_ttls() -> RedisResult<()> {
    let running = start();
    for protocol in [2, 3] {
        let mut con = connect(&running, protocol);
        let proto: Value = cmd("HELLO").query(&mut con)?;
        let told = proto.into_map_iter().expect("a map").find_map(|(name, value)| {
            (name == Value::BulkString(b"proto".to_vec())).then_some(value)
        });
        assert_eq!(told, Some(Value::Int(protocol.into())));

        con.flushall::<()>()?;
        assert_eq!(con.get::<_, Option<String>>("a")?, None);
        con.set::<_, _, ()>("a", 7)?;
        assert_eq!(con.get::<_, u64>("a")?, 7);
        let bytes: Vec<u8> = (0..=255).collect();
        con.set::<_, _, ()>(&bytes, &bytes)?;
        assert_eq!(con.get::<_, Vec<u8>>(&bytes)?, bytes);
        let once = SetOptions::default().conditional_set(ExistenceCheck::NX);
        let once = once.with_expiration(SetExpiry::EX(100));
        assert_eq!(
            con.set_options::<_, _, Option<String>>("lock", 1, once.clone())?,
            Some("OK".into())
        );
        assert_eq!(con.set_options::<_, _, Option<String>>("lock", 2, once)?, None);
        assert!((99..=100).contains(&con.ttl::<_, i64>("lock")?));
        assert_eq!(con.getset::<_, _, Option<i64>>("lock", 3)?, Some(1));
        assert_eq!(con.get_del::<_, Option<i64>>("lock")?, Some(3));

        con.mset::<_, _, ()>(&[("x", 1), ("y", 2)])?;
        assert_eq!(con.mget::<_, Vec<Option<i64>>>(&["x", "none", "y"])?, [Some(1), None, Some(2)]);
        assert_eq!(con.incr::<_, _, i64>("x", 41)?, 42);
        assert!((con.incr::<_, _, f64>("f", 0.5)? - 0.5).abs() < f64::EPSILON);
        assert_eq!(con.append::<_, _, usize>("a", "up")?, 3);
        assert_eq!(con.getrange::<_, String>("a", 1, -1)?, "up");
        assert!(con.expire::<_, bool>("x", 100)? && con.persist::<_, bool>("x")?);
        assert!(!con.persist::<_, bool>("none")?);
        assert_eq!(con.del::<_, usize>(&["x", "y", "none"])?, 2);

        let error = con.incr::<_, _, i64>("a", 1).expect_err("`7up` is no number");
        assert_eq!(complaint(&error), "value is not an integer or out of range");
        let error = cmd("NOSUCH").query::<()>(&mut con).expect_err("it is not there");
        assert!(complaint(&error).starts_with("unknown command 'NOSUCH'"), "{error}");
        assert_eq!(con.get::<_, String>("a")?, "7up");
    }
    Ok(())
}

/// What the server complained of.
fn complaint(error: &RedisError) -> String {
    assert!(matches!(error.kind(), ErrorKind::Server(_)), "{error:?}");
    error.detail().unwrap_or_default().to_owned()
}

#[test]
fn the_redis_crate_pipelines_and_scans() -> RedisResult<()> {
    let running = start();
    for protocol in [2, 3] {
        let mut con = connect(&running, protocol);
        con.flushall::<()>()?;
        let mut many = pipe();
        for number in 0..5_000 {
            many.set(format!("k:{number}"), number).ignore();
            many.get(format!("k:{number}"));
        }
        let answers: Vec<usize> = many.query(&mut con)?;
        assert_eq!(answers, (0..5_000).collect::<Vec<_>>());
        let seen: RedisResult<Vec<String>> = con.scan()?.collect();
        let seen = seen?;
        assert_eq!(seen.len(), 5_000);
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), 5_000);
        let matching: RedisResult<Vec<String>> = con.scan_match("k:499?")?.collect();
        assert_eq!(matching?.len(), 10);
    }
    Ok(())
}

#[test]
fn the_redis_crate_comes_back_after_the_server_was_away() -> RedisResult<()> {
    let mut config = config();
    let running = Running::start(&config).expect("it starts");
    config.resp = running.resp;
    let client = Client::open(format!("redis://{}", running.resp))?;
    let mut con = client.get_connection()?;
    con.set::<_, _, ()>("a", 1)?;
    running.stop().expect("no snapshot is kept");
    assert!(con.get::<_, Option<i64>>("a").is_err(), "nobody is there");
    assert!(client.get_connection().is_err(), "nobody is there");
    let _running = Running::start(&config).expect("the port is free again");
    let mut con = client.get_connection()?;
    assert_eq!(con.get::<_, Option<i64>>("a")?, None, "what it held is gone with it");
    con.set::<_, _, ()>("a", 2)?;
    assert_eq!(con.get::<_, i64>("a")?, 2);
    Ok(())
}

#[test]
fn the_redis_crate_says_the_password() -> RedisResult<()> {
    let mut config = config();
    config.password = Some("secret".to_owned());
    let running = Running::start(&config).expect("it starts");
    for protocol in [2, 3] {
        let open = |password: &str| {
            let url = format!("redis://{password}@{}/?protocol=resp{protocol}", running.resp);
            Client::open(url)?.get_connection()
        };
        assert!(open(":wrong").is_err());
        open(":secret")?.set::<_, _, ()>("a", 1)?;
        assert_eq!(open("default:secret")?.get::<_, i64>("a")?, 1);
        assert!(open("").and_then(|mut con| con.get::<_, Option<i64>>("a")).is_err());
    }
    Ok(())
}

#[test]
fn redis_py_passes_its_suite_as_on_redis_itself() {
    let python = repository("target/clients/bin/python");
    let remedy = "run server/tests/fetch.sh, which needs Debian's python3-venv";
    if !is_fetched(python.is_file(), "redis-py", remedy) {
        return;
    }
    let Some(redis) = Redis::start(&[]) else { return };
    let running = start();
    let script = repository("server/tests/clients/redis_py.py");
    let script = script.to_str().expect("text");
    // Redis itself passes: otherwise the suite would be wrong.
    for (name, addr) in [("redis-server", redis.addr), ("ours", running.resp)] {
        for protocol in ["2", "3"] {
            let port = addr.port().to_string();
            let arguments = ["-W", "ignore", script, "127.0.0.1", &port, protocol];
            let output = run(&python, &arguments, b"");
            let text = text(&output);
            assert!(output.status.success(), "{name}, RESP{protocol}:\n{text}");
            assert!(text.contains("20 passed, 0 failed"), "{name}, RESP{protocol}:\n{text}");
        }
    }
}

/// Runs redis-cli or redis-benchmark against a server.
fn tool(name: &str, running: &Running, arguments: &[&str], input: &[u8]) -> Output {
    let port = running.resp.port().to_string();
    let mut all = vec!["-h", "127.0.0.1", "-p", &port];
    all.extend(arguments);
    run(&program(name).expect("it is there"), &all, input)
}

fn cli(running: &Running, arguments: &[&str]) -> String {
    let output = tool("redis-cli", running, arguments, b"");
    assert!(output.status.success(), "redis-cli {arguments:?}: {}", text(&output));
    text(&output).trim().to_owned()
}

#[test]
fn redis_cli_asks_and_shows() {
    if !are_here(&["redis-cli"]) {
        return;
    }
    let running = start();
    assert_eq!(cli(&running, &["SET", "greeting", "hello", "EX", "60"]), "OK");
    assert_eq!(cli(&running, &["GET", "greeting"]), "hello");
    assert_eq!(cli(&running, &["-3", "GET", "none"]), "");
    assert_eq!(cli(&running, &["--no-raw", "-3", "GET", "none"]), "(nil)");
    assert_eq!(cli(&running, &["--no-raw", "-3", "MGET", "greeting"]), "1) \"hello\"");
    assert!(cli(&running, &["-3", "CONFIG", "GET", "save"]).starts_with("save"));
    assert!(cli(&running, &["INFO", "server"]).contains("redis_version:7."));
    assert_eq!(cli(&running, &["-r", "3", "INCR", "n"]), "1\n2\n3");
    let wrong = cli(&running, &["INCR", "greeting"]);
    assert_eq!(wrong, "ERR value is not an integer or out of range");
    // Commands by the line, as one types them.
    let typed = b"SET b \"two words\"\nGET b\nNOSUCH\nTTL greeting\n";
    let output = tool("redis-cli", &running, &[], typed);
    let lines: Vec<String> = text(&output).lines().map(str::to_owned).collect();
    assert_eq!(lines[..2], ["OK", "two words"], "{lines:?}");
    assert!(lines[2].starts_with("ERR unknown command 'NOSUCH'"), "{lines:?}");
    assert!(["59", "60"].contains(&lines.last().expect("a line").as_str()), "{lines:?}");
}

#[test]
fn redis_cli_inserts_in_masses_and_scans() {
    const PAIRS: usize = 20_000;
    if !are_here(&["redis-cli"]) {
        return;
    }
    let running = start();
    let mut masses = Vec::new();
    for number in 0..PAIRS {
        let (key, value) = (format!("k:{number}"), number.to_string());
        masses.extend(support::request(&["SET", &key, &value]));
    }
    let output = tool("redis-cli", &running, &["--pipe"], &masses);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("errors: 0, replies: {PAIRS}")), "{said}");
    assert_eq!(cli(&running, &["DBSIZE"]), PAIRS.to_string());
    assert_eq!(cli(&running, &["GET", "k:19999"]), "19999");
    let scanned = cli(&running, &["--scan"]);
    let keys: BTreeSet<&str> = scanned.lines().collect();
    assert_eq!((scanned.lines().count(), keys.len()), (PAIRS, PAIRS));
    let some = cli(&running, &["--scan", "--pattern", "k:1234?"]);
    assert_eq!(some.lines().count(), 10);
    // What is wrong in the middle is counted, and the rest inserted.
    masses.extend(support::request(&["INCR", "word"]));
    masses.splice(0..0, support::request(&["SET", "word", "abc"]));
    masses.extend(support::request(&["SET", "last", "1"]));
    let said = text(&tool("redis-cli", &running, &["--pipe"], &masses));
    assert!(said.contains(&format!("errors: 1, replies: {}", PAIRS + 3)), "{said}");
    assert_eq!(cli(&running, &["GET", "last"]), "1");
}

#[test]
fn redis_benchmark_ends_without_an_error() {
    if !are_here(&["redis-benchmark"]) {
        return;
    }
    let running = start();
    let plain = ["-t", "ping,set,get,incr,mset", "-n", "5000", "-r", "1000", "-q"];
    let more: [&[&str]; 3] = [
        &["-c", "20"],
        &["-c", "20", "-P", "16"],
        &["-c", "4", "-P", "16", "-3", "--threads", "2"],
    ];
    for options in more {
        let output = tool("redis-benchmark", &running, &[options, &plain].concat(), b"");
        let said = text(&output);
        assert!(output.status.success(), "{options:?}: {said}");
        for test in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"] {
            let ended = |line: &str| line.starts_with(test) && line.contains("requests per second");
            assert!(said.split(['\r', '\n']).any(ended), "no end of {test}: {said}");
        }
        let says = |word: &str| said.to_ascii_lowercase().contains(word);
        assert!(!says("error") && !says("warning"), "{options:?}: {said}");
    }
    assert_eq!(cli(&running, &["EXISTS", "counter:000000000001"]), "1");
    // Its own words, and keys with a TTL.
    let own =
        ["-n", "2000", "-r", "500", "-P", "8", "-q", "SET", "k:__rand_int__", "v", "EX", "99"];
    let output = tool("redis-benchmark", &running, &own, b"");
    assert!(output.status.success(), "{}", text(&output));
    assert!(!text(&output).to_ascii_lowercase().contains("error"), "{}", text(&output));
    assert!(!cli(&running, &["--scan", "--pattern", "k:0*"]).is_empty());
}
