//! What the tests share: servers, and a client that shows replies as the bytes they are.

#![allow(dead_code, reason = "each test uses what it needs")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use server::serve::{Config, Running};
use server::{Limits, LoadOptions, Settings, ValuesOnDisk};

/// So long that only a mistake takes it; nothing asserts that anything is faster.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Values in a folder of their own, with so little memory for hot ones that most are not.
pub(crate) fn on_disk() -> ValuesOnDisk {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("values");
    std::fs::create_dir_all(&base).expect("it can be made");
    let folder = tempfile::tempdir_in(base).expect("it can be made").keep();
    ValuesOnDisk { folder, cache: 256, spare: 0 }
}

/// A plain server on free ports. In the program `on_disk` it has its values there.
pub(crate) fn config() -> Config {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let values = (env!("CARGO_CRATE_NAME") == "on_disk").then(on_disk);
    Config {
        resp: local,
        http: Some(local),
        password: None,
        insecure: false,
        threads: 2,
        limits: Limits::default(),
        keyspace: Settings { values, ..Settings::default() },
        load: Vec::new(),
        load_options: LoadOptions::default(),
        snapshot: None,
    }
}

pub(crate) fn start() -> Running {
    Running::start(&config()).expect("a plain server starts")
}

/// A connection that speaks the protocol of Redis.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("it can be set");
        stream.set_nodelay(true).expect("it can be set");
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the server takes it");
    }

    /// The same where the server may have closed the connection.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends a command and returns its reply.
    pub(crate) fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Vec<u8> {
        self.send(&request(words));
        self.reply()
    }

    /// The same for a command in one text, its words apart by spaces, and the reply as text.
    pub(crate) fn say(&mut self, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        String::from_utf8_lossy(&self.ask(&words)).into_owned()
    }

    /// The bytes of the next reply, whole.
    pub(crate) fn reply(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.read_reply(&mut bytes);
        bytes
    }

    fn read_reply(&mut self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        self.stream.read_until(b'\n', bytes).expect("a reply in time");
        let line = bytes[start..].to_vec();
        assert!(line.ends_with(b"\r\n"), "cut off: {:?}", String::from_utf8_lossy(&line));
        let number = || -> i64 {
            let text = std::str::from_utf8(&line[1..line.len() - 2]).expect("digits");
            text.parse().expect("a number")
        };
        let replies = match line[0] {
            b'$' | b'=' if number() >= 0 => {
                let length = usize::try_from(number()).expect("a length") + 2;
                let mut body = vec![0; length];
                self.stream.read_exact(&mut body).expect("the whole reply in time");
                bytes.extend(body);
                0
            }
            b'*' | b'~' | b'>' => number().max(0),
            b'%' => 2 * number(),
            _ => 0,
        };
        for _ in 0..replies {
            self.read_reply(bytes);
        }
    }

    /// The next reply, cut off if the server closes the connection.
    pub(crate) fn rest_or_reply(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        let _ = self.stream.read_until(b'\n', &mut line);
        line
    }

    /// What comes until the server closes the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => bytes,
            Err(error) => panic!("the server did not close the connection: {error}"),
        }
    }
}

/// A command as an array of bulk strings.
pub(crate) fn request<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend(word);
        bytes.extend(b"\r\n");
    }
    bytes
}
