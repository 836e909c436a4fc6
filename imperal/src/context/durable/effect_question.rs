//! The question to the user about an effect that may or may not have happened.
//!
//! It is a question like an author's, with a name that no author can give. The name belongs to the intent, so each
//! intent has its own answer.

use super::TaskContext;
use super::begin::Begin;
use crate::result::Result;
use crate::rows::{CloseQuestion, EffectAnswer, NewQuestion, StepKind, StoredAnswer, effect_question};

/// The outcome of a question.
enum Asked {
    /// An answer, and whether it had come before it was asked this time.
    Answered(EffectAnswer, bool),
    /// No answer came in time.
    Expired,
    /// An earlier attempt could resolve the effect by itself, but was cut off before that was stored.
    Withdrawn,
}

impl TaskContext {
    /// Asks the user what became of an effect, or goes on with the answer that is stored. If the task has to stop, the
    /// body is dropped here.
    pub(super) async fn ask_about_effect(
        &self,
        effect: &str,
        intent: u16,
        text: String,
        answers: &[EffectAnswer],
    ) -> Result<EffectAnswer> {
        for k in 0.. {
            let name = effect_question(effect, intent, k, self.run.attempt.task_id);
            match self.ask_reserved(&name, &text, answers).await? {
                // This attempt has looked already, after the answer.
                Asked::Answered(EffectAnswer::Look, true) | Asked::Withdrawn => {}
                // An answer from when the effect had another means.
                Asked::Answered(answer, _) if !answers.contains(&answer) => {}
                Asked::Answered(EffectAnswer::Stop, _) | Asked::Expired => break,
                Asked::Answered(answer, _) => return Ok(answer),
            }
        }
        self.run.stop_for_effect(effect);
        std::future::pending().await
    }

    /// An unknown effect is asked about however many questions the author has open.
    async fn ask_reserved(&self, name: &str, text: &str, answers: &[EffectAnswer]) -> Result<Asked> {
        let mut before = true;
        loop {
            match self.begin_reserved(name, StepKind::Question).await? {
                Begin::Run(running) => {
                    before = false;
                    let ordinal = self.run.take_outcome_ordinal(0)?;
                    let new = NewQuestion::new(ordinal, name, text, EffectAnswer::schema(answers));
                    let new = new.within(super::ask::DEFAULT).fallback("\"stop\"");
                    let (host, origin, row) = (self.ctx.services().host.clone(), self.ctx.origin().clone(), new.step());
                    let id = new.question_id;
                    let asking = async move { host.ask_question(&origin, new).await };
                    let asked = self.write_row(&running, row, asking).await?;
                    drop(running);
                    self.show_steps();
                    self.closed(name, ordinal, id, Some(asked.until)).await?;
                }
                Begin::Stored(known) => {
                    let ordinal = known.ordinal;
                    match self.read_stored::<StoredAnswer<EffectAnswer>>(name, known).await? {
                        StoredAnswer::Answered(answer) => return Ok(Asked::Answered(answer, before)),
                        StoredAnswer::Expired => return Ok(Asked::Expired),
                        StoredAnswer::Withdrawn => return Ok(Asked::Withdrawn),
                        StoredAnswer::Open(id) => {
                            before = false;
                            self.closed(name, ordinal, id, None).await?;
                        }
                    }
                }
                Begin::Leave | Begin::Storing => return std::future::pending().await,
            }
        }
    }

    /// Takes back the open questions about an intent whose effect is resolved without an answer.
    pub(super) async fn withdraw_effect_questions(&self, effect: &str, intent: u16) -> Result<()> {
        for k in 0.. {
            let name = effect_question(effect, intent, k, self.run.attempt.task_id);
            if !self.run.knows(&name) {
                break;
            }
            let Begin::Stored(known) = self.begin_reserved(&name, StepKind::Question).await? else { break };
            let ordinal = known.ordinal;
            if let StoredAnswer::<EffectAnswer>::Open(id) = self.read_stored(&name, known).await? {
                self.close(&name, ordinal, id, CloseQuestion::Withdraw).await?;
            }
        }
        Ok(())
    }
}
