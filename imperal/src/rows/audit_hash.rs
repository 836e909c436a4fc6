//! The hash that links an audit row to the row before it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::NewAudit;

/// Replaces the previous hash in the hash of an owner's first row.
const FIRST: &[u8] = b"imperal audit chain 1";

/// SHA-256 of an audit row and all rows before it in its chain. As text, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct AuditHash([u8; 32]);

impl AuditHash {
    /// The hash of a row that follows `previous`; `None` for an owner's first row.
    pub fn of(previous: Option<&Self>, at: Timestamp, row: &NewAudit) -> Self {
        let NewAudit { tenant_id, user_id, actor, app_id, action, target, outcome, detail } = row;
        let outcome = outcome.as_str();
        let mut hash = Sha256::new();
        hash.update(previous.map_or(FIRST, |previous| previous.0.as_slice()));
        hash.update(at.as_microsecond().to_be_bytes());
        let texts = [Some(tenant_id), Some(user_id), Some(actor), app_id.as_ref(), Some(action), target.as_ref()];
        for text in texts.into_iter().map(|text| text.map(String::as_str)).chain([Some(outcome), detail.as_deref()]) {
            // Each text has its length before it, so that different rows never give the same bytes.
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            hash.update(length.to_be_bytes());
            hash.update(text.unwrap_or_default());
        }
        Self(hash.finalize().into())
    }

    /// A hash from its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::rows::AuditOutcome;

    fn row() -> NewAudit {
        NewAudit {
            tenant_id: "t".to_owned(),
            user_id: "anna".to_owned(),
            actor: "service".to_owned(),
            app_id: Some("app".to_owned()),
            action: "chat.inject".to_owned(),
            target: None,
            outcome: AuditOutcome::Done,
            detail: None,
        }
    }

    #[test]
    fn rows_that_differ_have_different_hashes() {
        let at = Timestamp::UNIX_EPOCH;
        let first = AuditHash::of(None, at, &row());
        let second = AuditHash::of(Some(&first), at, &row());
        let later = at.checked_add(jiff::Span::new().microseconds(1)).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let hashes = HashSet::from([
            first,
            second,
            AuditHash::of(None, later, &row()),
            AuditHash::of(None, at, &NewAudit { tenant_id: "tanna".to_owned(), user_id: String::new(), ..row() }),
            AuditHash::of(None, at, &NewAudit { actor: "user:anna".to_owned(), ..row() }),
            AuditHash::of(None, at, &NewAudit { app_id: None, ..row() }),
            AuditHash::of(None, at, &NewAudit { app_id: text(""), ..row() }),
            AuditHash::of(None, at, &NewAudit { app_id: None, target: text("app"), ..row() }),
            AuditHash::of(None, at, &NewAudit { outcome: AuditOutcome::Refused, ..row() }),
            AuditHash::of(None, at, &NewAudit { detail: text(""), ..row() }),
        ]);
        assert_eq!(hashes.len(), 10);
    }

    #[test]
    fn the_hash_of_a_row_never_changes() {
        let hash = AuditHash::of(None, Timestamp::UNIX_EPOCH, &row());
        assert_eq!(hash.to_string(), "a6073ed8f238806e21a609bd014b52b09380eacebf7575bdab7061c3252e655f");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for odd in ["", "é", &"g".repeat(64), &"é".repeat(32)] {
            assert!(odd.parse::<AuditHash>().is_err(), "{odd}");
        }
    }
}
