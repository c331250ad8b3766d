//! The HTTP side: keys as paths, values as bodies; metrics; the password; limits.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use server::serve::Running;
use support::{Client, PATIENCE, config, start};

/// Sends one request on a connection of its own; returns status, head and body.
fn ask(addr: SocketAddr, request: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    exchange(addr, &[head.as_bytes(), body].concat())
}

fn exchange(addr: SocketAddr, bytes: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(addr).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer in time");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).expect("text");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head, answer[end + 4..].to_vec())
}

fn http(running: &Running) -> SocketAddr {
    running.http.expect("it was asked for")
}

#[test]
fn values_are_put_read_and_deleted() {
    let running = start();
    let addr = http(&running);
    let status = |request: &str, body: &[u8]| ask(addr, request, "", body).0;
    assert_eq!(status("GET /a", b""), 404);
    assert_eq!(status("DELETE /a", b""), 404);
    assert_eq!(status("PUT /a", b"one\0\xff"), 201);
    assert_eq!(status("PUT /a", b"two\0\xff"), 204);
    let (status_, head, body) = ask(addr, "GET /a", "", b"");
    assert_eq!((status_, &body[..]), (200, &b"two\0\xff"[..]));
    assert!(head.to_lowercase().contains("content-type: application/octet-stream"), "{head}");
    assert_eq!(ask(addr, "GET /?key=a", "", b"").2, b"two\0\xff");
    let (status_, head, body) = ask(addr, "HEAD /a", "", b"");
    assert_eq!((status_, body.len()), (200, 0));
    assert!(head.to_lowercase().contains("content-length: 5"), "{head}");
    // The other protocol sees the same pairs, and the other way round.
    let mut client = Client::connect(running.resp);
    assert_eq!(client.ask(&["GET", "a"]), b"$5\r\ntwo\0\xff\r\n");
    client.ask(&["SET", "a/b c?", "x"]);
    assert_eq!(ask(addr, "GET /a/b%20c%3F", "", b"").2, b"x");
    assert_eq!(status("DELETE /a", b""), 204);
    assert_eq!(client.ask(&["EXISTS", "a"]), b":0\r\n");
    for (request, expected) in [
        ("POST /a", 405),
        ("OPTIONS /a", 405),
        ("PUT /metrics", 405),
        ("GET /", 400),
        ("PUT /a?ttl=x", 400),
        ("PUT /a?ttl=99999999999", 400),
        ("GET /?kee=a", 400),
    ] {
        assert_eq!(status(request, b""), expected, "{request}");
    }
    let chunked = b"PUT /c HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                    transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(exchange(addr, chunked).0, 201);
    assert_eq!(client.ask(&["GET", "c"]), b"$5\r\nabcde\r\n");
}

#[test]
fn a_ttl_may_be_said() {
    let running = start();
    let addr = http(&running);
    let mut client = Client::connect(running.resp);
    assert_eq!(ask(addr, "PUT /a?ttl=100", "", b"x").0, 201);
    assert_eq!(client.ask(&["TTL", "a"]), b":100\r\n");
    assert_eq!(ask(addr, "PUT /a?ttl=50000ms", "", b"x").0, 204);
    assert_eq!(client.ask(&["TTL", "a"]), b":50\r\n");
    assert_eq!(ask(addr, "PUT /a", "", b"x").0, 204);
    assert_eq!(client.ask(&["TTL", "a"]), b":-1\r\n");
    assert_eq!(ask(addr, "PUT /a?ttl=1ms", "", b"x").0, 204);
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(ask(addr, "GET /a", "", b"").0, 404);
}

#[test]
fn metrics_tell_what_was_counted() {
    let running = start();
    let addr = http(&running);
    ask(addr, "PUT /a", "", b"x");
    ask(addr, "PUT /b?ttl=1ms", "", b"x");
    ask(addr, "GET /a", "", b"");
    ask(addr, "GET /none", "", b"");
    // The sweeper's turn comes.
    let metrics = loop {
        let (status, _, body) = ask(addr, "GET /metrics", "", b"");
        assert_eq!(status, 200);
        let metrics = String::from_utf8(body).expect("text");
        let is_reclaimed = ["store_entries 1\n", "store_expiry_nodes 0\n"];
        if is_reclaimed.iter().all(|line| metrics.contains(line)) {
            break metrics;
        }
    };
    for line in ["store_hits_total 1", "store_misses_total 1"] {
        assert!(metrics.contains(&format!("{line}\n")), "{line}:\n{metrics}");
    }
    assert!(metrics.contains("store_expiry_lag_seconds{quantile=\"0.99\"} "), "{metrics}");
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        let plain = name.split('{').next().expect("a name");
        assert!(metrics.contains(&format!("# TYPE {plain} ")), "{plain}");
        value.parse::<f64>().unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    assert_eq!(ask(addr, "GET /healthz", "", b"").0, 200);
}

#[test]
fn the_password_is_asked_for() {
    let mut config = config();
    config.password = Some("se:cret".to_owned());
    let running = Running::start(&config).expect("it starts");
    let addr = http(&running);
    let status = |headers: &str| ask(addr, "PUT /a", headers, b"x").0;
    for wrong in [
        "",
        "authorization: Bearer se:cre\r\n",
        "authorization: Bearer\r\n",
        "authorization: se:cret\r\n",
        "authorization: Basic %%%\r\n",
        // `x:secret`
        "authorization: Basic eDpzZWNyZXQ=\r\n",
    ] {
        assert_eq!(status(wrong), 401, "{wrong}");
    }
    assert_eq!(ask(addr, "GET /metrics", "", b"").0, 401);
    assert_eq!(ask(addr, "GET /healthz", "", b"").0, 200);
    assert_eq!(status("authorization: Bearer se:cret\r\n"), 201);
    // `x:se:cret`
    assert_eq!(status("authorization: basic eDpzZTpjcmV0\r\n"), 204);
}

#[test]
fn too_much_or_too_slow_is_refused_and_others_are_served() {
    let mut config = config();
    config.threads = 1;
    config.limits.request.bulk = 1_000;
    config.limits.stall = Duration::from_millis(200);
    let running = Running::start(&config).expect("it starts");
    let addr = http(&running);
    assert_eq!(ask(addr, "PUT /a", "", &[b'x'; 1_000]).0, 201);
    let (status, _, complaint) = ask(addr, "PUT /a", "", &[b'x'; 1_001]);
    let complaint = String::from_utf8_lossy(&complaint);
    assert!(status == 413 && complaint.contains("--max-bulk"), "{status}: {complaint}");
    let chunked = [
        &b"PUT /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"[..],
        &b"200\r\n"[..],
        &[b'x'; 0x200],
        b"\r\n200\r\n",
        &[b'x'; 0x200],
        b"\r\n0\r\n\r\n",
    ];
    assert_eq!(exchange(addr, &chunked.concat()).0, 413);
    // A value that does not come, and a head that does not.
    let mute = b"PUT /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9\r\n\r\nabc";
    assert_eq!(exchange(addr, mute).0, 408);
    let mut stream = TcpStream::connect(addr).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    stream.write_all(b"GET /a HT").expect("it is taken");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the connection is closed");
    assert_eq!(exchange(addr, b"nonsense\r\n\r\n").0, 400);
    assert_eq!(ask(addr, "GET /healthz", "", b"").0, 200);
}

#[test]
fn a_large_value_that_comes_byte_by_byte_is_refused() {
    let mut config = config();
    config.limits.stall = Duration::from_millis(300);
    let running = Running::start(&config).expect("it starts");
    let mut stream = TcpStream::connect(http(&running)).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("it can be set");
    let head = b"PUT /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(&[&head[..], "x".repeat(500_000).as_bytes()].concat()).expect("it is taken");
    // Something moves all the time, and yet it would take for ever.
    let (begun, mut status) = (Instant::now(), [0; 12]);
    while stream.read_exact(&mut status).is_err() {
        assert!(begun.elapsed() < PATIENCE, "half a megabyte is held for ever");
        let _ = stream.write_all(b"x");
    }
    assert_eq!(status, *b"HTTP/1.1 408");
}

#[test]
fn a_value_heavier_than_all_memory_is_refused_with_the_remedy() {
    let mut config = config();
    config.keyspace.max_memory = Some(2_000);
    if config.keyspace.values.is_some() {
        // There every value counts alike.
        return;
    }
    let running = Running::start(&config).expect("it starts");
    let (status, _, complaint) = ask(http(&running), "PUT /a", "", &[b'x'; 2_000]);
    let complaint = String::from_utf8_lossy(&complaint);
    assert!(status == 507 && complaint.contains("--max-memory"), "{status}: {complaint}");
}
