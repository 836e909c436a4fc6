//! Goes on from the user's ended durable tasks, and runs them again from the start.
//!
//! Both start a new task, in a call of the user like any other. The new task's id is derived from the ended one's, so a
//! request that is repeated, or sent from two windows at once, starts one task. A task is gone on from once: two tasks
//! with the same root would not know of each other's effects.

use sha2::{Digest, Sha256};

use super::Access;
use super::kept_rows::{Kept, KeptCount};
use super::reads::PAGE_ROWS;
use crate::codes;
use crate::context::Origin;
use crate::error::Error;
use crate::function::BoundHandler;
use crate::ids::{CallId, RequestKey, TaskId};
use crate::ledger::{AuditOutcome, CallRecord, Follows, LedgerError, PageLimit, Role, Task, TaskState, TurnBody};
use crate::platform::follow_up::{FollowUp, NOT_ENDED, refused};
use crate::platform::ledger_errors::unreadable;
use crate::platform::readable_name::readable;
use crate::result::{ActionResult, Result};
use crate::secrets::SecretsInUse;

/// Requests without a key that are told apart: each after the first was sent because the one before had failed.
const MOST_TRIES: u32 = 64;

/// A task that follows an ended one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FollowedUp {
    /// The new task, as it is now.
    pub task: Task,
    /// Whether an earlier request has started it.
    pub repeated: bool,
}

/// The use that the new task makes of the ended one.
#[derive(Debug, Clone, Copy)]
enum How<'k> {
    /// Goes on from the step of this number, or behind the last stored one.
    GoOn(Option<u32>),
    /// Runs again from the start, once for each key.
    RunAgain(Option<&'k RequestKey>),
}

impl How<'_> {
    const fn action(self) -> &'static str {
        match self {
            Self::GoOn(_) => "task.continue",
            Self::RunAgain(_) => "task.run_again",
        }
    }

    /// The id of the new task.
    fn task_id(self, ended: TaskId) -> TaskId {
        let key = match self {
            Self::GoOn(_) | Self::RunAgain(None) => "",
            Self::RunAgain(Some(key)) => key.as_str(),
        };
        TaskId::derived(&digest(&["imperal follow-up task 1", self.action(), &ended.to_string(), key]))
    }
}

impl Access {
    /// Goes on from one of the user's ended durable tasks, in a new task. That one keeps the rows of the steps before
    /// `from_step`, whose numbers count stored steps and done effects from 1; without it, all of them. It keeps the rows
    /// of all effects in any case. It has the same idempotency keys as the ended task.
    ///
    /// A task is gone on from once. A repeated request gets the new task that the first one started.
    ///
    /// # Errors
    /// As [`Access::task`] and [`Access::call`]; `NOT_CONTINUABLE` for a background task, for one that has not ended or
    /// has succeeded, if the values of its steps are no longer kept, if this version of the program has not its
    /// function, durable task or queue or does not take its input, and if it goes on from another step already;
    /// `VALIDATION_TYPE_ERROR` if there is no such step; `ALREADY_RUNNING` if an open task has its key.
    pub async fn continue_task(
        &self,
        task_id: TaskId,
        from_step: Option<u32>,
        key: Option<&RequestKey>,
    ) -> Result<FollowedUp> {
        self.follow_up(task_id, How::GoOn(from_step), key).await
    }

    /// Runs one of the user's ended durable tasks again from the start, in a new task that keeps nothing of it: it does
    /// the effects again, under other idempotency keys.
    ///
    /// A task runs again once for each key, and once without a key. A repeated request gets the new task that the first
    /// one started.
    ///
    /// # Errors
    /// As [`Access::continue_task`], except those about steps and about a success.
    pub async fn run_again(&self, task_id: TaskId, key: Option<&RequestKey>) -> Result<FollowedUp> {
        self.follow_up(task_id, How::RunAgain(key), key).await
    }

    async fn follow_up(&self, ended: TaskId, how: How<'_>, key: Option<&RequestKey>) -> Result<FollowedUp> {
        let record = self.own_task(ended, how.action()).await?;
        let new_id = how.task_id(ended);
        if let Some(found) = self.follower(new_id).await? {
            let _permit = matches!(how, How::GoOn(Some(_))).then(|| self.begin_call()).transpose()?;
            self.check_same_step(&found, ended, how).await?;
            return Ok(FollowedUp { task: found, repeated: true });
        }
        // Before the rows are read: a user has a limited number of requests at a time.
        let permit = self.begin_call()?;
        let task = record.task;
        let Some(stored) = self.read(self.ledger().find_durable(ended)).await? else {
            return Err(refused("It is not durable: run its function again."));
        };
        if task.state.is_open() {
            return Err(refused(NOT_ENDED));
        }
        let node = &self.platform.node;
        let (extension, function) = node.find_runner(&task, &stored)?;
        let kept = match how {
            How::RunAgain(_) => Kept { follows: Follows::running_again(ended), step: 1, bytes: 0 },
            How::GoOn(_) if task.state == TaskState::Succeeded => {
                return Err(refused("It has succeeded, so nothing is left to do: run it again from the start."));
            }
            How::GoOn(from_step) => self.count_kept(ended, from_step).await?.kept(ended)?,
        };
        let call_id = match key {
            Some(key) => key.call(&self.user.tenant_id, &self.user.id, extension.app_id()),
            None => self.call_id_of(new_id).await?,
        };
        let asked = self.read(self.ledger().find_call(&self.owner, task.call_id)).await?;
        let origin = Origin {
            app_id: extension.app_id(),
            function: function.name,
            user: self.user.clone(),
            call_id,
            task_id: None,
            attempt: 0,
            secrets: SecretsInUse::default(),
        };
        let name = readable(&task.name).into_owned();
        let (request, reply) = texts(&name, &kept);
        let turn = TurnBody {
            function: Some(function.name.to_owned()),
            // The parameters as the chat has them: without secrets.
            params: asked.and_then(|call| call.asked.body.params),
            call_id: Some(call_id),
            follows: Some(ended),
            ..TurnBody::new(Role::User, request, extension.app_id())
        };
        let mut audit = self.audit_row(how.action(), ended.to_string(), AuditOutcome::Done);
        audit.app_id = Some(task.app_id.clone());
        audit.detail = Some(format!("as task {new_id}"));
        let Kept { follows, bytes, .. } = kept;
        let new = FollowUp { task_id: new_id, follows, ended: task, stored, bytes, audit };
        let starting = node.clone();
        let handler: BoundHandler = Box::new(move |ctx| {
            Box::pin(async move {
                starting.start_follow_up(ctx, new).await?;
                ActionResult::done(reply).into_wire()
            })
        });
        let replied = self.platform.run_as_call(origin, handler, turn, permit).await?;
        match self.follower(new_id).await? {
            Some(task) => {
                // A request that came at the same time may have started it, from another step.
                self.check_same_step(&task, ended, how).await?;
                Ok(FollowedUp { task, repeated: replied.repeated })
            }
            None => Err(match replied.result.error_code {
                Some(code) => Error::user(code, replied.result.error.unwrap_or_default()),
                // The reply is that of another request: of the other way on from the same task.
                None => Error::user(
                    codes::KEY_REUSED,
                    "This idempotency key belongs to another request. Send this one with a key of its own.",
                ),
            }),
        }
    }

    /// The user's task with this derived id.
    async fn follower(&self, task_id: TaskId) -> Result<Option<Task>> {
        let _permit = self.read_permit().await;
        match self.ledger().find_task(task_id).await {
            Ok(found) => Ok(found.filter(|record| record.owner == self.owner).map(|record| record.task)),
            Err(LedgerError::NotFound) => Ok(None),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Adds the task that follows an ended one, if a request without a key started it.
    pub(super) async fn add_follower(&self, task: &mut Task) -> Result<()> {
        if task.state.is_open() || !task.durable {
            return Ok(());
        }
        for how in [How::GoOn(None), How::RunAgain(None)] {
            if let Some(found) = self.follower(how.task_id(task.task_id)).await? {
                task.followed_by = Some(found.task_id);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Refuses to go on from another step than the task that goes on already.
    async fn check_same_step(&self, found: &Task, ended: TaskId, how: How<'_>) -> Result<()> {
        let How::GoOn(Some(from_step)) = how else { return Ok(()) };
        // Their values may be gone meanwhile.
        let through = self.count_kept(ended, Some(from_step)).await?.through().ok();
        if through.is_some() && through == found.follows.and_then(|follows| follows.through) {
            return Ok(());
        }
        let id = found.task_id;
        Err(refused(&format!("It goes on already, as task {id} and from another step: go on from that task instead.")))
    }

    /// Counts the rows that a task inherits when it goes on from this step.
    async fn count_kept(&self, ended: TaskId, from_step: Option<u32>) -> Result<KeptCount> {
        let mut count = KeptCount::from_step(from_step);
        loop {
            let page = self.read(self.ledger().steps(ended, count.last(), PageLimit::rows(PAGE_ROWS))).await?;
            page.rows.iter().for_each(|row| count.add(row));
            if !page.more {
                return Ok(count);
            }
        }
    }

    /// The id of the call that starts a task under a derived id. It is the same for requests that are sent at once, and
    /// another one after a call that failed.
    async fn call_id_of(&self, new_id: TaskId) -> Result<CallId> {
        for k in 0..MOST_TRIES {
            let id = digest(&["imperal follow-up call 1", &new_id.to_string(), &k.to_string()]);
            let call_id = CallId::derived(&id);
            match self.read(self.ledger().find_call(&self.owner, call_id)).await? {
                Some(CallRecord { reply: Some(_), .. }) => {}
                None | Some(CallRecord { reply: None, .. }) => return Ok(call_id),
            }
        }
        Ok(CallId::generate())
    }
}

/// The request of the user and the reply to it.
fn texts(name: &str, Kept { follows, step, .. }: &Kept) -> (String, String) {
    if follows.through.is_none() {
        return (format!("Run “{name}” again from the start"), format!("“{name}” runs again from the start."));
    }
    let kept = match follows.kept {
        0 => String::new(),
        1 => " One done step is kept and not done again.".to_owned(),
        count => format!(" {count} done steps are kept and not done again."),
    };
    (format!("Go on with “{name}” from step {step}"), format!("“{name}” goes on from step {step}.{kept}"))
}

/// A hash of the parts and their lengths.
fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_followers_differ_by_task_kind_and_key() {
        let (a, b, key) = (TaskId::generate(), TaskId::generate(), RequestKey::generate());
        let ids = [
            How::GoOn(None).task_id(a),
            How::RunAgain(None).task_id(a),
            How::RunAgain(Some(&key)).task_id(a),
            How::GoOn(None).task_id(b),
        ];
        let different: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        assert_eq!(How::GoOn(Some(2)).task_id(a), ids[0], "a task is gone on from once");
    }
}
