//! Leases of nodes: the statement of each method of the contract.

use std::time::Duration;

use super::PostgresLedger;
use super::pool::{Lane, STATEMENT, int, text};
use super::rows::{get, get_id, micros};
use super::stored_text::stored;
use super::writes::one;
use crate::ledger::contract::{Leases, LedgerResult};
use crate::ledger::unreadable::UnreadableRow;
use crate::ledger::{Incarnation, LedgerError, RenewalNews};

/// The shortest time limit of a renewal.
const SHORTEST_RENEWAL: Duration = Duration::from_millis(500);

impl Leases for PostgresLedger {
    async fn join(&self, node: &str, lease: Duration) -> LedgerResult<Incarnation> {
        let (name, lease) = (stored(node), micros(lease));
        // Running twice only costs the node one more incarnation.
        let sql = "SELECT * FROM @.join_node($1, $2)";
        let row = one(self.counted(self.store.repeatable(sql, &[text(&name), int(&lease)])).await?)?;
        self.notifier.joined(get(&row, 0)?, node);
        self.permits.forget_calls();
        // The durable tasks of its earlier incarnation.
        self.notifier.task_is_ready();
        self.find_lost_work().await?;
        Ok(Incarnation { node: node.into(), number: get(&row, 1)? })
    }

    async fn renew(&self, incarnation: &Incarnation, lease: Duration) -> LedgerResult<RenewalNews> {
        // A longer attempt would leave no time for another.
        let limit = (lease / 3).clamp(SHORTEST_RENEWAL, STATEMENT);
        let (node, lease) = (stored(&incarnation.node), micros(lease));
        let params = [text(&node), int(&incarnation.number), int(&lease)];
        let sql = "SELECT n.task_id::text, n.call_id::text FROM @.renew($1, $2, $3) AS n";
        let mut news = RenewalNews::default();
        for row in self.counted(self.store.repeat(Lane::Lease, limit, sql, &params)).await? {
            if get::<Option<&str>>(&row, 0)?.is_some() {
                news.cancelled_tasks.push(get_id(&row, 0)?);
            } else {
                news.cancelled_calls.push(get_id(&row, 1)?);
            }
        }
        Ok(news)
    }

    async fn drain(&self, incarnation: &Incarnation) -> LedgerResult<()> {
        let node = stored(&incarnation.node);
        let params = [text(&node), int(&incarnation.number)];
        self.counted(self.store.repeat(Lane::Lease, STATEMENT, "SELECT FROM @.drain($1, $2)", &params)).await?;
        Ok(())
    }

    async fn leave(&self, incarnation: &Incarnation) -> LedgerResult<()> {
        let node = stored(&incarnation.node);
        let params = [text(&node), int(&incarnation.number)];
        self.counted(self.store.repeat(Lane::Lease, STATEMENT, "SELECT FROM @.leave($1, $2)", &params)).await?;
        self.notifier.task_is_ready();
        Ok(())
    }
}

impl PostgresLedger {
    /// Reports work whose state or incarnation was damaged, so that no ended incarnation could leave it.
    async fn find_lost_work(&self) -> Result<(), LedgerError> {
        for row in self.counted(self.store.repeatable("SELECT * FROM @.find_lost_work()", &[])).await? {
            let table = if get::<&str>(&row, 0)? == "call" { "call" } else { "task" };
            let (number, why) = (get::<i64>(&row, 1)?.to_string(), get(&row, 2)?);
            self.store.unreadable().report(&UnreadableRow { table, row: &number, owner: None, why });
        }
        Ok(())
    }
}
