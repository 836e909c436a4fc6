//! Calls that the assistant makes for its user.
//!
//! The rule of approvals is here, and not in the loop: whatever the loop or its model wants, a destructive function runs
//! only after the user's own answer to a question that holds the function, its parameters and a hash of their schema, and
//! then the parameters of the question run. So does a function that writes, once the prompt had text that the user did
//! not write, unless the user allowed it in the conversation or its author marked it as safe.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::dispatch::user_turn;
use super::ledger_errors::unreadable;
use super::schedules::digest_of;
use super::{Node, Platform};
use crate::assistant;
use crate::codes;
use crate::context::{CallApproval, Context, Decision, OfferedFunction, StopReason, ToolAnswer, ToolCall, ToolKind};
use crate::error::Error;
use crate::function::{ActionType, CheckedParams, InputSchema, ParamsCheck};
use crate::ids::{CallId, TaskId};
use crate::ledger::{AssistantMark, Owner, Question, QuestionState, TurnBody};
use crate::result::Result;

/// Largest approval, as JSON, in bytes: it is part of a question's schema.
const APPROVAL_LIMIT: usize = 48 << 10;
/// How often the loop gives a sign of life while a function runs.
const ALIVE_EVERY: Duration = Duration::from_secs(30);
/// Longest name of a tool, in bytes.
const TOOL_NAME: usize = 60;

impl Node {
    /// The functions as a model is offered them.
    pub(super) fn offered(&self) -> Arc<[OfferedFunction]> {
        self.offered.get_or_init(|| self.make_offered().into()).clone()
    }

    fn make_offered(&self) -> Vec<OfferedFunction> {
        let is_only = self.registry.extensions().len() == 1;
        let mut offered: Vec<OfferedFunction> = Vec::new();
        for extension in self.registry.extensions() {
            for function in extension.functions() {
                let Some(check) = self.checks.find(extension.app_id(), function.name) else { continue };
                let InputSchema { schema, needs_form } = InputSchema::of(check.schema());
                let full = format!("{}_{}", extension.app_id(), function.name);
                let is_taken = |name: &str| offered.iter().any(|one| one.tool == name);
                offered.push(OfferedFunction {
                    tool: tool_name(if is_only { function.name } else { &full }, &full, is_taken),
                    app_id: extension.app_id(),
                    function: function.name,
                    description: function.description,
                    kind: kind_of(function.action_type),
                    schema: Value::Object(schema),
                    needs_form,
                });
            }
        }
        offered
    }

    /// Runs a function that the assistant's model wants, or says which approval it needs.
    ///
    /// # Errors
    /// As those of a call.
    pub(super) async fn call_tool_of(self: Arc<Self>, parent: Context, call: ToolCall) -> Result<ToolAnswer> {
        let task_id = parent.task_id().filter(|_| parent.app_id() == assistant::APP_ID);
        let Some(task_id) = task_id else {
            return Err(Error::internal("only the assistant calls functions for a user"));
        };
        // A node that stops hands the loop over; the next one makes the call.
        self.check_starting(&parent).await?;
        let user = parent.user().clone();
        let (origin, def, checked) = self.check_call(&user, &call.app_id, &call.function, call.params, None).await?;
        let check = self.checks.find(origin.app_id, origin.function);
        let check = check.ok_or_else(|| Error::internal(format!("`{}` has no compiled schema", origin.function)))?;
        let kind = kind_of(def.action_type);
        let wanted = approval(origin.app_id, origin.function, kind, checked.redacted, check);
        // After the first round a result is in the prompt, whatever the loop says.
        let tainted = call.tainted || call.place[0] > 0;
        let needs = match kind {
            ToolKind::Read => false,
            ToolKind::Write => tainted && !def.safe,
            ToolKind::Destructive => true,
        };
        let mut allows = false;
        let params = if needs && !assistant::is_allowed(&parent, &wanted).await? {
            match self.approved_in(&parent, task_id, call.approved_in.as_deref(), &wanted, check).await? {
                Some(approved) => {
                    allows = approved.in_conversation;
                    approved.params
                }
                None if wanted.params.to_string().len() > APPROVAL_LIMIT => return Err(too_large(origin.function)),
                None => {
                    self.meters.assistant.asked();
                    return Ok(ToolAnswer::NeedsApproval(Box::new(wanted)));
                }
            }
        } else {
            wanted.params
        };
        // The checked parameters run: the chat shows them, and the user approved them. They have no field that the schema does not
        // name, and no secret.
        let (mut origin, _, checked) = self.check_call(&user, origin.app_id, origin.function, params, None).await?;
        origin.call_id = call_id(task_id, call.place);
        let CheckedParams { handler, redacted, files, .. } = checked;
        let mark = AssistantMark::new(task_id, needs);
        let turn = TurnBody { assistant: Some(Box::new(mark)), ..user_turn(&origin, redacted) };
        let permit = self.active_calls.begin(&Owner::from(&user))?;
        let platform = Platform { node: self.clone(), services: parent.services().clone() };
        let call_id = origin.call_id;
        let _stop = StopsCall { node: &self, parent: &parent, call_id };
        let request = platform.request(&origin, turn, files);
        let mut reply = platform.run_call(origin, handler, request, permit).reply;
        let reply = loop {
            match tokio::time::timeout(ALIVE_EVERY, &mut reply).await {
                Ok(reply) => break reply?,
                Err(_) => parent.signal().touch(),
            }
        };
        Ok(ToolAnswer::Replied { result: Box::new(reply.result), allows })
    }

    /// The call that the user approved in the question of this name; `None` without an approval.
    async fn approved_in(
        &self,
        parent: &Context,
        task_id: TaskId,
        question: Option<&str>,
        wanted: &CallApproval,
        check: &ParamsCheck,
    ) -> Result<Option<Approved>> {
        let Some(name) = question else { return Ok(None) };
        let Some(work) = self.active.find(parent.origin()) else { return Err(Error::cancelled()) };
        let read = || self.ledger.questions(task_id);
        let questions = self.insist(&work, "the approvals", read).await.map_err(|error| unreadable(&error))?;
        let by = format!("user:{}", parent.user().id);
        let question = questions.iter().find(|question| question.name == name);
        Ok(question.and_then(|question| approved(question, &by, wanted, check.schema())))
    }
}

/// An approval of the user.
#[derive(Debug, PartialEq)]
struct Approved {
    /// The parameters that the user saw.
    params: Value,
    /// Whether the function is allowed in this conversation.
    in_conversation: bool,
}

/// What a question approves of a function with this schema, if this user answered it. It is hashed again: the schema of the
/// running program counts, and nothing that came with the question.
fn approved(question: &Question, by: &str, wanted: &CallApproval, schema: &Value) -> Option<Approved> {
    let (decision, approved) = decision_of(question, by)?;
    if (&*approved.app_id, &*approved.function) != (&*wanted.app_id, &*wanted.function) {
        return None;
    }
    let in_conversation = match decision {
        Decision::Allow => false,
        Decision::AllowForConversation if wanted.kind == ToolKind::Write => true,
        Decision::Keep | Decision::ByHand | Decision::AllowForConversation => return None,
    };
    let digest = digest_of(&approved.app_id, &approved.function, &approved.params, schema);
    (digest == approved.digest).then_some(Approved { params: approved.params, in_conversation })
}

/// The decision of an answered question, if the user gave it.
fn decision_of(question: &Question, by: &str) -> Option<(Decision, CallApproval)> {
    let is_theirs = question.state == QuestionState::Answered && question.answered_by.as_deref() == Some(by);
    let answer = question.answer.clone().filter(|_| is_theirs)?;
    Some((serde_json::from_value(answer).ok()?, CallApproval::of_schema(&question.schema)?))
}

fn approval(app_id: &str, function: &str, kind: ToolKind, params: Value, check: &ParamsCheck) -> CallApproval {
    let digest = digest_of(app_id, function, &params, check.schema());
    let function_digest = digest_of(app_id, function, &Value::Null, check.schema());
    CallApproval { app_id: app_id.to_owned(), function: function.to_owned(), kind, params, digest, function_digest }
}

fn too_large(function: &str) -> Error {
    Error::user(
        codes::APPROVAL_NEEDED,
        format!(
            "`{function}` needs its user's approval, and these parameters are too large to be shown for it. Ask the user to \
             run it by its form."
        ),
    )
}

const fn kind_of(action: ActionType) -> ToolKind {
    match action {
        ActionType::Read => ToolKind::Read,
        ActionType::Write => ToolKind::Write,
        ActionType::Destructive => ToolKind::Destructive,
    }
}

/// The id of a call by its place in the loop of a task: the same on each attempt. Ids of providers repeat.
fn call_id(task_id: TaskId, place: [u32; 3]) -> CallId {
    let mut hash = Sha256::new();
    hash.update(format!("imperal assistant call 1 {task_id} {place:?}"));
    CallId::derived(&hash.finalize().into())
}

/// A name that models and endpoints take. One that is too long or taken gets a digest.
fn tool_name(name: &str, full: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.len() <= TOOL_NAME && !is_taken(&name) {
        return name;
    }
    let digest = format!("{:x}", Sha256::digest(full));
    format!("{}_{}", &name[..name.len().min(TOOL_NAME - 9)], &digest[..8])
}

/// Stops a call when its loop is cancelled before the reply.
struct StopsCall<'a> {
    node: &'a Node,
    parent: &'a Context,
    call_id: CallId,
}

impl Drop for StopsCall<'_> {
    fn drop(&mut self) {
        // A loop that is handed over or cut off finds the call again.
        if self.parent.signal().check() == Err(StopReason::Cancelled) {
            self.node.active.cancel_call(self.call_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rows::NewQuestion;

    #[test]
    fn calls_have_ids_of_their_place() {
        let task = TaskId::generate();
        assert_eq!(call_id(task, [1, 2, 0]), call_id(task, [1, 2, 0]));
        let others = [call_id(task, [1, 2, 1]), call_id(task, [2, 1, 0]), call_id(TaskId::generate(), [1, 2, 0])];
        assert!(!others.contains(&call_id(task, [1, 2, 0])));
    }

    fn question(answer: &str, approval: &CallApproval) -> Question {
        let schema = json!({"type": "string", "x-approval": approval});
        let (at, new) = (jiff::Timestamp::UNIX_EPOCH, NewQuestion::new(1, "approve 0.0", "?", schema.to_string()));
        let mut question = Question::open(TaskId::generate(), &new, at, at);
        (question.state, question.answer) = (QuestionState::Answered, Some(json!(answer)));
        question.answered_by = Some("user:anna".to_owned());
        question
    }

    #[test]
    fn approval_is_of_its_function_parameters_schema_and_user() {
        let schema = json!({"type": "object", "properties": {"id": {"type": "integer"}}});
        let params = json!({"id": 3});
        let wanted = |kind, function: &str, params: &Value, schema: &Value| CallApproval {
            app_id: "app".to_owned(),
            function: function.to_owned(),
            kind,
            params: params.clone(),
            digest: digest_of("app", function, params, schema),
            function_digest: String::new(),
        };
        let own = wanted(ToolKind::Destructive, "delete", &params, &schema);
        let allow = question("allow", &own);
        let seen = |in_conversation| Some(Approved { params: params.clone(), in_conversation });
        assert_eq!(approved(&allow, "user:anna", &own, &schema), seen(false));
        // What runs is what the user saw, whatever the model wants now.
        let other = wanted(ToolKind::Destructive, "delete", &json!({"id": 4}), &schema);
        assert_eq!(approved(&allow, "user:anna", &other, &schema), seen(false));

        assert_eq!(approved(&allow, "user:ben", &own, &schema), None, "another user's answer");
        assert_eq!(approved(&allow, "service", &own, &schema), None, "a service's answer");
        let newer = json!({"type": "object", "properties": {"id": {"type": "integer"}, "all": {"type": "boolean"}}});
        assert_eq!(approved(&allow, "user:anna", &own, &newer), None, "the schema has changed");
        let changed = CallApproval { params: json!({"id": 4}), ..own.clone() };
        assert_eq!(approved(&question("allow", &changed), "user:anna", &own, &schema), None, "changed parameters");
        let erase = wanted(ToolKind::Destructive, "erase", &params, &schema);
        assert_eq!(approved(&allow, "user:anna", &erase, &schema), None, "another function");
        for no in ["keep", "by_hand", "allow_for_conversation", "yes"] {
            assert_eq!(approved(&question(no, &own), "user:anna", &own, &schema), None, "{no}");
        }
        let open = Question { state: QuestionState::Expired, ..allow };
        assert_eq!(approved(&open, "user:anna", &own, &schema), None, "no answer");

        let write = wanted(ToolKind::Write, "delete", &params, &schema);
        assert_eq!(approved(&question("allow_for_conversation", &write), "user:anna", &write, &schema), seen(true));
    }

    #[test]
    fn names_of_tools_are_short_and_different() {
        let long = "x".repeat(100);
        let name = tool_name(&long, &long, |_| false);
        assert!(name.len() <= TOOL_NAME && name.starts_with("xxx"), "{name}");
        assert_ne!(tool_name("a-b", "app_a-b", |name| name == "a_b"), "a_b");
    }
}
