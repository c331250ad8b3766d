//! How servers are reached, and what they tell about their memory.

use std::time::Duration;

use ::redis::cluster::{ClusterClient, ClusterConnection};
use ::redis::{Client, Connection, ConnectionLike, RedisError, RedisResult, Value};

/// Longer than any answer may take: a server that hangs ends the run instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that a URL can be turned into.
pub trait Connect: ConnectionLike + Send + Sized {
    /// Connects to what the URL names.
    ///
    /// # Errors
    /// Why nobody is reached.
    fn connect(address: &str) -> RedisResult<Self>;
}

impl Connect for Connection {
    fn connect(address: &str) -> RedisResult<Self> {
        let connection = Client::open(address)?.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    }
}

impl Connect for ClusterConnection {
    fn connect(address: &str) -> RedisResult<Self> {
        let hosts = address.split_once("://").map_or(address, |(_, hosts)| hosts);
        let nodes = hosts.split(',').map(|host| format!("redis://{}", host.trim()));
        let client = ClusterClient::builder(nodes).connection_timeout(PATIENCE);
        let connection = client.response_timeout(PATIENCE).build()?.get_connection()?;
        // A node that is gone is an error to report, not one to mend and to measure as latency.
        connection.set_auto_reconnect(false);
        Ok(connection)
    }
}

/// Why a request failed. A timeout of the system says "temporarily unavailable", which tells nobody
/// anything.
pub(super) fn reason(error: &RedisError) -> String {
    if error.is_timeout() { format!("no answer within {PATIENCE:?}") } else { error.to_string() }
}

/// The number after `name:` in an answer to INFO; the sum of all nodes' where a cluster answers.
pub(super) fn figure(answer: &Value, name: &str) -> Option<u64> {
    let in_text = |text: &str| {
        let mut numbers =
            text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        numbers.find_map(|number| number.trim().parse().ok())
    };
    match answer {
        Value::BulkString(bytes) => in_text(&String::from_utf8_lossy(bytes)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => in_text(text),
        Value::Array(nodes) => nodes.iter().map(|node| figure(node, name)).sum(),
        Value::Map(nodes) => nodes.iter().map(|(_, node)| figure(node, name)).sum(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_hangs_is_said_to_give_no_answer() {
        let hung = std::io::Error::from(std::io::ErrorKind::WouldBlock);
        assert_eq!(reason(&RedisError::from(hung)), "no answer within 10s");
        let gone = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(reason(&RedisError::from(gone)).contains("broken pipe"));
    }

    #[test]
    fn figures_of_all_nodes_are_added_and_what_is_not_told_is_none() {
        let node = |used: u64| {
            let text = format!("# Memory\r\nused_memory:{used}\r\nused_memory_human:1K\r\n");
            Value::BulkString(text.into_bytes())
        };
        let address = || Value::BulkString(b"a:1".to_vec());
        assert_eq!(figure(&node(1_024), "used_memory"), Some(1_024));
        let cluster = Value::Map(vec![(address(), node(5)), (address(), node(7))]);
        assert_eq!(figure(&cluster, "used_memory"), Some(12));
        let silent = Value::Map(vec![(address(), node(5)), (address(), Value::Nil)]);
        assert_eq!(figure(&silent, "used_memory"), None, "half of a sum is no sum");
        assert_eq!(figure(&node(1), "maxmemory"), None);
    }
}
