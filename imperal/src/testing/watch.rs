//! Records every progress report, and cancels a task at exactly one of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::context::{Hazard, Origin, ProgressMark, ReportPause, StepMoment, WorkListener};
use crate::ids::{DraftId, TaskId};
use crate::ledger::{DraftPiece, Owner, Work};
use crate::platform::Platform;

/// One report by `ctx.progress`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// 0 to 100.
    pub percent: f64,
    /// The message.
    pub message: String,
    /// When it was reported.
    pub at: Timestamp,
}

/// Decides whether to cancel at a report. It gets the report's number, from 0 per task, and the report.
pub(super) type Point = Box<dyn FnMut(usize, &Report) -> bool + Send>;

#[derive(Default)]
pub(super) struct Watch(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    platform: Option<Platform>,
    reports: HashMap<TaskId, Vec<Report>>,
    drafts: Vec<WatchedDraft>,
    /// At most one for each user.
    points: HashMap<Owner, Point>,
    /// Moments of steps, by user.
    steps: HashMap<Owner, StepWatch>,
    /// Faults in the bodies of durable tasks, each text once.
    warnings: Vec<String>,
}

/// A text that work has written so far.
struct WatchedDraft {
    work: Work,
    draft_id: DraftId,
    text: String,
}

/// Counts the moments of a user's steps, and holds the work at one of them.
#[derive(Default)]
struct StepWatch {
    seen: usize,
    hold_at: Option<usize>,
    reached: Arc<Notify>,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the tasks of this platform from now on.
    pub(super) fn follow(&self, platform: &Platform) {
        self.lock().platform = Some(platform.clone());
    }

    /// Drops the platform, which holds this watch.
    pub(super) fn let_go(&self) {
        self.lock().platform = None;
    }

    pub(super) fn reports(&self, task_id: TaskId) -> Vec<Report> {
        self.lock().reports.get(&task_id).cloned().unwrap_or_default()
    }

    /// The whole texts of the drafts of this work, in the order in which they began.
    pub(super) fn drafts(&self, is_it: impl Fn(Work) -> bool) -> Vec<String> {
        self.lock().drafts.iter().filter(|draft| is_it(draft.work)).map(|draft| draft.text.clone()).collect()
    }

    pub(super) fn drafts_of_task(&self, task_id: TaskId) -> Vec<String> {
        self.drafts(|work| matches!(work, Work::Task(attempt) if attempt.task_id == task_id))
    }

    /// Cancels the user's task at its first report for which `point` is true.
    pub(super) fn cancel_at(&self, owner: &Owner, point: Point) {
        self.lock().points.insert(owner.clone(), point);
    }

    /// Counts the moments of the user's steps from now on, and holds the work at this one for ever.
    pub(super) fn hold_at_step(&self, owner: &Owner, at: Option<usize>) -> Arc<Notify> {
        let reached = Arc::new(Notify::new());
        let watch = StepWatch { seen: 0, hold_at: at, reached: reached.clone() };
        self.lock().steps.insert(owner.clone(), watch);
        reached
    }

    /// How many moments of the user's steps there were.
    pub(super) fn step_moments(&self, owner: &Owner) -> usize {
        self.lock().steps.remove(owner).map_or(0, |watch| watch.seen)
    }

    /// The faults in the bodies of durable tasks so far. Removes them.
    pub(super) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().warnings)
    }

    /// Whether the cancel was requested. Removes the point.
    pub(super) fn has_come(&self, owner: &Owner) -> bool {
        self.lock().points.remove(owner).is_none()
    }
}

impl WorkListener for Watch {
    fn on_report(&self, origin: &Origin, mark: &ProgressMark) {
        let Some(task_id) = origin.task_id else { return };
        let ProgressMark { percent, message } = mark.clone();
        let report = Report { percent, message, at: Timestamp::now() };
        self.lock().reports.entry(task_id).or_default().push(report);
    }

    fn on_draft(&self, piece: &DraftPiece) {
        let Some(work) = piece.work() else { return };
        let drafts = &mut self.lock().drafts;
        match drafts.iter_mut().rfind(|draft| draft.draft_id == piece.draft_id) {
            Some(draft) => draft.text.push_str(&piece.text),
            None => drafts.push(WatchedDraft { work, draft_id: piece.draft_id, text: piece.text.clone() }),
        }
    }

    fn on_hazard(&self, hazard: &Hazard) {
        let (text, warnings) = (hazard.for_test(), &mut self.lock().warnings);
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }

    fn pause_at_step(&self, origin: &Origin, _: StepMoment) -> Option<ReportPause> {
        let watched = &mut *self.lock();
        let watch = watched.steps.get_mut(&Owner::from(&origin.user))?;
        let moment = watch.seen;
        watch.seen += 1;
        if watch.hold_at != Some(moment) {
            return None;
        }
        watch.reached.notify_one();
        Some(Box::pin(std::future::pending()))
    }

    fn pause_after_report(&self, origin: &Origin) -> Option<ReportPause> {
        let task_id = origin.task_id?;
        let owner = Owner::from(&origin.user);
        let watched = &mut *self.lock();
        let reports = watched.reports.get(&task_id)?;
        let (last, latest) = (reports.len() - 1, reports.last()?);
        if !watched.points.get_mut(&owner)?(last, latest) {
            return None;
        }
        watched.points.remove(&owner);
        let access = watched.platform.as_ref()?.access(origin.user.clone());
        Some(Box::pin(async move {
            if let Err(error) = access.cancel(task_id).await {
                tracing::error!(%error, "the test's cancel failed");
            }
        }))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
