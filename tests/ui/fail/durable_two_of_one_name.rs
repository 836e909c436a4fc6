//! Two durable tasks of one name in two modules of a crate.

use imperal::prelude::*;

mod images {
    use super::*;

    /// Generates every image of a package.
    #[durable_task]
    pub async fn generate(_ctx: TaskContext, package: String) -> Result<ActionResult> {
        Ok(ActionResult::done(package))
    }
}

/// Generates every text of a package.
#[durable_task(name = "generate")]
async fn generate_texts(_ctx: TaskContext, package: String) -> Result<ActionResult> {
    Ok(ActionResult::done(package))
}

fn main() {}
