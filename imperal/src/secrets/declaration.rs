//! [`Secret`]: everything that an extension says about one of its secrets, in a constant.
//!
//! The builder is made of `const fn`s, so a name or a limit that no manifest allows is a compile error at the constant.

/// Most bytes of a value, unless [`Secret::max_bytes`] says otherwise.
const DEFAULT_MAX_BYTES: u32 = 4096;
/// The largest limit that a manifest allows.
const LARGEST: u32 = 65_536;
/// Begins the names of variables that [`Secret::env_fallback`] may read.
const VARIABLES: &str = "IMPERAL_APPSECRET_";

/// A secret that an extension needs: an API key, a token, a password.
///
/// Declare it as a constant, list it in `extension!`, and read it with
/// [`Context::secret`](crate::Context::secret). Users enter its value on the page's settings; it is stored encrypted.
///
/// ```
/// use imperal::{Secret, SecretWriter};
///
/// const API_KEY: Secret = Secret::new("pagespeed_api_key", "Key of the PageSpeed API: console.cloud.google.com")
///     .required()
///     .max_bytes(200);
/// const REFRESH_TOKEN: Secret = Secret::new("refresh_token", "Token that the service gave after the sign-in.")
///     .written_by(SecretWriter::Extension)
///     .rotate_after_days(30);
///
/// imperal::extension! {
///     app_id: "page-speed",
///     name: "Page speed",
///     description: "Measures how fast pages load, by the PageSpeed API of Google.",
///     icon: "icon.svg",
///     capabilities: ["page-speed:read"],
///     secrets: [API_KEY, REFRESH_TOKEN],
/// }
/// # fn main() {}
/// ```
///
/// A mistake in a declaration does not compile:
///
/// ```compile_fail
/// const KEY: imperal::Secret = imperal::Secret::new("API-Key", "Key of the service.");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    name: &'static str,
    description: &'static str,
    required: bool,
    writer: SecretWriter,
    max_bytes: u32,
    rotation_hint_days: Option<u32>,
    scope: SecretScope,
    env_fallback: Option<&'static str>,
}

/// Whom a value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the manifest has these two")]
pub enum SecretScope {
    /// Each user has a value of their own.
    User,
    /// One value for all users, which an operator enters.
    App,
}

/// Who may enter, replace and remove a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the manifest has these three")]
pub enum SecretWriter {
    /// The user alone: on the page, by HTTP, in the terminal.
    User,
    /// The extension alone, with [`Context::set_secret`](crate::Context::set_secret).
    Extension,
    /// Both.
    Both,
}

impl Secret {
    /// A secret of each user, which the user enters. `description` is for the person who enters the value: what it is
    /// and where to get it.
    ///
    /// The name has up to 63 lower-case letters, digits and `_`, a letter first.
    ///
    /// # Panics
    /// A name of another form or an empty description. In a constant this is a compile error, as are the other panics of
    /// this type.
    #[must_use]
    pub const fn new(name: &'static str, description: &'static str) -> Self {
        assert!(
            is_name(name),
            "invalid name of a secret: use up to 63 of `a-z`, `0-9` and `_`, a letter first, such as `api_key`"
        );
        assert!(
            !is_blank(description),
            "a secret needs a description: say what it is and where to get it, for the person who enters it"
        );
        Self {
            name,
            description,
            required: false,
            writer: SecretWriter::User,
            max_bytes: DEFAULT_MAX_BYTES,
            rotation_hint_days: None,
            scope: SecretScope::User,
            env_fallback: None,
        }
    }

    /// Says that the extension cannot work without it. The page asks for it; calls are not refused.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Who may write the value. Default: the user.
    ///
    /// # Panics
    /// For a secret of the app.
    #[must_use]
    pub const fn written_by(mut self, writer: SecretWriter) -> Self {
        assert!(
            matches!((self.scope, writer), (SecretScope::User, _) | (_, SecretWriter::User)),
            "a secret of the app is entered by an operator: remove `written_by`"
        );
        self.writer = writer;
        self
    }

    /// Most bytes of a value: 1 to 65,536. Default: 4,096.
    ///
    /// # Panics
    /// A limit out of this range.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u32) -> Self {
        assert!(bytes >= 1 && bytes <= LARGEST, "`max_bytes` of a secret must be from 1 to 65536");
        self.max_bytes = bytes;
        self
    }

    /// The age of a value, in days, at which the page advises a new one.
    ///
    /// # Panics
    /// With 0 days.
    #[must_use]
    pub const fn rotate_after_days(mut self, days: u32) -> Self {
        assert!(days >= 1, "`rotate_after_days` of a secret must be at least 1");
        self.rotation_hint_days = Some(days);
        self
    }

    /// Makes it one value for all users, which an operator enters.
    ///
    /// # Panics
    /// When the extension may write it.
    #[must_use]
    pub const fn of_app(mut self) -> Self {
        assert!(
            matches!(self.writer, SecretWriter::User),
            "a secret of the app is entered by an operator: remove `written_by`"
        );
        self.scope = SecretScope::App;
        self
    }

    /// The environment variable that has the value as long as no operator has entered one. Its name begins with
    /// `IMPERAL_APPSECRET_`, and the secret is one [of the app](Self::of_app).
    ///
    /// # Panics
    /// For a secret of a user, or with another name.
    #[must_use]
    pub const fn env_fallback(mut self, variable: &'static str) -> Self {
        assert!(
            matches!(self.scope, SecretScope::App),
            "`env_fallback` is for a secret of the app: write `.of_app()` before it"
        );
        assert!(
            begins_with(variable, VARIABLES) && variable.len() > VARIABLES.len(),
            "the variable of `env_fallback` must begin with `IMPERAL_APPSECRET_`"
        );
        self.env_fallback = Some(variable);
        self
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it is, for the person who enters it.
    pub const fn description(&self) -> &'static str {
        self.description
    }

    /// Whether the extension cannot work without it.
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// Who may write it.
    pub const fn writer(&self) -> SecretWriter {
        self.writer
    }

    /// Most bytes of a value.
    pub const fn most_bytes(&self) -> u32 {
        self.max_bytes
    }

    /// The age at which a new value is advised, in days.
    pub const fn rotation_hint_days(&self) -> Option<u32> {
        self.rotation_hint_days
    }

    /// Whom a value belongs to.
    pub const fn scope(&self) -> SecretScope {
        self.scope
    }

    /// The variable of [`Secret::env_fallback`].
    pub const fn variable(&self) -> Option<&'static str> {
        self.env_fallback
    }
}

impl SecretScope {
    /// As the manifest writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::App => "app",
        }
    }
}

impl SecretWriter {
    /// As the manifest writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Extension => "extension",
            Self::Both => "both",
        }
    }

    /// Whether users may write it.
    pub(crate) const fn is_user(self) -> bool {
        matches!(self, Self::User | Self::Both)
    }

    /// Whether the extension may write it.
    pub(crate) const fn is_extension(self) -> bool {
        matches!(self, Self::Extension | Self::Both)
    }
}

/// Fails the compilation of an extension that lists two secrets of one name.
#[doc(hidden)]
pub const fn assert_distinct(secrets: &[Secret]) {
    let mut one = 0;
    while one < secrets.len() {
        let mut other = one + 1;
        while other < secrets.len() {
            assert!(
                !equal(secrets[one].name, secrets[other].name),
                "two secrets of this extension have one name: rename one, or list it once"
            );
            other += 1;
        }
        one += 1;
    }
}

const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > 63 || !bytes[0].is_ascii_lowercase() {
        return false;
    }
    let mut at = 1;
    while at < bytes.len() {
        if !(bytes[at].is_ascii_lowercase() || bytes[at].is_ascii_digit() || bytes[at] == b'_') {
            return false;
        }
        at += 1;
    }
    true
}

const fn is_blank(text: &str) -> bool {
    text.as_bytes().trim_ascii().is_empty()
}

const fn begins_with(text: &str, start: &str) -> bool {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    let mut at = 0;
    while at < start.len() {
        if at >= text.len() || text[at] != start[at] {
            return false;
        }
        at += 1;
    }
    true
}

const fn equal(one: &str, other: &str) -> bool {
    one.len() == other.len() && begins_with(one, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_of_the_manifest() {
        let long = "a".repeat(63);
        for name in ["a", "api_key", "k2", &long] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "_a", "2a", "API", "a-b", "ä", "a b", &"a".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    #[should_panic(expected = "two secrets of this extension have one name")]
    fn secrets_of_one_name_are_refused() {
        assert_distinct(&[Secret::new("a", "One."), Secret::new("b", "Two."), Secret::new("a", "Three.")]);
    }

    #[test]
    #[should_panic(expected = "must begin with `IMPERAL_APPSECRET_`")]
    fn any_other_variable_is_refused() {
        let _ = Secret::new("a", "One.").of_app().env_fallback("PATH");
    }

    #[test]
    #[should_panic(expected = "entered by an operator")]
    fn secret_of_the_app_has_no_other_writer() {
        let _ = Secret::new("a", "One.").written_by(SecretWriter::Both).of_app();
    }
}
