//! The module of a durable task has the name of the task.

pub mod generate {
    use imperal::prelude::*;

    /// Generates every image of a package.
    #[durable_task]
    pub async fn generate(_ctx: TaskContext, package: String) -> Result<ActionResult> {
        Ok(ActionResult::done(package))
    }
}

pub use generate::generate;

fn main() {}
