//! The hash that links an audit row to the row before it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::NewAudit;

/// What the hash of a first row covers in the place of the one before it.
const FIRST: &[u8] = b"imperal audit chain 1";

/// SHA-256 of an audit row and of all before it in its chain. As text, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct AuditHash([u8; 32]);

impl AuditHash {
    /// The hash of a row that follows `previous`, or is its owner's first.
    pub fn of(previous: Option<&Self>, at: Timestamp, row: &NewAudit) -> Self {
        let NewAudit { tenant_id, user_id, actor, app_id, action, target, outcome, detail } = row;
        let outcome = outcome.as_str();
        let mut hash = Sha256::new();
        hash.update(previous.map_or(FIRST, |previous| previous.0.as_slice()));
        hash.update(at.as_microsecond().to_be_bytes());
        let texts = [Some(tenant_id), Some(user_id), Some(actor), app_id.as_ref(), Some(action), target.as_ref()];
        for text in texts.into_iter().map(|text| text.map(String::as_str)).chain([Some(outcome), detail.as_deref()]) {
            // A length before each text, so that no two rows read the same.
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            hash.update(length.to_be_bytes());
            hash.update(text.unwrap_or_default());
        }
        Self(hash.finalize().into())
    }

    /// From its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<AuditHash> for String {
    fn from(hash: AuditHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for AuditHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for AuditHash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "a hash has 64 hexadecimal digits";
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(WANTED);
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| WANTED)?;
        }
        Ok(Self(bytes))
    }
}
