//! Refusals in the audit trail.
//!
//! Audit rows cannot be deleted, so what somebody writes there by being refused is bounded twice: each text is
//! cut, and after a burst the refusals of one actor are counted instead of written. The actor's next row says
//! how many were left out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::ledger::NewAudit;
use crate::rate::RateLimiter;
use crate::truncate::{APP_ID, TENANT_ID, USER_ID, truncate_line};

/// Refusals of one actor that are written at once, after a quiet while.
const BURST: u32 = 100;
/// And in the long run one in each of these.
const SHARE: Duration = Duration::from_secs(6);
/// Actors whose refusals are counted at once; beyond that their counts are lost, not their rows.
const ACTORS: usize = 10_000;
/// Longest target and detail of a refusal, in bytes.
const TEXT: usize = 512;

/// Which refusals are written.
#[derive(Debug)]
pub(super) struct Refusals {
    rate: RateLimiter,
    left_out: Mutex<HashMap<Actor, u64>>,
}

/// A user, or all services together: whoever has the service token can name any user.
type Actor = Option<(String, String)>;

impl Default for Refusals {
    fn default() -> Self {
        Self { rate: RateLimiter::new(SHARE, BURST), left_out: Mutex::default() }
    }
}

impl Refusals {
    /// The row as it is to be written; nothing for one that is only counted.
    pub(super) fn admit(&self, row: NewAudit) -> Option<NewAudit> {
        let mut row = short(row);
        let actor = (row.actor != "service").then(|| (row.tenant_id.clone(), row.user_id.clone()));
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if self.rate.take(&actor).is_err() {
            if left_out.len() < ACTORS || left_out.contains_key(&actor) {
                *left_out.entry(actor).or_default() += 1;
            }
            return None;
        }
        if let Some(count) = left_out.remove(&actor) {
            let more = format!("{count} refusals before this one were only counted");
            row.detail = Some(row.detail.map_or_else(|| more.clone(), |detail| format!("{detail}; {more}")));
        }
        Some(row)
    }
}

/// Each text of a row within its limit.
fn short(mut row: NewAudit) -> NewAudit {
    let limit = |text: &mut String, limit| {
        if let Cow::Owned(shorter) = truncate_line(text, limit) {
            *text = shorter;
        }
    };
    limit(&mut row.tenant_id, TENANT_ID);
    limit(&mut row.user_id, USER_ID);
    limit(&mut row.actor, "user:".len() + USER_ID);
    for (text, most) in [(&mut row.app_id, APP_ID), (&mut row.target, TEXT), (&mut row.detail, TEXT)] {
        if let Some(text) = text {
            limit(text, most);
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::AuditOutcome;

    fn refusal(user: &str, actor: &str) -> NewAudit {
        NewAudit {
            tenant_id: "t".to_owned(),
            user_id: user.to_owned(),
            actor: actor.to_owned(),
            app_id: Some("x".repeat(10_000)),
            action: "chat.inject".to_owned(),
            target: Some("y".repeat(10_000)),
            outcome: AuditOutcome::Refused,
            detail: None,
        }
    }

    #[test]
    fn after_a_burst_refusals_are_counted_and_others_are_still_written() {
        let refusals = Refusals::default();
        let refusals_written = |user: &dyn Fn(usize) -> String, actor: &str| {
            (0..1000).filter_map(|n| refusals.admit(refusal(&user(n), actor))).collect::<Vec<_>>()
        };
        // A few more where a slow machine gives the long run time.
        let written = refusals_written(&|_| "anna".to_owned(), "user:anna");
        assert!((100..110).contains(&written.len()), "{}", written.len());
        let bytes: usize = written.iter().map(|row| serde_json::to_string(row).unwrap().len()).sum();
        assert!(bytes < 110 * 1024, "{bytes}");
        assert!(refusals.admit(refusal("ben", "user:ben")).is_some());
        // A service cannot go round the limit by naming other users.
        let named = refusals_written(&|n| n.to_string(), "service");
        assert!((100..110).contains(&named.len()), "{}", named.len());
    }

    #[test]
    fn the_next_row_says_how_many_were_left_out() {
        let refusals = Refusals { rate: RateLimiter::new(Duration::from_millis(200), 1), left_out: Mutex::default() };
        assert_eq!(refusals.admit(refusal("anna", "user:anna")).unwrap().detail, None);
        for _ in 0..3 {
            assert!(refusals.admit(refusal("anna", "user:anna")).is_none());
        }
        std::thread::sleep(Duration::from_millis(250));
        let row = refusals.admit(refusal("anna", "user:anna")).unwrap();
        assert_eq!(row.detail.as_deref(), Some("3 refusals before this one were only counted"));
    }
}
