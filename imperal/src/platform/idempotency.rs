//! Calls under an idempotency key: the first one runs, and every request gets its reply.
//!
//! The key gives the call its id, so the ledger accepts the call once, whichever nodes are asked and however
//! many requests arrive at once. A duplicate waits for the reply of the first call, which may run on another node; a crash
//! there ends in a reply too. A key lasts as long as the call's turn is kept.
//!
//! Of all duplicates that wait on this node for one reply, only one polls the ledger, at each event of the
//! user. A thousand waiting requests cost the ledger no more than one event stream.

use super::acceptance::StartWith;
use super::durable_write::{Written, write_backoff};
use super::ledger_errors::{stopping, unreadable};
use super::{CallReply, Node};
use crate::codes;
use crate::error::Error;
use crate::ids::FileId;
use crate::ledger::{CallRecord, Fut, Incarnation, LedgerError, LedgerResult, NewCall, NewTask, Task, Turn, TurnBody};
use crate::result::Result;

/// Which request a call id belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// To this request: it runs the call.
    Ours,
    /// To an earlier request under the same key.
    Duplicate,
}

/// The same for a call that was written with its reply.
#[derive(Debug)]
pub(super) enum Answered {
    /// This request wrote it, with this reply turn.
    Ours(Box<Turn>),
    /// An earlier request under the same key has the call.
    Duplicate,
}

/// The same for a call that was written with its first task and its reply.
#[derive(Debug)]
pub(super) enum AnsweredStart {
    /// This request wrote it, with this reply turn. The task is `None` if an earlier attempt wrote it, whose answer was lost.
    Ours(Box<Turn>, Option<Box<Task>>),
    /// The ledger refused the task. The call is this request's, and open.
    CallAlone,
    /// An earlier request under the same key has the call.
    Duplicate,
}

/// `None` if the ledger refused a call because of its task. Also when the outcome of an attempt before is unknown: then the
/// write of the call alone finds out.
fn without_refusal<T>(written: LedgerResult<T>) -> LedgerResult<Option<T>> {
    match written {
        Err(
            LedgerError::AlreadyRunning(_)
            | LedgerError::TooManyTasks(_)
            | LedgerError::CannotFollow(_)
            | LedgerError::NotFound,
        ) => Ok(None),
        written => written.map(Some),
    }
}

impl Node {
    /// Writes the call together with its first task and its reply. If the ledger refuses the task, the call is written alone.
    pub(super) async fn claim_with_task(
        &self,
        incarnation: &Incarnation,
        call: &NewCall,
        task: &NewTask,
        reply: &TurnBody,
    ) -> std::result::Result<AnsweredStart, LedgerError> {
        let answer = || -> Fut<'_, Option<(Turn, Task, Turn)>> {
            let answering = self.ledger.start_and_answer(incarnation, call.clone(), task.clone(), reply.clone());
            Box::pin(async move { without_refusal(answering.await) })
        };
        match self.write_idempotent("call", answer).await {
            Ok(Written::Now(Some((_, task, reply)))) => Ok(AnsweredStart::Ours(Box::new(reply), Some(Box::new(task)))),
            Ok(Written::Now(None)) => match self.claim_call(incarnation, call, &[]).await? {
                // An attempt that was refused may follow one that stored all, and whose answer was lost.
                Claim::Ours => Ok(match self.read_answered(call, reply).await? {
                    AnsweredStart::Duplicate => AnsweredStart::CallAlone,
                    stored => stored,
                }),
                // The call's own id refuses it, if an earlier attempt stored all.
                Claim::Duplicate => self.read_answered(call, reply).await,
            },
            Ok(Written::Earlier) => self.read_answered(call, reply).await,
            Err(LedgerError::IdExists) => Ok(AnsweredStart::Duplicate),
            Err(error) => Err(error),
        }
    }

    /// Reads which request wrote the call, with which reply.
    async fn read_answered(&self, call: &NewCall, reply: &TurnBody) -> std::result::Result<AnsweredStart, LedgerError> {
        Ok(match self.read_record(call).await? {
            Some(CallRecord { reply: Some(turn), .. }) if turn.body.turn_id == reply.turn_id => {
                AnsweredStart::Ours(Box::new(turn), None)
            }
            _ => AnsweredStart::Duplicate,
        })
    }

    /// Writes the call together with its reply, and finds out which request its id belongs to.
    pub(super) async fn claim_answered(
        &self,
        incarnation: &Incarnation,
        call: &NewCall,
        reply: &TurnBody,
    ) -> std::result::Result<Answered, LedgerError> {
        let answer = || self.ledger.answer_call(incarnation, call.clone(), reply.clone());
        match self.write_idempotent("call", answer).await {
            Ok(Written::Now([_, reply])) => Ok(Answered::Ours(Box::new(reply))),
            // If the reply is ours: our own transaction.
            Ok(Written::Earlier) => Ok(match self.read_answered(call, reply).await? {
                AnsweredStart::Ours(turn, _) => Answered::Ours(turn),
                AnsweredStart::CallAlone | AnsweredStart::Duplicate => Answered::Duplicate,
            }),
            Err(LedgerError::IdExists) => Ok(Answered::Duplicate),
            Err(error) => Err(error),
        }
    }

    /// Writes the call with its files and finds out which request its id belongs to.
    pub(super) async fn claim_call(
        &self,
        incarnation: &Incarnation,
        call: &NewCall,
        files: &[FileId],
    ) -> std::result::Result<Claim, LedgerError> {
        let accept = || {
            if files.is_empty() {
                self.ledger.accept_call(incarnation, call.clone())
            } else {
                self.ledger.accept_call_with_files(incarnation, call.clone(), files.to_vec())
            }
        };
        match self.write_idempotent("call", accept).await {
            Ok(Written::Now(_)) => Ok(Claim::Ours),
            // By an earlier attempt of this request, or by another request in between.
            Ok(Written::Earlier) => self.read_claim(call).await,
            Err(LedgerError::IdExists) => Ok(Claim::Duplicate),
            Err(error) => Err(error),
        }
    }

    /// The same, with the start of the call's first task in the same transaction. If the ledger refuses the task, the call
    /// is written alone. Also returns what became of the start, if the call is this request's.
    pub(super) async fn claim_with_start(
        &self,
        incarnation: &Incarnation,
        call: &NewCall,
        task: &NewTask,
    ) -> std::result::Result<(Claim, StartWith), LedgerError> {
        let accept = || -> Fut<'_, Option<Task>> {
            let accepting = self.ledger.accept_and_start(incarnation, call.clone(), task.clone());
            Box::pin(async move { Ok(without_refusal(accepting.await)?.map(|(_, task)| task)) })
        };
        match self.write_idempotent("call", accept).await {
            Ok(Written::Now(Some(task))) => Ok((Claim::Ours, StartWith::Stored(Some(Box::new(task))))),
            Ok(Written::Now(None)) => match self.claim_call(incarnation, call, &[]).await? {
                // An attempt that was refused may follow one that stored both, and whose answer was lost.
                Claim::Ours => {
                    let stored = self.read_until_answered(|| self.ledger.find_task(task.task_id)).await?;
                    Ok((Claim::Ours, if stored.is_some() { StartWith::Stored(None) } else { StartWith::CallAlone }))
                }
                // The call's own id refuses it, if an earlier attempt stored both.
                Claim::Duplicate => Ok((self.read_claim(call).await?, StartWith::Stored(None))),
            },
            Ok(Written::Earlier) => Ok((self.read_claim(call).await?, StartWith::Stored(None))),
            Err(LedgerError::IdExists) => Ok((Claim::Duplicate, StartWith::CallAlone)),
            Err(error) => Err(error),
        }
    }

    /// Reads which request wrote the call: every request generates a turn id of its own.
    async fn read_claim(&self, call: &NewCall) -> std::result::Result<Claim, LedgerError> {
        Ok(match self.read_record(call).await? {
            Some(record) if record.asked.body.turn_id == call.turn.turn_id => Claim::Ours,
            _ => Claim::Duplicate,
        })
    }

    async fn read_record(&self, call: &NewCall) -> std::result::Result<Option<CallRecord>, LedgerError> {
        self.read_until_answered(|| self.ledger.find_call(&call.owner, call.call_id)).await
    }

    /// Reads until the ledger answers, or the node ends: without the answer a call that is stored would have no reply.
    async fn read_until_answered<'a, T>(
        &'a self,
        read: impl Fn() -> Fut<'a, T>,
    ) -> std::result::Result<T, LedgerError> {
        let mut backoff = write_backoff();
        loop {
            match read().await {
                Ok(record) => return Ok(record),
                Err(error) => {
                    let wait = backoff.next_wait();
                    tracing::warn!(%error, retry_ms = wait.as_millis(), "cannot read which request has the call");
                    if self.ended.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                        return Err(LedgerError::Indeterminate(error.to_string()));
                    }
                }
            }
        }
    }

    /// Waits for the reply to the first call under the key of this one. Cancel safe.
    ///
    /// # Errors
    /// `KEY_REUSED` when the first call has another function or other parameters, `NOT_FOUND` when its turn
    /// is no longer kept, `UNAVAILABLE` when the ledger cannot be read or this node stops.
    pub(super) async fn first_reply(&self, call: &NewCall) -> Result<CallReply> {
        // Read once before the wait: a reused key is refused at once.
        if let Some(reply) = self.stored_reply(call).await? {
            return Ok(reply);
        }
        match self.stopping.run_until_cancelled(self.wait_for_reply(call)).await {
            Some(reply) => reply,
            None => Err(stopping()),
        }
    }

    async fn wait_for_reply(&self, call: &NewCall) -> Result<CallReply> {
        let _permit = self.reply_pollers.acquire(call.call_id).await;
        // Subscribed before the first read, so that no event is missed in between.
        let mut pulses = self.ledger.feed().subscribe(&call.owner);
        loop {
            if let Some(reply) = self.stored_reply(call).await? {
                return Ok(reply);
            }
            while !pulses.next().await.has_events() {}
        }
    }

    async fn stored_reply(&self, call: &NewCall) -> Result<Option<CallReply>> {
        let found = self.ledger.find_call(&call.owner, call.call_id).await.map_err(|error| unreadable(&error))?;
        let Some(CallRecord { asked, reply }) = found else {
            return Err(Error::user(codes::NOT_FOUND, "The call under this key is no longer kept."));
        };
        let (first, this) = (&asked.body, &call.turn);
        if (&first.function, &first.params, first.follows) != (&this.function, &this.params, this.follows) {
            return Err(Error::user(
                codes::KEY_REUSED,
                "This key belongs to an earlier call with another function or other parameters. Use a new one.",
            ));
        }
        Ok(reply.and_then(|turn| {
            let result = turn.body.result.clone()?;
            Some(CallReply { call_id: call.call_id, turn, result, repeated: true, may_have_tasks: true })
        }))
    }
}
