//! The messages of a durable task: each is delivered once, over all attempts.
//!
//! A message is known by its key. While it is being written, another delivery under the same key waits for it:
//! also when the first await was dropped, because the write goes on.

use std::collections::HashSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{DurableRun, MessageKey};
use crate::context::hazard::SaidText;
use crate::ids::TurnId;
use crate::result::Result;

/// The answer to a message that wants to be said.
#[derive(Debug)]
pub(crate) enum Say {
    /// It was delivered before, in this turn.
    Before(TurnId),
    /// It is delivered now.
    Now(Saying),
}

/// A message that is being said. Its key is free again when this is dropped before it is stored.
#[derive(Debug)]
pub(crate) struct Saying {
    run: Arc<DurableRun>,
    pub(crate) key: MessageKey,
    pub(crate) ordinal: u16,
    /// The text of a message that is known by it.
    text: Option<String>,
}

/// Messages of one attempt that are compared with those of earlier ones.
const COMPARED: usize = 64;
/// Characters of each that are compared: a text may have 64 KiB, and a node many attempts.
const COMPARED_CHARS: usize = 512;
/// Keys of messages that an attempt remembers. An attempt with more of them compares none.
const ASKED_FOR: usize = 1_000;

/// The messages outside of steps that are known by their texts, as far as attempts differ in them.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Keys of those that this attempt has asked for, unless they are too many.
    asked_for: HashSet<String>,
    /// Those that no earlier attempt had said.
    new: Vec<SaidText>,
}

/// Bytes of a message's row that count towards the values of a task: its turn's id.
const MESSAGE_BYTES: u64 = 64;

impl DurableRun {
    /// Begins a message, unless it was delivered. Waits for a delivery of the same message that is under way.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the limits of a task.
    pub(crate) async fn begin_message(self: &Arc<Self>, key: MessageKey, text: &str) -> Result<Say> {
        loop {
            let changed = self.changed.notified();
            {
                let mut journal = self.journal();
                // In a first attempt there is nothing to compare with.
                let is_compared = key.is_of_text() && self.attempt.number > 1;
                if is_compared && journal.texts.asked_for.len() <= ASKED_FOR {
                    journal.texts.asked_for.insert(key.as_str().to_owned());
                }
                if let Some(turn_id) = journal.stored.message(key.as_str()) {
                    return Ok(Say::Before(turn_id));
                }
                if !journal.saying.contains(key.as_str()) {
                    let ordinal = journal.stored.take_ordinal(MESSAGE_BYTES)?;
                    journal.saying.insert(key.as_str().to_owned());
                    let is_compared = is_compared && journal.texts.new.len() < COMPARED;
                    let text = is_compared.then(|| text.chars().take(COMPARED_CHARS).collect());
                    return Ok(Say::Now(Saying { run: self.clone(), key, ordinal, text }));
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

    /// Messages of earlier attempts that this one did not say again, and those that it said for the first time. Only
    /// of messages outside of steps that are known by their texts.
    pub(crate) fn differing_messages(&self) -> (Vec<TurnId>, Vec<SaidText>) {
        let journal = self.journal();
        let texts = &journal.texts;
        if texts.asked_for.len() > ASKED_FOR {
            return (Vec::new(), Vec::new());
        }
        let unsaid = journal.stored.messages().filter(|(key, _)| MessageKey::is_text_key(key));
        let unsaid = unsaid.filter(|(key, _)| !texts.asked_for.contains(*key)).map(|(_, turn_id)| turn_id);
        (unsaid.collect(), texts.new.clone())
    }
}

/// Whether two texts are one message with another time, count or name in it: at least half of their words are the same
/// at the same ends. Only their beginnings are compared.
pub(crate) fn are_alike(one: &str, other: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        // Numbers are what differs.
        let word = |word: &str| if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word }.to_owned();
        let end = text.char_indices().nth(COMPARED_CHARS).map_or(text.len(), |(at, _)| at);
        text[..end].split_whitespace().map(word).collect()
    };
    let (one, other) = (words(one), words(other));
    let (shorter, longer) = (one.len().min(other.len()), one.len().max(other.len()));
    let start = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count().min(shorter - start);
    longer > 0 && (start + end) * 2 >= longer
}

impl Saying {
    /// Notes that the message is stored.
    pub(crate) fn said(self, turn_id: TurnId) {
        let mut journal = self.run.journal();
        // Several may have begun before the first of them was stored.
        if journal.texts.new.len() < COMPARED {
            journal.texts.new.extend(self.text.clone().map(|text| SaidText { turn_id, text }));
        }
        journal.stored.add_message(self.ordinal, self.key.as_str().to_owned(), turn_id);
        journal.idle.note_row();
    }
}

impl Drop for Saying {
    fn drop(&mut self) {
        self.run.journal().saying.remove(self.key.as_str());
        self.run.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::context::durable::StoredSteps;
    use crate::ids::TaskId;
    use crate::rows::Attempt;

    /// A body that says a hundred thousand large messages would keep them all.
    #[test]
    fn an_attempt_remembers_a_few_beginnings_of_texts() {
        let task_id = TaskId::generate();
        let attempt = Attempt { number: 2, ..Attempt::first(task_id) };
        let run = DurableRun::resumed(attempt, task_id, StoredSteps::default(), Duration::ZERO);
        let begin = |n: usize| {
            let text = format!("{n} {}", "ü".repeat(60_000));
            let key = MessageKey::of_text(&text, 0);
            let Some(Ok(Say::Now(saying))) = run.begin_message(key, &text).now_or_never() else {
                panic!("the message is new")
            };
            saying
        };
        // Some of them are under way at once.
        let sayings: Vec<_> = (0..2 * COMPARED).map(begin).collect();
        for saying in sayings {
            saying.said(TurnId::generate());
        }
        let (unsaid, new) = run.differing_messages();
        assert_eq!((unsaid.len(), new.len()), (0, COMPARED));
        assert!(new.iter().all(|said| said.text.chars().count() <= COMPARED_CHARS));
        (0..2 * ASKED_FOR).for_each(|n| begin(1_000 + n).said(TurnId::generate()));
        assert_eq!(run.journal().texts.asked_for.len(), ASKED_FOR + 1);
        let (unsaid, new) = run.differing_messages();
        assert_eq!((unsaid.len(), new.len()), (0, 0), "what was not said again is not known");
    }

    #[test]
    fn long_texts_are_compared_by_their_beginnings() {
        let long = |n: u32| format!("Page {n} {}", "of a book ".repeat(1_000));
        let cut: String = long(2).chars().take(COMPARED_CHARS).collect();
        assert!(are_alike(&long(1), &cut));
    }

    #[test]
    fn texts_with_another_time_count_or_name_are_alike() {
        for (one, other) in [
            ("It is 12:01.", "It is 12:02."),
            ("12:01", "12:02"),
            ("3 of 7 pages are read", "5 of 7 pages are read"),
            ("Good morning, Anna", "Good evening, Anna"),
            ("same", "same"),
        ] {
            assert!(are_alike(one, other), "{one} {other}");
        }
        for (one, other) in [("A reminder: please answer.", "Published."), ("", ""), ("Ready", "")] {
            assert!(!are_alike(one, other), "{one} {other}");
        }
    }
}
