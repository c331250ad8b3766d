//! A client that asks as fast as one core can: on each connection by turns it reads the reply and
//! sends the next request.
//!
//! No server answers faster than it is asked, and without pipelining redis-benchmark on one core asks
//! for less than a server on another can answer. This client leaves as many requests outstanding,
//! one a connection, and has neither an event loop nor a parser. It is a process of its own, as
//! redis-benchmark is: this program, called again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

use super::client::lost;
use super::load::{CONNECTIONS, VALUE, key};

/// What this program is told to be this client.
pub(crate) const ARGUMENT: &str = "--by-turns";

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// In nanoseconds.
fn latencies() -> Result<Histogram<u64>, String> {
    let longest = u64::try_from(PATIENCE.as_nanos()).unwrap_or(u64::MAX);
    Histogram::new_with_bounds(1, longest, 3).map_err(|error| error.to_string())
}

/// A connection and when it was last asked.
struct Asked {
    stream: TcpStream,
    at: Instant,
}

/// Gets keys at random, each with a value of [`VALUE`] bytes; returns what redis-benchmark would say
/// of it.
///
/// # Errors
/// If the server is not there, or a reply is anything but a value.
pub(crate) fn run(server: SocketAddr, requests: u32, keys: u64) -> Result<String, String> {
    let mut random = Pcg64Mcg::seed_from_u64(keys);
    let mut ask = |stream: &mut TcpStream| {
        let key = key(random.next_u64() % keys);
        let request = format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len());
        stream.write_all(request.as_bytes()).map(|()| Instant::now())
    };
    let head = format!("${VALUE}\r\n");
    let mut reply = vec![0; head.len() + VALUE + 2];
    let mut latencies = latencies()?;
    let begun = Instant::now();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(server).map_err(lost)?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .map_err(lost)?;
        let at = ask(&mut stream).map_err(lost)?;
        connections.push(Asked { stream, at });
    }
    let mut sent = CONNECTIONS;
    while !connections.is_empty() {
        let mut lasting = Vec::with_capacity(connections.len());
        for mut asked in connections {
            // The head comes in one piece; to wait for what follows no value would be to wait for ever.
            let read = asked.stream.read(&mut reply).map_err(lost)?;
            if !reply[..read].starts_with(head.as_bytes()) {
                return Err(format!("no value: {}", reply[..read].escape_ascii()));
            }
            asked.stream.read_exact(&mut reply[read..]).map_err(lost)?;
            latencies.saturating_record(
                u64::try_from(asked.at.elapsed().as_nanos()).unwrap_or(u64::MAX),
            );
            if sent < requests {
                asked.at = ask(&mut asked.stream).map_err(lost)?;
                sent += 1;
                lasting.push(asked);
            }
        }
        connections = lasting;
    }
    let rate = f64::from(sent) / begun.elapsed().as_secs_f64();
    let ms =
        |quantile| Duration::from_nanos(latencies.value_at_quantile(quantile)).as_secs_f64() * 1e3;
    let (p50, p99) = (ms(0.50), ms(0.99));
    Ok(format!(
        "\"test\",\"rps\",\"p50_latency_ms\",\"p99_latency_ms\"\n\"GET\",\"{rate:.2}\",\"{p50:.3}\",\"{p99:.3}\""
    ))
}
