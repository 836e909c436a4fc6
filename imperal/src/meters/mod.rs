//! Counters, gauges and histograms, and Prometheus' text format.
//!
//! Owns how numbers are counted and written. Each module that counts owns its metrics' names.

mod number;
#[cfg(feature = "platform")]
mod text;

pub(crate) use number::{BATCHES, CALLS, Counter, DELAYS, Gauge, Histogram, TASKS, WRITES};
#[cfg(feature = "platform")]
pub(crate) use text::Text;
