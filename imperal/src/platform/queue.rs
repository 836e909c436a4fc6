//! Queues of durable tasks, as a program declares them.
//!
//! A queue limits how many of its tasks run at once on all nodes together. The ledger hands out its slots in turns: see
//! [`Queues`](crate::ledger::contract::Queues).

use crate::ledger::QueueLimit;

/// Longest name of a queue, in bytes.
const NAME_LIMIT: usize = 64;

/// A queue of durable tasks: at most a number of them run at once, on all nodes together. Users take turns, so none
/// starves another.
///
/// Declare it with [`App::queue`](crate::App::queue), and start tasks in it with
/// [`DurableTask::queue`](crate::context::DurableTask::queue). Each extension of the program has a queue of this name
/// of its own.
///
/// ```
/// use imperal::Queue;
///
/// let queue = Queue::new("render").at_most(4).per_user(1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "give it to `App::queue`"]
pub struct Queue {
    name: String,
    at_most: u32,
    per_user: Option<u32>,
}

impl Queue {
    /// A queue that runs one task at a time. The name has 1 to 64 bytes without control characters.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), at_most: 1, per_user: None }
    }

    /// Runs at most this many tasks at once, on all nodes together.
    pub fn at_most(self, tasks: u32) -> Self {
        Self { at_most: tasks, ..self }
    }

    /// Runs at most this many tasks of one user at once. Without it one user may have every slot while no other user
    /// waits.
    pub fn per_user(self, tasks: u32) -> Self {
        Self { per_user: Some(tasks), ..self }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its limits for the ledger, in one extension.
    pub(super) fn limit(&self, app_id: &str) -> QueueLimit {
        QueueLimit::new(app_id, &*self.name, self.at_most).per_user(self.per_user.unwrap_or(self.at_most))
    }

    /// One sentence for each invalid value of these queues.
    pub(super) fn faults(queues: &[Self]) -> Vec<String> {
        let mut faults = Vec::new();
        for (place, Self { name, at_most, per_user }) in queues.iter().enumerate() {
            if name.trim().is_empty() || name.len() > NAME_LIMIT || name.chars().any(char::is_control) {
                let shown = &name[..name.floor_char_boundary(80)];
                faults.push(format!(
                    "a queue is named {shown:?}; use a name of 1 to {NAME_LIMIT} bytes without control characters"
                ));
            }
            if *at_most == 0 || *per_user == Some(0) {
                faults.push(format!("the queue `{name}` runs no task; use at_most and per_user of 1 or more"));
            }
            if queues[..place].iter().any(|other| other.name == *name) {
                faults.push(format!("the queue `{name}` is declared twice; declare it once"));
            }
        }
        faults
    }

    /// Why a task cannot start in a queue of this name: a sentence that names the declared ones.
    pub(super) fn unknown(name: &str, declared: &[Self]) -> String {
        if declared.is_empty() {
            return format!(
                "there is no queue `{name}`: this program declares none; add `.queue(Queue::new({name:?}))` to its `App`"
            );
        }
        let names: Vec<_> = declared.iter().map(|queue| format!("`{}`", queue.name)).collect();
        format!("there is no queue `{name}`: this program declares {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invalid_queue_is_named() {
        let faults = Queue::faults(&[
            Queue::new("render").at_most(4).per_user(1),
            Queue::new("render"),
            Queue::new("none").at_most(0),
            Queue::new("of nobody").per_user(0),
            Queue::new(" "),
            Queue::new("x".repeat(65)),
            Queue::new("a\nb"),
        ]);
        assert_eq!(faults.len(), 6, "{faults:#?}");
        assert_eq!(faults[0], "the queue `render` is declared twice; declare it once");
        assert_eq!(faults[1], "the queue `none` runs no task; use at_most and per_user of 1 or more");
        assert!(faults[3].starts_with("a queue is named \" \"; use a name of 1 to 64 bytes"), "{faults:#?}");
    }

    #[test]
    fn limits_for_the_ledger_have_a_share_of_one_user() {
        let limit = Queue::new("render").at_most(4).limit("app");
        assert_eq!((limit.at_most, limit.per_user), (4, 4));
        assert_eq!(Queue::new("render").at_most(4).per_user(1).limit("app").per_user, 1);
        assert_eq!(Queue::new("render").limit("app").at_most, 1);
    }
}
