//! Stores steps of durable tasks, all of this process's callers in as few commits as possible.
//!
//! A lone step is sent at once. Steps that arrive while one statement of their incarnation is under way wait for the
//! next, so a busy node has one commit for many steps and a step waits for at most two. The queue is limited in
//! bytes. A step that is queued is stored even if its caller has gone.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::fault::{Fault, refusal};
use super::pool::{Store, int, ints, text, texts};
use super::rows::{get, get_number, json_text, micros};
use super::stored_text::stored;
use crate::ledger::{Attempt, Incarnation, LedgerError, LedgerMeters, NewStep};

/// Bytes of one statement; a first step may be larger.
const BATCH_BYTES: usize = 8 << 20;
/// Bytes of all steps that wait or are under way; more callers wait with theirs.
const WAITING_BYTES: usize = 64 << 20;
/// Bytes that a step takes in addition to its texts.
const STEP_BYTES: usize = 256;

const STORE_STEPS: &str = "SELECT * FROM @.store_steps($1, $2, $3::uuid[], $4, $5, $6, $7, $8, $9, $10)";

/// A step and the caller who waits for it.
#[derive(Debug)]
struct Waiting {
    attempt: Attempt,
    step: NewStep,
    bytes: usize,
    since: Instant,
    caller: oneshot::Sender<Result<(), LedgerError>>,
    _room: Option<OwnedSemaphorePermit>,
}

/// The queues of this process's incarnations. An entry means that a sender is at work for it.
#[derive(Debug, Clone)]
pub(super) struct StepWriter {
    store: Store,
    meters: LedgerMeters,
    room: Arc<Semaphore>,
    queues: Arc<Mutex<HashMap<Incarnation, VecDeque<Waiting>>>>,
}

impl StepWriter {
    pub(super) fn new(store: Store, meters: LedgerMeters) -> Self {
        Self { store, meters, room: Arc::new(Semaphore::new(WAITING_BYTES)), queues: Arc::default() }
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Incarnation, VecDeque<Waiting>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn store(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
    ) -> Result<(), LedgerError> {
        json_text(&step.value)?;
        step.log.as_deref().map(json_text).transpose()?;
        let bytes = STEP_BYTES + step.name.len() + step.value.len() + step.log.as_ref().map_or(0, String::len);
        let permits = u32::try_from(bytes.min(WAITING_BYTES)).unwrap_or(u32::MAX);
        let since = Instant::now();
        // An error would mean that the semaphore was closed, which it never is.
        let room = self.room.clone().acquire_many_owned(permits).await.ok();
        let (caller, answer) = oneshot::channel();
        self.push(incarnation, Waiting { attempt, step, bytes, since, caller, _room: room });
        answer.await.unwrap_or_else(|_| Err(LedgerError::Indeterminate("the step's writer has stopped".to_owned())))
    }

    /// Queues a step and starts a sender unless one is at work.
    fn push(&self, incarnation: &Incarnation, waiting: Waiting) {
        let mut queues = self.queues();
        if let Some(queue) = queues.get_mut(incarnation) {
            queue.push_back(waiting);
            return;
        }
        queues.insert(incarnation.clone(), VecDeque::from([waiting]));
        drop(queues);
        let sender = Sender { writer: self.clone(), incarnation: incarnation.clone(), has_ended: false };
        tokio::spawn(async move { sender.run().await });
    }

    /// The next batch of an incarnation. `None` if nothing waits: then its sender has ended.
    fn next_batch(&self, incarnation: &Incarnation) -> Option<Vec<Waiting>> {
        let mut queues = self.queues();
        let queue = queues.get_mut(incarnation)?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(next) = queue.front() {
            bytes += next.bytes;
            if bytes > BATCH_BYTES && !batch.is_empty() {
                break;
            }
            batch.extend(queue.pop_front());
        }
        if batch.is_empty() {
            queues.remove(incarnation);
            return None;
        }
        Some(batch)
    }

    /// Stores a batch. Returns the refusals by their places in it.
    async fn send(
        &self,
        incarnation: &Incarnation,
        batch: &[Waiting],
    ) -> Result<HashMap<usize, LedgerError>, LedgerError> {
        let node = stored(&incarnation.node);
        let ids: Vec<String> = batch.iter().map(|one| one.attempt.task_id.to_string()).collect();
        let attempts: Vec<i64> = batch.iter().map(|one| one.attempt.number.into()).collect();
        let ordinals: Vec<i64> = batch.iter().map(|one| one.step.ordinal.into()).collect();
        let kinds: Vec<&str> = batch.iter().map(|one| one.step.kind.as_str()).collect();
        let names: Vec<_> = batch.iter().map(|one| stored(&one.step.name)).collect();
        let tooks: Vec<i64> = batch.iter().map(|one| micros(one.step.took)).collect();
        let values: Vec<&str> = batch.iter().map(|one| one.step.value.as_str()).collect();
        let logs: Vec<Option<&str>> = batch.iter().map(|one| one.step.log.as_deref()).collect();
        let whose = [text(&node), int(&incarnation.number), texts(&ids), ints(&attempts), ints(&ordinals)];
        let what = [texts(&kinds), texts(&names), ints(&tooks), texts(&values), texts(&logs)];
        let begun = Instant::now();
        for one in batch {
            self.meters.record_wait(begun.duration_since(one.since));
        }
        let sent = self.store.rows(STORE_STEPS, &[whose, what].concat()).await;
        let answered = sent.as_ref().err().is_none_or(Fault::is_refusal);
        self.meters.record_transaction(batch.len(), begun.elapsed(), answered);
        let refused = |row| {
            let (place, code) = (get_number(row, 0)?, get::<&str>(row, 1)?);
            let unknown = || LedgerError::Unavailable(format!("a step was refused with the unknown code {code}"));
            let place = usize::try_from(place).unwrap_or_default();
            // The database counts from 1.
            Ok((place.saturating_sub(1), refusal(code).unwrap_or_else(unknown)))
        };
        Ok(sent?.iter().map(refused).collect::<Result<_, Fault>>()?)
    }
}

/// Sends one incarnation's steps until none waits.
#[derive(Debug)]
struct Sender {
    writer: StepWriter,
    incarnation: Incarnation,
    /// Whether its entry is gone already, and any other is another sender's.
    has_ended: bool,
}

impl Sender {
    async fn run(mut self) {
        while let Some(batch) = self.writer.next_batch(&self.incarnation) {
            let mut sent = self.writer.send(&self.incarnation, &batch).await;
            for (place, one) in batch.into_iter().enumerate() {
                let outcome = match &mut sent {
                    Ok(refused) => refused.remove(&place).map_or(Ok(()), Err),
                    Err(error) => Err(error.clone()),
                };
                // An error means that the caller has gone.
                let _ = one.caller.send(outcome);
            }
        }
        self.has_ended = true;
    }
}

/// After a panic or at the end of the runtime: callers that wait learn that the outcome is unknown, and the next step
/// starts another sender.
impl Drop for Sender {
    fn drop(&mut self) {
        if !self.has_ended {
            self.writer.queues().remove(&self.incarnation);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::poll_immediate;

    use super::*;
    use crate::ids::TaskId;
    use crate::ledger::StepKind;

    fn step(megabytes: usize) -> NewStep {
        NewStep::new(1, "one", StepKind::Step, "x".repeat(megabytes << 20))
    }

    /// A writer whose sender takes nothing.
    fn stalled(incarnation: &Incarnation) -> StepWriter {
        let store = Store::new("postgres://localhost/x", "s", 1, LedgerMeters::default()).unwrap();
        let writer = StepWriter::new(store, LedgerMeters::default());
        writer.queues().insert(incarnation.clone(), VecDeque::new());
        writer
    }

    #[tokio::test]
    async fn batch_ends_at_its_bytes_and_has_one_step_at_least() {
        let (incarnation, attempt) = (Incarnation::new("a", 1), Attempt::first(TaskId::generate()));
        let writer = stalled(&incarnation);
        for megabytes in [0, 3, 4, 2, 9, 0, 0] {
            assert_eq!(poll_immediate(writer.store(&incarnation, attempt, step(megabytes))).await, None);
        }
        let mut batches = Vec::new();
        while let Some(batch) = writer.next_batch(&incarnation) {
            batches.push(batch.len());
        }
        assert_eq!(batches, [3, 1, 1, 2]);
        assert!(writer.queues().is_empty(), "the sender has ended");
    }

    #[tokio::test]
    async fn steps_wait_for_room_in_the_queue() {
        let (incarnation, attempt) = (Incarnation::new("a", 1), Attempt::first(TaskId::generate()));
        let writer = stalled(&incarnation);
        for _ in 0..4 {
            assert_eq!(poll_immediate(writer.store(&incarnation, attempt, step(15))).await, None);
        }
        let mut fifth = std::pin::pin!(writer.store(&incarnation, attempt, step(15)));
        assert_eq!(poll_immediate(&mut fifth).await, None);
        let queued = || writer.queues().get(&incarnation).map_or(0, VecDeque::len);
        assert_eq!(queued(), 4);
        drop(writer.next_batch(&incarnation));
        assert_eq!(poll_immediate(&mut fifth).await, None);
        assert_eq!(queued(), 4, "one has left and one has come");
    }
}
