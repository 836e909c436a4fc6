//! Several nodes on one PostgreSQL, under work, while they are killed, stopped and restarted.
//!
//! A campaign is a number of background tasks for a number of users, each request to a node at
//! random. Meanwhile each node meets a fate after the other: `kill -9`, a named moment, SIGTERM, a
//! short pause, or one past its lease, from which it comes back as a zombie; and its way to the
//! database is delayed, held back, half closed and cut. At the end the whole
//! ledger is compared with what the users were told, by the judge of [`crate::campaigns::crash`].
//! The suite `campaigns` runs a short campaign, the binary `nodes` one of any length.

mod campaign;
mod crowd;
mod fleet;
mod report;
mod weather;

pub use campaign::Campaign;
pub use fleet::{Fleet, LEASE};
pub use report::Report;
