//! A schedule as it is stored, and how it changes. Pure: knows no ledger and no clock.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Run, RunState, ScheduleCounts, ScheduleReason, ScheduleState};
use crate::ids::CallId;
use crate::schedule::{InvalidSchedule, TZ_VERSION, Timetable, When, start_of_interval};

/// Runs that a schedule remembers.
const MOST_RUNS: usize = 50;
/// Failures in a row after which a schedule stops.
const MOST_FAILURES: u64 = 5;
/// A time that is later than this is missed.
const LATEST: SignedDuration = SignedDuration::from_hours(12);
/// How the actor of an operator begins.
const OPERATOR: &str = "operator:";
/// How long a node waits before it asks again how a run ended: it doubles up to the second one.
const FIRST_CHECK: SignedDuration = SignedDuration::from_secs(10);
const LAST_CHECK: SignedDuration = SignedDuration::from_secs(300);

/// The parts of a schedule that its user chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::platform) struct Wanted {
    pub(in crate::platform) name: String,
    pub(in crate::platform) params: Value,
    pub(in crate::platform) when: When,
    pub(in crate::platform) zone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::platform) starts_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::platform) ends_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::platform) max_runs: Option<u64>,
}

/// A schedule as the ledger stores it, in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::platform) struct ScheduleBody {
    pub(in crate::platform) app_id: String,
    pub(in crate::platform) function: String,
    #[serde(flatten)]
    pub(in crate::platform) wanted: Wanted,
    /// From when an interval counts.
    from: Timestamp,
    /// The version of the zone database that `next_at` comes from.
    pub(super) tz: String,
    pub(in crate::platform) state: ScheduleState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::platform) next_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_due: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::platform) paused_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::platform) paused_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::platform) reason: Option<ScheduleReason>,
    pub(in crate::platform) counts: ScheduleCounts,
    /// The latest, oldest first.
    pub(in crate::platform) runs: Vec<Run>,
    /// The digest of the function, its parameters and its schema that the user has approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::platform) approved: Option<String>,
    pub(in crate::platform) created_by: String,
    /// When to ask how the open run is, and how often it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check_at: Option<Timestamp>,
    #[serde(default)]
    checks: u32,
    /// How much later than a time of the timetable it runs, in seconds: the users of a job are spread.
    #[serde(default, skip_serializing_if = "is_zero")]
    offset_s: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What is to do for a time that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform) enum Step {
    /// Nothing is due.
    Nothing,
    /// Begin a run.
    Begin { due_at: Timestamp, late_by: u64 },
    /// The times were only missed or skipped.
    MovedOn,
}

impl ScheduleBody {
    /// A new schedule, active from now on.
    pub(in crate::platform) fn new(
        app_id: &str,
        function: &str,
        wanted: Wanted,
        created_by: String,
        now: Timestamp,
    ) -> Result<Self, InvalidSchedule> {
        let mut body = Self {
            app_id: app_id.to_owned(),
            function: function.to_owned(),
            wanted,
            from: now,
            tz: TZ_VERSION.to_owned(),
            state: ScheduleState::Active,
            next_at: None,
            last_due: None,
            paused_by: None,
            paused_at: None,
            reason: None,
            counts: ScheduleCounts::default(),
            runs: Vec::new(),
            approved: None,
            created_by,
            check_at: None,
            checks: 0,
            offset_s: 0,
        };
        body.set_times(now)?;
        Ok(body)
    }

    /// The same schedule, which runs this many seconds after each of its times.
    pub(super) fn spread_by(self, offset_s: u64) -> Self {
        Self { offset_s, ..self }
    }

    fn offset(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::try_from(self.offset_s).unwrap_or_default())
    }

    pub(in crate::platform) fn timetable(&self) -> Result<Timetable, InvalidSchedule> {
        Timetable::new(&self.wanted.when, &self.wanted.zone, self.from)
    }

    /// Checks what its user chose, and computes the next time from now on.
    fn set_times(&mut self, now: Timestamp) -> Result<(), InvalidSchedule> {
        let name = self.wanted.name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.contains(char::is_control) {
            return Err(InvalidSchedule::new("name", "invalid name; use 1 to 100 characters without line breaks"));
        }
        self.wanted.name = name.to_owned();
        self.from = start_of_interval(self.wanted.starts_at, now);
        let table = self.timetable()?;
        table.check_distance()?;
        table.zone_name().clone_into(&mut self.wanted.zone);
        if self.wanted.ends_at.is_some_and(|ends| ends <= now) {
            return Err(InvalidSchedule::new("ends_at", "ends_at is over; name a later time, or leave it out"));
        }
        if self.wanted.max_runs == Some(0) {
            return Err(InvalidSchedule::new("max_runs", "invalid max_runs 0; use 1 or more, or leave it out"));
        }
        TZ_VERSION.clone_into(&mut self.tz);
        self.next_at = self.next_after(&table, now);
        if self.next_at.is_none() {
            let text = "there is no time before ends_at; name a later one, or other times";
            return Err(InvalidSchedule::new("ends_at", text));
        }
        Ok(())
    }

    /// The next time after a moment and after the last one that was due.
    fn next_after(&self, table: &Timetable, after: Timestamp) -> Option<Timestamp> {
        let mut after = self.last_due.map_or(after, |due| due.max(after));
        if let Some(starts_at) = self.wanted.starts_at {
            // The start itself counts.
            after = after.max(starts_at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(starts_at));
        }
        table.next_after(after).filter(|next| self.wanted.ends_at.is_none_or(|ends| *next <= ends))
    }

    /// When a node looks at it next.
    pub(in crate::platform) fn wake_at(&self) -> Option<Timestamp> {
        if self.state != ScheduleState::Active {
            // An open run is still looked at, so that it is not shown as open for ever.
            return self.check_at;
        }
        let next_at = self.next_at.map(|at| at.checked_add(self.offset()).unwrap_or(Timestamp::MAX));
        [next_at, self.check_at].into_iter().flatten().min()
    }

    /// The run that has not ended.
    pub(in crate::platform) fn open_run(&self) -> Option<&Run> {
        self.runs.iter().rev().find(|run| run.state.is_open())
    }

    /// Stores how the open run is.
    pub(in crate::platform) fn note_run(&mut self, seen: &Run, now: Timestamp) {
        let Some(run) = self.runs.iter_mut().rev().find(|run| run.state.is_open()) else { return };
        run.state = seen.state;
        run.task_ids.clone_from(&seen.task_ids);
        run.text.clone_from(&seen.text);
        run.ended_at = seen.ended_at;
        if seen.state.is_open() {
            let wait = FIRST_CHECK * 2_i32.pow(self.checks.min(5));
            self.checks = self.checks.saturating_add(1);
            self.check_at = now.checked_add(wait.min(LAST_CHECK)).ok();
            return;
        }
        self.check_at = None;
        self.checks = 0;
        match seen.state {
            RunState::Failed | RunState::Interrupted => {
                self.counts.failures += 1;
                self.counts.failures_in_a_row += 1;
            }
            RunState::Succeeded => self.counts.failures_in_a_row = 0,
            _ => {}
        }
    }

    /// The reason to stop because it fails again and again.
    pub(in crate::platform) fn failing(&self) -> Option<ScheduleReason> {
        if self.state != ScheduleState::Active || self.counts.failures_in_a_row < MOST_FAILURES {
            return None;
        }
        let last = self.runs.iter().rev().find_map(|run| run.text.as_deref()).unwrap_or("no answer");
        let text = format!(
            "It failed {} times in a row, the last time with: {last} Resume it when the cause is gone.",
            self.counts.failures_in_a_row
        );
        Some(ScheduleReason { code: "failing".to_owned(), text })
    }

    /// Moves on over the times that have come by now. `Step::Begin` leaves the start of the run to [`Self::begin`].
    pub(in crate::platform) fn step(&mut self, now: Timestamp) -> Result<Step, InvalidSchedule> {
        if self.state != ScheduleState::Active {
            return Ok(Step::Nothing);
        }
        let table = self.timetable()?;
        if self.tz != TZ_VERSION {
            // Another version of the database may move the next time. It stays after the last one.
            let after = self.last_due.unwrap_or(self.from);
            TZ_VERSION.clone_into(&mut self.tz);
            self.next_at = self.next_after(&table, after);
        }
        let Some(next_at) = self.next_at else {
            self.end();
            return Ok(Step::MovedOn);
        };
        let there = now.checked_sub(self.offset()).unwrap_or(now);
        let Some(due) = table.due(next_at, there) else { return Ok(Step::Nothing) };
        self.counts.missed += due.missed;
        self.last_due = Some(due.at);
        self.next_at = self.next_after(&table, due.at);
        let late = there.duration_since(due.at);
        if late > LATEST {
            self.counts.missed += 1;
        } else if let Some(open) = self.open_run() {
            let why = match open.state {
                RunState::Waiting => "The run before waits for your answer.",
                _ => "The run before was still running.",
            };
            let late_by_s = seconds(late);
            self.counts.skipped += 1;
            self.add_run(Run {
                due_at: due.at,
                at: now,
                late_by_s,
                state: RunState::Skipped,
                ended_at: None,
                call_id: None,
                task_ids: Vec::new(),
                text: Some(why.to_owned()),
            });
        } else {
            return Ok(Step::Begin { due_at: due.at, late_by: seconds(late) });
        }
        self.end_without_next();
        Ok(Step::MovedOn)
    }

    /// Begins the run of a time that has come, in this call.
    pub(in crate::platform) fn begin(&mut self, due_at: Timestamp, late_by_s: u64, call_id: CallId, now: Timestamp) {
        self.counts.runs += 1;
        self.add_run(Run {
            due_at,
            at: now,
            late_by_s,
            state: RunState::Running,
            ended_at: None,
            call_id: Some(call_id),
            task_ids: Vec::new(),
            text: None,
        });
        self.checks = 0;
        self.check_at = now.checked_add(FIRST_CHECK).ok();
        self.end_without_next();
    }

    fn end_without_next(&mut self) {
        let is_done = self.wanted.max_runs.is_some_and(|most| self.counts.runs >= most);
        if is_done || self.next_at.is_none() {
            self.end();
        }
    }

    fn end(&mut self) {
        let (code, text) = if self.wanted.max_runs.is_some_and(|most| self.counts.runs >= most) {
            ("max_runs", format!("It ran {} times, as often as it should.", self.counts.runs))
        } else {
            ("ends_at", "It has no further time.".to_owned())
        };
        self.state = ScheduleState::Ended;
        self.next_at = None;
        self.reason = Some(ScheduleReason { code: code.to_owned(), text });
    }

    /// The latest runs are kept, and the open one.
    fn add_run(&mut self, run: Run) {
        self.runs.push(run);
        if self.runs.len() > MOST_RUNS
            && let Some(oldest) = self.runs.iter().position(|run| !run.state.is_open())
        {
            self.runs.remove(oldest);
        }
    }

    /// Stops by itself.
    pub(in crate::platform) fn stop(&mut self, reason: ScheduleReason) {
        self.state = ScheduleState::NeedsYou;
        self.next_at = None;
        self.reason = Some(reason);
    }

    pub(in crate::platform) fn pause(&mut self, by: &str, now: Timestamp) {
        if self.state == ScheduleState::Active {
            self.state = ScheduleState::Paused;
            self.next_at = None;
            (self.paused_by, self.paused_at) = (Some(by.to_owned()), Some(now));
        }
    }

    /// Whether its user cannot resume it.
    pub(in crate::platform) fn is_paused_by_operator(&self) -> bool {
        let by_operator = |by: &str| by.starts_with(OPERATOR);
        self.state == ScheduleState::Paused && self.paused_by.as_deref().is_some_and(by_operator)
    }

    /// Makes it active again, from now on. Times of the pause are not made up for.
    pub(in crate::platform) fn resume(&mut self, now: Timestamp) -> Result<(), InvalidSchedule> {
        if self.wanted.max_runs.is_some_and(|most| self.counts.runs >= most) {
            let text = format!("it ran {} times already; raise max_runs, or remove it", self.counts.runs);
            return Err(InvalidSchedule::new("max_runs", text));
        }
        let from = self.from;
        self.set_times(now)?;
        if matches!(self.wanted.when, When::EverySeconds(_)) && self.wanted.starts_at.is_none() {
            // An interval keeps its rhythm over a pause.
            self.from = from;
            let table = self.timetable()?;
            self.next_at = self.next_after(&table, now);
        }
        self.state = ScheduleState::Active;
        (self.paused_by, self.paused_at, self.reason) = (None, None, None);
        self.counts.failures_in_a_row = 0;
        Ok(())
    }

    /// Applies its user's changes. A schedule that is not active stays so.
    pub(in crate::platform) fn edit(&mut self, wanted: Wanted, now: Timestamp) -> Result<(), InvalidSchedule> {
        let same_times = wanted.when == self.wanted.when
            && wanted.zone == self.wanted.zone
            && wanted.starts_at == self.wanted.starts_at;
        let from = self.from;
        let ended = self.state == ScheduleState::Ended;
        self.wanted = wanted;
        self.set_times(now)?;
        if same_times {
            self.from = from;
            let table = self.timetable()?;
            self.next_at = self.next_after(&table, now);
        }
        if ended && self.wanted.max_runs.is_none_or(|most| self.counts.runs < most) {
            self.state = ScheduleState::Active;
            self.reason = None;
        }
        if self.state != ScheduleState::Active {
            self.next_at = None;
        }
        Ok(())
    }

    /// Whether it has these values already.
    pub(in crate::platform) fn is_wanted(&self, wanted: &Wanted) -> bool {
        let same_zone = self.wanted.zone.eq_ignore_ascii_case(&wanted.zone);
        same_zone
            && self.wanted.name == wanted.name.trim()
            && Wanted { zone: String::new(), name: String::new(), ..self.wanted.clone() }
                == Wanted { zone: String::new(), name: String::new(), ..wanted.clone() }
    }

    /// Makes the next run due now. The times after it stay.
    pub(in crate::platform) fn run_now(&mut self, now: Timestamp) {
        self.next_at = Some(now);
    }
}

fn seconds(late: SignedDuration) -> u64 {
    u64::try_from(late.as_secs()).unwrap_or_default()
}
