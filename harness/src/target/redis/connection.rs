//! How servers are reached, and what they tell about their memory.

use std::time::Duration;

use ::redis::cluster::{ClusterClient, ClusterConnection};
use ::redis::{
    Client, Connection, ConnectionLike, IntoConnectionInfo, RedisError, RedisResult, Value,
};

/// Longer than any answer may take: a server that hangs ends the run instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that a URL can be turned into.
pub trait Connect: ConnectionLike + Send + Sized {
    /// Whether what answers may be a proxy, which knows only some requests.
    const MAY_BE_PROXY: bool;

    /// Connects to what the URL names.
    ///
    /// # Errors
    /// Why nobody is reached.
    fn connect(address: &str) -> RedisResult<Self>;
}

impl Connect for Connection {
    const MAY_BE_PROXY: bool = true;

    fn connect(address: &str) -> RedisResult<Self> {
        let info = address.into_connection_info()?;
        // A proxy hangs up on what it does not know, and the name of a library helps nobody.
        let quiet = info.redis_settings().clone().set_skip_set_lib_name();
        let client = Client::open(info.set_redis_settings(quiet))?;
        let connection = client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    }
}

impl Connect for ClusterConnection {
    const MAY_BE_PROXY: bool = false;

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
    nodes(answer)?.iter().map(|node| field(node, name)?.parse::<u64>().ok()).sum()
}

/// Whether a server, or any of a cluster, drops entries when its memory is full.
pub(super) fn evicts(answer: &Value) -> bool {
    let bounded = |node: &String| field(node, "maxmemory").is_some_and(|most| most != "0");
    // A server that names no policy is not known to keep what it is given.
    let drops = |node: &String| field(node, "maxmemory_policy") != Some("noeviction");
    nodes(answer).is_some_and(|nodes| nodes.iter().any(|node| bounded(node) && drops(node)))
}

/// What each node answered to INFO; `None` if any of them did not.
fn nodes(answer: &Value) -> Option<Vec<String>> {
    match answer {
        Value::BulkString(bytes) => Some(vec![String::from_utf8_lossy(bytes).into_owned()]),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(vec![text.clone()]),
        Value::Array(all) => Some(all.iter().map(nodes).collect::<Option<Vec<_>>>()?.concat()),
        Value::Map(all) => {
            let all = all.iter().map(|(_, node)| nodes(node)).collect::<Option<Vec<_>>>();
            Some(all?.concat())
        }
        _ => None,
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    values.next().map(str::trim)
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

    #[test]
    fn a_bounded_server_evicts_unless_its_policy_is_not_to() {
        let node = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let of = |most: u64, policy: &str| {
            node(&format!("maxmemory:{most}\r\nmaxmemory_policy:{policy}\r\n"))
        };
        assert!(evicts(&of(1_024, "allkeys-lru")) && !evicts(&of(1_024, "noeviction")));
        assert!(!evicts(&of(0, "allkeys-lru")) && evicts(&node("maxmemory:7\r\n")));
        assert!(evicts(&Value::Array(vec![of(0, "noeviction"), of(7, "volatile-ttl")])));
    }
}
