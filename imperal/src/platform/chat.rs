//! Delivers the messages of `ctx.deliver_chat_message`: a turn with its audit row, in one transaction.

use tracing::Instrument;

use super::Node;
use super::active::ActiveWork;
use super::durable_write::write_backoff;
use super::ledger_errors::unavailable;
use super::messages::{self, WorkRef};
use crate::context::{ChatDelivery, Origin, SaidStep};
use crate::error::Error;
use crate::failpoint;
use crate::ids::TurnId;
use crate::ledger::{
    AuditOutcome, LedgerError, MessageSource, NewAudit, NewStep, Owner, Role, StepKind, TurnBody, Work,
};
use crate::result::Result;

impl Node {
    pub(super) async fn deliver_chat_message(&self, origin: &Origin, delivery: ChatDelivery) -> Result<TurnId> {
        let step = delivery.step.clone();
        let turn = message_turn(origin, delivery);
        let turn_id = turn.turn_id;
        let mut audit = messages::audit(WorkRef::from(origin), "chat.inject", AuditOutcome::Done);
        audit.target = Some(turn_id.to_string());
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let span = tracing::info_span!("delivery", app = origin.app_id, turn = %turn_id);
        self.write_delivery(&work, turn, audit, step).instrument(span).await?;
        failpoint::hit("after-delivery");
        Ok(turn_id)
    }

    async fn write_delivery(
        &self,
        work: &ActiveWork,
        turn: TurnBody,
        audit: NewAudit,
        step: Option<SaidStep>,
    ) -> Result<()> {
        let (owner, fence) = (Owner::from(&work.ctx.origin().user), work.fence());
        let is_task = matches!(fence.work, Work::Task(_));
        if is_task {
            // A task's message comes after the reply of the call that started the task.
            tokio::select! {
                // In this order: a cleanup after a cancel may deliver too.
                biased;
                () = work.tasks.replied() => {}
                _ = work.ctx.signal().stopped() => return Err(Error::cancelled()),
            }
        }
        failpoint::hit("before-delivery");
        let mut backoff = write_backoff();
        loop {
            let write = || {
                let source = match &step {
                    None => MessageSource::Work(fence.clone()),
                    Some(SaidStep { key, ordinal }) => {
                        let said = turn.turn_id.to_string();
                        MessageSource::Step(
                            fence.clone(),
                            NewStep::new(*ordinal, key.as_str(), StepKind::Message, said),
                        )
                    }
                };
                self.ledger.inject(owner.clone(), turn.clone(), audit.clone(), source)
            };
            match self.write_idempotent("delivery", write).await {
                Ok(_) => return Ok(()),
                // A task waits for the ledger, at most until its cap. A call has a caller who waits.
                Err(LedgerError::Unavailable(why)) if is_task && !work.ctx.signal().is_over() => {
                    let wait = backoff.next_wait();
                    tracing::warn!(why, retry_ms = wait.as_millis(), "a message is not delivered yet");
                    tokio::select! {
                        biased;
                        _ = work.ctx.signal().stopped() => return Err(Error::cancelled()),
                        () = tokio::time::sleep(wait) => {}
                    }
                    // The ledger is silent, not the task.
                    work.ctx.signal().touch();
                }
                Err(
                    LedgerError::Fenced
                    | LedgerError::NotFound
                    | LedgerError::NotHolder
                    | LedgerError::AlreadyReplied
                    | LedgerError::AlreadyEnded,
                ) => return Err(Error::cancelled().with_source("the call or task that delivers has ended")),
                Err(error) => return Err(unavailable(&error)),
            }
        }
    }
}

fn message_turn(origin: &Origin, delivery: ChatDelivery) -> TurnBody {
    TurnBody {
        msg_type: delivery.msg_type,
        function: Some(origin.function.to_owned()),
        call_id: Some(origin.call_id),
        task_id: origin.task_id,
        refresh_panels: delivery.refresh_panels,
        truncated: delivery.truncated,
        ..TurnBody::new(Role::Bot, delivery.text, origin.app_id)
    }
}
