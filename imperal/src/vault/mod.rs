//! Seals the values of secrets for the ledger, and opens them.
//!
//! Owns the keys, and the form of a sealed value: AES-256-GCM under a key of its own for each write, which HKDF derives
//! from a master key and a random salt, so that no number of writes wears a master key out. What the value belongs to
//! is authenticated with it: a row that is copied to another user, name or version cannot be opened. It does not know
//! where sealed values are stored.

mod keys;
mod seal;

pub use keys::{KeysError, SecretKeys};
pub(crate) use seal::{Unopened, open, seal};
