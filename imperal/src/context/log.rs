//! `ctx.log()`: log lines that name their call or task.

use std::fmt::{self, Display};

use super::Context;
use crate::secrets::SecretsInUse;

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

/// A message without the values of secrets.
struct Screened<'a, M>(&'a SecretsInUse, M);

impl<M: Display> Display for Screened<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return self.1.fmt(f);
        }
        f.write_str(&self.0.replace(&self.1.to_string()))
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
                let message = Screened(&origin.secrets, message);
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
