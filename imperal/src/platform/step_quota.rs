//! The bytes that the steps of one user's durable tasks may add a day (UTC) on this node.
//!
//! The ledger counts the bytes of turns in the transaction that writes them. A step locks no row of its owner, so
//! that the steps of many tasks share a commit; their bytes are counted here, in memory, against a limit of the same
//! size.

use std::collections::HashMap;
use std::sync::PoisonError;

use jiff::Timestamp;

use super::ledger_errors::mebibytes;
use crate::codes;
use crate::error::Error;
use crate::ledger::Owner;
use crate::result::Result;
use crate::sync::Mutex;

const DAY_SECONDS: i64 = 24 * 3600;

/// The bytes of today, by owner.
#[derive(Debug, Default)]
pub(super) struct StepQuota(Mutex<Today>);

#[derive(Debug, Default)]
struct Today {
    day: i64,
    bytes: HashMap<Owner, u64>,
}

impl StepQuota {
    /// Counts a step, if its owner may store it.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`; nothing is counted then.
    pub(super) fn take(&self, owner: &Owner, bytes: u64, limit: Option<u64>) -> Result<()> {
        let Some(limit) = limit else { return Ok(()) };
        self.take_at(Timestamp::now(), owner, bytes, limit)
    }

    /// Takes back the bytes of a write that was not stored after all.
    pub(super) fn give_back(&self, owner: &Owner, bytes: u64) {
        let mut today = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stored) = today.bytes.get_mut(owner) {
            *stored = stored.saturating_sub(bytes);
        }
    }

    fn take_at(&self, now: Timestamp, owner: &Owner, bytes: u64, limit: u64) -> Result<()> {
        let mut today = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let day = now.as_second().div_euclid(DAY_SECONDS);
        if today.day != day {
            *today = Today { day, bytes: HashMap::new() };
        }
        let stored = today.bytes.entry(owner.clone()).or_default();
        if stored.saturating_add(bytes) > limit {
            return Err(exceeded(limit));
        }
        *stored += bytes;
        Ok(())
    }
}

fn exceeded(limit: u64) -> Error {
    Error::user(
        codes::QUOTA_EXCEEDED,
        format!(
            "The steps of your tasks would exceed the {} that one user may store a day. Run the task again after \
             midnight UTC, or ask the operator for a higher limit (`--stored-per-user-and-day`).",
            mebibytes(limit)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_an_owner_start_over_each_utc_day() {
        let quota = StepQuota::default();
        let (anna, ben) = (Owner::new("t", "anna"), Owner::new("t", "ben"));
        let evening: Timestamp = "2030-01-01T23:59:59Z".parse().unwrap();
        let morning: Timestamp = "2030-01-02T00:00:00Z".parse().unwrap();
        assert!(quota.take_at(evening, &anna, 60, 100).is_ok());
        let refused = quota.take_at(evening, &anna, 41, 100).unwrap_err();
        assert!(refused.to_string().contains("100 bytes"), "{refused}");
        assert!(quota.take_at(evening, &anna, 40, 100).is_ok(), "a refused step does not count");
        quota.give_back(&anna, 30);
        assert!(quota.take_at(evening, &anna, 31, 100).is_err());
        assert!(quota.take_at(evening, &anna, 30, 100).is_ok(), "what was given back is free again");
        assert!(quota.take_at(evening, &ben, 100, 100).is_ok());
        assert!(quota.take_at(morning, &anna, 100, 100).is_ok());
    }
}
