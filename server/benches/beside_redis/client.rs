//! A client that loads pairs and asks a few questions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Requests that are sent before their replies are read.
const BATCH: usize = 500;
/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that speaks the protocol of Redis.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a server.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn connect(addr: SocketAddr) -> Result<Self, String> {
        let connected = TcpStream::connect(addr).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        let stream = connected.map_err(|error| format!("{addr}: {error}"))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// The first line of the reply to a command, or, of a bulk string, what is in it.
    ///
    /// # Errors
    /// If the connection ends, or the reply is an error.
    pub(crate) fn ask(&mut self, words: &[&[u8]]) -> Result<String, String> {
        let mut request = Vec::new();
        write_request(&mut request, words);
        self.send(&request)?;
        let mut line = String::new();
        self.stream.read_line(&mut line).map_err(lost)?;
        let line = line.trim_end();
        if let Some(length) = line.strip_prefix('$') {
            let length: usize = length.parse().map_err(|_| format!("no value: {line}"))?;
            let mut bytes = vec![0; length + 2];
            self.stream.read_exact(&mut bytes).map_err(lost)?;
            bytes.truncate(length);
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        if line.is_empty() || line.starts_with('-') {
            return Err(format!("the server replied: {line}"));
        }
        Ok(line.to_owned())
    }

    /// How many keys there are.
    ///
    /// # Errors
    /// If the server does not tell.
    pub(crate) fn keys(&mut self) -> Result<u64, String> {
        let reply = self.ask(&[b"DBSIZE"])?;
        reply.trim_start_matches(':').parse().map_err(|_| format!("no number of keys: {reply}"))
    }

    /// How many look-ups found nothing.
    ///
    /// # Errors
    /// If the server does not tell.
    pub(crate) fn misses(&mut self) -> Result<u64, String> {
        let info = self.ask(&[b"INFO", b"stats"])?;
        let field = info.lines().find_map(|line| line.strip_prefix("keyspace_misses:"));
        let misses = field.and_then(|misses| misses.trim().parse().ok());
        misses.ok_or_else(|| "the server does not count misses".to_owned())
    }

    /// Stores pairs, each for `ttl_s` seconds if that is there.
    ///
    /// # Errors
    /// If a reply is anything but OK.
    pub(crate) fn load<'p>(
        &mut self,
        pairs: impl Iterator<Item = (&'p [u8], &'p [u8])>,
        ttl_s: Option<u32>,
    ) -> Result<(), String> {
        const OK: &[u8] = b"+OK\r\n";
        let seconds = ttl_s.unwrap_or(0).to_string();
        let mut pairs = pairs.peekable();
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        while pairs.peek().is_some() {
            requests.clear();
            let mut count = 0;
            for (key, value) in pairs.by_ref().take(BATCH) {
                let words: &[&[u8]] = &[b"SET", key, value, b"EX", seconds.as_bytes()];
                write_request(&mut requests, &words[..if ttl_s.is_some() { 5 } else { 3 }]);
                count += 1;
            }
            self.send(&requests)?;
            replies.resize(count * OK.len(), 0);
            self.stream.read_exact(&mut replies).map_err(lost)?;
            if replies.chunks(OK.len()).any(|reply| reply != OK) {
                let text = String::from_utf8_lossy(&replies).into_owned();
                return Err(format!("a SET was refused: {text}"));
            }
        }
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.get_mut().write_all(bytes).map_err(lost)
    }
}

/// The connection ended.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn lost(error: std::io::Error) -> String {
    format!("the connection to the server was lost: {error}")
}

fn write_request(to: &mut Vec<u8>, words: &[&[u8]]) {
    to.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        to.extend(format!("${}\r\n", word.len()).bytes());
        to.extend_from_slice(word);
        to.extend_from_slice(b"\r\n");
    }
}
