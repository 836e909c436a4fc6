//! Lines of the audit trail.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AuditHash, Owner};

/// Whether an audited act was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
    /// The platform's contract was broken; an operator should look.
    Critical,
}

impl AuditOutcome {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Critical => "critical",
        }
    }
}

/// What an audit row says. The ledger adds number and time, see [`AuditRow`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewAudit {
    /// Tenant of whoever the act touches.
    pub tenant_id: String,
    /// Whose chat or task the act touches. A refused act is filed under the actor: the row says
    /// what they tried, and the other user's rows stay their own.
    pub user_id: String,
    /// Who acted: `user:ID`, `service`, `extension:APP` or `platform`.
    pub actor: String,
    /// The extension, where one is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// What was done or tried: `chat.inject`, `task.cancel`, `task.read`, ..
    pub action: String,
    /// To what: a task or turn id, a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether it was done.
    pub outcome: AuditOutcome,
    /// More, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// One line of the audit trail. Never changed; removed by retention alone, and by default never.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRow {
    /// Its number in the ledger; later rows have higher ones.
    pub audit_id: u64,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub body: NewAudit,
    /// Links it to the owner's row before it.
    pub hash: AuditHash,
}

/// Whose audit rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum AuditScope {
    /// Everybody's, in every tenant.
    #[default]
    All,
    /// Those of one tenant's users.
    Tenant(String),
    /// One owner's.
    Owner(Owner),
}

impl AuditScope {
    /// Whether an owner's rows are among them.
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
