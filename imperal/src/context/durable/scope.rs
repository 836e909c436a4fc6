//! The scope of one running step: the idempotency keys, messages and tasks that belong to it.
//!
//! A step that a crash cut off runs again. Its requests carry a key that is the same on every attempt, so
//! that services recognise them, and its messages and tasks have ids that the ledger recognises.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use sha2::{Digest, Sha256};

use super::EffectKey;
use super::effect_scope::EffectScope;
use super::step_log::StepLog;
use crate::context::{StepDocuments, StepFiles};
use crate::ids::TaskId;
use crate::rows::Attempt;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

tokio::task_local! {
    /// The step whose closure this tokio task polls now. It is set for each poll of a closure alone: two steps
    /// that a body joins each have their own.
    static POLLED: Arc<StepScope>;
}

/// One run of a step's closure.
#[derive(Debug)]
pub(crate) struct StepScope {
    attempt: Attempt,
    root_task: TaskId,
    name: String,
    log: Arc<StepLog>,
    closed: AtomicBool,
    /// How often each request, message or start came in this run of the closure.
    counts: Mutex<HashMap<[u8; 32], u32>>,
    /// In the closure of an effect.
    effect: Option<EffectScope>,
    /// Documents that it read and writes.
    documents: Arc<StepDocuments>,
    /// Files that it writes and deletes.
    files: Arc<StepFiles>,
    /// Whether its documents and files are stored with it.
    writes_documents: bool,
    /// Cleanups that were registered in it.
    cleanups: Mutex<Vec<u64>>,
}

/// The key of a message: the same on every attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageKey(String);

impl MessageKey {
    /// A message outside of steps that the author named.
    pub(crate) fn named(name: &str) -> Self {
        Self(format!("name:{name}"))
    }

    /// The k-th message of this text outside of steps.
    pub(crate) fn of_text(text: &str, k: u32) -> Self {
        Self(format!("text:{}:{k}", hex(&Sha256::digest(text)[..16])))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the message is known by its text.
    pub(super) fn is_of_text(&self) -> bool {
        Self::is_text_key(&self.0)
    }

    /// Whether this is the stored key of such a message.
    pub(super) fn is_text_key(key: &str) -> bool {
        key.starts_with("text:")
    }
}

impl StepScope {
    pub(super) fn new(attempt: Attempt, root_task: TaskId, name: String, log: Arc<StepLog>) -> Self {
        let (closed, counts, cleanups) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        let (documents, files) = (Arc::default(), Arc::default());
        Self {
            attempt,
            root_task,
            name,
            log,
            closed,
            counts,
            documents,
            files,
            writes_documents: false,
            cleanups,
            effect: None,
        }
    }

    /// A step whose documents are stored with it.
    pub(super) fn with_documents(self) -> Self {
        Self { writes_documents: true, ..self }
    }

    /// The scope of an effect's closure.
    pub(super) fn of_effect(self, key: EffectKey, repeats: bool) -> Self {
        Self { effect: Some(EffectScope::new(key, repeats)), ..self }
    }

    /// The effect that the closure does.
    pub(in crate::context) fn effect(&self) -> Option<&EffectScope> {
        self.effect.as_ref()
    }

    /// Whether the effect's request proves that nothing happened.
    pub(super) fn proves_not_done(&self) -> bool {
        self.effect.as_ref().is_some_and(EffectScope::proves_not_done)
    }

    /// What is stored with the step for people.
    pub(in crate::context) fn log(&self) -> &StepLog {
        &self.log
    }

    /// Runs the step's closure, so that the use of other contexts of its attempt is known to be in a step.
    pub(super) async fn run<F: Future>(self: Arc<Self>, closure: impl FnOnce() -> F) -> F::Output {
        POLLED.scope(self, async move { closure().await }).await
    }

    /// The step of this attempt whose closure is being polled.
    pub(in crate::context) fn polled(attempt: Attempt) -> Option<Arc<Self>> {
        let polled = POLLED.try_with(Arc::clone).ok()?;
        (polled.attempt == attempt).then_some(polled)
    }

    /// Whether the documents that its closure writes are stored with it. Those of an effect are not.
    pub(in crate::context) fn writes_documents(&self) -> bool {
        self.writes_documents
    }

    /// The documents of the step.
    pub(in crate::context) fn documents(&self) -> &Arc<StepDocuments> {
        &self.documents
    }

    /// The files of the step.
    pub(in crate::context) fn files(&self) -> &Arc<StepFiles> {
        &self.files
    }

    /// The step's name.
    pub(in crate::context) fn name(&self) -> &str {
        &self.name
    }

    /// Ends the surfaces of the step's context. Returns the cleanups that end with it.
    pub(in crate::context) fn close(&self) -> Vec<u64> {
        self.closed.store(true, Ordering::SeqCst);
        std::mem::take(&mut *self.cleanups.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a cleanup that ends with the step.
    pub(in crate::context) fn note_cleanup(&self, number: u64) {
        self.cleanups.lock().unwrap_or_else(PoisonError::into_inner).push(number);
    }

    /// Whether the closure has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// The idempotency key of a request: it depends on the task, the step, the request, and on how many equal
    /// requests came before it in the step.
    pub(crate) fn request_key(&self, method: &str, url: &str, body: &[u8]) -> String {
        hex(&self.key("imperal request 1", &[method.as_bytes(), url.as_bytes(), body])[..16])
    }

    /// The key of a message in this step: its place among the step's messages.
    pub(crate) fn message_key(&self, name: Option<&str>) -> MessageKey {
        match name {
            Some(name) => MessageKey(format!("named:{}:{}:{name}", self.name.len(), self.name)),
            None => MessageKey(format!("step:{}:{}:{}", self.name.len(), self.name, self.count(b"message"))),
        }
    }

    /// The id of a task that this step starts: it depends on the start's content, and on how many equal starts came
    /// before it in the step.
    pub(crate) fn task_id(&self, content: &[u8; 32]) -> TaskId {
        TaskId::derived(&self.key("imperal task 1", &[content]))
    }

    fn key(&self, what: &str, parts: &[&[u8]]) -> [u8; 32] {
        let root = self.root_task.to_string();
        let all: Vec<&[u8]> =
            [what.as_bytes(), root.as_bytes(), self.name.as_bytes()].into_iter().chain(parts.iter().copied()).collect();
        let content = digest(&all);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(content).or_default();
        let key = digest(&[&content, &count.to_be_bytes()]);
        *count += 1;
        key
    }

    fn count(&self, what: &[u8]) -> u32 {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(digest(&[what])).or_default();
        *count += 1;
        *count - 1
    }
}

/// The id of the k-th equal task that a durable body starts outside of steps.
pub(super) fn task_id_outside(root_task: TaskId, content: &[u8; 32], k: u32) -> TaskId {
    let root = root_task.to_string();
    TaskId::derived(&digest(&[b"imperal keyed task 1", root.as_bytes(), content, &k.to_be_bytes()]))
}

/// A hash of the parts and their lengths.
pub(super) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::step_of_message;

    /// The ledgers read it to leave out the messages of steps that run again.
    #[test]
    fn the_key_of_a_message_in_a_step_has_the_steps_name() {
        let root = TaskId::generate();
        for name in ["a", "7:b", "ü:0:", "part/1"] {
            let scope = StepScope::new(Attempt::first(root), root, name.to_owned(), Arc::default());
            for key in [scope.message_key(None), scope.message_key(None), scope.message_key(Some("x:y"))] {
                assert_eq!(step_of_message(key.as_str()), Some(name), "{key:?}");
            }
        }
        for key in [MessageKey::named("step:1:a:0"), MessageKey::of_text("step:1:a:0", 0)] {
            assert_eq!(step_of_message(key.as_str()), None, "{key:?}");
        }
    }

    #[test]
    fn a_request_has_the_same_key_on_every_attempt_and_another_key_than_every_other_request() {
        let root = TaskId::generate();
        let scope =
            |root: TaskId, name: &str| StepScope::new(Attempt::first(root), root, name.to_owned(), Arc::default());
        let keys = |scope: &StepScope| {
            [
                ("POST", "https://a.example/", "1"),
                ("POST", "https://a.example/", "2"),
                ("PUT", "https://a.example/", "1"),
            ]
            .map(|(method, url, body)| scope.request_key(method, url, body.as_bytes()))
        };
        let first = scope(root, "charge");
        let once = keys(&first);
        let again = keys(&scope(root, "charge"));
        assert_eq!(once, again);
        let mut all = once.to_vec();
        // The second equal request of one run is another request.
        all.extend(keys(&first));
        all.extend(keys(&scope(root, "refund")));
        all.extend(keys(&scope(TaskId::generate(), "charge")));
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
