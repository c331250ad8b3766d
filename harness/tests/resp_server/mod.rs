//! A small server that speaks enough RESP for the adapter, and can hang up or fall silent.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

type Entries = HashMap<Vec<u8>, (Vec<u8>, Option<Instant>)>;

pub(crate) struct Server {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    entries: Mutex<Entries>,
    /// Requests still to be answered before it hangs up on everybody, for good.
    patience: AtomicU64,
    port: u16,
}

impl Server {
    /// One that never hangs up.
    pub(crate) fn new() -> Self {
        Self::with_patience(u64::MAX)
    }

    /// One that hangs up after so many requests.
    pub(crate) fn with_patience(requests: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (entries, patience) = (Mutex::default(), AtomicU64::new(requests));
        let state = Arc::new(State { entries, patience, port });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || state.serve(&client.unwrap()));
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn put(&self, key: &str, value: &str) {
        self.state.entries.lock().unwrap().insert(key.into(), (value.into(), None));
    }

    pub(crate) fn len(&self) -> usize {
        self.state.entries.lock().unwrap().len()
    }
}

impl State {
    fn serve(&self, client: &TcpStream) {
        let mut reader = BufReader::new(client);
        while let Some(request) = read_request(&mut reader) {
            let left = self
                .patience
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if left.is_err() || (&*client).write_all(&self.answer(&request)).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &[Vec<u8>]) -> Vec<u8> {
        let mut entries = self.entries.lock().unwrap();
        let now = Instant::now();
        entries.retain(|_, (_, deadline)| deadline.is_none_or(|deadline| now < deadline));
        let number = |bytes: &[u8]| String::from_utf8_lossy(bytes).parse::<u64>().unwrap();
        let after = |bytes: &[u8]| Some(now + Duration::from_millis(number(bytes)));
        let words: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
        match words[..] {
            [b"GET", key] => match entries.get(key) {
                Some((value, _)) => bulk(value),
                None => b"$-1\r\n".to_vec(),
            },
            [b"MGET", ref keys @ ..] => {
                let one = |key: &&[u8]| match entries.get(*key) {
                    Some((value, _)) => bulk(value),
                    None => b"$-1\r\n".to_vec(),
                };
                let head = format!("*{}\r\n", keys.len()).into_bytes();
                [head, keys.iter().flat_map(one).collect()].concat()
            }
            [b"SET", key, value] => {
                entries.insert(key.into(), (value.into(), None));
                b"+OK\r\n".to_vec()
            }
            [b"SET", key, value, b"PX", ms] => {
                entries.insert(key.into(), (value.into(), after(ms)));
                b"+OK\r\n".to_vec()
            }
            [b"DEL", key] => integer(usize::from(entries.remove(key).is_some())),
            [b"PEXPIRE", key, ms] => {
                let found = entries.get_mut(key).map(|(_, deadline)| *deadline = after(ms));
                integer(usize::from(found.is_some()))
            }
            [b"DBSIZE"] => integer(entries.len()),
            [b"FLUSHDB"] => {
                entries.clear();
                b"+OK\r\n".to_vec()
            }
            [b"INFO", b"memory"] => {
                let used = 1_000_000 + 100 * entries.len();
                bulk(format!("# Memory\r\nused_memory:{used}\r\nmaxmemory:0\r\n").as_bytes())
            }
            [b"CLUSTER", b"SLOTS"] => {
                let node = format!("*2\r\n$9\r\n127.0.0.1\r\n:{}\r\n", self.port);
                format!("*1\r\n*3\r\n:0\r\n:16383\r\n{node}").into_bytes()
            }
            [b"HELLO" | b"CLIENT" | b"READONLY" | b"PING", ..] => b"+OK\r\n".to_vec(),
            _ => b"-ERR unknown command\r\n".to_vec(),
        }
    }
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn integer(number: usize) -> Vec<u8> {
    format!(":{number}\r\n").into_bytes()
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Vec<Vec<u8>>> {
    let words = read_len(reader)?;
    (0..words)
        .map(|_| {
            let len = read_len(reader)?;
            let mut word = vec![0; len + 2];
            reader.read_exact(&mut word).ok()?;
            word.truncate(len);
            Some(word)
        })
        .collect()
}

/// The number in a line such as `*3` or `$12`.
fn read_len(reader: &mut BufReader<&TcpStream>) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.get(1..)?.trim().parse().ok()
}
