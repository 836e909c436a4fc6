//! Identifiers: one newtype each, so that the compiler tells a call from a task.
//!
//! Ids are version 7 UUIDs: sortable by time, with 74 random bits. The ids of calls and messages under an
//! idempotency key are the exception: they are hashes of the key. An id grants no access: every use is checked
//! against the owner.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The first half of an id that names a row by its number: "damage", and version 8.
#[cfg(feature = "platform")]
const ROW_MARK: u64 = 0x6461_6d61_6765_8000;
/// The bits of the second half that hold the number; the others are the UUID's variant.
#[cfg(feature = "platform")]
const ROW_BITS: u64 = u64::MAX >> 2;
#[cfg(feature = "platform")]
const ROW_VARIANT: u64 = 1 << 63;

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

            /// Eight random bits of a generated id.
            #[allow(dead_code, reason = "one kind of id is enough")]
            pub(crate) fn low_byte(self) -> u8 {
                self.0.as_bytes()[15]
            }

            /// An id that is the same for the same hash.
            #[allow(dead_code, reason = "not every kind of id is derived")]
            pub(crate) fn derived(hash: &[u8; 32]) -> Self {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&hash[..16]);
                Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
            }

            /// Names a stored row whose own id cannot be read, by the row's number.
            #[cfg(feature = "platform")]
            #[allow(dead_code, reason = "not every kind of row is named by its number")]
            pub(crate) fn of_row(row: i64) -> Self {
                Self(Uuid::from_u64_pair(ROW_MARK, (row.cast_unsigned() & ROW_BITS) | ROW_VARIANT))
            }

            /// The row that [`Self::of_row`] names.
            #[cfg(feature = "platform")]
            #[allow(dead_code, reason = "not every kind of row is looked up by its number")]
            pub(crate) fn row(self) -> Option<i64> {
                let (mark, row) = self.0.as_u64_pair();
                (mark == ROW_MARK).then_some((row & ROW_BITS).cast_signed())
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
id! {
    /// A question that a durable task asks its user.
    QuestionId
}
id! {
    /// A function that runs for its user at times.
    ScheduleId
}
id! {
    /// A file of a user's extension.
    FileId
}
id! {
    /// A text that running work writes piece by piece.
    DraftId
}

/// An idempotency key: requests with the same key run once. 1 to 255 characters from `!` to `~`.
///
/// Keys of different users and of different extensions are independent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestKey(String);

/// The text cannot be a [`RequestKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadRequestKey;

impl fmt::Display for BadRequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key is 1 to 255 characters from `!` to `~`; a UUID is one")
    }
}

impl std::error::Error for BadRequestKey {}

impl FromStr for RequestKey {
    type Err = BadRequestKey;

    fn from_str(text: &str) -> std::result::Result<Self, BadRequestKey> {
        let is_key = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key { Ok(Self(text.to_owned())) } else { Err(BadRequestKey) }
    }
}

impl RequestKey {
    /// A new one.
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// The key as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RequestKey {
    /// The same id for the same key on every node, so that a ledger accepts it once.
    fn id(&self, what: &str, tenant_id: &str, user_id: &str, app_id: &str) -> Uuid {
        let mut hash = Sha256::new();
        for part in [what, tenant_id, user_id, app_id, &self.0] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// The id of the call that this user asks of this extension under the key.
    pub(crate) fn call(&self, tenant_id: &str, user_id: &str, app_id: &str) -> CallId {
        CallId(self.id("imperal call 1", tenant_id, user_id, app_id))
    }

    /// The id of the message that a service puts into this user's chat for this extension under the key.
    pub(crate) fn message(&self, tenant_id: &str, user_id: &str, app_id: &str) -> TurnId {
        TurnId(self.id("imperal message 1", tenant_id, user_id, app_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_under_a_key_differ_by_user_and_extension() {
        let key: RequestKey = "k".parse().unwrap();
        let call = key.call("t", "anna", "app");
        assert_eq!(call, key.call("t", "anna", "app"));
        let others = [("t", "ben", "app"), ("u", "anna", "app"), ("t", "anna", "ap"), ("tan", "na", "app")];
        assert!(others.iter().all(|(tenant, user, app)| key.call(tenant, user, app) != call));
        assert_eq!(call.0.get_version_num(), 8);
        assert_ne!(key.message("t", "anna", "app").0, call.0);
    }

    #[test]
    fn rejects_invalid_request_keys() {
        let longest = "k".repeat(255);
        for good in ["k", "~!", &longest, RequestKey::generate().as_str()] {
            assert_eq!(good.parse::<RequestKey>().unwrap().as_str(), good);
        }
        let longer = "k".repeat(256);
        for bad in ["", " ", "a b", "k\n", "schl\u{fc}ssel", &longer] {
            assert_eq!(bad.parse::<RequestKey>(), Err(BadRequestKey), "{bad:?}");
        }
    }
}
