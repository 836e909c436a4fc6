//! The names of steps, as authors write them and as they are stored.

use std::fmt::Display;

use crate::error::Error;
use crate::result::Result;

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
        })*
    };
}

texts!(&str String &String);

/// Escapes the separator, so that different tuples have different names.
fn part(value: &impl Display) -> String {
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
/// `INTERNAL` for a name of another length than 1 to 512 bytes.
pub(in crate::context) fn checked(name: String) -> Result<String> {
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
    fn a_name_has_1_to_512_bytes() {
        assert!(checked("x".repeat(512)).is_ok());
        assert!(checked(String::new()).is_err() && checked("x".repeat(513)).is_err());
    }
}
