//! The audit trail: one hash chain per owner.

use jiff::Timestamp;

use super::{State, size};
use crate::ledger::{AuditFilter, AuditHash, AuditRow, AuditScope, ChainEnds, NewAudit, Owner, Page};

impl State {
    pub(in crate::ledger::memory) fn audit(&mut self, body: NewAudit, at: Timestamp) {
        self.last_audit += 1;
        let owner = Owner::new(&body.tenant_id, &body.user_id);
        self.note_owner(&owner);
        let before = self.chain_ends.get(&owner);
        let hash = AuditHash::of(before.map(|ends| &ends.end), at, &body);
        let ends = ChainEnds::new(before.and_then(|ends| ends.anchor), before.map_or(0, |ends| ends.pruned), hash);
        self.chain_ends.insert(owner, ends);
        self.audit.push(AuditRow { audit_id: self.last_audit, at, body, hash });
    }

    pub(in crate::ledger::memory) fn chain_ends(&self, owner: Option<&Owner>) -> Vec<(Owner, ChainEnds)> {
        let wanted = |(of, _): &(&Owner, &ChainEnds)| owner.is_none_or(|owner| owner == *of);
        self.chain_ends.iter().filter(wanted).map(|(owner, ends)| (owner.clone(), ends.clone())).collect()
    }

    pub(in crate::ledger::memory) fn audit_rows(&self, filter: &AuditFilter) -> Page<AuditRow> {
        let wanted = |row: &&AuditRow| {
            let NewAudit { tenant_id, user_id, .. } = &row.body;
            match &filter.scope {
                AuditScope::All => true,
                AuditScope::Tenant(tenant) => tenant == tenant_id,
                AuditScope::Owner(owner) => *owner.tenant_id == **tenant_id && *owner.user_id == **user_id,
            }
        };
        let from = self.audit.partition_point(|row| row.audit_id <= filter.after);
        let page = Page::take(self.audit[from..].iter().filter(wanted), filter.limit, |row| size(&row.body));
        Page { more: page.more, rows: page.rows.into_iter().cloned().collect() }
    }
}
