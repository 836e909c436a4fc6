//! Kills a node many times and compares its users' answers with its ledger.
//!
//! Users call a real process over HTTP and record every answer. The process dies at a random or a named
//! moment. The next process on the same folder recovers, and the judge checks every row of the ledger. The
//! choices come from a seed. The suite `campaigns` runs a short campaign, the binary `crash` one of any length.

pub(crate) mod campaign;
pub(crate) mod contents;
mod database;
pub(crate) mod driver;
pub(crate) mod fate;
mod file;
pub(crate) mod judge;
pub(crate) mod record;
pub(crate) mod report;
mod schedules;
pub(crate) mod stored_files;

pub use campaign::Campaign;
pub use report::Report;
