//! `ctx.log()`: log lines that name their call or task.

use std::fmt::Display;

use super::Context;

/// Writes to the process's `tracing` log, target `extension`, with app, function, call, task and
/// user on every line. Never reaches the chat. A resumed durable task writes nothing until it has passed its
/// stored steps.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a>(&'a Context);

impl Context {
    /// The log of this call or task.
    pub fn log(&self) -> Log<'_> {
        Log(self)
    }
}

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident)*) => {
        impl Log<'_> {
            $($(#[$doc])*
            pub fn $name(self, message: impl Display) {
                if !self.0.is_live() {
                    return;
                }
                let origin = self.0.origin();
                tracing::$name!(
                    target: "extension",
                    app = origin.app_id,
                    function = origin.function,
                    call = %origin.call_id,
                    task = origin.task_id.map(tracing::field::display),
                    user = %origin.user.id,
                    "{message}"
                );
            })*
        }
    };
}

levels! {
    /// For following one run step by step.
    debug
    /// Information for an operator.
    info
    /// A problem that does not stop the work.
    warn
    /// A failure.
    error
}
