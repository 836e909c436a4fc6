//! Why a command failed, and its exit code.

use std::process::ExitCode;

/// A sentence for the person at the terminal, and a way out where the sentence has none.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) text: String,
    pub(crate) hint: Option<String>,
    code: u8,
}

impl CommandError {
    /// Exit code 1: the command failed.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None, code: 1 }
    }

    /// Exit code 2: the command line is wrong.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { code: 2, ..Self::new(text) }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into().or(self.hint);
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        self.code.into()
    }
}

impl<E: std::error::Error> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// "did you mean `x`?", if one of the candidates is close to the written word.
pub(crate) fn suggestion<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    imperal_manifest::did_you_mean(written, candidates).map(|suggestion| format!("did you mean `{suggestion}`?"))
}
