//! Schedules that are due once, while processes are killed.

use std::collections::HashMap;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::contents::Contents;
use super::driver::{Gone, TrackedUser, send};
use super::judge::{SCHEDULE, Verdict};
use crate::{Dice, User};

/// Schedules of one user, of 100 that it may have.
const MOST: usize = 40;

impl TrackedUser {
    /// Makes a schedule that is due once, within seconds.
    pub(crate) async fn schedule(&self, user: &User, dice: &mut Dice) -> Result<(), Gone> {
        if self.record.open().scheduled.len() >= MOST {
            return Ok(());
        }
        let tag = self.tag();
        let starts_at =
            jiff::Timestamp::now() + jiff::SignedDuration::from_millis_i128(i128::from(100 + dice.below(6000)));
        let new = json!({
            "name": "Once", "app_id": "probe", "function": "echo", "params": {"text": format!("{tag} scheduled")},
            "when": {"every_seconds": 86_400}, "starts_at": starts_at, "max_runs": 1,
        });
        let (status, answer) = send(user.request(Method::POST, "/v1/schedules").json(&new)).await?;
        match status {
            StatusCode::CREATED => {
                let schedule_id = answer["id"].as_str().unwrap_or_default().to_owned();
                self.record.open().scheduled.push(schedule_id);
            }
            StatusCode::SERVICE_UNAVAILABLE if self.may_be_refused => return Err(Gone),
            _ => self.record.open().odd_answers.push(format!("a schedule was answered with {status}: {answer}")),
        }
        Ok(())
    }
}

/// Each schedule makes one call, which may have been interrupted. Before the rest some times may be to come.
pub(super) fn judge(verdict: &mut Verdict, ledger: &Contents, tracked_users: &[TrackedUser], at_rest: bool) {
    let mut calls: HashMap<(i64, &str), u32> = HashMap::new();
    for turn in ledger.turns.iter().filter(|turn| turn.body["role"] == "user") {
        if let Some(schedule_id) = turn.body["schedule"]["id"].as_str() {
            *calls.entry((turn.owner, schedule_id)).or_default() += 1;
        }
    }
    for schedule in &ledger.schedules {
        let count = calls.remove(&(schedule.owner, schedule.schedule_id.as_str())).unwrap_or_default();
        let well = match (schedule.is_for_later, at_rest) {
            (true, _) => count == 0,
            (false, true) => count == 1 && !schedule.is_awake,
            (false, false) => count <= 1,
        };
        verdict.check(SCHEDULE, well, || format!("{schedule:?} made {count} calls"));
    }
    verdict.check(SCHEDULE, calls.is_empty(), || format!("calls of schedules that are not stored: {calls:?}"));
    for tracked in tracked_users {
        let owner = ledger.owner(&tracked.tenant, &tracked.id);
        for schedule_id in &tracked.record.open().scheduled {
            let is_stored =
                ledger.schedules.iter().any(|row| row.schedule_id == *schedule_id && Some(row.owner) == owner);
            verdict.check(SCHEDULE, is_stored, || {
                format!("{} received schedule {schedule_id}, which is not in the ledger", tracked.mark())
            });
        }
    }
}
