//! A concurrent in-memory key/value store with a TTL on any key.
