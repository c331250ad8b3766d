//! Keys and values that own bytes elsewhere, as far as the standard library's types tell: where those
//! lie.

use crate::machine::prefetch_bytes;
use crate::sync::Arc;
use std::any::{Any, TypeId};

macro_rules! owners {
    ($($owner:ty),*) => {
        /// Whether what is of this type is known to own bytes elsewhere. The compiler knows the answer.
        #[inline]
        pub(crate) fn owns_bytes<T: 'static>() -> bool {
            $(TypeId::of::<T>() == TypeId::of::<$owner>())||*
        }

        /// The bytes that it owns, which are not looked at.
        #[inline]
        fn bytes_of<T: 'static>(owner: &T) -> Option<&[u8]> {
            let owner: &dyn Any = owner;
            $(if let Some(owner) = owner.downcast_ref::<$owner>() {
                let bytes: &[u8] = (**owner).as_ref();
                return Some(bytes);
            })*
            None
        }
    };
}

owners!(Box<[u8]>, Vec<u8>, Arc<[u8]>, String, Box<str>, Arc<str>);

/// Starts fetching the bytes that it owns, if it is known to own any.
#[inline]
pub(crate) fn fetch_owned<T: 'static>(owner: &T) {
    if let Some(bytes) = bytes_of(owner) {
        prefetch_bytes(bytes.as_ptr(), bytes.len());
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_where_they_lie() {
        let text = "a text".to_owned();
        assert_eq!(bytes_of(&text).map(<[u8]>::as_ptr), Some(text.as_ptr()));
        let shared: Arc<[u8]> = [1, 2, 3].into();
        assert_eq!(bytes_of(&shared).map(<[u8]>::as_ptr), Some(shared.as_ptr()));
        assert_eq!(bytes_of(&7_u64), None);
        assert!(owns_bytes::<Box<[u8]>>() && !owns_bytes::<u64>() && !owns_bytes::<&str>());
    }
}
