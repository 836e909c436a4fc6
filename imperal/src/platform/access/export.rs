//! Exports the user's durable tasks.

use super::Access;
use super::reads::PAGE_ROWS;
use crate::codes;
use crate::error::Error;
use crate::function::has_secrets;
use crate::function::params_schema;
use crate::ids::TaskId;
use crate::ledger::{PageLimit, StoredStep, Task};
use crate::platform::TaskExport;
use crate::result::Result;

impl Access {
    /// One of the user's durable tasks with its input and the values of its steps, for `imperal::testing::replay`.
    ///
    /// # Errors
    /// As [`Access::task`]; `NOT_EXPORTABLE` for a background task, for a task whose values are no longer kept, and for a
    /// task of a function that takes `writeOnly` parameters or that this program does not have: its input or a step may
    /// have a secret.
    pub async fn export(&self, task_id: TaskId) -> Result<TaskExport> {
        let task = self.own_task(task_id, "task.read").await?.task;
        let Some(stored) = self.read(self.ledger().find_durable(task_id)).await? else {
            return Err(refused("It is a background task: only durable tasks have an input and steps."));
        };
        self.check_no_secrets(&task)?;
        let mut export = TaskExport::new(&task, &stored);
        let mut after = 0;
        loop {
            let page = self.read(self.ledger().steps(task_id, after, PageLimit::rows(PAGE_ROWS))).await?;
            let Some(last) = page.rows.last().map(|step| step.ordinal) else { return Ok(export) };
            for step in page.rows {
                let value = self.value_of(task_id, &step).await?;
                export.add(step, &value);
            }
            if !page.more {
                return Ok(export);
            }
            after = last;
        }
    }

    async fn value_of(&self, task_id: TaskId, step: &StoredStep) -> Result<String> {
        let value = match &step.value {
            Some(value) => Some(value.clone()),
            None => self.read(self.ledger().step_value(task_id, step.ordinal)).await?,
        };
        value.ok_or_else(|| refused("The values of its steps are no longer kept: export a task before it has ended."))
    }

    /// Refuses a task whose input or steps may have a secret. The parameters themselves were never stored, so there is
    /// nothing to compare with.
    fn check_no_secrets(&self, task: &Task) -> Result<()> {
        let extension = self.platform.node.registry.extension(&task.app_id);
        let function = extension.and_then(|extension| extension.function(&task.function));
        match function {
            Some(function) if !has_secrets(&params_schema(function)) => Ok(()),
            Some(function) => Err(refused(format!(
                "`{}` takes secret (`writeOnly`) parameters: the input and the steps of its tasks may have them, so they \
                 are not exported.",
                function.name
            ))),
            None => Err(refused(format!(
                "This program does not have the function `{}`, so whether its tasks have secrets is not known.",
                task.function
            ))),
        }
    }
}

fn refused(why: impl Into<String>) -> Error {
    Error::user(codes::NOT_EXPORTABLE, format!("The task cannot be exported. {}", why.into()))
}
