//! A stored schedule as the API shows it.

use serde_json::Value;

use super::shapes::{RecentRun, Schedule, utc};
use crate::codes;
use crate::error::Error;
use crate::ledger::StoredSchedule;
use crate::platform::Access;
use crate::platform::ledger_errors::unreadable;
use crate::platform::schedules::{Run, ScheduleBody, ScheduleCounts, ScheduleReason, ScheduleState};
use crate::result::Result;
use crate::schedule::Timetable;

/// Runs in the description of a schedule.
const RECENT: usize = 7;

impl Access {
    /// Reads how the open run is now. The run of a job has no call that could be read.
    pub(super) async fn refresh_schedule(&self, stored: &StoredSchedule, body: &mut ScheduleBody) -> Result<()> {
        if stored.job.is_some() {
            return Ok(());
        }
        let refreshed = self.platform.node.refresh_run(&stored.owner, body).await;
        refreshed.map_err(|error| unreadable(&error))
    }

    /// A schedule as the API shows it. One that cannot be read can only be deleted.
    pub(super) async fn shown_schedule(&self, stored: StoredSchedule) -> Result<Schedule> {
        let Ok(mut body) = read(&stored) else {
            return Ok(unreadable_schedule(&stored));
        };
        self.refresh_schedule(&stored, &mut body).await?;
        let StoredSchedule { schedule_id: id, owner, version, created_at, updated_at, .. } = stored;
        let node = &self.platform.node;
        let files = node.files_named(&owner, &body.app_id, &body.function, &body.wanted.params).await;
        let files = files.map_err(|error| unreadable(&error))?;
        let runnable = node.find_runnable(&body.app_id, &body.function, &body.wanted.params, &files).ok();
        let approval = runnable.and_then(|runnable| runnable.approval(body.approved.as_deref()));
        let table = body.timetable().ok();
        let next_at = body.next_at.filter(|_| body.state == ScheduleState::Active);
        let next_local = next_at.zip(table.as_ref()).map(|(at, table)| at.to_zoned(table.zone().clone()).to_string());
        let has_ended = |run: &&Run| !run.state.is_open() && run.call_id.is_some();
        Ok(Schedule {
            id,
            running: body.open_run().cloned(),
            last_run: body.runs.iter().rev().find(has_ended).cloned(),
            recent: body.runs.iter().rev().take(RECENT).map(RecentRun::from).collect(),
            words: table.as_ref().map(Timetable::words).unwrap_or_default(),
            next_at,
            next_local,
            approval,
            name: body.wanted.name,
            app_id: body.app_id,
            function: body.function,
            params: body.wanted.params,
            when: Some(body.wanted.when),
            zone: body.wanted.zone,
            state: body.state,
            paused_by: body.paused_by,
            paused_at: body.paused_at,
            reason: body.reason,
            starts_at: body.wanted.starts_at,
            ends_at: body.wanted.ends_at,
            max_runs: body.wanted.max_runs,
            counts: body.counts,
            created_by: body.created_by,
            created_at,
            updated_at,
            version,
        })
    }
}

pub(super) fn read(stored: &StoredSchedule) -> Result<ScheduleBody> {
    serde_json::from_str(&stored.body).map_err(|_| {
        let text = "The schedule cannot be read. Delete it, and create it again.";
        Error::user(codes::SCHEDULE_NOT_ACTIVE, text)
    })
}

fn unreadable_schedule(stored: &StoredSchedule) -> Schedule {
    let text = "It cannot be read. Delete it, and create it again.".to_owned();
    Schedule {
        id: stored.schedule_id,
        name: "?".to_owned(),
        app_id: String::new(),
        function: String::new(),
        params: Value::Null,
        when: None,
        zone: utc(),
        words: String::new(),
        state: ScheduleState::NeedsYou,
        paused_by: None,
        paused_at: None,
        reason: Some(ScheduleReason { code: "unreadable".to_owned(), text }),
        next_at: None,
        next_local: None,
        starts_at: None,
        ends_at: None,
        max_runs: None,
        recent: Vec::new(),
        running: None,
        last_run: None,
        counts: ScheduleCounts::default(),
        approval: None,
        created_by: String::new(),
        created_at: stored.created_at,
        updated_at: stored.updated_at,
        version: stored.version,
    }
}
