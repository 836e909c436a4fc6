//! Schedules on this node: what they run, when, and how a run ended.
//!
//! A schedule is one row whose body is a [`ScheduleBody`]; each change is a pure function of it, written if its
//! version is still the one that was read. A loop looks at due rows, writes the next time together with the call that begins, and runs the
//! call as its user, with the scopes of the user's last request. A run has ended when its call has the reply and the
//! tasks of the call have ended.

mod body;
#[cfg(test)]
mod body_tests;
mod checks;
mod job_run;
mod jobs;
mod outcome;
mod own;
mod runner;
mod state;

pub(super) use body::{ScheduleBody, Wanted};
pub use checks::Approval;
pub(super) use checks::{Refusal, check_resume, digest_of, invalid, unwritten};
pub(super) use jobs::JOBS_AT_ONCE;
pub(super) use runner::{AT_ONCE, rewritten};
pub use state::{Run, RunState, ScheduleCounts, ScheduleReason, ScheduleState};

/// Schedules of one user.
pub(super) const MOST_SCHEDULES: u32 = 100;
