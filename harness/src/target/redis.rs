//! A server that speaks RESP, or a cluster of them, reached over a socket: a connection a thread,
//! one request at a time.
//!
//! An error on the way has no place among the answers, so a handle keeps its first one and answers
//! nothing from then on; the replay asks for it and gives the repeat up.

mod connection;

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};
use std::marker::PhantomData;
use std::time::Duration;

use ::redis::cluster::ClusterConnection;
use ::redis::{Cmd, Connection, FromRedisValue, RedisError, Value};

use super::{Key, Options, Payload, Place, Target};
use connection::Connect;

/// Tells a database that an earlier run has filled from one that holds somebody's data.
const MARK: &str = "harness:may-be-flushed";

/// Who answers at the address.
#[derive(Clone, Debug)]
enum Peer {
    /// A server, or a cluster: it can be asked what it holds, and emptied.
    Server {
        /// Whether it drops entries when its memory is full.
        evicts: bool,
    },
    /// A proxy before several servers, such as twemproxy: it passes on what has a key, and hangs up
    /// on anything else. What earlier runs have left behind it cannot be flushed, so each run has
    /// keys of its own.
    Proxy {
        /// What they begin with.
        prefix: [u8; 8],
    },
}

/// One connection; a clone makes its own.
#[derive(Debug)]
pub struct RedisTarget<K, V, C> {
    address: String,
    connection: Option<C>,
    failure: Option<String>,
    peer: Peer,
    pairs: PhantomData<fn() -> (K, V)>,
}

/// A single server, or a proxy before several.
pub type RedisServer<K, V> = RedisTarget<K, V, Connection>;
/// A cluster of servers.
pub type RedisCluster<K, V> = RedisTarget<K, V, ClusterConnection>;

impl<K, V, C: Connect> RedisTarget<K, V, C> {
    fn new(address: String, peer: Peer) -> Self {
        let (connection, failure) = match C::connect(&address) {
            Ok(connection) => (Some(connection), None),
            Err(error) => {
                let reason = connection::reason(&error);
                (None, Some(format!("{address}: cannot be reached: {reason}")))
            }
        };
        Self { address, connection, failure, peer, pairs: PhantomData }
    }

    /// The answer to a request; nothing once anything has failed.
    fn ask<R: FromRedisValue>(&mut self, request: &Cmd) -> Option<R> {
        let connection = self.connection.as_mut()?;
        let answer = request.query(connection);
        answer.map_err(|error| self.fail_for(&error)).ok()
    }

    fn fail_for(&mut self, error: &RedisError) {
        let reason = connection::reason(error);
        self.fail(&format!("a request failed: {reason}; see to the server, then run again"));
    }

    fn fail(&mut self, why: &str) {
        self.connection = None;
        self.failure.get_or_insert_with(|| format!("{}: {why}", self.address));
    }

    /// What the server tells about its memory, if it does.
    fn memory(&mut self) -> Option<Value> {
        if matches!(self.peer, Peer::Proxy { .. }) {
            return None;
        }
        Cmd::new().arg("INFO").arg("memory").query(self.connection.as_mut()?).ok()
    }

    /// A key as it goes over the wire.
    fn name<'a>(&self, key: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        match &self.peer {
            Peer::Server { .. } => key,
            Peer::Proxy { prefix } => Cow::Owned([prefix.as_slice(), &*key].concat()),
        }
    }

    /// Finds out who answers, and empties the database if it is ours to empty.
    fn begin(&mut self) {
        let Some(connection) = self.connection.as_mut() else { return };
        match Cmd::new().arg("DBSIZE").query(connection) {
            Ok(len) => self.empty(len),
            Err(refused) if C::MAY_BE_PROXY => {
                self.begin_behind_proxy(&connection::reason(&refused));
            }
            Err(refused) => self.fail_for(&refused),
        }
    }

    fn empty(&mut self, len: u64) {
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
        let evicts = self.memory().is_some_and(|answer| connection::evicts(&answer));
        self.peer = Peer::Server { evicts };
    }

    /// A proxy refuses DBSIZE, most by hanging up, and yet answers what has a key.
    fn begin_behind_proxy(&mut self, refused: &str) {
        let prefix = RandomState::new().hash_one(&self.address).to_be_bytes();
        *self = Self::new(std::mem::take(&mut self.address), Peer::Proxy { prefix });
        self.ask::<Option<Vec<u8>>>(Cmd::new().arg("GET").arg(MARK));
        if let Some(failure) = &mut self.failure {
            *failure = format!("{failure} (and to DBSIZE: {refused})");
        }
    }
}

impl<K, V, C: Connect> Clone for RedisTarget<K, V, C> {
    fn clone(&self) -> Self {
        Self::new(self.address.clone(), self.peer.clone())
    }
}

impl<K: Key, V: Payload, C: Connect> Target<K, V> for RedisTarget<K, V, C> {
    fn open(options: &Options) -> Result<Self, String> {
        let address = options.address.clone().ok_or("no address; write e.g. redis://HOST:PORT")?;
        let mut target = Self::new(address, Peer::Server { evicts: false });
        target.begin();
        target.failure.clone().map_or(Ok(target), Err)
    }

    #[inline]
    fn get<R>(&mut self, key: &K::Lent, read: impl FnOnce(&V) -> R) -> Option<R> {
        let key = self.name(K::bytes(key));
        let bytes: Option<Vec<u8>> = self.ask(Cmd::new().arg("GET").arg(&*key))?;
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
        let key = self.name(K::bytes(key.borrow()));
        self.ask::<Value>(Cmd::new().arg("SET").arg(&*key).arg(&*value.bytes()));
    }

    #[inline]
    fn put_with_ttl(&mut self, key: K, value: V, ttl: Duration) {
        let (key, ttl) = (self.name(K::bytes(key.borrow())), ms(ttl));
        self.ask::<Value>(Cmd::new().arg("SET").arg(&*key).arg(&*value.bytes()).arg("PX").arg(ttl));
    }

    #[inline]
    fn delete(&mut self, key: &K::Lent) -> bool {
        let key = self.name(K::bytes(key));
        self.ask(Cmd::new().arg("DEL").arg(&*key)).is_some_and(|gone: u64| gone > 0)
    }

    #[inline]
    fn expire(&mut self, key: &K::Lent, ttl: Duration) -> bool {
        let key = self.name(K::bytes(key));
        let given = self.ask(Cmd::new().arg("PEXPIRE").arg(&*key).arg(ms(ttl)));
        given.is_some_and(|given: u64| given > 0)
    }

    fn entries(&mut self) -> Option<u64> {
        if matches!(self.peer, Peer::Proxy { .. }) {
            return None;
        }
        // The mark is not one of them. Once anything has failed, no answer matters.
        let len: Option<u64> = self.ask(Cmd::new().arg("DBSIZE"));
        len.map(|len| len.saturating_sub(1))
    }

    fn place(&mut self) -> Place {
        let used_bytes = self.memory().and_then(|told| connection::figure(&told, "used_memory"));
        Place::Elsewhere { used_bytes }
    }

    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn evicts(&self) -> bool {
        matches!(self.peer, Peer::Server { evicts: true })
    }
}

/// Whole milliseconds, all that the protocol knows; at least one, since zero is refused. The oracle
/// allows for both.
fn ms(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}
