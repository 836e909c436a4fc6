//! The messages of a durable task: each is said once, over all attempts.
//!
//! A message is known by its key. While it is being written, another delivery under the same key waits for it:
//! also when the first await was dropped, because the write goes on.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{DurableRun, MessageKey};
use crate::ids::TurnId;
use crate::result::Result;

/// The answer to a message that wants to be said.
#[derive(Debug)]
pub(crate) enum Say {
    /// It was said before, in this turn.
    Before(TurnId),
    /// It is said now.
    Now(Saying),
}

/// A message that is being said. Its key is free again when this is dropped before it is stored.
#[derive(Debug)]
pub(crate) struct Saying {
    run: Arc<DurableRun>,
    pub(crate) key: MessageKey,
    pub(crate) ordinal: u16,
}

/// Bytes of a message's row that count towards the values of a task: its turn's id.
const MESSAGE_BYTES: u64 = 64;

impl DurableRun {
    /// Begins a message, unless it was said. One that is being said is waited for.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the limits of a task.
    pub(crate) async fn begin_message(self: &Arc<Self>, key: MessageKey) -> Result<Say> {
        loop {
            let changed = self.changed.notified();
            {
                let mut journal = self.journal();
                if let Some(turn_id) = journal.stored.message(key.as_str()) {
                    return Ok(Say::Before(turn_id));
                }
                if !journal.saying.contains(key.as_str()) {
                    let ordinal = journal.stored.take_ordinal(MESSAGE_BYTES)?;
                    journal.saying.insert(key.as_str().to_owned());
                    return Ok(Say::Now(Saying { run: self.clone(), key, ordinal }));
                }
            }
            changed.await;
        }
    }

    /// Counts a message outside of steps: how many of the same text came before it in this attempt.
    pub(crate) fn count_said(&self, text: &str) -> u32 {
        let mut journal = self.journal();
        let count = journal.said.entry(Sha256::digest(text).into()).or_default();
        *count += 1;
        *count - 1
    }
}

impl Saying {
    /// Notes that the message is stored.
    pub(crate) fn said(self, turn_id: TurnId) {
        self.run.journal().stored.add_message(self.ordinal, self.key.as_str().to_owned(), turn_id);
    }
}

impl Drop for Saying {
    fn drop(&mut self) {
        self.run.journal().saying.remove(self.key.as_str());
        self.run.changed.notify_waiters();
    }
}
