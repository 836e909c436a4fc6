//! Identifiers: one newtype each, so that a call is never taken for a task.
//!
//! All are version 7 UUIDs: sortable by time, 74 random bits, not guessable; save a call under a key,
//! whose id is made from that. They are names and not keys: every use is checked against the owner.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
#[cfg(feature = "runtime")]
use sha2::{Digest, Sha256};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        #[schemars(with = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, later in order than every earlier one of this process.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
    };
}

id! {
    /// One invocation of a chat function by a user.
    CallId
}
id! {
    /// One message in a user's chat.
    TurnId
}
id! {
    /// Work that a handler detached with `ctx.background_task`.
    TaskId
}

/// What its caller calls a call, so that asking twice is asking once: 1 to 255 characters from `!` to `~`.
///
/// Keys of different users, and of different extensions, have nothing to do with one another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallKey(String);

/// The text is no [`CallKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadCallKey;

impl fmt::Display for BadCallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key is 1 to 255 characters from `!` to `~`; a UUID is one")
    }
}

impl std::error::Error for BadCallKey {}

impl FromStr for CallKey {
    type Err = BadCallKey;

    fn from_str(text: &str) -> std::result::Result<Self, BadCallKey> {
        let is_key = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key { Ok(Self(text.to_owned())) } else { Err(BadCallKey) }
    }
}

impl CallKey {
    /// A new one.
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// The key as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(feature = "runtime")]
impl CallId {
    /// The id of the call that this user asks of this extension under this key: the same whenever and
    /// wherever it is asked, so that a ledger takes it once.
    pub(crate) fn under(tenant_id: &str, user_id: &str, app_id: &str, key: &CallKey) -> Self {
        let mut hash = Sha256::new_with_prefix("imperal call 1");
        for part in [tenant_id, user_id, app_id, key.as_str()] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "runtime")]
    #[test]
    fn a_call_under_a_key_is_its_users_and_its_extensions() {
        let key: CallKey = "k".parse().unwrap();
        let id = |tenant, user, app| CallId::under(tenant, user, app, &key);
        assert_eq!(id("t", "anna", "app"), id("t", "anna", "app"));
        let others = [id("t", "ben", "app"), id("u", "anna", "app"), id("t", "anna", "ap"), id("tan", "na", "app")];
        assert!(others.iter().all(|other| *other != id("t", "anna", "app")), "{others:?}");
        assert_eq!(id("t", "anna", "app").0.get_version_num(), 8);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let longest = "k".repeat(255);
        for good in ["k", "~!", &longest, CallKey::generate().as_str()] {
            assert_eq!(good.parse::<CallKey>().unwrap().as_str(), good);
        }
        let longer = "k".repeat(256);
        for bad in ["", " ", "a b", "k\n", "schl\u{fc}ssel", &longer] {
            assert_eq!(bad.parse::<CallKey>(), Err(BadCallKey), "{bad:?}");
        }
    }
}
