//! Kills a node again and again and compares what its users were told with what its ledger holds.
//!
//! A campaign is a number of kills from a seed. Users drive a real process over HTTP and write
//! down what they were told; the process dies at a random moment or at a named one; the next life
//! on the same folder recovers, and everything in the ledger is judged. The suite `campaigns` runs a
//! short campaign, the binary `crash` one of any length.

pub(crate) mod book;
pub(crate) mod campaign;
pub(crate) mod contents;
mod database;
pub(crate) mod dice;
pub(crate) mod driver;
pub(crate) mod fate;
mod file;
pub(crate) mod judge;
pub(crate) mod report;

pub use campaign::Campaign;
pub use report::Report;
