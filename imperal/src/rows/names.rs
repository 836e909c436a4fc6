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
    use std::fmt::Debug;
    use std::str::FromStr;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::super::{
        AttemptEnding, AuditOutcome, MsgType, QuestionState, Role, StepKind, TaskState, UnknownName, WaitsFor,
    };

    /// Checks all names of a type: an unknown name lists them.
    fn check<T>(names: &[&str])
    where
        T: FromStr<Err = UnknownName> + ToString + Serialize + DeserializeOwned + PartialEq + Debug,
    {
        let known = "no such name".parse::<T>().unwrap_err().known;
        assert_eq!(known, names, "rows that are stored already have the earlier names");
        for name in names {
            let value: T = name.parse().unwrap();
            assert_eq!(value.to_string(), *name);
            assert_eq!(serde_json::to_value(&value).unwrap(), *name);
            assert_eq!(serde_json::from_value::<T>((*name).into()).unwrap(), value);
        }
    }

    #[test]
    fn names_are_those_of_the_api_and_of_stored_rows() {
        check::<TaskState>(&[
            "running",
            "queued",
            "waiting",
            "stuck",
            "succeeded",
            "failed",
            "cancelled",
            "timed_out",
            "reclaimed",
        ]);
        check::<WaitsFor>(&["process", "retry", "slot", "version", "time", "answer", "paused"]);
        check::<StepKind>(&["step", "message", "sleep", "question", "intent", "effect", "not_done"]);
        check::<QuestionState>(&["open", "answered", "expired", "withdrawn"]);
        check::<AttemptEnding>(&["parked", "handed_over", "refused", "crashed", "drained", "left", "outcome"]);
        check::<Role>(&["user", "bot"]);
        check::<MsgType>(&["response", "system", "tool_result"]);
        check::<AuditOutcome>(&["done", "refused", "critical"]);
    }

    #[test]
    fn unknown_name_lists_the_known_ones() {
        let unknown = "ended".parse::<Role>().unwrap_err();
        assert_eq!(unknown.to_string(), "unknown role; use user, bot");
    }
}
