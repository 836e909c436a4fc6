//! Whether a function can run by itself with some parameters, and whether its user has approved it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{ScheduleBody, ScheduleReason};
use crate::codes;
use crate::error::Error;
use crate::files::FileRef;
use crate::function::{ActionType, CheckedParams, has_secrets};
use crate::ledger::{LedgerError, LedgerResult, Owner};
use crate::platform::Node;
use crate::platform::ledger_errors::{file_error, unavailable};
use crate::result::Result;
use crate::schedule::InvalidSchedule;

/// Whether a destructive function is approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Approval {
    /// Whether the function needs it.
    pub needed: bool,
    /// Whether its user has approved this function with these parameters.
    pub given: bool,
    /// What to send as `approve`: it stands for the function, its parameters and their schema.
    pub digest: String,
}

/// Why a schedule cannot run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform) enum Refusal {
    FunctionGone,
    ParamsInvalid,
    ApprovalNeeded,
}

impl Refusal {
    pub(in crate::platform) const fn code(self) -> &'static str {
        match self {
            Self::FunctionGone => "function_gone",
            Self::ParamsInvalid => "params_invalid",
            Self::ApprovalNeeded => "approval_needed",
        }
    }
}

/// A function that a schedule can run.
pub(in crate::platform) struct Runnable {
    pub(in crate::platform) app_id: &'static str,
    pub(in crate::platform) function: &'static str,
    pub(in crate::platform) checked: CheckedParams,
    /// The approval that it needs, if it does.
    pub(in crate::platform) digest: Option<String>,
}

/// Refuses to let its user or their extension resume what an operator has paused.
pub(in crate::platform) fn check_resume(body: &ScheduleBody) -> Result<()> {
    if body.is_paused_by_operator() {
        let text = "An operator has paused it. Ask them to resume it.";
        return Err(Error::user(codes::SCHEDULE_NOT_ACTIVE, text));
    }
    Ok(())
}

/// The error for a schedule that is refused.
pub(in crate::platform) fn invalid(why: &InvalidSchedule) -> Error {
    Error::user(codes::SCHEDULE_INVALID, sentence(&why.to_string())).with_field(why.field())
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

/// The error of a write of a schedule.
pub(in crate::platform) fn unwritten(error: &LedgerError) -> Error {
    match error {
        LedgerError::TooManySchedules(most) => Error::user(
            codes::TOO_MANY_SCHEDULES,
            format!("You have {most} schedules, which is the limit. Delete one first."),
        ),
        LedgerError::FileMissing(_) => file_error(error),
        error => unavailable(error),
    }
}

impl Node {
    /// The user's files that the parameters of a function name.
    pub(in crate::platform) async fn files_named(
        &self,
        owner: &Owner,
        app_id: &str,
        function: &str,
        params: &Value,
    ) -> LedgerResult<Vec<FileRef>> {
        let Ok((extension, def)) = self.find_function(app_id, function) else { return Ok(Vec::new()) };
        let check = self.checks.find(extension.app_id(), def.name);
        let ids = check.map(|check| check.files_of(&mut params.clone())).unwrap_or_default();
        if ids.is_empty() { Ok(Vec::new()) } else { self.usable_files(owner, extension.app_id(), &ids).await }
    }

    /// Finds the function of a schedule and checks its parameters. `files`: the user's files that they name.
    ///
    /// # Errors
    /// The errors of a call, in the words of a schedule; `SCHEDULE_INVALID` for a function with `writeOnly` parameters.
    pub(in crate::platform) fn find_runnable(
        &self,
        app_id: &str,
        function: &str,
        params: &Value,
        files: &[FileRef],
    ) -> std::result::Result<Runnable, (Refusal, Error)> {
        let gone = |error| (Refusal::FunctionGone, error);
        let (extension, def) = self.find_function(app_id, function).map_err(gone)?;
        let check = self.checks.find(extension.app_id(), def.name);
        let check = check.ok_or_else(|| gone(Error::internal(format!("{def:?} has no compiled schema"))))?;
        let schema = check.schema();
        if has_secrets(schema) {
            let text = format!(
                "`{function}` takes a key or a password, which is not kept: it cannot run by itself. Run it by hand."
            );
            return Err((Refusal::ParamsInvalid, Error::user(codes::SCHEDULE_INVALID, text).with_field("function")));
        }
        let digest = (def.action_type == ActionType::Destructive).then(|| digest_of(app_id, function, params, schema));
        let mut params = params.clone();
        check.files_of(&mut params);
        let checked = check.check_params(params, files.to_vec()).map_err(|error| (Refusal::ParamsInvalid, error))?;
        Ok(Runnable { app_id: extension.app_id(), function: def.name, checked, digest })
    }
}

impl Runnable {
    /// `APPROVAL_NEEDED` unless the digest is that of the function, or it needs none.
    pub(in crate::platform) fn check_approval(&self, approved: Option<&str>) -> Result<()> {
        match &self.digest {
            Some(digest) if approved != Some(digest) => Err(Error::user(
                codes::APPROVAL_NEEDED,
                format!(
                    "`{}` changes something for good, and would run without asking again. If that is meant, send \
                     `approve` with {digest}.",
                    self.function
                ),
            )
            .with_field("approve")),
            _ => Ok(()),
        }
    }

    pub(in crate::platform) fn approval(&self, approved: Option<&str>) -> Option<Approval> {
        let digest = self.digest.clone()?;
        Some(Approval { needed: true, given: approved == Some(&digest), digest })
    }
}

impl ScheduleReason {
    pub(in crate::platform) fn of(refusal: Refusal, error: &Error) -> Self {
        let text = match refusal {
            Refusal::FunctionGone => {
                format!("{} Delete the schedule, or wait until the function is back.", error.message())
            }
            Refusal::ParamsInvalid => format!("{} Change its parameters, then resume it.", error.message()),
            Refusal::ApprovalNeeded => "Its function changes something for good, and you have not approved these \
                                        parameters. Look at them, then resume it."
                .to_owned(),
        };
        Self { code: refusal.code().to_owned(), text }
    }
}

/// Stands for a function with parameters and the schema that they were checked with.
pub(in crate::platform) fn digest_of(app_id: &str, function: &str, params: &Value, schema: &Value) -> String {
    let mut hash = Sha256::new();
    for part in [app_id, function, &params.to_string(), &schema.to_string()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
