//! Tasks that go on from ended ones, or run them again: the start of the new task, in a call of its user.
//!
//! The access check, and what the new task inherits, are decided before; see [`super::access`]. The new task waits for a
//! process and is claimed as any task that another process left.

use std::sync::Arc;

use super::Node;
use super::ledger_errors::unavailable;
use super::resume::bind_safely;
use crate::codes;
use crate::context::Context;
use crate::error::Error;
use crate::function::{Extension, FunctionDef};
use crate::ids::TaskId;
use crate::ledger::{CannotFollow, Follows, LedgerError, NewAudit, NewDurable, NewTask, Owner, StoredDurable, Task};
use crate::result::Result;

/// A task to start that follows an ended one.
#[derive(Debug, Clone)]
pub(super) struct FollowUp {
    pub(super) task_id: TaskId,
    pub(super) follows: Follows,
    /// The ended task.
    pub(super) ended: Task,
    pub(super) stored: StoredDurable,
    /// Bytes of the values that it inherits.
    pub(super) bytes: u64,
    pub(super) audit: NewAudit,
}

impl Node {
    /// The extension and the function of an ended task, if this version of the program can run it.
    ///
    /// # Errors
    /// `NOT_CONTINUABLE`.
    pub(super) fn find_runner(
        &self,
        task: &Task,
        stored: &StoredDurable,
    ) -> Result<(&Extension, &'static FunctionDef)> {
        let missing = |what: String| {
            refused(&format!("This version of the program no longer has {what}: start one that has it."))
        };
        let extension = self.registry.extension(&task.app_id);
        let extension = extension.ok_or_else(|| missing(format!("the extension `{}`", task.app_id)))?;
        let function = extension.function(&task.function);
        let function = function.ok_or_else(|| missing(format!("the function `{}`", task.function)))?;
        let def = extension.durable_task(&stored.task_name);
        let def = def.ok_or_else(|| missing(format!("the durable task `{}`", stored.task_name)))?;
        if let Some(queue) = task.queue.as_deref()
            && !self.settings.queues.iter().any(|declared| declared.name() == queue)
        {
            return Err(missing(format!("the queue `{queue}`")));
        }
        match bind_safely(def, &stored.input) {
            Ok(_) => Ok((extension, function)),
            Err(why) => Err(refused(&format!(
                "Its input no longer fits this version of the program: {why}. Start a version that it fits, or run the \
                 function with new parameters."
            ))),
        }
    }

    /// Starts a task for a call of its user. Returns once its row is on disk.
    pub(super) async fn start_follow_up(self: Arc<Self>, ctx: Context, new: FollowUp) -> Result<()> {
        self.check_starting(&ctx).await?;
        let origin = ctx.origin();
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let owner = Owner::from(&origin.user);
        let FollowUp { task_id, follows, ended, stored, bytes, audit } = new;
        self.step_quota.take(&owner, bytes, self.max_stored())?;
        let charged = owner.clone();
        let user = serde_json::to_string(&origin.user).unwrap_or_default();
        let root_task = if follows.through.is_some() { stored.root_task } else { task_id };
        let mut durable = NewDurable::new(task_id, stored.task_name, stored.input, user)
            .program(&self.settings.program)
            .root_task(root_task)
            .follows(follows);
        durable.queue = ended.queue;
        let mut row = NewTask::new(origin.call_id, owner, origin.app_id, origin.function)
            .name(ended.name)
            .cap(self.task_limits(ended.long_running).cap, ended.long_running)
            .max_running(self.settings.tasks_per_user)
            .max_open(self.settings.open_tasks_per_user)
            .durable(durable)
            .audit(audit);
        (row.task_id, row.key) = (task_id, ended.key);
        let written =
            self.write_idempotent("task", || self.ledger.start_task(&work.lease.incarnation, row.clone())).await;
        // Whether an unknown write is stored shows later; all others that did not start the task cost nothing.
        if !matches!(written, Ok(_) | Err(LedgerError::Indeterminate(_))) {
            self.step_quota.give_back(&charged, bytes);
        }
        match written {
            // Another request has started it.
            Ok(_) | Err(LedgerError::IdExists) => {}
            Err(error @ LedgerError::Indeterminate(_)) => return Err(unavailable(&error)),
            Err(error) => match cannot_follow(&error) {
                Some(why) => return Err(refused(why)),
                None => return Err(self.start_refusal(error).await),
            },
        }
        // A process that takes up its own tasks only, as `continue` in the terminal, leaves it to a server.
        if self.settings.takes_up_tasks {
            self.note_queued();
        }
        Ok(())
    }
}

/// The error for a task that cannot be followed.
pub(super) fn refused(why: &str) -> Error {
    Error::user(codes::NOT_CONTINUABLE, format!("The task cannot go on. {why}"))
}

/// Why the ledger did not start the task, if that is because of the ended one.
const fn cannot_follow(error: &LedgerError) -> Option<&'static str> {
    Some(match error {
        LedgerError::CannotFollow(CannotFollow::NotEnded) => NOT_ENDED,
        LedgerError::CannotFollow(CannotFollow::NoSuchRow) => "Its steps have changed meanwhile: try again.",
        LedgerError::CannotFollow(CannotFollow::ValuesGone) => VALUES_GONE,
        // Retention has removed the ended task since it was read.
        LedgerError::NotFound => TASK_GONE,
        _ => return None,
    })
}

pub(super) const NOT_ENDED: &str = "It has not ended: wait for its end, or cancel it.";

const TASK_GONE: &str = "It is no longer kept: run its function again.";

pub(super) const VALUES_GONE: &str = "The values of its steps are no longer kept: run it again from the start.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_task_is_told_apart_from_one_without_values() {
        let why = |error| cannot_follow(&error);
        assert_eq!(why(LedgerError::NotFound), Some(TASK_GONE));
        assert_eq!(why(LedgerError::CannotFollow(CannotFollow::ValuesGone)), Some(VALUES_GONE));
        assert_eq!(why(LedgerError::TooManyTasks(1)), None);
    }
}
