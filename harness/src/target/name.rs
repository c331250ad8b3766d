//! What targets are called on the command line, in workload files and in reports.

use std::fmt;
use std::str::FromStr;

use crate::workload::model::Capability;

/// The kinds of targets, built in or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetName {
    /// The store of this workspace.
    Store,
    /// The store of this workspace that keeps a pair of bytes in one allocation.
    ByteStore,
    /// The concurrent hash map under the store, without TTL or index.
    Scc,
    /// A cache with `TinyLFU` and a TTL for each entry.
    Moka,
    /// A sharded cache with a policy near S3-FIFO.
    QuickCache,
    /// Sharded hash tables behind locks.
    Dashmap,
    /// A lock-free hash table.
    Papaya,
    /// A small kin of moka.
    MiniMoka,
    /// Exact least-recently-used behind one lock.
    Lru,
    /// A server that speaks RESP.
    Redis,
    /// Several such servers that share the keys.
    RedisCluster,
}

impl TargetName {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Store,
        Self::ByteStore,
        Self::Scc,
        Self::Moka,
        Self::QuickCache,
        Self::Dashmap,
        Self::Papaya,
        Self::MiniMoka,
        Self::Lru,
        Self::Redis,
        Self::RedisCluster,
    ];

    /// The word for it on the command line and in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::ByteStore => "byte_store",
            Self::Scc => "scc",
            Self::Moka => "moka",
            Self::QuickCache => "quick_cache",
            Self::Dashmap => "dashmap",
            Self::Papaya => "papaya",
            Self::MiniMoka => "mini-moka",
            Self::Lru => "lru",
            Self::Redis => "redis",
            Self::RedisCluster => "redis+cluster",
        }
    }

    /// Whether it can do what a workload may require.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        match capability {
            Capability::Ttl => matches!(
                self,
                Self::Store | Self::ByteStore | Self::Moka | Self::Redis | Self::RedisCluster
            ),
            Capability::Bound => matches!(
                self,
                Self::Store
                    | Self::ByteStore
                    | Self::Moka
                    | Self::QuickCache
                    | Self::MiniMoka
                    | Self::Lru
            ),
        }
    }

    /// Whether it is reached by an address.
    #[must_use]
    pub const fn is_remote(self) -> bool {
        matches!(self, Self::Redis | Self::RedisCluster)
    }

    /// The cargo feature that builds it in; `None` for what always is.
    #[must_use]
    pub const fn feature(self) -> Option<&'static str> {
        match self {
            Self::Store | Self::ByteStore | Self::Scc => None,
            Self::RedisCluster => Some("redis"),
            other => Some(other.name()),
        }
    }

    /// Whether this build can run it.
    #[must_use]
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::Store | Self::ByteStore | Self::Scc => true,
            Self::Moka => cfg!(feature = "moka"),
            Self::QuickCache => cfg!(feature = "quick_cache"),
            Self::Dashmap => cfg!(feature = "dashmap"),
            Self::Papaya => cfg!(feature = "papaya"),
            Self::MiniMoka => cfg!(feature = "mini-moka"),
            Self::Lru => cfg!(feature = "lru"),
            Self::Redis | Self::RedisCluster => cfg!(feature = "redis"),
        }
    }

    /// What to tell a user who asked for it in a build without it.
    #[must_use]
    pub fn not_built_in(self) -> String {
        let feature = self.feature().unwrap_or("default");
        format!(
            "`{self}` is not in this build; build with `--features {feature}`, or use `just \
             bench-peers`"
        )
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A target as it was asked for: `moka`, `redis://127.0.0.1:6379`, or
/// `server=redis://127.0.0.1:7379` to have it called `server` in reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its kind.
    pub name: TargetName,
    /// What it is called in reports, which name no host.
    pub label: String,
    /// The whole URL, if it is reached by one.
    pub address: Option<String>,
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((scheme, hosts)) = text.split_once("://") else {
            return local(text);
        };
        let (label, scheme) = match scheme.split_once('=') {
            Some((label, scheme)) => (Some(label), scheme),
            None => (None, scheme),
        };
        let remote = TargetName::ALL.into_iter().filter(|target| target.is_remote());
        let name = remote.clone().find(|target| target.name() == scheme).ok_or_else(|| {
            let known = remote.map(TargetName::name).collect::<Vec<_>>().join(", ");
            format!("`{text}`: there is no scheme `{scheme}`; known here: {known}")
        })?;
        if hosts.split(',').any(|host| host.trim().is_empty()) {
            return Err(format!("`{text}` names no host; write e.g. {scheme}://127.0.0.1:6379"));
        }
        let label = label.map_or_else(|| scheme.replace('+', "-"), str::to_owned);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if label.is_empty() || !label.chars().all(plain) {
            return Err(format!("`{label}` is no name for a target; use letters, digits, _ and -"));
        }
        if let Some(taken) =
            TargetName::ALL.into_iter().find(|other| !other.is_remote() && other.name() == label)
        {
            return Err(format!("`{label}` is the name of the target {taken}; take another"));
        }
        let start = text.len() - scheme.len() - hosts.len() - "://".len();
        Ok(Self { name, label, address: Some(text[start..].to_owned()) })
    }
}

fn local(text: &str) -> Result<Choice, String> {
    let name =
        TargetName::ALL.into_iter().find(|target| target.name() == text).ok_or_else(|| {
            let known = TargetName::ALL.map(TargetName::name).join(", ");
            format!("there is no target `{text}`; known here: {known}")
        })?;
    if name.is_remote() {
        let remedy = format!("write e.g. {name}://127.0.0.1:6379");
        return Err(format!("`{text}` is reached by an address; {remedy}"));
    }
    Ok(Choice { name, label: text.to_owned(), address: None })
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl Choice {
    /// The text that it is read from again.
    #[must_use]
    pub fn spec(&self) -> String {
        match &self.address {
            Some(address) => format!("{}={address}", self.label),
            None => self.label.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_goes_by_name_or_address_and_may_be_labelled() {
        let read = |text: &str| text.parse::<Choice>().expect(text);
        assert_eq!(read("store").name, TargetName::Store);
        let cluster = read("redis+cluster://a:1,b:2");
        assert_eq!(
            (cluster.name, cluster.label.as_str()),
            (TargetName::RedisCluster, "redis-cluster")
        );
        let own = read("server=redis://127.0.0.1:7379");
        assert_eq!((own.name, own.label.as_str()), (TargetName::Redis, "server"));
        assert_eq!(own.address.as_deref(), Some("redis://127.0.0.1:7379"));
        for choice in [cluster, own, read("mini-moka")] {
            assert_eq!(read(&choice.spec()), choice);
        }
    }

    #[test]
    fn what_is_no_target_is_refused_with_what_would_be_one() {
        for (text, complaint) in [
            ("redi", "there is no target `redi`; known here: store, byte_store, scc"),
            ("redis", "`redis` is reached by an address; write e.g. redis://127.0.0.1:6379"),
            ("http://a", "`http://a`: there is no scheme `http`; known here: redis, redis+cluster"),
            ("redis://", "`redis://` names no host"),
            ("redis+cluster://a,,b", "`redis+cluster://a,,b` names no host"),
            ("a/b=redis://c", "`a/b` is no name for a target"),
            ("store=redis://c", "`store` is the name of the target store; take another"),
        ] {
            let error = text.parse::<Choice>().expect_err(text);
            assert!(error.starts_with(complaint), "{error}");
        }
    }
}
