//! The rows of an ended task that a task which goes on from it inherits: how many, of how many bytes, and behind which row.
//!
//! A task may have 65,535 rows, so this counts them page by page and keeps none. The ledger copies them itself.

use crate::codes;
use crate::error::Error;
use crate::ids::TaskId;
use crate::ledger::{Follows, StoredStep};
use crate::platform::follow_up::{VALUES_GONE, refused};
use crate::result::Result;
use crate::rows::is_inherited;

/// The rows of an ended task that a new one inherits.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) follows: Follows,
    /// The number of the first step that runs again.
    pub(super) step: u32,
    /// Bytes of their values. Messages count whatever becomes of their steps: they have a few bytes each.
    pub(super) bytes: u64,
}

/// A count of these rows that reads them one by one, in their order, and keeps none.
#[derive(Debug, Default)]
pub(super) struct KeptCount {
    from_step: Option<u32>,
    /// Stored steps and done effects so far.
    steps: u32,
    /// The last row.
    last: u16,
    /// The row before the first step that runs again.
    through: Option<u16>,
    /// Steps and done effects that are kept, and those of them before that step.
    kept: u32,
    before: u32,
    bytes: u64,
    is_gone: bool,
}

impl KeptCount {
    /// Of a task that goes on from the step of this number, or behind the last stored one.
    pub(super) fn from_step(from_step: Option<u32>) -> Self {
        Self { from_step, ..Self::default() }
    }

    /// The ordinal of the last row.
    pub(super) fn last(&self) -> u16 {
        self.last
    }

    pub(super) fn add(&mut self, row: &StoredStep) {
        let is_progress = row.kind.is_progress();
        self.steps += u32::from(is_progress);
        if is_progress && self.from_step == Some(self.steps) {
            self.through = Some(self.last);
        }
        self.last = row.ordinal;
        // A value that is left out of the list is large, and no question's.
        let value = row.value.as_deref().or((row.bytes > 0).then_some(""));
        let through = self.through.unwrap_or(u16::MAX);
        match is_inherited(through, row.ordinal, row.kind, &row.name, value, |_| true) {
            Some(true) => {
                self.kept += u32::from(is_progress);
                self.before += u32::from(is_progress && row.ordinal <= through);
                self.bytes += row.bytes;
            }
            Some(false) => {}
            None => self.is_gone = true,
        }
    }

    /// The ordinal behind which a new task goes on, once all rows are counted.
    ///
    /// # Errors
    /// `VALIDATION_TYPE_ERROR` if there is no such step.
    pub(super) fn through(&self) -> Result<u16> {
        if let Some(number) = self.from_step
            && (number == 0 || number > self.steps + 1)
        {
            let text = match self.steps {
                0 => "The task has no stored step: go on from step 1.".to_owned(),
                count => format!("The task has {count} stored steps: go on from a step from 1 to {}.", count + 1),
            };
            return Err(Error::user(codes::VALIDATION_TYPE_ERROR, text).with_field("from_step"));
        }
        Ok(self.through.unwrap_or(self.last))
    }

    /// The rows that a new task keeps, once all are counted.
    ///
    /// # Errors
    /// `VALIDATION_TYPE_ERROR` if there is no such step, `NOT_CONTINUABLE` if values of the rows are no longer kept.
    pub(super) fn kept(&self, ended: TaskId) -> Result<Kept> {
        let through = self.through()?;
        if self.is_gone {
            return Err(refused(VALUES_GONE));
        }
        let follows = Follows::going_on(ended, through, self.kept);
        Ok(Kept { follows, step: self.before + 1, bytes: self.bytes })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ledger::StepKind;

    fn row(ordinal: u16, kind: StepKind) -> StoredStep {
        StoredStep {
            ordinal,
            name: format!("row {ordinal}"),
            kind,
            attempt: 1,
            began_at: Timestamp::UNIX_EPOCH,
            done_at: Timestamp::UNIX_EPOCH,
            bytes: 4,
            value: Some("null".to_owned()),
            log: None,
        }
    }

    fn counted(rows: &[StoredStep], from_step: Option<u32>) -> Result<Kept> {
        let mut count = KeptCount::from_step(from_step);
        for row in rows {
            count.add(row);
        }
        count.kept(TaskId::generate())
    }

    #[test]
    fn steps_and_done_effects_are_numbered_from_1() {
        use StepKind::{Effect, Intent, Message, Step};
        let rows = [row(1, Step), row(2, Message), row(4, Intent), row(5, Effect), row(6, Step), row(7, Message)];
        let kept = |from_step| {
            let Kept { follows, step, bytes } = counted(&rows, from_step).ok()?;
            Some((follows.through?, follows.kept, step, bytes))
        };
        assert_eq!(kept(None), Some((7, 3, 4, 24)));
        // The effect is kept in any case.
        let from_each = [Some((0, 1, 1, 8)), Some((4, 2, 2, 16)), Some((5, 2, 3, 16)), Some((7, 3, 4, 24))];
        assert_eq!([1, 2, 3, 4].map(|number| kept(Some(number))), from_each);
        assert_eq!([0, 5, u32::MAX].map(|number| kept(Some(number))), [None; 3]);
        let refused = counted(&rows, Some(5)).err().unwrap();
        assert_eq!(refused.field(), Some("from_step"));
        assert!(refused.message().contains("from 1 to 4"), "{refused}");
        for from_step in [None, Some(1)] {
            assert_eq!(counted(&[], from_step).ok().and_then(|kept| kept.follows.through), Some(0));
        }
    }

    #[test]
    fn values_that_are_gone_matter_for_rows_that_are_kept() {
        let gone = |ordinal, kind| StoredStep { bytes: 0, value: None, ..row(ordinal, kind) };
        let rows = [row(1, StepKind::Step), gone(2, StepKind::Step)];
        assert!(counted(&rows, Some(2)).is_ok());
        let refused = counted(&rows, None).err().unwrap();
        assert_eq!(*refused.code(), codes::NOT_CONTINUABLE);
        let rows = [row(1, StepKind::Step), gone(2, StepKind::Intent)];
        assert!(counted(&rows, Some(1)).is_err(), "effects are kept in any case");
        let mut count = KeptCount::from_step(Some(1));
        for row in &rows {
            count.add(row);
        }
        assert_eq!(count.through().ok(), Some(0), "the step of an earlier request is known");
    }
}
