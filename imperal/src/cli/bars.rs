//! Progress on a terminal: one bar per task, turns printed above the bars.
//!
//! Owns everything that is drawn in place. If standard error is not a terminal, nothing is drawn and the caller
//! prints lines instead.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out::{self, OutputStyle};
use super::task_id;
use crate::ids::TaskId;
use crate::ledger::Task;

/// Columns of a task's name.
const NAME_WIDTH: usize = 24;
/// Below this width a bar has no name.
const NARROW: usize = 72;

/// The bars of the watched tasks.
#[derive(Debug)]
pub(super) struct ProgressBars {
    multi: MultiProgress,
    by_task: HashMap<TaskId, TaskBar>,
    style: OutputStyle,
}

#[derive(Debug)]
struct TaskBar {
    bar: ProgressBar,
    /// The steps of a durable task have their times. The time since its start is not all work.
    is_durable: bool,
}

impl ProgressBars {
    /// Draws nothing if `shown` is false.
    pub(super) fn new(shown: bool) -> Self {
        let style = OutputStyle { terminal: shown, ..OutputStyle::of_stderr() };
        let multi = MultiProgress::new();
        if !shown {
            multi.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { multi, by_task: HashMap::new(), style }
    }

    pub(super) fn are_shown(&self) -> bool {
        self.style.terminal
    }

    pub(super) fn add(&mut self, task: &Task) {
        if !self.are_shown() || self.by_task.contains_key(&task.task_id) {
            return;
        }
        let started = SystemTime::from(task.created_at);
        let bar = self.multi.add(ProgressBar::new(100));
        bar.set_style(bar_style(self.style, task.percent.is_some(), task.durable));
        bar.set_elapsed(SystemTime::now().duration_since(started).unwrap_or_default());
        bar.set_prefix(prefix(task, self.style));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.by_task.insert(task.task_id, TaskBar { bar, is_durable: task.durable });
        self.update(task.task_id, task.percent, task.message.as_deref().unwrap_or_default());
    }

    /// Shows how far a task is. A task that has not said how many percent are done has no bar.
    pub(super) fn update(&self, task_id: TaskId, percent: Option<f64>, stage: &str) {
        let Some(TaskBar { bar, is_durable }) = self.by_task.get(&task_id) else { return };
        if let Some(percent) = percent {
            bar.set_style(bar_style(self.style, true, *is_durable));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
            bar.set_position(percent.clamp(0.0, 100.0) as u64);
        }
        bar.set_message(out::fit_line(stage, 200, self.style));
    }

    pub(super) fn remove(&mut self, task_id: TaskId) {
        if let Some(TaskBar { bar, .. }) = self.by_task.remove(&task_id) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }

    /// Prints above the bars.
    pub(super) fn print_above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.multi.suspend(print)
    }

    /// Hides the bars while a question is open.
    pub(super) fn pause(&self) {
        if self.are_shown() {
            let _ = self.multi.clear();
            self.multi.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Draws the bars again.
    pub(super) fn resume(&self) {
        if self.are_shown() {
            self.multi.set_draw_target(ProgressDrawTarget::stderr());
            for one in self.by_task.values() {
                one.bar.tick();
            }
        }
    }

    /// Removes the bars. Printed lines stay.
    pub(super) fn clear(&mut self) {
        for (_, one) in self.by_task.drain() {
            one.bar.finish_and_clear();
        }
    }
}

fn is_narrow(style: OutputStyle) -> bool {
    style.width.is_some_and(|width| width < NARROW)
}

/// The task's short id, and its name where there is room: tasks of one call often share a name.
fn prefix(task: &Task, style: OutputStyle) -> String {
    let id = task_id::short_id(task.task_id);
    if is_narrow(style) { id } else { format!("{id} {}", out::fit_line(&task.name, NAME_WIDTH, style)) }
}

/// A spinner before the first report and a bar after it, in the room that there is.
fn bar_style(style: OutputStyle, determinate: bool, is_durable: bool) -> ProgressStyle {
    let bar = match (determinate, is_narrow(style)) {
        (true, false) => "{bar:24.cyan/dim} {pos:>3}% ",
        (true, true) => "{bar:8.cyan/dim} {pos:>3}% ",
        (false, _) => "",
    };
    let elapsed = if is_durable { "" } else { "{elapsed:.dim} " };
    // The templates are valid.
    ProgressStyle::with_template(&format!("{{prefix}} {bar}{{spinner:.cyan}} {elapsed} {{wide_msg}}"))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸┄")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}
