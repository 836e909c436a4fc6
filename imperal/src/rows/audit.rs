//! Rows of the audit trail.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::named;
use super::{AuditHash, Owner};

/// Whether an audited act was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
    /// The platform's contract was broken. An operator should look at it.
    Critical,
}

named!(AuditOutcome, "audit outcome", { Done = "done", Refused = "refused", Critical = "critical" });

/// The content of an audit row. The ledger adds number and time, see [`AuditRow`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct NewAudit {
    /// The tenant of the user whose chat or task the act touches.
    pub tenant_id: String,
    /// The user whose chat or task the act touches. A refused act is filed under its actor instead: the row says what
    /// the actor tried, and no row is added to the other user's trail.
    pub user_id: String,
    /// The actor: `user:ID`, `service`, `extension:APP` or `platform`.
    pub actor: String,
    /// The extension, if one is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The act: `chat.inject`, `task.cancel`, `task.read`, ..
    pub action: String,
    /// The target: a task or turn id, or a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether it was done.
    pub outcome: AuditOutcome,
    /// More details, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl NewAudit {
    /// An act on what belongs to `owner`, without an extension, a target or details.
    pub fn new(owner: &Owner, actor: impl Into<String>, action: impl Into<String>, outcome: AuditOutcome) -> Self {
        Self {
            tenant_id: owner.tenant_id.to_string(),
            user_id: owner.user_id.to_string(),
            actor: actor.into(),
            app_id: None,
            action: action.into(),
            target: None,
            outcome,
            detail: None,
        }
    }

    /// Sets the extension.
    #[must_use]
    pub fn app_id(self, app_id: impl Into<String>) -> Self {
        Self { app_id: Some(app_id.into()), ..self }
    }

    /// Sets the target.
    #[must_use]
    pub fn target(self, target: impl Into<String>) -> Self {
        Self { target: Some(target.into()), ..self }
    }

    /// Sets the details.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

/// One row of the audit trail. It never changes. Only retention removes it, which by default keeps all rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AuditRow {
    /// The number in the ledger; later rows have higher ones.
    pub audit_id: u64,
    /// The time.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The content.
    #[serde(flatten)]
    pub body: NewAudit,
    /// Links the row to the owner's row before it.
    pub hash: AuditHash,
}

impl AuditRow {
    /// A row from its parts, for backends.
    pub fn new(audit_id: u64, at: Timestamp, body: NewAudit, hash: AuditHash) -> Self {
        Self { audit_id, at, body, hash }
    }
}

/// The owners whose audit rows are read.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a backend that ignores a new scope must not compile")]
pub enum AuditScope {
    /// All owners in every tenant.
    #[default]
    All,
    /// All users of one tenant.
    Tenant(String),
    /// One owner.
    Owner(Owner),
}

impl AuditScope {
    /// Whether it includes an owner's rows.
    pub fn covers(&self, owner: &Owner) -> bool {
        match self {
            Self::All => true,
            Self::Tenant(tenant) => **tenant == *owner.tenant_id,
            Self::Owner(one) => one == owner,
        }
    }
}

impl From<Option<Owner>> for AuditScope {
    fn from(owner: Option<Owner>) -> Self {
        owner.map_or(Self::All, Self::Owner)
    }
}
