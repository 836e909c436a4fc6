//! Measured times and their table.

use std::fmt;
use std::time::Duration;

/// Measured times of one operation.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sample(Vec<Duration>);

impl Sample {
    pub(crate) fn extend_from(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The quantile of this share, in seconds.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let mut times = self.0.clone();
        times.sort_unstable();
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let index = ((times.len() - 1) as f64 * share).round() as usize;
        times[index].as_secs_f64()
    }

    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }
}

/// Rows of a Markdown table: label, measured, aim.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<[String; 3]>);

impl Table {
    pub(crate) fn row(&mut self, what: impl Into<String>, measured: impl Into<String>, aim: &str) {
        self.0.push([what.into(), measured.into(), aim.to_owned()]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | measured | aim |\n|:--|--:|--:|")?;
        for [what, measured, aim] in &self.0 {
            writeln!(f, "| {what} | {measured} | {aim} |")?;
        }
        Ok(())
    }
}

/// Formats a time with a fitting unit.
pub(crate) fn time(seconds: f64) -> String {
    if seconds < 1e-3 {
        format!("{:.1} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.2} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Resident memory of a process, `self` or its id, in bytes.
pub(crate) fn resident(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0.0) * 1024.0
}
