//! The timeline of a task: attempts, steps, waits, questions and the end, in one order.
//!
//! The order is that of the attempts, and within an attempt that of its stored rows. No clock is compared for it, so a
//! clock that was set back does not mix it up. A page has a number of stored rows and everything that happened between
//! them; the last page goes up to the present. Steps of attempts that are no longer remembered come after the entry
//! that says so. The access check is not here.

mod entry;
mod gap;

use std::collections::HashMap;

use jiff::Timestamp;

pub use self::entry::{Idle, Timeline, TimelineEntry, TimelineQuestion, TimelineStep};
use self::gap::{Part, Waits};
use crate::codes::ErrorCode;
use crate::json;
use crate::ledger::{AttemptEnding, Follows, KnownBy, Page, Question, StepKind, StoredStep, Task, TaskAttempt};
use crate::rows::AttemptNotes;

/// Rows of the page before that a page reads too: they have the attempt that it begins in, and its waits.
pub(super) const OVERLAP: u16 = 16;

/// The rows of a task in the ledger, for one page of its timeline.
pub(super) struct Parts {
    pub(super) task: Task,
    pub(super) attempts: Vec<TaskAttempt>,
    /// The questions of the rows. If some are missing and there are more, the page ends with the last one.
    pub(super) questions: Page<Question>,
    /// The rows of the page, after up to [`OVERLAP`] that were on the page before.
    pub(super) steps: Page<StoredStep>,
    /// The rows up to this ordinal were on the page before.
    pub(super) after: u16,
    pub(super) trace_url: Option<String>,
    pub(super) now: Timestamp,
}

/// Puts a page together.
pub(super) fn build(parts: Parts) -> Timeline {
    let Parts { mut task, attempts, questions, mut steps, after, trace_url, now } = parts;
    let code = task.result.take().and_then(|result| result.error_code);
    let asked = steps.rows.iter().filter(|step| step.kind == StepKind::Question).count();
    if questions.more && questions.rows.len() < asked {
        cut(&mut steps, after, questions.rows.last().map_or(0, |last| last.ordinal));
    }
    let mut asked: HashMap<u16, Question> = questions.rows.into_iter().map(|one| (one.ordinal, one)).collect();
    let mut page = Builder::new(&task, attempts, now);
    let mut rows = steps.rows.into_iter().peekable();
    if after > 0 {
        let mut shown = 0;
        while let Some(step) = rows.next_if(|step| step.ordinal <= after) {
            shown = step.attempt;
            page.note_wait(&step, asked.get(&step.ordinal));
        }
        page.skip(shown);
    } else {
        page.entries.push(TimelineEntry::Started { at: task.created_at });
        if let Some(Follows { task_id, through, kept }) = task.follows {
            page.entries.push(TimelineEntry::Follows { at: task.created_at, task_id, through, kept });
        }
    }
    let mut last = after;
    for step in rows {
        page.begin_up_to(step.attempt);
        last = step.ordinal;
        let question = asked.remove(&step.ordinal);
        page.note_wait(&step, question.as_ref());
        page.entries.push(entry_of(step, question));
    }
    let next = steps.more.then_some(last);
    if !steps.more {
        page.end(code);
    }
    let entries = page.entries;
    Timeline { task, entries, trace_url, next }
}

/// Leaves out the rows after this ordinal, but for one that the reader does not have.
fn cut(steps: &mut Page<StoredStep>, after: u16, last: u16) {
    let has = steps.rows.iter().take_while(|step| step.ordinal <= last).count();
    let fewest = steps.rows.iter().take_while(|step| step.ordinal <= after).count() + 1;
    let before = steps.rows.len();
    steps.rows.truncate(has.max(fewest));
    steps.more |= steps.rows.len() < before;
}

/// Until when a sleep waits, as long as that is kept.
fn until_of(value: Option<&str>) -> Option<Timestamp> {
    value.and_then(|value| json::read(value.as_bytes()).ok())
}

fn entry_of(step: StoredStep, question: Option<Question>) -> TimelineEntry {
    let StoredStep { ordinal, name, kind, attempt, began_at, done_at, value, log, .. } = step;
    match (kind, question) {
        (StepKind::Sleep, _) => {
            let until = until_of(value.as_deref());
            TimelineEntry::Sleep { ordinal, name, attempt, at: began_at, until }
        }
        (StepKind::Question, Some(question)) => TimelineEntry::Question(TimelineQuestion {
            ordinal,
            name: question.effect().map(str::to_owned).unwrap_or(name),
            effect: question.effect().map(str::to_owned),
            attempt,
            question_id: question.question_id,
            text: question.text,
            state: question.state,
            asked_at: question.asked_at,
            until: question.until,
            fallback: question.fallback,
            answer: question.answer,
            answered_by: question.answered_by,
            answered_at: question.answered_at,
        }),
        _ => {
            // A log that cannot be read is left out: the step itself is sound.
            let log = log.and_then(|log| json::read(log.as_bytes()).ok()).unwrap_or_default();
            let known_by = KnownBy::of_row(kind, value.as_deref());
            TimelineEntry::Step(TimelineStep {
                ordinal,
                name,
                step_kind: kind,
                known_by,
                attempt,
                began_at,
                done_at,
                log,
            })
        }
    }
}

struct Builder<'t> {
    task: &'t Task,
    now: Timestamp,
    entries: Vec<TimelineEntry>,
    /// Attempts that have not begun on this page or one before.
    left: std::vec::IntoIter<TaskAttempt>,
    /// The attempt that the next row may belong to, if it is remembered.
    current: Option<TaskAttempt>,
    /// The number of the latest attempt that has begun or was left out.
    number: u32,
    /// The request to cancel, until it is shown.
    cancel: Option<Timestamp>,
    waits: Waits,
}

impl<'t> Builder<'t> {
    fn new(task: &'t Task, attempts: Vec<TaskAttempt>, now: Timestamp) -> Self {
        let (entries, left, waits) = (Vec::new(), attempts.into_iter(), Waits::default());
        let cancel = task.cancel_requested_at;
        Self { task, now, entries, left, current: None, number: 0, cancel, waits }
    }

    fn note_wait(&mut self, step: &StoredStep, question: Option<&Question>) {
        match (step.kind, question) {
            (StepKind::Sleep, _) => self.waits.sleep(until_of(step.value.as_deref())),
            (_, Some(question)) => self.waits.question(question),
            _ => {}
        }
    }

    /// Passes the attempts up to this one, which began on a page before.
    fn skip(&mut self, shown: u32) {
        while let Some(next) = self.next_up_to(shown) {
            self.number = next.number;
            let passed = self.current.replace(next);
            self.pass(passed);
        }
        if shown > self.number {
            let passed = self.current.take();
            self.pass(passed);
            self.number = self.last_forgotten(shown);
        }
    }

    /// A request to cancel before the end of a passed attempt was shown with it.
    fn pass(&mut self, passed: Option<TaskAttempt>) {
        let ended = passed.and_then(|passed| passed.ended_at);
        if ended.is_some_and(|ended| self.cancel.is_some_and(|at| at <= ended)) {
            self.cancel = None;
        }
    }

    fn next_up_to(&mut self, number: u32) -> Option<TaskAttempt> {
        let is_next = self.left.as_slice().first().is_some_and(|next| next.number <= number);
        if is_next { self.left.next() } else { None }
    }

    /// The last attempt of those that are forgotten, this one among them.
    fn last_forgotten(&self, number: u32) -> u32 {
        self.left.as_slice().first().map_or(number, |next| next.number - 1)
    }

    /// Begins the attempts up to this one. It may be forgotten.
    fn begin_up_to(&mut self, number: u32) {
        self.begin_remembered(number);
        if number > self.number {
            self.end_attempt();
            self.leave_out(self.last_forgotten(number));
        }
    }

    fn begin_remembered(&mut self, number: u32) {
        while let Some(next) = self.next_up_to(number) {
            self.end_attempt();
            if next.number > self.number + 1 {
                self.leave_out(next.number - 1);
            } else if let Some(from) = self.unheld_since().filter(|from| *from < next.began_at) {
                self.idle(gap::ended(self.ending(), from, next.began_at, &self.waits, None));
            }
            let TaskAttempt { number: attempt, node, program, began_at: at, .. } = next.clone();
            self.entries.push(TimelineEntry::AttemptBegan { at, attempt, node, program });
            self.number = attempt;
            self.current = Some(next);
        }
    }

    fn leave_out(&mut self, to: u32) {
        self.entries.push(TimelineEntry::LeftOut { from: self.number + 1, to });
        (self.number, self.current) = (to, None);
    }

    fn ending(&self) -> Option<AttemptEnding> {
        self.current.as_ref().and_then(|current| current.ended_by)
    }

    /// Shows the end of the current attempt, unless the task ended in it.
    fn end_attempt(&mut self) {
        let Some(current) = &self.current else { return };
        let (Some(at), Some(by)) = (current.ended_at, current.ended_by) else { return };
        let attempt = current.number;
        if let Some(asked) = self.cancel.take_if(|asked| *asked <= at) {
            self.entries.push(TimelineEntry::CancelRequested { at: asked });
        }
        // Notes that cannot be read are left out: they are for people alone.
        let notes = current.notes.as_deref().and_then(|notes| json::read::<AttemptNotes>(notes.as_bytes()).ok());
        if let Some(AttemptNotes { unfinished, unasked: names, more_unasked: more }) = notes {
            self.entries.extend(unfinished.into_iter().map(TimelineEntry::Unfinished));
            if !names.is_empty() {
                self.entries.push(TimelineEntry::Unasked { at, names, more });
            }
        }
        if by != AttemptEnding::Outcome {
            self.entries.push(TimelineEntry::AttemptEnded { at, attempt, by });
        }
    }

    /// Since when no process holds the task, after the current attempt.
    fn unheld_since(&self) -> Option<Timestamp> {
        match &self.current {
            Some(current) => current.ended_at,
            None if self.number > 0 => None,
            // A background task has no attempts: it was held from its start until its process ended.
            None if !self.task.durable => self.task.interrupted_at,
            None => Some(self.task.created_at),
        }
    }

    fn idle(&mut self, parts: Vec<Part>) {
        self.entries.extend(parts.into_iter().map(|(from, to, why)| TimelineEntry::Unattended { from, to, why }));
    }

    /// The rest, up to the present.
    fn end(&mut self, code: Option<ErrorCode>) {
        self.begin_remembered(u32::MAX);
        self.end_attempt();
        let task = self.task;
        if task.state.is_held() {
            let current = task.steps.iter().flat_map(|steps| &steps.current);
            self.entries.extend(current.cloned().map(TimelineEntry::Running));
        } else if let Some(from) = self.unheld_since() {
            match task.finished_at {
                Some(to) if to > from => self.idle(gap::ended(self.ending(), from, to, &self.waits, code.as_ref())),
                Some(_) => {}
                None => self.idle(gap::open(task, self.ending(), from, &self.waits, self.now)),
            }
        }
        if let Some(at) = self.cancel.take() {
            self.entries.push(TimelineEntry::CancelRequested { at });
        }
        if let Some(at) = task.finished_at {
            self.entries.push(TimelineEntry::Ended { at, state: task.state, code });
        }
    }
}

#[cfg(test)]
mod tests;
