//! Waits between the attempts of one operation: each is twice the one before, up to a longest wait.

use std::time::Duration;

/// The waits of one series of attempts.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The wait before the next attempt.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = self.next.saturating_mul(2).min(self.longest);
        wait
    }

    /// Starts again at the first wait, after an attempt that succeeded.
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_again_after_a_reset() {
        let [one, five] = [1, 5].map(Duration::from_secs);
        let mut backoff = Backoff::new(one, five);
        let waits: Vec<_> = (0..5).map(|_| backoff.next_wait()).collect();
        assert_eq!(waits, [one, one * 2, one * 4, five, five]);
        backoff.reset();
        assert_eq!(backoff.next_wait(), one);
    }
}
