//! Master keys: how they are written, made and told apart.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Bytes of a master key.
const BYTES: usize = 32;
/// Bytes of a check value.
const CHECK_BYTES: usize = 16;
/// Longest id of a key.
const LONGEST_ID: usize = 32;

/// The master keys that secrets are sealed with. The first one seals, all of them open.
///
/// Written as `ID:KEY`, several of them separated by blanks, commas or line ends: the id has up to 32 of `a-z`, `0-9`,
/// `-` and `_`, the key is 32 random bytes in base64. Lines that begin with `#` are comments.
///
/// ```
/// use imperal::platform::SecretKeys;
///
/// let line = SecretKeys::generate("2026-01")?;
/// let keys = SecretKeys::parse(&format!("# since January\n{line}\n"))?;
/// assert_eq!(keys.ids().collect::<Vec<_>>(), ["2026-01"]);
/// assert!(SecretKeys::parse("2026-01:c2hvcnQ=").is_err());
/// # Ok::<(), imperal::platform::KeysError>(())
/// ```
#[derive(Clone)]
pub struct SecretKeys(Arc<[MasterKey]>);

pub(super) struct MasterKey {
    id: String,
    bytes: Zeroizing<[u8; BYTES]>,
}

/// Why keys cannot be used. No part of a key is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysError(String);

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeysError {}

impl KeysError {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn none() -> Self {
        Self("there is no key: write `ID:KEY`, as `secret new-key` prints one".to_owned())
    }
}

impl SecretKeys {
    /// Reads keys.
    ///
    /// # Errors
    /// No key; a key of another form or length; an id twice.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let entries = lines.flat_map(|line| line.split(|c: char| c == ',' || c.is_whitespace()));
        let mut keys = Vec::new();
        let mut ids = HashSet::new();
        for (number, entry) in (1..).zip(entries.filter(|entry| !entry.is_empty())) {
            let key = MasterKey::parse(entry).map_err(|why| KeysError(format!("key {number} {why}")))?;
            if !ids.insert(key.id.clone()) {
                return Err(KeysError(format!("two keys have the id `{}`: give each its own", key.id)));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(KeysError::none());
        }
        Ok(Self(keys.into()))
    }

    /// A new key under an id, in the form that [`parse`](Self::parse) reads.
    ///
    /// # Errors
    /// An id of another form; a system without random numbers.
    pub fn generate(id: &str) -> Result<String, KeysError> {
        if !is_id(id) {
            return Err(KeysError(format!("invalid id `{id}`: {ID_FORM}")));
        }
        let mut bytes = Zeroizing::new([0; BYTES]);
        random(&mut *bytes)?;
        Ok(format!("{id}:{}", STANDARD.encode(*bytes)))
    }

    /// A key that exists in this process only, for tests.
    #[cfg(test)]
    pub(crate) fn ephemeral() -> Result<Self, KeysError> {
        Self::parse(&Self::generate("test")?)
    }

    /// The one key of this process, for platforms under test that share a ledger.
    #[cfg(feature = "testing")]
    pub(crate) fn of_tests() -> Option<Self> {
        static KEYS: std::sync::LazyLock<Option<SecretKeys>> =
            std::sync::LazyLock::new(|| SecretKeys::generate("test").and_then(|key| SecretKeys::parse(&key)).ok());
        KEYS.clone()
    }

    /// The ids, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    /// The key that seals.
    pub(super) fn first(&self) -> Result<&MasterKey, KeysError> {
        self.0.first().ok_or_else(KeysError::none)
    }

    pub(super) fn find(&self, id: &str) -> Option<&MasterKey> {
        self.0.iter().find(|key| key.id == id)
    }

    /// Each key's id with a value that only this key has, and that tells nothing about it.
    pub(crate) fn checks(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        self.0.iter().map(|key| (key.id.as_str(), key.check()))
    }
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

const ID_FORM: &str = "use up to 32 of `a-z`, `0-9`, `-` and `_`";

fn is_id(id: &str) -> bool {
    let is_one = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(is_one)
}

/// Fills bytes from the system's generator.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), KeysError> {
    SystemRandom::new().fill(bytes).map_err(|_| KeysError("the system gives no random numbers".to_owned()))
}

impl MasterKey {
    fn parse(entry: &str) -> Result<Self, String> {
        let (id, key) = entry.split_once(':').ok_or("is not of the form `ID:KEY`, as `secret new-key` prints it")?;
        if !is_id(id) {
            return Err(format!("has an invalid id: {ID_FORM}"));
        }
        let bytes = STANDARD.decode(key).map(Zeroizing::new).map_err(|_| format!("(`{id}`) is not base64"))?;
        let bytes = <[u8; BYTES]>::try_from(bytes.as_slice()).map_err(|_| {
            format!("(`{id}`) has {} bytes instead of {BYTES}: `secret new-key` prints one", bytes.len())
        })?;
        Ok(Self { id: id.to_owned(), bytes: Zeroizing::new(bytes) })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The key from which those of single writes with this salt are derived.
    pub(super) fn derive(&self, salt: &[u8]) -> Prk {
        Salt::new(HKDF_SHA256, salt).extract(&*self.bytes)
    }

    fn check(&self) -> Vec<u8> {
        let mut check = vec![0; CHECK_BYTES];
        let prk = self.derive(b"imperal secret key check");
        // It fails for lengths of thousands of bytes only.
        let _ = prk.expand(&[self.id.as_bytes()], CheckLength).and_then(|okm| okm.fill(&mut check));
        check
    }
}

#[derive(Clone, Copy)]
struct CheckLength;

impl KeyType for CheckLength {
    fn len(&self) -> usize {
        CHECK_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_order_with_comments() {
        let (new, old) = (SecretKeys::generate("new").unwrap(), SecretKeys::generate("old").unwrap());
        for text in [format!("{new},{old}"), format!("# the newer\n{new}\r\n\n {old} ")] {
            assert_eq!(SecretKeys::parse(&text).unwrap().ids().collect::<Vec<_>>(), ["new", "old"]);
        }
    }

    #[test]
    fn faults_name_the_key_and_show_no_part_of_it() {
        let good = SecretKeys::generate("a").unwrap();
        for (text, wanted) in [
            (String::new(), "there is no key"),
            ("# only a comment".to_owned(), "there is no key"),
            ("abcdefgh".to_owned(), "key 1 is not of the form"),
            (format!("{good} B:abcdefgh"), "key 2 has an invalid id"),
            ("b:abcd$efgh".to_owned(), "key 1 (`b`) is not base64"),
            ("b:YWJjZGVmZ2g=".to_owned(), "key 1 (`b`) has 8 bytes instead of 32"),
            (format!("{good},{good}"), "two keys have the id `a`"),
        ] {
            let error = SecretKeys::parse(&text).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
            for part in ["abcd", "YWJj", good.split_once(':').unwrap().1] {
                assert!(!error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn check_values_tell_keys_apart() {
        let (one, other) = (SecretKeys::ephemeral().unwrap(), SecretKeys::ephemeral().unwrap());
        let check = |keys: &SecretKeys| keys.checks().next().unwrap().1;
        assert_eq!(check(&one), check(&one.clone()));
        assert_ne!(check(&one), check(&other));
        assert!(!format!("{one:?}").contains(':'), "{one:?}");
    }
}
