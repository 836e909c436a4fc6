//! The names of states and outcomes, as the API, the databases and the terminal write them.

use std::fmt;

/// A text that is none of a type's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownName {
    pub(super) kind: &'static str,
    pub(super) known: &'static [&'static str],
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {}; use {}", self.kind, self.known.join(", "))
    }
}

impl std::error::Error for UnknownName {}

/// Gives an enum its names, each in one place, with `as_str`, `Display` and `FromStr`.
macro_rules! named {
    ($type:ident, $kind:literal, { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// The name in the API and in the ledger.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::rows::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err($crate::rows::UnknownName { kind: $kind, known: &[$($name),*] }),
                }
            }
        }
    };
}
pub(super) use named;

#[cfg(test)]
mod tests {
    use super::super::{AuditOutcome, MsgType, Role, StepKind, TaskState, WaitsFor};

    #[test]
    fn names_are_those_of_the_api() {
        macro_rules! check {
            ($($value:expr),*) => {$(
                let json = serde_json::to_value($value).unwrap();
                assert_eq!(json, $value.as_str());
                assert_eq!(json.as_str().unwrap().parse(), Ok($value));
            )*};
        }
        check!(TaskState::Running, TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled);
        check!(TaskState::TimedOut, TaskState::Reclaimed, Role::User, Role::Bot);
        check!(TaskState::Queued, TaskState::Waiting, TaskState::Stuck, StepKind::Step, StepKind::Message);
        check!(WaitsFor::Process, WaitsFor::Retry, WaitsFor::Slot, WaitsFor::Version, WaitsFor::Time, WaitsFor::Answer);
        check!(AuditOutcome::Done, AuditOutcome::Refused, AuditOutcome::Critical);
        check!(MsgType::Response, MsgType::System, MsgType::ToolResult);
        let unknown = "ended".parse::<Role>().unwrap_err();
        assert_eq!(unknown.to_string(), "unknown role; use user, bot");
    }
}
