//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write};

use super::number::{Counter, Gauge, Histogram};

/// Names and values of a sample's labels.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

/// A page of metrics being written.
#[derive(Debug, Default)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// Begins a metric; its samples follow.
    pub(crate) fn metric(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(crate) fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        self.0.push_str(name);
        for (place, (label, value)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if place == 0 { '{' } else { ',' });
            for c in value.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
            self.0.push('"');
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// A counter without labels.
    pub(crate) fn counter(&mut self, name: &str, help: &str, counter: &Counter) {
        self.metric(name, "counter", help);
        self.sample(name, &[], counter.get());
    }

    /// A gauge without labels.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, gauge: &Gauge) {
        self.metric(name, "gauge", help);
        self.sample(name, &[], gauge.get());
    }

    pub(crate) fn histogram(&mut self, name: &str, labels: Labels<'_>, histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        let counts = histogram.cumulative();
        for (bound, count) in &counts {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            self.sample(&bucket, &[labels, &[("le", &bound)]].concat(), count);
        }
        self.sample(&format!("{name}_sum"), labels, histogram.sum());
        self.sample(&format!("{name}_count"), labels, counts.last().map_or(0, |(_, count)| *count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_quoted() {
        let mut text = Text::default();
        text.sample("a", &[("b", "c\"\\\n"), ("d", "")], 1);
        text.sample("a", &[], 2.5);
        assert_eq!(text.into_string(), "a{b=\"c\\\"\\\\\\n\",d=\"\"} 1\na 2.5\n");
    }
}
