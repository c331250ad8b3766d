//! How long keys and values are, as a trace notes it.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

/// Says how many bytes a key or a value has; what that means is for the user to say: bytes on the
/// wire, on the heap, or serialized. It is asked once a call and should be cheap.
///
/// ```
/// use harness::trace::Length;
///
/// struct Session {
///     user: u64,
///     cart: Vec<u8>,
/// }
///
/// impl Length for Session {
///     fn length(&self) -> usize {
///         self.user.length() + self.cart.length()
///     }
/// }
///
/// assert_eq!(Session { user: 7, cart: vec![0; 20] }.length(), 28);
/// ```
pub trait Length {
    /// The number of bytes.
    fn length(&self) -> usize;
}

macro_rules! of_fixed_length {
    ($($number:ty),*) => {
        $(impl Length for $number {
            fn length(&self) -> usize {
                size_of::<Self>()
            }
        })*
    };
}

of_fixed_length!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, bool, char, ());

impl Length for str {
    fn length(&self) -> usize {
        self.len()
    }
}

impl Length for String {
    fn length(&self) -> usize {
        self.len()
    }
}

impl Length for [u8] {
    fn length(&self) -> usize {
        self.len()
    }
}

impl Length for Vec<u8> {
    fn length(&self) -> usize {
        self.len()
    }
}

impl<const N: usize> Length for [u8; N] {
    fn length(&self) -> usize {
        N
    }
}

impl<T: Length + ?Sized> Length for &T {
    fn length(&self) -> usize {
        (**self).length()
    }
}

impl<T: Length + ?Sized> Length for Box<T> {
    fn length(&self) -> usize {
        (**self).length()
    }
}

impl<T: Length + ?Sized> Length for Rc<T> {
    fn length(&self) -> usize {
        (**self).length()
    }
}

impl<T: Length + ?Sized> Length for Arc<T> {
    fn length(&self) -> usize {
        (**self).length()
    }
}

impl<T: Length + ToOwned + ?Sized> Length for Cow<'_, T> {
    fn length(&self) -> usize {
        (**self).length()
    }
}
