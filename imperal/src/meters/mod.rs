//! Counters, gauges and histograms, and Prometheus' text form.
//!
//! Owns how numbers are counted and written. What is counted, and under which name, is the business
//! of the rooms that count.

mod number;
mod text;

pub(crate) use number::{BATCHES, CALLS, Counter, Gauge, Histogram, TASKS, WRITES};
pub(crate) use text::Text;
