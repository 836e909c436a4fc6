//! Limits each user's open calls on this node, and the memory of their parameters.
//!
//! A call counts from before its parameters are read until its reply is written. A caller that hangs up frees
//! nothing: the call goes on and keeps its permit.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Settings;
use crate::codes;
use crate::error::Error;
use crate::ledger::Owner;
use crate::result::Result;

/// The open calls by user. A user without open calls has no entry.
#[derive(Debug)]
pub(super) struct ActiveCalls {
    calls: u32,
    #[cfg_attr(not(feature = "platform"), expect(dead_code, reason = "the gateway counts bytes"))]
    bytes: u64,
    users: Mutex<HashMap<Owner, UserCalls>>,
}

/// The share of one user's open calls.
#[derive(Debug, Default)]
struct UserCalls {
    calls: u32,
    bytes: u64,
}

impl ActiveCalls {
    pub(super) fn new(settings: &Settings) -> Self {
        let calls = if settings.calls_per_user == 0 { u32::MAX } else { settings.calls_per_user };
        Self { calls, bytes: settings.call_bytes_per_user, users: Mutex::default() }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<Owner, UserCalls>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more call of a user, until the permit is dropped.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the user has as many open calls as the settings allow.
    pub(super) fn begin(self: &Arc<Self>, owner: &Owner) -> Result<CallPermit> {
        let mut users = self.users();
        let held = users.entry(owner.clone()).or_default();
        if held.calls >= self.calls {
            let text = format!("You have {} calls at work. Wait until one has ended, then try again.", held.calls);
            return Err(Error::user(codes::RATE_LIMITED, text));
        }
        held.calls += 1;
        Ok(CallPermit { active: self.clone(), owner: owner.clone(), bytes: 0 })
    }
}

/// The right to one open call. Dropped at the call's end.
pub(crate) struct CallPermit {
    active: Arc<ActiveCalls>,
    owner: Owner,
    bytes: u64,
}

impl CallPermit {
    /// Counts memory for the call's parameters until the call's end.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the user's other open calls leave too little of the limit.
    #[cfg(feature = "platform")]
    pub(crate) fn hold(&mut self, bytes: u64) -> Result<()> {
        let mut users = self.active.users();
        let Some(held) = users.get_mut(&self.owner) else { return Ok(()) };
        if held.bytes > self.bytes && held.bytes.saturating_add(bytes) > self.active.bytes {
            let text = "Your calls at work hold as much data as they may. Wait until one has ended, then try again.";
            return Err(Error::user(codes::RATE_LIMITED, text));
        }
        held.bytes += bytes;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        let mut users = self.active.users();
        if let Some(held) = users.get_mut(&self.owner) {
            held.calls -= 1;
            held.bytes -= self.bytes;
            if held.calls == 0 {
                users.remove(&self.owner);
            }
        }
    }
}

impl fmt::Debug for CallPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallPermit").field("owner", &self.owner).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_work(calls_per_user: u32, call_bytes_per_user: u64) -> Arc<ActiveCalls> {
        Arc::new(ActiveCalls::new(&Settings { calls_per_user, call_bytes_per_user, ..Settings::default() }))
    }

    #[test]
    fn a_dropped_permit_is_free_again_and_other_users_are_independent() {
        let (at_work, anna, ben) = (at_work(2, 100), Owner::new("t", "anna"), Owner::new("t", "ben"));
        let permits = [at_work.begin(&anna).unwrap(), at_work.begin(&anna).unwrap()];
        assert_eq!(*at_work.begin(&anna).unwrap_err().code(), codes::RATE_LIMITED);
        drop(at_work.begin(&ben).unwrap());
        drop(permits);
        drop(at_work.begin(&anna).unwrap());
        assert!(at_work.users().is_empty());
    }

    #[test]
    fn one_call_may_exceed_the_memory_limit_alone() {
        let (at_work, anna) = (at_work(0, 100), Owner::new("t", "anna"));
        let (mut large, mut small, mut other) =
            (at_work.begin(&anna).unwrap(), at_work.begin(&anna).unwrap(), at_work.begin(&anna).unwrap());
        large.hold(90).unwrap();
        small.hold(10).unwrap();
        assert_eq!(*other.hold(1).unwrap_err().code(), codes::RATE_LIMITED);
        drop((large, small));
        other.hold(1000).unwrap();
        other.hold(1000).unwrap();
    }
}
