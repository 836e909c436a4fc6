//! The locks and atomics of what threads share.
//!
//! The standard library's, but in one suite: with the feature `explore` they are those of shuttle,
//! which runs a scenario once for every order in which its threads can reach them. The tests named
//! `explored` of the modules that use this are those scenarios:
//! `cargo test -p imperal --features explore --lib explored`. Tokio's own parts (`Notify`,
//! `broadcast`) count as one step each there.

#[cfg(not(all(test, feature = "explore")))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

#[cfg(all(test, feature = "explore"))]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};
