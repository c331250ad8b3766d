//! What a request asks for, and what is answered.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{StatusCode, Uri};
use percent_encoding::percent_decode_str;

use crate::keyspace::{Lifetime, Refused};
use crate::state::Shared;

/// What an address means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Health,
    Metrics,
    Key {
        key: Vec<u8>,
        /// How long the value is to stay, in milliseconds.
        ttl_ms: Option<u64>,
    },
}

impl Target {
    /// Reads `/{key}` or `/?key=`, and `ttl=`; or why it means nothing.
    pub(super) fn of(uri: &Uri) -> Result<Self, String> {
        let path = uri.path().strip_prefix('/').unwrap_or_default();
        match path {
            "healthz" => return Ok(Self::Health),
            "metrics" => return Ok(Self::Metrics),
            _ => {}
        }
        let mut key = (!path.is_empty()).then(|| percent_decode_str(path).collect::<Vec<u8>>());
        let mut ttl_ms = None;
        for part in uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name {
                "key" if key.is_none() => {
                    let spaced = value.replace('+', " ");
                    key = Some(percent_decode_str(&spaced).collect());
                }
                "key" => return Err("two keys: say `/KEY` or `/?key=KEY`".to_owned()),
                "ttl" => ttl_ms = Some(ttl(value)?),
                _ => return Err(format!("`{name}` is not known: there are `key` and `ttl`")),
            }
        }
        let key = key.ok_or("no key: say `/KEY` or `/?key=KEY`")?;
        Ok(Self::Key { key, ttl_ms })
    }
}

/// A TTL as an address says it: seconds, or a number with a unit.
fn ttl(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or(text), 1_000),
    };
    let time_ms = number.parse::<u64>().ok().and_then(|time| time.checked_mul(factor));
    time_ms
        .filter(|time_ms| *time_ms > 0)
        .ok_or_else(|| format!("`ttl={text}` is not a TTL: write `60` or `60s`, or `1500ms`"))
}

/// A response, before it is one.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) body: Bytes,
    pub(super) more: Vec<(HeaderName, &'static str)>,
}

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

impl Answer {
    pub(super) fn text(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        let body = Bytes::from(text.into().into_owned());
        Self { status, kind: TEXT, body, more: Vec::new() }
    }

    pub(super) fn of_kind(kind: &'static str, text: String) -> Self {
        Self { kind, ..Self::text(StatusCode::OK, text) }
    }

    /// What is wrong, in a line.
    pub(super) fn complaint(status: StatusCode, complaint: String) -> Self {
        Self::text(status, complaint + "\n")
    }

    pub(super) fn unauthorized() -> Self {
        let complaint = "the password is needed: `Authorization: Bearer PASSWORD`, or as the \
                         password of any user";
        let mut answer = Self::complaint(StatusCode::UNAUTHORIZED, complaint.to_owned());
        answer.more.push((header::WWW_AUTHENTICATE, "Basic realm=\"store\", charset=\"UTF-8\""));
        answer
    }

    pub(super) fn not_allowed(methods: &'static str) -> Self {
        let complaint = format!("this is not done here, but {methods} are");
        let mut answer = Self::complaint(StatusCode::METHOD_NOT_ALLOWED, complaint);
        answer.more.push((header::ALLOW, methods));
        answer
    }

    fn empty(status: StatusCode) -> Self {
        Self { status, kind: TEXT, body: Bytes::new(), more: Vec::new() }
    }

    fn disk_failed() -> Self {
        let complaint = "the disk with the values failed; see the server's log".to_owned();
        Self::complaint(StatusCode::INTERNAL_SERVER_ERROR, complaint)
    }

    fn missing() -> Self {
        Self::text(StatusCode::NOT_FOUND, "there is no such key\n")
    }
}

/// Whether whoever sent `headers` said the password, or need not.
pub(super) fn is_admitted(shared: &Shared, headers: &HeaderMap) -> bool {
    if shared.password.is_none() {
        return true;
    }
    let Some(said) = headers.get(header::AUTHORIZATION) else { return false };
    let said = said.as_bytes();
    let after = |scheme: &str| {
        let (begin, rest) = said.split_at_checked(scheme.len())?;
        begin.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    };
    if let Some(token) = after("Bearer ") {
        return shared.is_password(token.trim_ascii());
    }
    let Some(encoded) = after("Basic ") else { return false };
    let Ok(pair) = BASE64_STANDARD.decode(encoded.trim_ascii()) else { return false };
    let colon = pair.iter().position(|byte| *byte == b':');
    colon.is_some_and(|colon| shared.is_password(&pair[colon + 1..]))
}

pub(super) fn get(shared: &Shared, key: &[u8]) -> Answer {
    match shared.keyspace.read(key, Bytes::copy_from_slice) {
        Ok(Some(body)) => Answer { body, kind: BYTES, ..Answer::empty(StatusCode::OK) },
        Ok(None) => Answer::missing(),
        Err(_) => Answer::disk_failed(),
    }
}

pub(super) fn delete(shared: &Shared, key: &[u8]) -> Answer {
    if shared.keyspace.remove(key) {
        Answer::empty(StatusCode::NO_CONTENT)
    } else {
        Answer::missing()
    }
}

/// Stores a value: "created" if there was none.
pub(super) fn put(shared: &Shared, key: &[u8], value: &[u8], ttl_ms: Option<u64>) -> Answer {
    let lifetime = match ttl_ms {
        None => Lifetime::Default,
        Some(ttl_ms) => {
            let ttl_ms = i64::try_from(ttl_ms).unwrap_or(i64::MAX);
            Lifetime::Until(shared.keyspace.now_ms().saturating_add(ttl_ms))
        }
    };
    match shared.keyspace.put(key, value, lifetime) {
        Ok(true) => Answer::empty(StatusCode::NO_CONTENT),
        Ok(false) => Answer::empty(StatusCode::CREATED),
        Err(Refused::TooFar) => {
            let complaint = "the TTL is longer than decades: leave it out".to_owned();
            Answer::complaint(StatusCode::BAD_REQUEST, complaint)
        }
        Err(Refused::TooHeavy) => {
            let complaint = "the pair is larger than all together may be: start the server with a \
                             larger `--max-memory`";
            Answer::complaint(StatusCode::INSUFFICIENT_STORAGE, complaint.to_owned())
        }
        Err(Refused::DiskFull) => {
            let complaint = "the disk with the values is full".to_owned();
            Answer::complaint(StatusCode::INSUFFICIENT_STORAGE, complaint)
        }
        Err(Refused::DiskFailed) => Answer::disk_failed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str) -> Result<Target, String> {
        Target::of(&address.parse().expect("an address"))
    }

    #[test]
    fn addresses_mean_keys() {
        let key = |key: &[u8], ttl_ms| Ok(Target::Key { key: key.to_vec(), ttl_ms });
        assert_eq!(target("/a"), key(b"a", None));
        assert_eq!(target("/a/b%20c%00?ttl=5"), key(b"a/b c\0", Some(5_000)));
        assert_eq!(target("/?key=a%2Bb+c&ttl=20ms"), key(b"a+b c", Some(20)));
        assert_eq!(target("/?key="), key(b"", None));
        assert_eq!(target("/?key=metrics"), key(b"metrics", None));
        assert_eq!(target("/metrics"), Ok(Target::Metrics));
        for wrong in ["/", "/?ttl=5", "/a?ttl=0", "/a?ttl=-1", "/a?ttl=", "/a?x=1", "/a?key=b"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
