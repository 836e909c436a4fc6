//! Injections and the audit trail: which work may inject, and how audit rows are chained.

use super::Backend;
use super::scene::{ALL, Node, all_of, anna, ben, bot, cancelled, new_audit, ok};
use crate::ids::{CallId, TaskId};
use crate::ledger::{
    Attempt, AuditCheck, AuditFilter, AuditHash, AuditOutcome, AuditRow, AuditScope, ChainEnds, EventBody, Fence,
    LedgerError, MessageSource, NewAudit, Owner, PageLimit, Turn, Work,
};

impl Node {
    async fn inject_for(&self, owner: &Owner, work: Work) -> Result<Turn, LedgerError> {
        let fence = Fence { incarnation: self.incarnation.clone(), work };
        self.ledger
            .inject(owner.clone(), bot("stage"), new_audit(owner, "chat.inject"), MessageSource::Work(fence))
            .await
    }

    async fn audit_rows(&self, scope: impl Into<AuditScope>, after: u64, limit: PageLimit) -> Vec<AuditRow> {
        ok(self.ledger.audit_rows(AuditFilter { scope: scope.into(), after, limit }).await).rows
    }
}

/// One event and one row, both as they were handed in.
pub async fn injection_writes_a_turn_and_an_audit_row(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let (body, audit) = (bot("news"), new_audit(&anna(), "chat.inject"));
    let turn = ok(node.ledger.inject(anna(), body.clone(), audit.clone(), MessageSource::OUTSIDE).await);
    assert_eq!((turn.seq, &turn.body), (1, &body));
    let look = node.look(&anna()).await;
    assert_eq!(look.events.iter().map(|event| &event.body).collect::<Vec<_>>(), [&EventBody::Turn(turn)]);
    assert_eq!(look.audit.iter().map(|row| &row.body).collect::<Vec<_>>(), [&audit]);
}

/// A call may inject until its reply, a task until its end.
pub async fn injection_needs_work_that_has_not_ended(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task_id = node.task(call_id, &anna()).await;
    ok(node.inject_for(&anna(), Work::Call(call_id)).await);
    ok(node.inject_for(&anna(), Work::Task(Attempt::first(task_id))).await);
    ok(node.reply(call_id).await);
    ok(node.inject_for(&anna(), Work::Task(Attempt::first(task_id))).await);
    let before = node.look(&anna()).await;
    assert_eq!(node.inject_for(&anna(), Work::Call(call_id)).await, Err(LedgerError::AlreadyReplied));
    assert_eq!(node.look(&anna()).await, before, "a refused injection left something");
    ok(node.finish(&anna(), task_id).await);
    let before = node.look(&anna()).await;
    assert_eq!(node.inject_for(&anna(), Work::Task(Attempt::first(task_id))).await, Err(LedgerError::AlreadyEnded));
    assert_eq!(node.inject_for(&anna(), Work::Call(CallId::generate())).await, Err(LedgerError::NotFound));
    assert_eq!(
        node.inject_for(&anna(), Work::Task(Attempt::first(TaskId::generate()))).await,
        Err(LedgerError::NotFound)
    );
    assert_eq!(node.look(&anna()).await, before, "a refused injection left something");
}

/// Work cannot inject into another user's chat, and a node cannot inject for another node's work.
pub async fn injection_needs_the_owner_and_holder_of_the_work(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (call_id, task_id) = (node.call(&anna()).await, node.detached(&anna()).await);
    let before = node.look(&anna()).await;
    for work in [Work::Call(call_id), Work::Task(Attempt::first(task_id))] {
        assert_eq!(node.inject_for(&ben(), work).await, Err(LedgerError::NotFound), "{work:?}");
        let elsewhere = Owner::new("other tenant", "anna");
        assert_eq!(node.inject_for(&elsewhere, work).await, Err(LedgerError::NotFound), "{work:?}");
    }
    assert_eq!(other.inject_for(&anna(), Work::Call(call_id)).await, Err(LedgerError::NotHolder));
    assert_eq!(other.inject_for(&anna(), Work::Task(Attempt::first(task_id))).await, Err(LedgerError::NotHolder));
    assert_eq!(node.look(&anna()).await, before);
    let bens = node.look(&ben()).await;
    assert_eq!((bens.events, bens.audit), (vec![], vec![]));
}

/// Numbers grow. A filter selects the rows of an owner or a tenant after a number, up to a limit.
pub async fn audit_rows_are_numbered_and_filtered(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let outcomes = [AuditOutcome::Done, AuditOutcome::Refused, AuditOutcome::Critical];
    let mut written = Vec::new();
    for n in 0..9 {
        let owner = if n % 3 == 0 { ben() } else { anna() };
        let row = NewAudit {
            outcome: outcomes[n % outcomes.len()],
            app_id: None,
            target: None,
            detail: Some(format!("row {n}")),
            ..new_audit(&owner, "task.read")
        };
        ok(node.ledger.write_audit(row.clone()).await);
        written.push(row);
    }
    let all = node.audit_rows(None, 0, ALL).await;
    assert_eq!(all.iter().map(|row| row.body.clone()).collect::<Vec<_>>(), written);
    assert!(all.windows(2).all(|pair| pair[0].audit_id < pair[1].audit_id), "{all:?}");
    let annas: Vec<AuditRow> = all.iter().filter(|row| row.body.user_id == "anna").cloned().collect();
    assert_eq!(node.audit_rows(Some(anna()), 0, ALL).await, annas);
    assert_eq!(node.audit_rows(Some(anna()), annas[2].audit_id, PageLimit::rows(2)).await, annas[3..5]);
    assert_eq!(node.audit_rows(None, all[3].audit_id, PageLimit::rows(2)).await, all[4..6]);
    assert_eq!(node.audit_rows(Some(Owner::new("other", "anna")), 0, ALL).await, []);
    assert_eq!(node.audit_rows(None, u64::MAX, ALL).await, []);
    assert_eq!(node.look(&anna()).await.events, [], "an audit row is no event");
    ok(node.ledger.write_audit(new_audit(&Owner::new("other", "anna"), "task.read")).await);
    let tenant = |name: &str| AuditScope::Tenant(name.to_owned());
    assert_eq!(node.audit_rows(tenant("tenant"), 0, ALL).await, all);
    assert_eq!(node.audit_rows(tenant("tenant"), all[3].audit_id, PageLimit::rows(2)).await, all[4..6]);
    assert_eq!(node.audit_rows(tenant("other"), 0, ALL).await.len(), 1);
    assert_eq!(node.audit_rows(tenant("nobody's"), 0, ALL).await, []);
    let check = ok(AuditCheck::run(&*node.ledger, tenant("tenant")).await);
    assert_eq!((check.rows, check.users, check.broken), (9, 2, None));
}

/// Every write of a row links it to the owner's previous row. A refused write leaves no link.
pub async fn audit_rows_are_chained_for_each_owner(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    assert_eq!(ok(node.ledger.chain_ends(None).await), []);
    let ended = node.detached(&anna()).await;
    for owner in [anna(), ben()] {
        node.inject(&owner, "news").await;
    }
    ok(node.finish(&anna(), ended).await);
    assert_eq!(node.finish(&anna(), ended).await, Err(LedgerError::AlreadyEnded));
    ok(node.ledger.request_cancel(ended, new_audit(&ben(), "task.cancel"), cancelled(&ben())).await);
    ok(node.ledger.write_audit(new_audit(&anna(), "task.read")).await);
    let mut ends = ok(node.ledger.chain_ends(None).await);
    ends.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut wanted = Vec::new();
    for (owner, count) in [(anna(), 3), (ben(), 2)] {
        let rows = node.audit_rows(Some(owner.clone()), 0, ALL).await;
        assert_eq!(rows.len(), count);
        let mut previous = None;
        for row in &rows {
            assert_eq!(row.hash, AuditHash::of(previous.as_ref(), row.at, &row.body), "{row:?}");
            previous = Some(row.hash);
        }
        let end = previous.map(|hash| (owner.clone(), ChainEnds::new(None, 0, hash)));
        assert_eq!(ok(node.ledger.chain_ends(Some(owner)).await), Vec::from_iter(end.clone()));
        wanted.extend(end);
    }
    assert_eq!(ends, wanted);
    assert_eq!(ok(node.ledger.chain_ends(Some(Owner::new("other", "anna"))).await), []);
    let check = ok(AuditCheck::run(&*node.ledger, None).await);
    assert_eq!((check.rows, check.users, check.broken), (5, 2, None));
}

/// Two nodes write many rows of one owner at once.
pub async fn racing_writers_leave_one_chain(backend: &impl Backend) {
    let nodes = [Node::start(backend, "a").await, Node::start(backend, "b").await];
    let writers = (0..20).map(|n| {
        let ledger = nodes[n % 2].ledger.clone();
        tokio::spawn(async move { ledger.write_audit(new_audit(&anna(), "task.read")).await })
    });
    all_of(writers.collect()).await.into_iter().for_each(ok);
    let check = ok(AuditCheck::run(&*nodes[0].ledger, Some(anna())).await);
    assert_eq!((check.rows, check.users, check.broken), (20, 1, None));
}
