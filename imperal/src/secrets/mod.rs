//! Secrets as the author declares and reads them, and the guard that keeps their values out of texts.
//!
//! Owns [`Secret`], the declaration, which is checked when the extension is compiled; [`SecretValue`], which is not
//! shown; and the search for values in texts that are about to be written. It knows neither how a value is sealed nor
//! where it is stored.

mod declaration;
mod in_use;
mod patterns;
mod value;

pub use declaration::assert_distinct;
pub use declaration::{Secret, SecretScope, SecretWriter};
#[cfg(feature = "platform")]
pub(crate) use in_use::process_has_secrets;
pub(crate) use in_use::{SecretsInUse, screen_process_text};
pub use value::SecretValue;
