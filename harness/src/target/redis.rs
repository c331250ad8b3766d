//! A server that speaks RESP, or a cluster of them, reached over a socket: a connection a thread,
//! one request at a time.
//!
//! An error on the way has no place among the answers, so a handle keeps its first one and answers
//! nothing from then on; the replay asks for it and gives the repeat up.

mod connection;

use std::marker::PhantomData;
use std::time::Duration;

use ::redis::cluster::ClusterConnection;
use ::redis::{Cmd, Connection, FromRedisValue, Value};

use super::{Key, Options, Payload, Place, Target};
use connection::Connect;

/// Tells a database that an earlier run has filled from one that holds somebody's data.
const MARK: &str = "harness:may-be-flushed";

/// One connection; a clone makes its own.
#[derive(Debug)]
pub struct RedisTarget<K, V, C> {
    address: String,
    connection: Option<C>,
    failure: Option<String>,
    /// Whether the server drops entries when its memory is full.
    evicts: bool,
    pairs: PhantomData<fn() -> (K, V)>,
}

/// A single server.
pub type RedisServer<K, V> = RedisTarget<K, V, Connection>;
/// A cluster of servers.
pub type RedisCluster<K, V> = RedisTarget<K, V, ClusterConnection>;

impl<K, V, C: Connect> RedisTarget<K, V, C> {
    fn new(address: String, evicts: bool) -> Self {
        let (connection, failure) = match C::connect(&address) {
            Ok(connection) => (Some(connection), None),
            Err(error) => {
                let reason = connection::reason(&error);
                (None, Some(format!("{address}: cannot be reached: {reason}")))
            }
        };
        Self { address, connection, failure, evicts, pairs: PhantomData }
    }

    /// The answer to a request; nothing once anything has failed.
    fn ask<R: FromRedisValue>(&mut self, request: &Cmd) -> Option<R> {
        let connection = self.connection.as_mut()?;
        let answer = request.query(connection);
        let failed = |error| {
            let reason = connection::reason(&error);
            self.fail(&format!("a request failed: {reason}; see to the server, then run again"));
        };
        answer.map_err(failed).ok()
    }

    fn fail(&mut self, why: &str) {
        self.connection = None;
        self.failure.get_or_insert_with(|| format!("{}: {why}", self.address));
    }

    /// What the server tells about its memory, if it does.
    fn memory(&mut self, name: &str) -> Option<u64> {
        let answer: Value =
            Cmd::new().arg("INFO").arg("memory").query(self.connection.as_mut()?).ok()?;
        connection::figure(&answer, name)
    }

    /// Empties the database, if it is ours to empty.
    fn empty(&mut self) {
        let len: u64 = self.ask(Cmd::new().arg("DBSIZE")).unwrap_or(0);
        if len > 0
            && self.ask::<Option<String>>(Cmd::new().arg("GET").arg(MARK)).flatten().is_none()
        {
            self.fail(&format!(
                "it holds {len} keys that no run has put there; flush it yourself (FLUSHDB), or \
                 name another server"
            ));
        }
        self.ask::<Value>(Cmd::new().arg("FLUSHDB"));
        self.ask::<Value>(Cmd::new().arg("SET").arg(MARK).arg("yes"));
    }
}

impl<K, V, C: Connect> Clone for RedisTarget<K, V, C> {
    fn clone(&self) -> Self {
        Self::new(self.address.clone(), self.evicts)
    }
}

impl<K: Key, V: Payload, C: Connect> Target<K, V> for RedisTarget<K, V, C> {
    fn open(options: &Options) -> Result<Self, String> {
        let address = options.address.clone().ok_or("no address; write e.g. redis://HOST:PORT")?;
        let mut target = Self::new(address, false);
        target.empty();
        target.evicts = target.memory("maxmemory").is_some_and(|most| most > 0);
        target.failure.clone().map_or(Ok(target), Err)
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        let bytes: Option<Vec<u8>> = self.ask(Cmd::new().arg("GET").arg(&*K::bytes(key)))?;
        bytes.map(|bytes| read(&V::of(bytes)))
    }

    /// One `MGET`; in a cluster the client sends one to each node that has some of the keys, and
    /// puts the answers in order.
    #[inline]
    fn get_many<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'k K::Lent>,
        mut read: impl FnMut(usize, Option<&V>),
    ) where
        K::Lent: 'k,
    {
        let count = keys.len();
        let mut request = Cmd::new();
        request.arg("MGET");
        for key in keys {
            request.arg(&*K::bytes(key));
        }
        let answers: Vec<Option<Vec<u8>>> = self.ask(&request).unwrap_or_default();
        if self.connection.is_some() && answers.len() != count {
            let given = answers.len();
            self.fail(&format!(
                "it gave {given} answers to MGET of {count} keys; see to the server"
            ));
        }
        let answers = answers.into_iter().map(|bytes| bytes.map(V::of));
        for (at, value) in answers.chain(std::iter::repeat(None)).take(count).enumerate() {
            read(at, value.as_ref());
        }
    }

    #[inline]
    fn put(&mut self, key: K, value: V) {
        let key = K::bytes(key.borrow());
        self.ask::<Value>(Cmd::new().arg("SET").arg(&*key).arg(&*value.bytes()));
    }

    #[inline]
    fn put_with_ttl(&mut self, key: K, value: V, ttl: Duration) {
        let (key, ttl) = (K::bytes(key.borrow()), ms(ttl));
        self.ask::<Value>(Cmd::new().arg("SET").arg(&*key).arg(&*value.bytes()).arg("PX").arg(ttl));
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        self.ask(Cmd::new().arg("DEL").arg(&*K::bytes(key))).is_some_and(|gone: u64| gone > 0)
    }

    #[inline]
    fn expire(&mut self, key: &K::Lent, ttl: Duration) -> bool {
        let given = self.ask(Cmd::new().arg("PEXPIRE").arg(&*K::bytes(key)).arg(ms(ttl)));
        given.is_some_and(|given: u64| given > 0)
    }

    fn entries(&mut self) -> u64 {
        // The mark is not one of them.
        self.ask(Cmd::new().arg("DBSIZE")).map_or(0, |len: u64| len.saturating_sub(1))
    }

    fn place(&mut self) -> Place {
        Place::Elsewhere { used_bytes: self.memory("used_memory") }
    }

    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn evicts(&self) -> bool {
        self.evicts
    }
}

/// Whole milliseconds, all that the protocol knows; at least one, since zero is refused.
fn ms(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}
