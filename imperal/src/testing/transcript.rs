//! A user's chat as text, which a failing test prints once.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;

use crate::ledger::{Ledger, Owner, PageLimit, Role, Task, Turn};
use crate::rows::MsgType;

/// Whether a failed assertion has printed the user's chat. Clones share the answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Printed(Arc<AtomicBool>);

impl Printed {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The whole chat, and the tasks below it.
pub(super) async fn of(ledger: &dyn Ledger, owner: &Owner) -> String {
    let (mut turns, mut after) = (Vec::new(), 0);
    loop {
        let page = ledger.turns(owner, after, PageLimit::rows(500)).await.unwrap_or_default();
        let Some(last) = page.last() else { break };
        after = last.seq;
        turns.extend(page);
    }
    let mut tasks = ledger.recent_tasks(owner, 500).await.unwrap_or_default();
    tasks.reverse();
    written(owner, &turns, &tasks)
}

/// The same without waiting, for a drop. `None` when the ledger is not in memory.
pub(super) fn at_once(ledger: &dyn Ledger, owner: &Owner) -> Option<String> {
    of(ledger, owner).now_or_never()
}

fn written(owner: &Owner, turns: &[Turn], tasks: &[Task]) -> String {
    let mut text = format!("the chat of {owner}\n");
    if turns.is_empty() {
        text.push_str("  (empty)\n");
    }
    for Turn { seq, body, .. } in turns {
        let speaker = match (body.role, body.msg_type) {
            (Role::User, _) => "user",
            (Role::Bot, MsgType::Response) => "bot",
            (Role::Bot, MsgType::System) => "notice",
            (Role::Bot, MsgType::ToolResult) => "tool",
        };
        let _ = write!(text, "{seq:>4}  {speaker:<6}  {}", body.text.replace('\n', "\n              "));
        if let Some(params) = &body.params {
            let _ = write!(text, " {params}");
        }
        if let Some(code) = body.result.as_ref().and_then(|result| result.error_code.as_ref()) {
            let _ = write!(text, "  [{code}]");
        }
        if body.task_id.is_some() {
            text.push_str(if body.result.is_some() { "  (outcome of a task)" } else { "  (from a task)" });
        }
        text.push('\n');
    }
    for task in tasks {
        let _ = write!(text, "task  {}  {}", task.name, task.state.as_str());
        if let Some(percent) = task.percent {
            let _ = write!(text, ", {percent:.0}% {}", task.message.as_deref().unwrap_or_default());
        }
        text.push('\n');
    }
    text
}
