//! Background work at run time: caps, liveness, the cancel ladder.
//!
//! Owns how a piece of work is run and how it ends. Knows nothing of storage or of words for the
//! user: it reports an [`Ending`], the platform makes a turn of it.

mod supervisor;
mod watchdog;

pub(crate) use supervisor::{Ending, Limits, supervise};
pub(crate) use watchdog::{Label, Watchdog};
