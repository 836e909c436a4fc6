//! A row of the audit trail as a sentence.
//!
//! The page has the same sentences in `page/audit-words.js`. One list of rows and sentences, `audit_sentences.json`, tests
//! both.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;

use crate::ledger::{AuditOutcome, NewAudit};

/// The part of `/v1/session` that sentences need: the reader, and the names of extensions.
#[derive(Debug, Deserialize)]
pub(super) struct Reader {
    user: ReadingUser,
    #[serde(default)]
    extensions: Vec<NamedExtension>,
}

#[derive(Debug, Deserialize)]
struct ReadingUser {
    id: String,
}

#[derive(Debug, Deserialize)]
struct NamedExtension {
    app_id: String,
    name: String,
}

/// Who reads, for many rows.
pub(super) struct Names<'r> {
    user_id: &'r str,
    extensions: HashMap<&'r str, &'r str>,
}

impl Reader {
    pub(super) fn names(&self) -> Names<'_> {
        let extensions = self.extensions.iter().map(|one| (one.app_id.as_str(), one.name.as_str())).collect();
        Names { user_id: &self.user.id, extensions }
    }
}

impl Names<'_> {
    /// The event as a sentence without a full stop.
    pub(super) fn sentence(&self, row: &NewAudit) -> String {
        let who = self.who(row);
        let is_refused = row.outcome == AuditOutcome::Refused;
        let refused = if who == "You" { "were refused" } else { "was refused" };
        if row.action == "chat.inject" {
            return injected(&who, row, refused);
        }
        match (act(&row.action), is_refused) {
            (Some((_, tried)), true) => format!("{who} tried {tried} and {refused}"),
            (Some((did, _)), false) => format!("{who} {did}"),
            (None, true) => format!("{who} tried “{}” and {refused}", spaced(&row.action)),
            (None, false) => format!("{who} did “{}”", spaced(&row.action)),
        }
    }

    fn who(&self, NewAudit { actor, app_id, .. }: &NewAudit) -> Cow<'_, str> {
        let owned = |text: String| Cow::Owned(text);
        match actor.split_once(':') {
            Some(("user", id)) if id == self.user_id => Cow::Borrowed("You"),
            Some(("user", id)) => owned(id.to_owned()),
            Some(("extension", id)) => owned(self.extension(id).to_owned()),
            Some(("operator", who)) => owned(format!("The operator {who}")),
            None if actor == "platform" => Cow::Borrowed("The platform"),
            None if actor == "service" => match app_id {
                Some(app_id) => owned(format!("A service of {}", self.extension(app_id))),
                None => Cow::Borrowed("A service"),
            },
            _ => owned(actor.clone()),
        }
    }

    fn extension<'n>(&'n self, app_id: &'n str) -> &'n str {
        self.extensions.get(app_id).copied().unwrap_or(app_id)
    }
}

/// What was done, and what was tried when it was refused.
fn act(action: &str) -> Option<(&'static str, &'static str)> {
    Some(match action {
        "task.cancel" => ("asked a task to stop", "to cancel a task of another user"),
        "task.answer" => ("answered a question of a task", "to answer a question of another user's task"),
        "task.read" => ("looked at a task", "to see a task of another user"),
        "task.retry" => ("let a task try again at once", "to let a task of another tenant try again"),
        "task.operate" => ("looked at tasks", "to see tasks as an operator"),
        "task.pause" => ("paused tasks", "to pause tasks"),
        "task.resume" => ("resumed tasks", "to resume tasks"),
        "task.paused" => ("looked at paused tasks", "to see paused tasks"),
        "task.queues" => ("looked at queues", "to see queues"),
        "call.cancel" => ("asked a call to stop", "to stop a call of another user"),
        "page.link" => ("made a link to the page", "to make a link to the page"),
        "secret.set" => ("entered a secret", "to enter a secret"),
        "secret.remove" => ("removed a secret", "to remove a secret"),
        "secret.operate" => ("looked at secrets", "to see secrets of another user"),
        "schedule.create" => ("made a schedule", "to make a schedule"),
        "schedule.edit" => ("changed a schedule", "to change a schedule of another user"),
        "schedule.pause" => ("paused a schedule", "to pause a schedule of another user"),
        "schedule.resume" => ("resumed a schedule", "to resume a schedule of another user"),
        "schedule.run" => ("let a schedule run at once", "to run a schedule of another user"),
        "schedule.delete" => ("deleted a schedule", "to delete a schedule of another user"),
        "schedule.read" => ("looked at a schedule", "to see a schedule of another user"),
        "schedule.jobs" => ("looked at jobs", "to see jobs"),
        "file.delete" => ("deleted a file", "to delete a file"),
        "schedule.stop" => ("stopped a schedule", "to stop a schedule"),
        "secret.rotate" => ("sealed all secrets again", "to seal all secrets again"),
        _ => return None,
    })
}

fn injected(who: &str, row: &NewAudit, refused: &str) -> String {
    if row.outcome == AuditOutcome::Refused {
        return format!("{who} tried to write into a chat and {refused}");
    }
    match row.detail.as_deref().and_then(outcome_in) {
        Some(outcome) => format!("{who} delivered an outcome: {outcome}"),
        None if row.outcome == AuditOutcome::Critical => format!("{who} broke its contract; you were told"),
        None => format!("{who} put a message into the chat"),
    }
}

/// `failed` of `outcome of task 0197..: failed; ..` and of `outcome: failed`.
fn outcome_in(detail: &str) -> Option<&str> {
    let rest = detail.strip_prefix("outcome")?;
    let (of, outcome) = rest.split_once(": ")?;
    let names_task = of.strip_prefix(" of task ").is_some_and(|id| !id.is_empty() && !id.contains(' '));
    let outcome = outcome.split(';').next().filter(|outcome| !outcome.is_empty())?;
    (of.is_empty() || names_task).then_some(outcome)
}

/// An action of a later version, as words.
fn spaced(action: &str) -> String {
    action.replace(['.', '_', '-'], " ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The page's test reads the same list.
    #[test]
    fn sentences_are_those_of_the_page() {
        let list: Value = serde_json::from_str(include_str!("audit_sentences.json")).unwrap();
        let extensions: Vec<Value> = list["extensions"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(app_id, name)| json!({ "app_id": app_id, "name": name }))
            .collect();
        let reader = json!({ "user": { "id": list["user_id"] }, "extensions": extensions });
        let reader: Reader = serde_json::from_value(reader).unwrap();
        let names = reader.names();
        let rows = list["rows"].as_array().unwrap();
        for row in rows {
            let mut body = json!({ "tenant_id": "local", "user_id": "dev" });
            body.as_object_mut().unwrap().extend(row[0].as_object().unwrap().clone());
            let body: NewAudit = serde_json::from_value(body).unwrap();
            assert_eq!(names.sentence(&body), row[1].as_str().unwrap(), "{}", row[0]);
        }
        assert!(rows.len() > 25);
    }
}
