//! Secrets: sealed values of users and of extensions.

use std::future::Future;

use super::LedgerResult;
use crate::ledger::{NewSecret, Owner, SecretPlace, SecretWrite, StoredSecret};

/// Secrets, sealed by the platform. A ledger compares versions and opens nothing.
///
/// **Whose.** A [`SecretPlace`] names tenant, user, extension and name, and every method but
/// [`Secrets::secrets_under_other_keys`] reads and writes that one place, or those of one owner. A secret that all
/// users of an extension share has neither tenant nor user.
///
/// **Right.** A write with a fence is refused as every write of work: it must be held by the incarnation and belong to
/// the place's user. The caller checks the right of a person.
///
/// **Not an event.** Writing a secret makes no event, only the audit row that comes with it.
pub trait Secrets: Send + Sync {
    /// Stores a value, if the stored one has the version before: none for version 1. Returns whether it did; if not,
    /// there is no audit row either. The ledger stamps the time when the value was set, unless it stays the same.
    ///
    /// # Errors
    /// With a fence: `Fenced`; `NotFound`, also for another owner's work; `NotHolder`; `AlreadyReplied`, `AlreadyEnded`.
    fn put_secret(&self, write: SecretWrite, secret: NewSecret) -> impl Future<Output = LedgerResult<bool>> + Send;

    /// Removes a secret. Returns whether there was one; if not, there is no audit row either.
    ///
    /// # Errors
    /// As [`Secrets::put_secret`].
    fn remove_secret(&self, write: SecretWrite, place: SecretPlace) -> impl Future<Output = LedgerResult<bool>> + Send;

    /// One secret.
    fn find_secret(&self, place: &SecretPlace) -> impl Future<Output = LedgerResult<Option<StoredSecret>>> + Send;

    /// The secrets of an owner, by extension and name. Those of extensions have an owner without tenant and user.
    fn secrets_of(&self, owner: &Owner) -> impl Future<Output = LedgerResult<Vec<StoredSecret>>> + Send;

    /// Secrets of all owners that are sealed with another key than this one, after a place, in the order of places.
    fn secrets_under_other_keys(
        &self,
        key_id: &str,
        after: Option<SecretPlace>,
        limit: u32,
    ) -> impl Future<Output = LedgerResult<Vec<StoredSecret>>> + Send;

    /// Stores a value under a name for all nodes, unless the name has one. Returns the stored one.
    fn note_fact(&self, name: &str, value: &[u8]) -> impl Future<Output = LedgerResult<Vec<u8>>> + Send;
}
