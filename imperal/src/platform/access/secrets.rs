//! Secrets as people see and enter them: whether they have a value, never the value.
//!
//! A user has their own. The scope `secrets:operate` lets an operator enter those of users of the same tenant,
//! `secrets:operate:all` those of all users and of extensions, and seal all of them again with the first key.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Access;
use crate::codes;
use crate::context::check_value;
use crate::error::Error;
use crate::function::Extension;
use crate::ledger::{AuditOutcome, NewAudit, NewSecret, Owner, SecretWrite, StoredSecret};
use crate::platform::ledger_errors::{unavailable, unreadable};
use crate::platform::secrets::{place, target_of, value_of_environment};
use crate::result::Result;
use crate::secrets::{Secret, SecretScope};

/// Secrets that one request seals again.
const MOST: usize = 1_000;
/// Secrets that are read at once.
const READ: u32 = 100;

/// Where the value of a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SecretStatus {
    /// None was entered.
    Missing,
    /// It is stored.
    Set,
    /// The stored one cannot be opened any more: it has to be entered again.
    Unreadable,
    /// The platform's environment has it.
    Environment,
}

/// A secret that an extension declares, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SecretState {
    /// The extension.
    pub app_id: String,
    /// The name.
    pub name: String,
    /// Its description, for the person who enters it.
    pub description: String,
    /// `user` for a value of each user, `app` for one of all users.
    pub scope: String,
    /// Whether the extension cannot work without it.
    pub required: bool,
    /// `user`, `extension` or `both`: who may enter it.
    pub write_mode: String,
    /// Most bytes of a value.
    pub max_bytes: u32,
    /// Whether there is a value.
    pub status: SecretStatus,
    /// Whether the caller may enter a value.
    pub writable: bool,
    /// When the value was entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub set_at: Option<Timestamp>,
    /// The person who entered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_by: Option<String>,
    /// The age of a value, in days, at which a new one is advised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_hint_days: Option<u32>,
    /// Whether the value has that age.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotation_due: bool,
}

/// The results of sealing secrets again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Rotation {
    /// The key that they are sealed with now: the first one of the node.
    pub key_id: String,
    /// How many were sealed again.
    pub sealed: u64,
    /// How many were changed meanwhile: seal them again with another request, if they are still under another key.
    pub changed: u64,
    /// How many cannot be opened: their key is gone, or they are damaged.
    pub unreadable: u64,
    /// There are more: send the request again.
    pub more: bool,
}

/// The secrets of one user, for the user or an operator. Made by [`Access::secrets`].
#[derive(Debug, Clone)]
pub struct SecretAccess {
    access: Access,
    owner: Owner,
    /// May enter those of extensions.
    may_enter_app: bool,
    actor: String,
}

impl Access {
    /// The user's own secrets.
    pub fn secrets(&self) -> SecretAccess {
        SecretAccess {
            access: self.clone(),
            owner: self.owner.clone(),
            may_enter_app: self.user.has_scope("secrets:operate:all"),
            actor: self.actor.clone(),
        }
    }

    /// The secrets of another user, for an operator.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, without the scope `secrets:operate` for the user's tenant, or
    /// `secrets:operate:all`.
    pub async fn secrets_of(&self, owner: Owner) -> Result<SecretAccess> {
        if owner == self.owner {
            return Ok(self.secrets());
        }
        let in_tenant = self.user.has_scope("secrets:operate") && owner.tenant_id == self.owner.tenant_id;
        if !in_tenant && !self.user.has_scope("secrets:operate:all") {
            let why =
                "These are another user's secrets: this needs the scope `secrets:operate` or `secrets:operate:all`.";
            return Err(self.refuse("secret.operate", &owner.user_id, why).await);
        }
        let actor = format!("operator:{}/{}", self.owner.tenant_id, self.owner.user_id);
        Ok(SecretAccess { owner, actor, ..self.secrets() })
    }

    /// Seals secrets of all users, that are sealed with another key, with the first key of this node; at most 1,000.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, without the scope `secrets:operate:all`; `UNAVAILABLE` when the ledger cannot be
    /// read or written, or this node has no keys.
    pub async fn rotate_secrets(&self) -> Result<Rotation> {
        if !self.user.has_scope("secrets:operate:all") {
            let why = "This concerns all users: it needs the scope `secrets:operate:all`.";
            return Err(self.refuse("secret.rotate", &self.owner.user_id, why).await);
        }
        let node = &self.platform.node;
        let Some(key_id) = node.settings.secret_keys.as_ref().and_then(|keys| keys.ids().next()) else {
            return Err(Error::platform(codes::UNAVAILABLE, "This platform has no keys for secrets."));
        };
        let mut done = Rotation { key_id: key_id.to_owned(), sealed: 0, changed: 0, unreadable: 0, more: false };
        let mut after = None;
        while !done.more {
            let page = self.ledger().secrets_under_other_keys(key_id, after, READ).await;
            let page = page.map_err(|error| unreadable(&error))?;
            let Some(last) = page.last() else { break };
            after = Some(last.place.clone());
            for stored in page {
                self.seal_again(&stored, &mut done).await?;
            }
            done.more = done.sealed >= MOST as u64;
        }
        let mut audit = self.audit_row("secret.rotate", key_id.to_owned(), AuditOutcome::Done);
        audit.detail = Some(format!("{} sealed again, {} cannot be opened", done.sealed, done.unreadable));
        if done.sealed > 0 {
            self.ledger().write_audit(audit).await.map_err(|error| unavailable(&error))?;
        }
        Ok(done)
    }

    async fn seal_again(&self, stored: &StoredSecret, done: &mut Rotation) -> Result<()> {
        let node = &self.platform.node;
        let Ok(value) = node.open_secret(stored) else {
            done.unreadable += 1;
            return Ok(());
        };
        let version = stored.version + 1;
        let sealed = node.seal_secret(&stored.place, version, &value);
        let sealed = sealed.map_err(|error| Error::platform(codes::UNAVAILABLE, error.to_string()))?;
        let again = NewSecret::new(stored.place.clone(), version, sealed, None);
        let written = self.ledger().put_secret(SecretWrite::default(), again).await;
        if written.map_err(|error| unavailable(&error))? {
            done.sealed += 1;
        } else {
            done.changed += 1;
        }
        Ok(())
    }
}

impl SecretAccess {
    /// All secrets that the extensions of this program declare, by extension.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot be read.
    pub async fn list(&self) -> Result<Vec<SecretState>> {
        let access = &self.access;
        let own = access.read(access.ledger().secrets_of(&self.owner)).await?;
        let shared = access.read(access.ledger().secrets_of(&Owner::new("", ""))).await?;
        let stored: Vec<StoredSecret> = own.into_iter().chain(shared).collect();
        let mut states = Vec::new();
        for extension in access.platform.registry().extensions() {
            for secret in extension.secrets() {
                let place = place(secret, &self.owner, extension.app_id());
                let stored = stored.iter().find(|stored| stored.place == place);
                states.push(self.state_of(extension, secret, stored));
            }
        }
        Ok(states)
    }

    /// One secret.
    ///
    /// # Errors
    /// `NOT_FOUND` for one that no extension declares; `UNAVAILABLE` when the ledger cannot be read.
    pub async fn find(&self, app_id: &str, name: &str) -> Result<SecretState> {
        let (extension, secret) = self.declared(app_id, name)?;
        let place = place(&secret, &self.owner, app_id);
        let stored = self.access.read(self.access.ledger().find_secret(&place)).await?;
        Ok(self.state_of(extension, &secret, stored.as_ref()))
    }

    /// Enters or replaces a value.
    ///
    /// # Errors
    /// `NOT_FOUND` for a secret that no extension declares; `PERMISSION_DENIED` for one that only the extension, or only
    /// an operator may enter; `VALIDATION_TYPE_ERROR` for an empty value and one that is too long; `UNAVAILABLE` when
    /// the ledger cannot write.
    pub async fn set(&self, app_id: &str, name: &str, value: &str) -> Result<SecretState> {
        let (_, secret) = self.declared(app_id, name)?;
        self.check_may_enter(app_id, &secret).await?;
        if !secret.writer().is_user() {
            let text = format!("`{app_id}` enters the secret `{name}` itself.");
            return Err(Error::user(codes::PERMISSION_DENIED, text));
        }
        check_value(&secret, value)?;
        let place = place(&secret, &self.owner, app_id);
        let write = SecretWrite::new(None, Some(self.audit("secret.set", app_id, &target_of(&place))));
        let node = &self.access.platform.node;
        node.set_secret(&place, &write, value, &self.actor).await.map_err(|error| unavailable(&error))?;
        self.find(app_id, name).await
    }

    /// Removes a value. Returns whether there was one. A user may remove what an extension has entered for them.
    ///
    /// # Errors
    /// As [`SecretAccess::set`].
    pub async fn remove(&self, app_id: &str, name: &str) -> Result<bool> {
        let (_, secret) = self.declared(app_id, name)?;
        self.check_may_enter(app_id, &secret).await?;
        let place = place(&secret, &self.owner, app_id);
        let write = SecretWrite::new(None, Some(self.audit("secret.remove", app_id, &target_of(&place))));
        self.access.ledger().remove_secret(write, place).await.map_err(|error| unavailable(&error))
    }

    fn declared(&self, app_id: &str, name: &str) -> Result<(&Extension, Secret)> {
        let extension = self.access.platform.registry().extension(app_id);
        let secret = self.access.platform.node.declared_secret(app_id, name);
        extension.zip(secret).ok_or_else(|| {
            Error::user(codes::NOT_FOUND, format!("There is no secret `{name}` of an extension `{app_id}` here."))
        })
    }

    async fn check_may_enter(&self, app_id: &str, secret: &Secret) -> Result<()> {
        if secret.scope() == SecretScope::User || self.may_enter_app {
            return Ok(());
        }
        let why = "All users share this secret: entering it needs the scope `secrets:operate:all`.";
        Err(self.access.refuse("secret.operate", &format!("{app_id}/{}", secret.name()), why).await)
    }

    /// The row of a change in the trail of the user whose secret it is; of the operator for one of an extension.
    fn audit(&self, action: &str, app_id: &str, target: &str) -> NewAudit {
        NewAudit {
            tenant_id: self.owner.tenant_id.to_string(),
            user_id: self.owner.user_id.to_string(),
            actor: self.actor.clone(),
            app_id: Some(app_id.to_owned()),
            ..self.access.audit_row(action, target.to_owned(), AuditOutcome::Done)
        }
    }

    fn state_of(&self, extension: &Extension, secret: &Secret, stored: Option<&StoredSecret>) -> SecretState {
        let status = match stored {
            Some(stored) if self.access.platform.node.open_secret(stored).is_ok() => SecretStatus::Set,
            Some(_) => SecretStatus::Unreadable,
            None if value_of_environment(secret).is_some() => SecretStatus::Environment,
            None => SecretStatus::Missing,
        };
        let is_shared = secret.scope() == SecretScope::App;
        let shown = stored.filter(|_| !is_shared || self.may_enter_app);
        let is_old = |stored: &StoredSecret, days: u32| {
            stored.set_at.duration_until(Timestamp::now()).as_hours() >= i64::from(days) * 24
        };
        SecretState {
            app_id: extension.app_id().to_owned(),
            name: secret.name().to_owned(),
            description: secret.description().to_owned(),
            scope: secret.scope().as_str().to_owned(),
            required: secret.is_required(),
            write_mode: secret.writer().as_str().to_owned(),
            max_bytes: secret.most_bytes(),
            status,
            writable: secret.writer().is_user() && (!is_shared || self.may_enter_app),
            set_at: shown.map(|stored| stored.set_at),
            set_by: shown.map(|stored| stored.set_by.clone()),
            rotation_hint_days: secret.rotation_hint_days(),
            rotation_due: stored.zip(secret.rotation_hint_days()).is_some_and(|(stored, days)| is_old(stored, days)),
        }
    }
}
