//! Settings that change the rules, as in the reference SDK: the origin of the manifest, and environment
//! variables.

/// The source of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The code of an extension in Rust.
    Code,
    /// A file of any extension.
    File,
}

/// Settings from environment variables.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// `IMPERAL_VALIDATOR_V23_SEVERITY=warn`
    pub(super) v23_warns: bool,
    /// `IMPERAL_AUTHOR_ID`
    pub(super) author: String,
    /// `IMPERAL_FIRSTPARTY_AUTHOR_IDS`, separated by commas.
    first_party: Vec<String>,
}

impl Environment {
    pub(super) fn read() -> Self {
        let read = |name: &str| std::env::var(name).unwrap_or_default().trim().to_owned();
        Self {
            v23_warns: read("IMPERAL_VALIDATOR_V23_SEVERITY").eq_ignore_ascii_case("warn"),
            author: read("IMPERAL_AUTHOR_ID"),
            first_party: read("IMPERAL_FIRSTPARTY_AUTHOR_IDS")
                .split(',')
                .map(|author| author.trim().to_owned())
                .filter(|author| !author.is_empty())
                .collect(),
        }
    }

    /// Whether the author is known and not first-party. `false` unless both variables are set.
    pub(super) fn is_third_party(&self) -> bool {
        !self.author.is_empty() && !self.first_party.is_empty() && !self.first_party.contains(&self.author)
    }
}
