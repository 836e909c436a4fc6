//! The names of steps, as authors write them and as they are stored.

use std::fmt::Display;

use crate::error::Error;
use crate::result::Result;
use crate::rows::RESERVED_NAMES;

/// Longest name of a step, in bytes.
const NAME_LIMIT: usize = 512;

/// The name of a step: a text, or a tuple of two to four values that are shown with `/` between them.
///
/// A name is unique within its task and stays the same over attempts and versions of the program: a stored
/// step is found by it. It has 1 to 512 bytes. It is shown to the user and logged, so keep secrets and URLs
/// with a query out of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the name of a step",
    label = "a text, or a tuple of two to four values that can be displayed",
    note = "write `\"image\"`, or `(\"image\", number)` for the steps of a loop"
)]
pub trait StepName: private::Sealed {
    #[doc(hidden)]
    fn into_name(self) -> String;

    /// The name with one more value at its end.
    #[doc(hidden)]
    fn joined(self, last: &dyn Display) -> String;
}

mod private {
    pub trait Sealed {}
}

macro_rules! texts {
    ($($type:ty)*) => {
        $(impl private::Sealed for $type {}
        impl StepName for $type {
            fn into_name(self) -> String {
                self.into()
            }

            fn joined(self, last: &dyn Display) -> String {
                [part(&self), part(last)].join("/")
            }
        })*
    };
}

texts!(&str String &String);

/// Escapes the separator, so that different tuples have different names.
fn part(value: &(impl Display + ?Sized)) -> String {
    value.to_string().replace('\\', "\\\\").replace('/', "\\/")
}

macro_rules! tuples {
    ($(($($type:ident $value:ident),*))*) => {
        $(impl<$($type: Display),*> private::Sealed for ($($type,)*) {}
        impl<$($type: Display),*> StepName for ($($type,)*) {
            fn into_name(self) -> String {
                let ($($value,)*) = self;
                [$(part(&$value)),*].join("/")
            }

            fn joined(self, last: &dyn Display) -> String {
                [self.into_name(), part(last)].join("/")
            }
        })*
    };
}

tuples! {
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
}

/// The name of a step or a message, if it has a valid length.
///
/// # Errors
/// `INTERNAL` for a name of another length than 1 to 512 bytes, and for one of the platform.
pub(in crate::context) fn checked(name: String) -> Result<String> {
    if name.starts_with(RESERVED_NAMES) {
        return Err(Error::internal(format!("a name that begins with `{RESERVED_NAMES}` is not an author's: {name}")));
    }
    if (1..=NAME_LIMIT).contains(&name.len()) {
        return Ok(name);
    }
    Err(Error::internal(format!("the name of a step or a message has 1 to {NAME_LIMIT} bytes, not {}", name.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_tuples_have_different_names() {
        assert_eq!(("image", 3).into_name(), "image/3");
        let names = [
            ("a", "b/c").into_name(),
            ("a/b", "c").into_name(),
            ("a", "b", "c").into_name(),
            ("a\\", "b", "c").into_name(),
            ("a", "\\b", "c").into_name(),
            ("a\\/b", "c").into_name(),
        ];
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{name} twice");
        }
    }

    #[test]
    fn joined_names_are_those_of_tuples() {
        assert_eq!("image".joined(&3), ("image", 3).into_name());
        assert_eq!("a/b".joined(&"c"), ("a/b", "c").into_name());
        assert_eq!(("a", "b/c").joined(&4), ("a", "b/c", 4).into_name());
    }

    #[test]
    fn a_name_has_1_to_512_bytes_and_is_none_of_the_platform() {
        assert!(checked("x".repeat(512)).is_ok());
        assert!(checked("imperal:x".to_owned()).is_err() && checked("imperal".to_owned()).is_ok());
        assert!(checked(String::new()).is_err() && checked("x".repeat(513)).is_err());
    }
}
