//! `ctx.schedules()`: functions of the extension that run for the user at times.
//!
//! The platform finds the function, checks its parameters, and writes. A schedule of an extension is found by its name.

use serde_json::{Map, Value};

use super::Context;
use crate::codes;
use crate::error::Error;
use crate::result::Result;
use crate::schedule::When;

/// A schedule that an extension keeps for its user.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "give it to `ctx.schedules().set(..)`"]
pub struct OwnSchedule {
    pub(crate) name: String,
    pub(crate) function: String,
    pub(crate) params: Value,
    pub(crate) when: When,
    pub(crate) zone: String,
}

impl OwnSchedule {
    /// Runs a function of the extension at times, without parameters and by the clocks of UTC. The name is for people
    /// too: 1 to 100 characters.
    pub fn new(name: impl Into<String>, function: impl Into<String>, when: When) -> Self {
        let params = Value::Object(Map::new());
        Self { name: name.into(), function: function.into(), params, when, zone: "UTC".to_owned() }
    }

    /// Sets the parameters of the function.
    pub fn params(self, params: Value) -> Self {
        Self { params, ..self }
    }

    /// Sets the IANA name of the zone whose clocks count.
    pub fn zone(self, zone: impl Into<String>) -> Self {
        Self { zone: zone.into(), ..self }
    }
}

/// An extension's change of one of its schedules.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ScheduleChange {
    Set(Box<OwnSchedule>),
    Pause(String),
    Resume(String),
    Remove(String),
}

impl ScheduleChange {
    /// The texts that must have no secret in them.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Set(schedule) => format!("{} {}", schedule.name, schedule.params),
            Self::Pause(name) | Self::Resume(name) | Self::Remove(name) => name.clone(),
        }
    }
}

/// The schedules that the extension keeps for the user of the call. Made by [`Context::schedules`].
#[derive(Debug, Clone)]
pub struct OwnSchedules {
    ctx: Context,
}

impl Context {
    /// Functions of this extension that run for the user at times. They are the user's: the page shows them, and the
    /// user may change and delete them.
    ///
    /// ```
    /// # use imperal::{prelude::*, schedules::{OwnSchedule, When}};
    /// # async fn example(ctx: Context) -> Result<()> {
    /// let daily = OwnSchedule::new("Morning digest", "send_digest", When::cron("0 8 * * *")).zone("Europe/Berlin");
    /// ctx.schedules().set(daily).await?;
    /// # Ok(()) }
    /// ```
    pub fn schedules(&self) -> OwnSchedules {
        OwnSchedules { ctx: self.clone() }
    }
}

impl OwnSchedules {
    /// Creates the schedule with this name, or changes it. One that is the same already is not written, and a paused one
    /// stays paused. A destructive function waits until the user has approved it.
    ///
    /// # Errors
    /// `SCHEDULE_INVALID` and `TOO_MANY_SCHEDULES`; those of a call for the function and its parameters;
    /// `SECRET_EXPOSED`; `STEP_NEEDED` in a durable task outside of a step; `UNAVAILABLE`. [`Error::cancelled`] when the
    /// work was cancelled or is over.
    pub async fn set(&self, schedule: OwnSchedule) -> Result<()> {
        self.change(ScheduleChange::Set(Box::new(schedule))).await.map(|_| ())
    }

    /// Pauses a schedule. Returns whether there is one with this name.
    ///
    /// # Errors
    /// As [`OwnSchedules::set`].
    pub async fn pause(&self, name: impl Into<String>) -> Result<bool> {
        self.change(ScheduleChange::Pause(name.into())).await
    }

    /// Makes a schedule active again, from now on. Returns whether there is one with this name.
    ///
    /// # Errors
    /// As [`OwnSchedules::set`]; `APPROVAL_NEEDED` for a destructive function that the user has not approved.
    pub async fn resume(&self, name: impl Into<String>) -> Result<bool> {
        self.change(ScheduleChange::Resume(name.into())).await
    }

    /// Deletes a schedule. Returns whether there was one with this name.
    ///
    /// # Errors
    /// As [`OwnSchedules::set`].
    pub async fn remove(&self, name: impl Into<String>) -> Result<bool> {
        self.change(ScheduleChange::Remove(name.into())).await
    }

    async fn change(&self, change: ScheduleChange) -> Result<bool> {
        let ctx = &self.ctx;
        ctx.check_active()?;
        if ctx.durable_run().is_some() && ctx.step_in_use().is_none() {
            return Err(Error::platform(
                codes::STEP_NEEDED,
                "A schedule was changed in a durable task outside of a step. The body runs again after a crash: change it \
                 in a step.",
            ));
        }
        ctx.services().host.change_schedule(ctx.origin(), change).await
    }
}
