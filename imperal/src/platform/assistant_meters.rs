//! The metrics of the assistant on a node: requests to the model, their tokens, and what users were asked.
//!
//! Owns their names. The loop counts requests, the platform counts approvals. No label names a user.

use crate::context::{Decision, ModelNote, ModelOutcome};
#[cfg(feature = "platform")]
use crate::meters::Text;
use crate::meters::{CALLS, Counter, Histogram};

const OUTCOMES: [(ModelOutcome, &str); 4] = [
    (ModelOutcome::Replied, "replied"),
    (ModelOutcome::Failed, "failed"),
    (ModelOutcome::Cancelled, "cancelled"),
    (ModelOutcome::OverLimit, "over_limit"),
];
/// Approvals that the assistant asked for: the questions, and each kind of answer.
const APPROVALS: [&str; 5] = ["asked", "declined", "allowed", "allowed_in_conversation", "by_hand"];

#[derive(Debug)]
pub(super) struct AssistantMeters {
    replies: [Histogram; OUTCOMES.len()],
    prompt_tokens: Counter,
    reply_tokens: Counter,
    approvals: [Counter; APPROVALS.len()],
}

impl AssistantMeters {
    pub(super) fn new() -> Self {
        Self {
            replies: std::array::from_fn(|_| Histogram::new(&CALLS)),
            prompt_tokens: Counter::default(),
            reply_tokens: Counter::default(),
            approvals: Default::default(),
        }
    }

    pub(super) fn model(&self, note: ModelNote) {
        self.replies[note.outcome as usize].took(note.took);
        self.prompt_tokens.add(note.prompt_tokens);
        self.reply_tokens.add(note.reply_tokens);
    }

    pub(super) fn asked(&self) {
        self.approvals[0].inc();
    }

    pub(super) fn decided(&self, decision: Decision) {
        let place = match decision {
            Decision::Keep => 1,
            Decision::Allow => 2,
            Decision::AllowForConversation => 3,
            Decision::ByHand => 4,
        };
        self.approvals[place].inc();
    }

    #[cfg(feature = "platform")]
    pub(super) fn text(&self, text: &mut Text) {
        let name = "imperal_assistant_reply_duration_seconds";
        text.metric(name, "histogram", "Requests to the assistant's model until the end of the reply, by outcome.");
        for ((_, outcome), histogram) in OUTCOMES.iter().zip(&self.replies) {
            text.histogram(name, &[("outcome", outcome)], histogram);
        }
        let name = "imperal_assistant_tokens_total";
        text.metric(name, "counter", "Tokens of the assistant's model, of prompts and of replies.");
        text.sample(name, &[("kind", "prompt")], self.prompt_tokens.get());
        text.sample(name, &[("kind", "reply")], self.reply_tokens.get());
        let name = "imperal_assistant_approvals_total";
        text.metric(name, "counter", "Calls of the assistant that needed its user's yes, and the answers.");
        for (outcome, count) in APPROVALS.iter().zip(&self.approvals) {
            text.sample(name, &[("outcome", outcome)], count.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_in_the_order_of_their_histograms() {
        for (place, (outcome, _)) in OUTCOMES.iter().enumerate() {
            assert_eq!(*outcome as usize, place);
        }
    }
}
