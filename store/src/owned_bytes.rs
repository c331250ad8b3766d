//! Values that own bytes elsewhere, as far as the standard library's types tell: where those lie.

use crate::sync::Arc;
use std::any::{Any, TypeId};

macro_rules! owners {
    ($($owner:ty),*) => {
        /// Whether values of this type are known to own bytes elsewhere. The compiler knows the answer.
        #[inline]
        pub(crate) fn owns_bytes<V: 'static>() -> bool {
            $(TypeId::of::<V>() == TypeId::of::<$owner>())||*
        }

        /// The bytes that a value owns, which are not looked at.
        #[inline]
        pub(crate) fn bytes_of<V: 'static>(value: &V) -> Option<&[u8]> {
            let value: &dyn Any = value;
            $(if let Some(owner) = value.downcast_ref::<$owner>() {
                let bytes: &[u8] = (**owner).as_ref();
                return Some(bytes);
            })*
            None
        }
    };
}

owners!(Box<[u8]>, Vec<u8>, Arc<[u8]>, String, Box<str>, Arc<str>);

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
