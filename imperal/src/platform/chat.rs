//! `ctx.deliver_chat_message`, the platform's side.

use std::future::Future;
use std::pin::Pin;

use super::durable_write::write_backoff;
use super::messages::{self, WorkRef};
use super::{Node, unavailable};
use crate::context::{ChatDelivery, DeliverChat, Origin};
use crate::error::Error;
use crate::failpoint;
use crate::ids::TurnId;
use crate::ledger::{AuditOutcome, LedgerError, MessageSource, Owner, Role, TurnBody, Work};
use crate::result::Result;

impl DeliverChat for Node {
    fn deliver(
        &self,
        origin: &Origin,
        delivery: ChatDelivery,
    ) -> Pin<Box<dyn Future<Output = Result<TurnId>> + Send + '_>> {
        let work = WorkRef::from(origin);
        let turn = TurnBody {
            turn_id: TurnId::generate(),
            role: Role::Bot,
            msg_type: delivery.msg_type,
            text: delivery.text,
            app_id: origin.app_id.to_owned(),
            function: Some(origin.function.to_owned()),
            params: None,
            call_id: Some(origin.call_id),
            task_id: origin.task_id,
            result: None,
            refresh_panels: delivery.refresh_panels,
            truncated: delivery.truncated,
        };
        let turn_id = turn.turn_id;
        let mut audit = messages::audit(work, "chat.inject", AuditOutcome::Done);
        audit.target = Some(turn_id.to_string());
        let owner = Owner::from(&origin.user);
        let active = self.active.of(origin);
        let fence = self.active.fence(origin);
        let span = tracing::info_span!("delivery", app = origin.app_id, turn = %turn_id);
        Box::pin(tracing::Instrument::instrument(
            async move {
                let (Some(active), Some(fence)) = (active, fence) else { return Err(Error::cancelled()) };
                let is_task = matches!(fence.work, Work::Task(_));
                if is_task {
                    // What a task says stands behind the reply of the call that started it.
                    tokio::select! {
                        // In this order: who cleans up after a cancel may say so.
                        biased;
                        () = active.replied.cancelled() => {}
                        _ = active.ctx.signal().told() => return Err(Error::cancelled()),
                    }
                }
                failpoint::hit("before-delivery");
                let mut backoff = write_backoff();
                let written = loop {
                    let write = || {
                        self.ledger.inject(
                            owner.clone(),
                            turn.clone(),
                            audit.clone(),
                            MessageSource::Work(fence.clone()),
                        )
                    };
                    match self.write_idempotent("delivery", write).await {
                        // A task goes on when the ledger is there again; its cap ends the waiting. Somebody
                        // waits for a call.
                        Err(LedgerError::Unavailable(why)) if is_task && !active.ctx.signal().is_over() => {
                            let wait = backoff.next_wait();
                            tracing::warn!(why, retry_ms = wait.as_millis(), "a message is not delivered yet");
                            tokio::select! {
                                biased;
                                _ = active.ctx.signal().told() => return Err(Error::cancelled()),
                                () = tokio::time::sleep(wait) => {}
                            }
                            // The ledger is silent, not the task.
                            active.ctx.signal().touch();
                        }
                        written => break written,
                    }
                };
                match written {
                    Ok(_) => {
                        failpoint::hit("after-delivery");
                        Ok(turn_id)
                    }
                    Err(
                        LedgerError::Fenced
                        | LedgerError::NotFound
                        | LedgerError::NotHolder
                        | LedgerError::AlreadyReplied
                        | LedgerError::AlreadyEnded,
                    ) => Err(Error::cancelled().with_source("the call or task that delivers has ended")),
                    Err(error) => Err(unavailable(&error)),
                }
            },
            span,
        ))
    }
}
