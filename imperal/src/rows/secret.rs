//! The secrets of users as the ledger stores them: sealed.

use jiff::Timestamp;

use super::{Fence, NewAudit, Owner};

/// Which secret of whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct SecretPlace {
    /// The user's tenant; empty for a secret of the app.
    pub tenant_id: String,
    /// The user; empty for a secret of the app.
    pub user_id: String,
    /// The extension.
    pub app_id: String,
    /// The name, unique within the extension.
    pub name: String,
}

impl SecretPlace {
    /// A secret of a user.
    pub fn of_user(owner: &Owner, app_id: &str, name: &str) -> Self {
        Self {
            tenant_id: owner.tenant_id.to_string(),
            user_id: owner.user_id.to_string(),
            app_id: app_id.to_owned(),
            name: name.to_owned(),
        }
    }

    /// A secret that all users of an extension share.
    pub fn of_app(app_id: &str, name: &str) -> Self {
        Self { tenant_id: String::new(), user_id: String::new(), app_id: app_id.to_owned(), name: name.to_owned() }
    }
}

/// A sealed value. What is in these bytes is the platform's business.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealedSecret {
    /// The master key that it is sealed with.
    pub key_id: String,
    /// Makes its own key of the master key.
    pub salt: Vec<u8>,
    /// Used once with its own key.
    pub nonce: Vec<u8>,
    /// The value, encrypted and authenticated.
    pub ciphertext: Vec<u8>,
}

impl SealedSecret {
    /// A sealed value with these parts.
    pub fn new(key_id: &str, salt: &[u8], nonce: &[u8], ciphertext: &[u8]) -> Self {
        Self { key_id: key_id.to_owned(), salt: salt.to_vec(), nonce: nonce.to_vec(), ciphertext: ciphertext.to_vec() }
    }
}

/// A stored secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredSecret {
    /// Which one.
    pub place: SecretPlace,
    /// 1, and one more with each write.
    pub version: u64,
    /// When its value was last set.
    pub set_at: Timestamp,
    /// Who set it: `user:anna`, `extension:notes`.
    pub set_by: String,
    /// Its value.
    pub sealed: SealedSecret,
}

impl StoredSecret {
    /// A stored secret with these parts.
    pub fn new(place: SecretPlace, version: u64, set_at: Timestamp, set_by: String, sealed: SealedSecret) -> Self {
        Self { place, version, set_at, set_by, sealed }
    }
}

/// A value to store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewSecret {
    /// Which secret.
    pub place: SecretPlace,
    /// The version that it becomes: one more than the stored one, 1 if none is stored.
    pub version: u64,
    /// The value.
    pub sealed: SealedSecret,
    /// Who sets it. `None` when the value stays the same and is only sealed again.
    pub set_by: Option<String>,
}

impl NewSecret {
    /// A value to store under a version.
    pub fn new(place: SecretPlace, version: u64, sealed: SealedSecret, set_by: Option<String>) -> Self {
        Self { place, version, sealed, set_by }
    }
}

/// The right to write a secret, and what is noted about it.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SecretWrite {
    /// The work that writes; `None` for a person, whose right the caller has checked.
    pub fence: Option<Fence>,
    /// The audit row.
    pub audit: Option<NewAudit>,
}

impl SecretWrite {
    /// A write of work, or of a person.
    pub fn new(fence: Option<Fence>, audit: Option<NewAudit>) -> Self {
        Self { fence, audit }
    }
}
