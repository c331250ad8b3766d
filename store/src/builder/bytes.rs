//! How a store of byte strings is made: by the same builder.

use super::{Builder, Together};
use crate::error::BuildError;
use crate::record::Packed;
use crate::store::ByteStore;

impl ByteStore {
    /// A store without a default TTL that grows as needed, swept by a thread of its own.
    ///
    /// # Panics
    /// If the operating system refuses the sweeper a thread; [`builder`](ByteStore::builder)
    /// returns that as an error.
    #[must_use]
    pub fn new() -> Self {
        match Self::builder().build() {
            Ok(store) => store,
            Err(error) => panic!("the store could not be built: {error}"),
        }
    }

    /// A builder, for everything that can be chosen. A weigher and a listener are given a key's and
    /// a value's bytes.
    ///
    /// # Examples
    /// ```
    /// use store::ByteStore;
    ///
    /// let cache = ByteStore::builder()
    ///     .max_weight(64 << 20)
    ///     .weigher(|key, value| (key.len() + value.len() + 64) as u64)
    ///     .build()?;
    /// cache.put("k", "v");
    /// assert_eq!(cache.stats().weight, 66);
    /// # Ok::<(), store::BuildError>(())
    /// ```
    pub fn builder() -> Builder<[u8], [u8], Together> {
        Builder::new()
    }
}

impl Builder<[u8], [u8], Together> {
    /// Builds the store, and starts its sweeper.
    ///
    /// # Errors
    /// [`BuildError`] names the choice that cannot be met.
    pub fn build(self) -> Result<ByteStore, BuildError> {
        self.assemble(|slot: &Packed, ()| (slot.record().key(), slot.record().value()))
            .map(ByteStore::from)
    }
}

impl Default for ByteStore {
    fn default() -> Self {
        Self::new()
    }
}
