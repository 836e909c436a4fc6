//! Asking again: of the requests under one key one is taken, and each gets its reply.
//!
//! A key gives a call its id, so the ledger itself takes it once, whichever nodes are asked and however
//! many at once. Who comes too late waits for the reply of the first, wherever that one runs: a crash
//! there ends in a reply as well. A key lasts as long as the call's turn is kept.
//!
//! Of all who wait here for one reply, one looks at each event of the user's, and the others wait for
//! that one: a thousand of them do not keep the ledger busier than a stream does.

use super::commit::Waits;
use super::{Node, stopping, unreadable};
use crate::codes;
use crate::error::Error;
use crate::ledger::{CallRecord, Incarnation, LedgerError, NewCall, Pulse};
use crate::platform::CallReply;
use crate::result::Result;

/// Whose a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Of the request that asks.
    Now,
    /// Of another one, under the same key.
    Before,
}

impl Node {
    /// Writes the call, until it is known whether it is there and of which request.
    pub(super) async fn take(
        &self,
        incarnation: &Incarnation,
        call: &NewCall,
    ) -> std::result::Result<Taken, LedgerError> {
        match self.make_sure("call", || self.ledger.accept_call(incarnation, call.clone())).await {
            Ok(Some(_)) => Ok(Taken::Now),
            // Written by an earlier try of this request, or by another request meanwhile.
            Ok(None) => self.taken_by(call).await,
            Err(LedgerError::Settled) => Ok(Taken::Before),
            Err(error) => Err(error),
        }
    }

    /// Each request comes with a turn of its own.
    async fn taken_by(&self, call: &NewCall) -> std::result::Result<Taken, LedgerError> {
        let mut waits = Waits::new();
        loop {
            match self.ledger.call(&call.owner, call.call_id).await {
                Ok(Some(record)) if record.asked.body.turn_id == call.turn.turn_id => return Ok(Taken::Now),
                Ok(_) => return Ok(Taken::Before),
                Err(error) => {
                    let wait = waits.next();
                    tracing::warn!(%error, retry_ms = wait.as_millis(), "not known which request has the call");
                    if self.ended.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                        return Err(LedgerError::Unsure(error.to_string()));
                    }
                }
            }
        }
    }

    /// The reply to the request that was taken instead of this one, once it is there. Dropping this
    /// changes nothing.
    ///
    /// # Errors
    /// `KEY_REUSED` when that one asked something else, `NOT_FOUND` when it is not kept any more,
    /// `UNAVAILABLE` when the ledger cannot be read or this node stops.
    pub(super) async fn reply_of(&self, call: &NewCall) -> Result<CallReply> {
        // Who asks for something else is told at once.
        if let Some(reply) = self.reply_now(call).await? {
            return Ok(reply);
        }
        match self.stopping.run_until_cancelled(self.reply_in_turn(call)).await {
            Some(reply) => reply,
            None => Err(stopping()),
        }
    }

    async fn reply_in_turn(&self, call: &NewCall) -> Result<CallReply> {
        let _place = self.awaited.enter(call.call_id).await;
        // Before the first look, so that nothing falls between the two.
        let mut pulses = self.ledger.feed().subscribe(&call.owner);
        loop {
            if let Some(reply) = self.reply_now(call).await? {
                return Ok(reply);
            }
            while !matches!(pulses.next().await, Pulse::Events) {}
        }
    }

    async fn reply_now(&self, call: &NewCall) -> Result<Option<CallReply>> {
        let found = self.ledger.call(&call.owner, call.call_id).await.map_err(|error| unreadable(&error))?;
        let Some(CallRecord { asked, reply }) = found else {
            return Err(Error::user(codes::NOT_FOUND, "The call under this key is not kept any more."));
        };
        let (first, this) = (&asked.body, &call.turn);
        if (&first.function, &first.params) != (&this.function, &this.params) {
            return Err(Error::user(
                codes::KEY_REUSED,
                "This key belongs to an earlier call with another function or other parameters. Use a new one.",
            ));
        }
        Ok(reply.and_then(|turn| {
            let result = turn.body.result.clone()?;
            Some(CallReply { call_id: call.call_id, turn, result, repeated: true })
        }))
    }
}
