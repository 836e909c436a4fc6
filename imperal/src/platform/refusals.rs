//! Limits the audit rows that refused requests write.
//!
//! Audit rows cannot be deleted, so their size and number are limited: each text is truncated, and after a
//! burst an actor's refusals are counted instead of written. The actor's next row has the count.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::ledger::NewAudit;
use crate::rate::RateLimiter;
use crate::truncate::{APP_ID_LIMIT, TENANT_ID_LIMIT, USER_ID_LIMIT, truncate_line};

/// Refusals of one actor that are written at once, after a quiet period.
const BURST: u32 = 100;
/// In the long run, one refusal of an actor is written per this time.
const REFILL_INTERVAL: Duration = Duration::from_secs(6);
/// Most actors with a count. Of further actors the counts are lost, not the rows.
const MAX_ACTORS: usize = 10_000;
/// Longest target and detail of a row, in bytes.
const TEXT_LIMIT: usize = 512;

/// Decides which refusals are written.
#[derive(Debug)]
pub(super) struct RefusalLimiter {
    rate: RateLimiter,
    left_out: Mutex<HashMap<Actor, u64>>,
}

/// A user, or all services together: a holder of the service token can name any user.
type Actor = Option<(String, String)>;

impl Default for RefusalLimiter {
    fn default() -> Self {
        Self { rate: RateLimiter::new(REFILL_INTERVAL, BURST), left_out: Mutex::default() }
    }
}

impl RefusalLimiter {
    /// The row to write; `None` for a refusal that is only counted.
    pub(super) fn admit(&self, row: NewAudit) -> Option<NewAudit> {
        let mut row = truncated(row);
        let actor = (row.actor != "service").then(|| (row.tenant_id.clone(), row.user_id.clone()));
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if self.rate.take(&actor).is_err() {
            if left_out.len() < MAX_ACTORS || left_out.contains_key(&actor) {
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

/// Truncates each text of a row to its limit.
fn truncated(mut row: NewAudit) -> NewAudit {
    let limit = |text: &mut String, limit| {
        if let Cow::Owned(shorter) = truncate_line(text, limit) {
            *text = shorter;
        }
    };
    limit(&mut row.tenant_id, TENANT_ID_LIMIT);
    limit(&mut row.user_id, USER_ID_LIMIT);
    limit(&mut row.actor, "user:".len() + USER_ID_LIMIT);
    for (text, most) in [(&mut row.app_id, APP_ID_LIMIT), (&mut row.target, TEXT_LIMIT), (&mut row.detail, TEXT_LIMIT)]
    {
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
    fn refusals_after_a_burst_are_counted_and_other_actors_are_written() {
        let refusals = RefusalLimiter::default();
        let refusals_written = |user: &dyn Fn(usize) -> String, actor: &str| {
            (0..1000).filter_map(|n| refusals.admit(refusal(&user(n), actor))).collect::<Vec<_>>()
        };
        // A slow machine may let a few more through.
        let written = refusals_written(&|_| "anna".to_owned(), "user:anna");
        assert!((100..110).contains(&written.len()), "{}", written.len());
        let bytes: usize = written.iter().map(|row| serde_json::to_string(row).unwrap().len()).sum();
        assert!(bytes < 110 * 1024, "{bytes}");
        assert!(refusals.admit(refusal("ben", "user:ben")).is_some());
        // A service does not evade the limit by naming other users.
        let named = refusals_written(&|n| n.to_string(), "service");
        assert!((100..110).contains(&named.len()), "{}", named.len());
    }

    #[test]
    fn the_next_row_has_the_count() {
        let refusals =
            RefusalLimiter { rate: RateLimiter::new(Duration::from_millis(200), 1), left_out: Mutex::default() };
        assert_eq!(refusals.admit(refusal("anna", "user:anna")).unwrap().detail, None);
        for _ in 0..3 {
            assert!(refusals.admit(refusal("anna", "user:anna")).is_none());
        }
        std::thread::sleep(Duration::from_millis(250));
        let row = refusals.admit(refusal("anna", "user:anna")).unwrap();
        assert_eq!(row.detail.as_deref(), Some("3 refusals before this one were only counted"));
    }
}
