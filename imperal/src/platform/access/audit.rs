//! The audit trail: reading it, checking it, and writing refusals.

use super::Access;
use super::reads::PAGE_ROWS;
use crate::codes;
use crate::error::Error;
use crate::ledger::{AuditCheck, AuditFilter, AuditOutcome, AuditRow, AuditScope, NewAudit, Page, PageLimit};
use crate::panic_text::log_excerpt;
use crate::platform::Platform;
use crate::platform::ledger_errors::{unavailable, unreadable};
use crate::result::Result;

impl Platform {
    /// Audit rows in order.
    pub(crate) async fn audit_rows(&self, scope: AuditScope, after: u64, limit: u32) -> Result<Page<AuditRow>> {
        let filter = AuditFilter { scope, after, limit: PageLimit::rows(limit.min(PAGE_ROWS)) };
        self.node.ledger.audit_rows(filter).await.map_err(|error| unreadable(&error))
    }

    /// Checks whether audit rows were changed or removed.
    pub(crate) async fn check_audit(&self, scope: AuditScope) -> Result<AuditCheck> {
        AuditCheck::run(&*self.node.ledger, scope).await.map_err(|error| unreadable(&error))
    }

    /// Writes a refusal. When the actor was refused too often lately, the refusal is only counted.
    pub(in crate::platform) async fn audit_refusal(&self, row: NewAudit) -> Result<()> {
        let Some(row) = self.node.refusals.admit(row) else {
            self.node.meters.refusals_only_counted.inc();
            return Ok(());
        };
        // Callers choose these texts, up to the limit of a body.
        let [target, detail] = [&row.target, &row.detail].map(|text| text.as_deref().map(log_excerpt));
        tracing::warn!(actor = log_excerpt(&row.actor), action = row.action, target, detail, "refused");
        self.node.ledger.write_audit(row).await.map_err(|error| unavailable(&error))
    }
}

impl Access {
    /// The user's own audit rows.
    pub async fn audit(&self, after: u64, limit: u32) -> Result<Page<AuditRow>> {
        self.audit_in(AuditScope::Owner(self.owner.clone()), after, limit).await
    }

    /// Audit rows of a wider scope, for a user who may see them.
    pub(crate) async fn audit_in(&self, scope: AuditScope, after: u64, limit: u32) -> Result<Page<AuditRow>> {
        let _permit = self.read_permit().await;
        self.platform.audit_rows(scope, after, limit).await
    }

    /// Checks whether the user's audit rows were changed or removed.
    pub async fn check_audit(&self) -> Result<AuditCheck> {
        self.check_audit_in(AuditScope::Owner(self.owner.clone())).await
    }

    /// The same for a wider scope. It reads page after page and keeps one of the user's concurrent reads until
    /// its end.
    pub(crate) async fn check_audit_in(&self, scope: AuditScope) -> Result<AuditCheck> {
        let _permit = self.read_permit().await;
        self.platform.check_audit(scope).await
    }

    /// Audits that the user tried what only a service may do. Returns the error for the user.
    #[cfg(feature = "platform")]
    pub(crate) async fn refuse_injection(&self, target: &str) -> Error {
        self.refuse("chat.inject", target, "Only a service may put a message into a chat.").await
    }

    /// Audits that the user tried what only the terminal on this machine may do. Returns the error for the user.
    #[cfg(feature = "platform")]
    pub(crate) async fn refuse_link(&self) -> Error {
        self.refuse("page.link", &self.owner.user_id, "Only the `link` command on this machine makes links.").await
    }

    /// Audits a refusal and returns it; when the audit row cannot be written, returns that error instead.
    pub(super) async fn refuse(&self, action: &str, target: &str, why: &str) -> Error {
        let row = self.audit_row(action, target.to_owned(), AuditOutcome::Refused);
        match self.platform.audit_refusal(row).await {
            Ok(()) => Error::user(codes::PERMISSION_DENIED, why),
            Err(unwritten) => unwritten,
        }
    }

    pub(super) fn audit_row(&self, action: &str, target: String, outcome: AuditOutcome) -> NewAudit {
        NewAudit {
            tenant_id: self.owner.tenant_id.to_string(),
            user_id: self.owner.user_id.to_string(),
            actor: self.actor.clone(),
            app_id: None,
            action: action.to_owned(),
            target: Some(target),
            outcome,
            detail: None,
        }
    }
}
