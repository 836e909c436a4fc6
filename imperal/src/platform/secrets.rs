//! The secrets of this node's work: opened for it, sealed for the ledger.
//!
//! The one place that has both the keys and the ledger. A value that cannot be opened any more, because its key is
//! gone or its row is damaged, is a value that has to be entered again.

use zeroize::Zeroizing;

use super::Node;
use super::error::PlatformError;
use super::ledger_errors::{unavailable, unreadable};
use super::messages::{self, WorkRef};
use crate::codes;
use crate::context::Origin;
use crate::error::Error;
use crate::function::Registry;
use crate::ledger::{AuditOutcome, Ledger, LedgerError, NewSecret, Owner, SecretPlace, SecretWrite, StoredSecret};
use crate::result::Result;
use crate::secrets::{Secret, SecretScope};
use crate::vault::{self, KeysError, SecretKeys, Unopened};

/// How often a write is tried that another writer comes before.
const TRIES: usize = 16;
/// No secret is written as often.
const MOST_VERSIONS: u64 = 1 << 53;
/// Secrets that are looked at when a node starts.
const LOOKED_AT: u32 = 100;

/// Refuses keys that the ledger knows under the same ids as others, and a program with secrets and without a key.
pub(super) async fn check_keys(
    ledger: &dyn Ledger,
    registry: &Registry,
    keys: Option<&SecretKeys>,
) -> std::result::Result<(), PlatformError> {
    let Some(declaring) = registry.extensions().find(|extension| !extension.secrets().is_empty()) else {
        return Ok(());
    };
    let Some(keys) = keys else {
        return Err(PlatformError::SecretKeys(format!(
            "the extension `{}` declares secrets, and there is no key to seal them with: set IMPERAL_SECRET_KEYS_FILE to \
             a file of keys, or IMPERAL_SECRET_KEYS to keys; `secret new-key` prints one. Keep it: without it users have \
             to enter their secrets again",
            declaring.app_id()
        )));
    };
    for (id, check) in keys.checks() {
        if ledger.note_fact(&format!("secret key {id}"), &check).await? != check {
            return Err(PlatformError::SecretKeys(format!(
                "the secret key `{id}` is not the one that this ledger knows under its id: give the right key, or give \
                 the new one another id"
            )));
        }
    }
    let first = keys.ids().next().unwrap_or_default();
    let others = ledger.secrets_under_other_keys(first, None, LOOKED_AT).await?;
    let unknown = |stored: &&StoredSecret| keys.ids().all(|id| id != stored.sealed.key_id);
    let gone = others.iter().filter(unknown).count();
    if gone > 0 {
        let known = keys.ids().collect::<Vec<_>>().join(", ");
        tracing::warn!(
            count = gone,
            known,
            "secrets are sealed with keys that this process does not have: their users have to enter them again, unless you add the keys"
        );
    }
    Ok(())
}

impl Node {
    /// The declaration of a secret.
    pub(super) fn declared_secret(&self, app_id: &str, name: &str) -> Option<Secret> {
        self.registry.extension(app_id)?.secrets().iter().find(|secret| secret.name() == name).copied()
    }

    pub(super) async fn read_secret(&self, origin: &Origin, secret: Secret) -> Result<Zeroizing<String>> {
        let place = self.place_of(origin, &secret)?;
        let found = match self.active.find(origin) {
            Some(work) if origin.task_id.is_some() => {
                self.insist(&work, "a secret", || self.ledger.find_secret(&place)).await
            }
            _ => self.ledger.find_secret(&place).await,
        };
        let why = match found.map_err(|error| unreadable(&error))? {
            None => match value_of_environment(&secret) {
                Some(value) => return Ok(value),
                None => None,
            },
            Some(stored) => match self.open_secret(&stored) {
                Ok(value) => return Ok(value),
                Err(why) => Some(why),
            },
        };
        if let Some(why) = &why {
            let (app, secret) = (origin.app_id, secret.name());
            tracing::warn!(app, secret, user = %origin.user.id, %why, "a secret cannot be opened: it has to be entered again");
        }
        Err(missing(origin.app_id, &secret, why.is_some()))
    }

    pub(super) async fn write_secret_of(
        &self,
        origin: &Origin,
        secret: Secret,
        value: Option<Zeroizing<String>>,
    ) -> Result<bool> {
        let place = self.place_of(origin, &secret)?;
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let action = if value.is_some() { "secret.set" } else { "secret.remove" };
        let mut audit = messages::audit(WorkRef::from(origin), action, AuditOutcome::Done);
        audit.target = Some(target_of(&place));
        let by = audit.actor.clone();
        let write = SecretWrite::new(Some(work.fence()), Some(audit));
        match value {
            Some(value) => self.set_secret(&place, &write, &value, &by).await.map(|()| true),
            None => self.ledger.remove_secret(write, place).await,
        }
        .map_err(|error| match error {
            LedgerError::Fenced
            | LedgerError::NotFound
            | LedgerError::NotHolder
            | LedgerError::AlreadyReplied
            | LedgerError::AlreadyEnded => {
                Error::cancelled().with_source(format!("the secret was not written: {error}"))
            }
            error => unavailable(&error),
        })
    }

    /// Where a secret of this work is stored.
    ///
    /// # Errors
    /// `INTERNAL` for a secret that the extension does not declare.
    fn place_of(&self, origin: &Origin, secret: &Secret) -> Result<SecretPlace> {
        let (app_id, name) = (origin.app_id, secret.name());
        if self.declared_secret(app_id, name).as_ref() != Some(secret) {
            return Err(Error::internal(format!(
                "the secret `{name}` is not one of the extension `{app_id}`: list its constant in `secrets: [..]` of \
                 `extension!`"
            )));
        }
        Ok(place(secret, &Owner::from(&origin.user), app_id))
    }

    pub(super) fn open_secret(&self, stored: &StoredSecret) -> std::result::Result<Zeroizing<String>, Unopened> {
        let Some(keys) = &self.settings.secret_keys else {
            return Err(Unopened::UnknownKey(stored.sealed.key_id.clone()));
        };
        vault::open(keys, &stored.place, stored.version, &stored.sealed)
    }

    /// Stores a value. Of several writers the last one wins. A write whose answer was lost is looked for, and made again
    /// if it is not there.
    pub(super) async fn set_secret(
        &self,
        place: &SecretPlace,
        write: &SecretWrite,
        value: &str,
        by: &str,
    ) -> std::result::Result<(), LedgerError> {
        let mut failure = LedgerError::Unavailable("others write the same secret all the time".to_owned());
        let mut unknown = Vec::new();
        for _ in 0..TRIES {
            let stored = self.ledger.find_secret(place).await?;
            if stored.as_ref().is_some_and(|stored| unknown.contains(&stored.sealed)) {
                return Ok(());
            }
            let version = stored.as_ref().map_or(0, |stored| stored.version);
            let mut version = version;
            if stored.is_some() && !(1..MOST_VERSIONS).contains(&version) {
                // A damaged number, which no write could follow.
                version = 0;
                let unnoted = SecretWrite::new(write.fence.clone(), None);
                self.ledger.remove_secret(unnoted, place.clone()).await?;
            }
            let sealed = self.seal_secret(place, version + 1, value).map_err(|error| unsealed(&error))?;
            let secret = NewSecret::new(place.clone(), version + 1, sealed.clone(), Some(by.to_owned()));
            match self.ledger.put_secret(write.clone(), secret).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error @ LedgerError::Indeterminate(_)) => {
                    unknown.push(sealed);
                    failure = error;
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure)
    }

    /// Seals a value with the first key.
    pub(super) fn seal_secret(
        &self,
        place: &SecretPlace,
        version: u64,
        value: &str,
    ) -> std::result::Result<crate::ledger::SealedSecret, KeysError> {
        match &self.settings.secret_keys {
            Some(keys) => vault::seal(keys, place, version, value),
            None => Err(KeysError::none()),
        }
    }
}

#[cfg(feature = "testing")]
impl super::Platform {
    /// Enters a value of a secret for a test, or removes it.
    pub(crate) async fn enter_secret(
        &self,
        secret: &Secret,
        owner: &Owner,
        value: Option<&str>,
    ) -> std::result::Result<(), String> {
        let place = self.place_in_test(secret, owner)?;
        let (node, write) = (&self.node, SecretWrite::default());
        let Some(value) = value else {
            return node.ledger.remove_secret(write, place).await.map(drop).map_err(|error| error.to_string());
        };
        crate::context::check_value(secret, value).map_err(|error| error.to_string())?;
        node.set_secret(&place, &write, value, "test").await.map_err(|error| error.to_string())
    }

    /// The stored value of a secret, for a test.
    pub(crate) async fn stored_secret(
        &self,
        secret: &Secret,
        owner: &Owner,
    ) -> std::result::Result<Option<String>, String> {
        let place = self.place_in_test(secret, owner)?;
        let found = self.node.ledger.find_secret(&place).await.map_err(|error| error.to_string())?;
        let opened = found.map(|stored| self.node.open_secret(&stored)).transpose();
        opened.map(|value| value.map(|value| value.to_string())).map_err(|why| why.to_string())
    }

    fn place_in_test(&self, secret: &Secret, owner: &Owner) -> std::result::Result<SecretPlace, String> {
        let name = secret.name();
        let is_app = owner.tenant_id.is_empty();
        if is_app != (secret.scope() == SecretScope::App) {
            let whose = if is_app { "a user" } else { "all users" };
            return Err(format!("the secret `{name}` is one of {whose}"));
        }
        let mut extensions = self.registry().extensions();
        let declaring = extensions.find(|extension| extension.secrets().contains(secret));
        let extension = declaring.ok_or_else(|| {
            format!(
                "no extension of this test declares the secret `{name}`: list it in `secrets: [..]` of `extension!`"
            )
        })?;
        Ok(place(secret, owner, extension.app_id()))
    }
}

/// Where a secret of an owner is stored.
pub(super) fn place(secret: &Secret, owner: &Owner, app_id: &str) -> SecretPlace {
    match secret.scope() {
        SecretScope::User => SecretPlace::of_user(owner, app_id, secret.name()),
        SecretScope::App => SecretPlace::of_app(app_id, secret.name()),
    }
}

/// A secret, as the audit trail names it.
pub(super) fn target_of(place: &SecretPlace) -> String {
    format!("{}/{}", place.app_id, place.name)
}

/// The value that an operator gave the process.
pub(super) fn value_of_environment(secret: &Secret) -> Option<Zeroizing<String>> {
    let value = std::env::var(secret.variable()?).ok()?;
    Some(Zeroizing::new(value)).filter(|value| !value.is_empty())
}

fn unsealed(error: &KeysError) -> LedgerError {
    LedgerError::Unavailable(format!("a secret cannot be sealed: {error}"))
}

/// The error for a secret without a value, or `again` with one that cannot be opened.
fn missing(app_id: &str, secret: &Secret, again: bool) -> Error {
    let name = secret.name();
    let why = if again { "whose stored value cannot be read any more" } else { "which has no value" };
    let what = format!("`{app_id}` needs the secret `{name}`, {why}.");
    let how = match (secret.scope(), secret.writer().is_user()) {
        (SecretScope::App, _) => format!("An operator enters it, with `secret set {name} --app {app_id}`."),
        (SecretScope::User, true) => "Enter it in the page's settings, under Secrets.".to_owned(),
        (SecretScope::User, false) => "Connect the service again: the extension enters it then.".to_owned(),
    };
    Error::user(codes::SECRET_MISSING, format!("{what} {how}")).with_field(name)
}
