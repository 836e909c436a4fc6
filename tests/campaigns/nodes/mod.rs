//! Several nodes on one PostgreSQL that are killed, stopped and restarted while users work.
//!
//! Users start background tasks; each request goes to a random node. Each node meets one fault after
//! another: SIGKILL, a named moment, SIGTERM, a short pause, or a pause longer than its lease, after which
//! the process continues as a zombie. The connection to the database is delayed, held back, half closed and
//! broken. One user fills a queue to which others come with a few tasks. At the end the judge of [`crate::campaigns::crash`] compares the ledger with the users' answers.
//! The suite `campaigns` runs a short campaign, the binary `nodes` one of any length.

mod campaign;
mod crowd;
mod faults;
mod fleet;
mod report;
mod turns;

pub use campaign::Campaign;
pub use fleet::{Fleet, LEASE};
pub use report::Report;
