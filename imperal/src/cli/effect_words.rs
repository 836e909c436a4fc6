//! Effects of durable tasks in words: what became of the intents of a timeline, and how that is known.
//!
//! An effect has several rows of its name: an intent, then "done" or "not done". The page has the same rules in
//! `page/effect-words.js`.

use std::collections::HashMap;

use crate::ledger::{KnownBy, StepEnding, StepKind};
use crate::platform::TimelineEntry;

/// That it is not known whether an effect was done.
pub(super) const UNKNOWN: &str = "it is not known whether it was done";

/// What became of an intent.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, found in another row")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Intent {
    attempt: u32,
    /// Whether a later row has its outcome.
    pub(super) has_end: bool,
    /// Whether nobody knew for a time, or knows now, whether the effect was done.
    pub(super) unknown: bool,
    /// Whether it runs now.
    pub(super) runs: bool,
    /// Whether another entry says that it was unknown.
    pub(super) noted: bool,
}

/// The intents of a timeline by the places of their entries: of the intent, and of the row with its outcome.
pub(super) fn intents(entries: &[TimelineEntry]) -> HashMap<usize, Intent> {
    let mut intents: Vec<Intent> = Vec::new();
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut open: HashMap<&str, usize> = HashMap::new();
    for (place, entry) in entries.iter().enumerate() {
        match entry {
            TimelineEntry::Step(step) if step.step_kind == StepKind::Intent => {
                open.insert(&step.name, intents.len());
                places.push((place, intents.len()));
                intents.push(Intent { attempt: step.attempt, ..Intent::default() });
            }
            TimelineEntry::Step(step) if step.step_kind.is_of_effect() => {
                let Some(index) = open.remove(step.name.as_str()) else { continue };
                places.push((place, index));
                if let Some(intent) = intents.get_mut(index) {
                    intent.has_end = true;
                    intent.unknown |= step.attempt != intent.attempt;
                }
            }
            TimelineEntry::Unfinished(step) if step.how == StepEnding::Unknown => {
                if let Some(intent) = open.get(step.name.as_str()).and_then(|index| intents.get_mut(*index)) {
                    (intent.unknown, intent.noted) = (true, true);
                }
            }
            TimelineEntry::Question(question) => {
                let effect = question.effect.as_deref().and_then(|effect| open.get(effect));
                if let Some(intent) = effect.and_then(|index| intents.get_mut(*index)) {
                    intent.unknown = true;
                }
            }
            TimelineEntry::Running(step) => {
                if let Some(intent) = open.get(step.name.as_str()).and_then(|index| intents.get_mut(*index)) {
                    intent.runs = true;
                }
            }
            _ => {}
        }
    }
    for index in open.into_values() {
        if let Some(intent) = intents.get_mut(index) {
            intent.unknown |= !intent.runs;
        }
    }
    places.into_iter().filter_map(|(place, index)| Some((place, *intents.get(index)?))).collect()
}

/// How it is known that an effect was done or not; empty if that needs no word. `was_unknown` if nobody knew it before.
pub(super) fn known_words(by: Option<KnownBy>, was_unknown: bool) -> &'static str {
    match by {
        Some(KnownBy::Returned) if was_unknown => "done again under the same key",
        Some(KnownBy::Returned) | None => "",
        Some(KnownBy::Found) => "the look-up found that it was done",
        Some(KnownBy::Confirmed) => "you said that it was done",
        Some(KnownBy::WithoutValue) => "its value could not be stored",
        Some(KnownBy::NotBegun) => "it never began",
        Some(KnownBy::Request) => "its request was refused, or did not arrive",
        Some(KnownBy::Author) => "the program knows that nothing happened",
        Some(KnownBy::LookUp) => "the look-up found that it was not done",
        Some(KnownBy::User) => "you said that it was not done",
    }
}
