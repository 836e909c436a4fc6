//! Numbers that many threads count without waiting for each other.
//!
//! An observation takes no lock and allocates nothing, since all metrics and labels are known at the
//! start. The common crates look up the labels in a locked map, or lock the histogram, each time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn inc(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that grows and shrinks.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    #[cfg(feature = "platform")]
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "platform")]
    pub(crate) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Replaces the value and returns the old one.
    pub(crate) fn set(&self, value: u64) -> u64 {
        self.0.swap(value, Ordering::Relaxed)
    }

    #[cfg(feature = "platform")]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The upper bounds of a histogram's buckets, and how its values are written.
#[derive(Debug)]
pub(crate) struct Scale {
    /// In the unit of observations.
    pub(super) bounds: &'static [u64],
    /// Units of observations in one unit of the written values.
    #[cfg_attr(not(feature = "platform"), expect(dead_code, reason = "only `/metrics` shows it"))]
    pub(super) unit: f64,
}

macro_rules! durations {
    ($($micros:literal)*) => { Scale { bounds: &[$($micros * 1000),*], unit: 1e9 } };
}

/// For a write or the wait before it: 50 µs to 10 s.
pub(crate) static WRITES: Scale = durations![50 100 250 500 1_000 2_500 5_000 10_000 25_000 50_000 100_000 250_000
    500_000 1_000_000 2_500_000 10_000_000];
/// For a call or a request: 1 ms to 300 s, with the caps as bounds.
pub(crate) static CALLS: Scale = durations![1_000 2_500 5_000 10_000 25_000 50_000 100_000 250_000 500_000 1_000_000
    2_500_000 5_000_000 10_000_000 30_000_000 60_000_000 180_000_000 300_000_000];
/// For a task: 100 ms to half an hour, with the caps as bounds.
pub(crate) static TASKS: Scale = durations![100_000 500_000 1_000_000 5_000_000 10_000_000 30_000_000 60_000_000
    120_000_000 180_000_000 300_000_000 600_000_000 1_200_000_000 1_800_000_000];
/// For the time until something is taken up: 1 ms to an hour.
pub(crate) static DELAYS: Scale = durations![1_000 5_000 10_000 50_000 100_000 500_000 1_000_000 2_500_000 5_000_000
    15_000_000 30_000_000 60_000_000 300_000_000 900_000_000 3_600_000_000];
/// For the writes in one transaction.
pub(crate) static BATCHES: Scale = Scale { bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256], unit: 1.0 };

/// Counts values by size.
#[derive(Debug)]
pub(crate) struct Histogram {
    scale: &'static Scale,
    /// One more than bounds, for values above the last. Each counts its own values only.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(scale: &'static Scale) -> Self {
        let buckets = (0..=scale.bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { scale, buckets, sum: AtomicU64::new(0) }
    }

    pub(crate) fn observe(&self, value: u64) {
        let bucket = self.scale.bounds.partition_point(|bound| *bound < value);
        // The bucket comes last, so that the sum has every value that a reader counts.
        self.sum.fetch_add(value, Ordering::Relaxed);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn took(&self, time: Duration) {
        self.observe(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    #[cfg(feature = "platform")]
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// Each bound with the number of values up to it. The last entry counts all values.
    #[cfg(feature = "platform")]
    pub(super) fn cumulative(&self) -> Vec<(Option<f64>, u64)> {
        let mut so_far = 0;
        let bounds = self.scale.bounds.iter().map(|bound| Some(to_f64(*bound) / self.scale.unit)).chain([None]);
        let mut count = |(bound, bucket): (Option<f64>, &AtomicU64)| {
            so_far += bucket.load(Ordering::Relaxed);
            (bound, so_far)
        };
        bounds.zip(&self.buckets).map(&mut count).collect()
    }

    #[cfg(feature = "platform")]
    pub(super) fn sum(&self) -> f64 {
        to_f64(self.sum.load(Ordering::Relaxed)) / self.scale.unit
    }
}

#[cfg(feature = "platform")]
#[expect(clippy::cast_precision_loss, reason = "fifteen digits are enough for a sum")]
fn to_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_its_bucket_and_all_above() {
        let histogram = Histogram::new(&BATCHES);
        for value in [1, 2, 3, 256, 257, 0] {
            histogram.observe(value);
        }
        let counts: Vec<u64> = histogram.cumulative().into_iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 4, 4, 4, 4, 4, 4, 5, 6]);
        assert_eq!((histogram.count(), histogram.sum()), (6, 519.0));
        assert_eq!(histogram.cumulative().last(), Some(&(None, 6)));
    }

    #[test]
    fn bounds_grow_and_are_in_seconds() {
        for scale in [&WRITES, &CALLS, &TASKS, &DELAYS, &BATCHES] {
            assert!(scale.bounds.is_sorted());
        }
        let histogram = Histogram::new(&CALLS);
        histogram.took(Duration::from_millis(1));
        assert_eq!(histogram.cumulative()[0], (Some(0.001), 1));
        assert!((histogram.sum() - 0.001).abs() < 1e-12);
    }
}
