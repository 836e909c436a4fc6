//! Supervision of running work: caps, liveness, the cancel ladder.
//!
//! Runs a piece of work and reports its [`Ending`]. The platform makes a turn of that; this module knows neither
//! storage nor texts for users.

mod supervisor;
mod watchdog;

pub(crate) use supervisor::{Ending, Limits, Returned, SpawnedWork, supervise};
pub(crate) use watchdog::{Label, Watchdog};
