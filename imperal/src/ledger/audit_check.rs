//! The check of the audit trail: whether a row was changed, removed or inserted afterwards.
//!
//! Reads each owner's rows in order, recomputes the [`AuditHash`] of every row from the one before,
//! and compares the last with the end of the chain that the ledger stores with the owner. The hashes
//! use no key: a person who can write the database can also recompute a whole chain, so an auditor
//! notes the ends in another place from time to time.

use std::collections::{HashMap, HashSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AuditFilter, AuditHash, AuditScope, ChainEnds, Ledger, LedgerError, NewAudit, Owner, PageLimit};

/// Rows read at once.
const PAGE: u32 = 500;

/// The result of checking an audit trail.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AuditCheck {
    /// Rows that were read.
    pub rows: u64,
    /// Users with rows among them.
    pub users: u64,
    /// Older rows that retention removed. The rows that were read follow them.
    #[serde(default)]
    pub pruned: u64,
    /// The first fault; absent if the trail is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<BrokenAudit>,
}

/// Where an audit trail is broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BrokenAudit {
    /// The first row that does not follow from the row before it; absent if rows are missing at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_id: Option<u64>,
    /// Tenant of the chain's owner.
    pub tenant_id: String,
    /// User of the chain's owner.
    pub user_id: String,
}

impl fmt::Display for BrokenAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { audit_id, tenant_id, user_id } = self;
        match audit_id {
            Some(row) => write!(
                f,
                "row {row} of {tenant_id}/{user_id} is not as it was written, or a row before it was taken away or put in"
            ),
            None => write!(f, "rows at the end of {tenant_id}/{user_id}'s trail were taken away"),
        }
    }
}

impl AuditCheck {
    /// Checks the trail of one owner, one tenant or all. Rows that are written during the check do no
    /// harm.
    ///
    /// # Errors
    /// If the ledger cannot be read. A broken trail is no error.
    pub async fn run(ledger: &dyn Ledger, scope: impl Into<AuditScope>) -> Result<Self, LedgerError> {
        let scope = scope.into();
        let mut sound = HashSet::new();
        loop {
            let check = Self::look(ledger, &scope, &sound).await?;
            let Some(broken) = &check.broken else { return Ok(check) };
            // Retention may have removed rows between two reads. A check of this owner alone, which is
            // quick, tells that apart.
            let suspect = Owner::new(&broken.tenant_id, &broken.user_id);
            if !Self::holds(ledger, &suspect).await? || !sound.insert(suspect) {
                return Ok(check);
            }
        }
    }

    /// Whether an owner's trail is whole. Repeats the check while retention removes rows.
    async fn holds(ledger: &dyn Ledger, owner: &Owner) -> Result<bool, LedgerError> {
        loop {
            let before = ledger.chain_ends(Some(owner.clone())).await?;
            if before.is_empty() {
                // The rows exist and the owner is not found: its stored name cannot be read.
                return Ok(false);
            }
            if Self::look(ledger, &AuditScope::Owner(owner.clone()), &HashSet::new()).await?.broken.is_none() {
                return Ok(true);
            }
            let pruned = |ends: &[(Owner, ChainEnds)]| ends.first().map(|(_, ends)| ends.pruned);
            if pruned(&ledger.chain_ends(Some(owner.clone())).await?) == pruned(&before) {
                return Ok(false);
            }
        }
    }

    /// One pass. Owners in `sound` are counted and not checked.
    async fn look(ledger: &dyn Ledger, scope: &AuditScope, sound: &HashSet<Owner>) -> Result<Self, LedgerError> {
        // The ends are read first, so that rows written later lie beyond them.
        let one = match scope {
            AuditScope::Owner(owner) => Some(owner.clone()),
            AuditScope::All | AuditScope::Tenant(_) => None,
        };
        let ends = ledger.chain_ends(one).await?;
        let ends: HashMap<Owner, ChainEnds> = ends.into_iter().filter(|(whose, _)| scope.covers(whose)).collect();
        let mut check = Self { pruned: ends.values().map(|ends| ends.pruned).sum(), ..Self::default() };
        let mut latest: HashMap<Owner, AuditHash> = HashMap::new();
        // Retention may have removed all of an owner's rows.
        let bare = ends.iter().filter(|(_, ends)| ends.anchor == Some(ends.end));
        let mut passed: HashSet<Owner> = bare.map(|(whose, _)| whose.clone()).chain(sound.iter().cloned()).collect();
        let mut after = 0;
        loop {
            let page =
                ledger.audit_rows(AuditFilter { scope: scope.clone(), after, limit: PageLimit::rows(PAGE) }).await?;
            let Some(last) = page.last() else { break };
            after = last.audit_id;
            for row in page {
                check.rows += 1;
                let whose = Owner::new(&row.body.tenant_id, &row.body.user_id);
                let known = ends.get(&whose);
                let previous = latest.get(&whose).or_else(|| known?.anchor.as_ref());
                if AuditHash::of(previous, row.at, &row.body) != row.hash && !sound.contains(&whose) {
                    let NewAudit { tenant_id, user_id, .. } = row.body;
                    let broken = BrokenAudit { audit_id: Some(row.audit_id), tenant_id, user_id };
                    return Ok(Self { users: latest.len() as u64, broken: Some(broken), ..check });
                }
                if known.is_some_and(|ends| ends.end == row.hash) {
                    passed.insert(whose.clone());
                }
                latest.insert(whose, row.hash);
            }
        }
        check.users = latest.len() as u64;
        // The smallest, so that every check names the same one.
        let short = ends.into_keys().filter(|whose| !passed.contains(whose)).min();
        check.broken = short.map(|whose| BrokenAudit {
            audit_id: None,
            tenant_id: whose.tenant_id.to_string(),
            user_id: whose.user_id.to_string(),
        });
        Ok(check)
    }
}
