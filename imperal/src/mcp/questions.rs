//! Questions of tasks as elicitation: the same question as on the page, answered there or by the client.

use rmcp::model::{
    ClientCapabilities, ElicitRequest, ElicitRequestParams, ElicitationSchema, InputRequest, InputRequests,
    InputResponses,
};
use serde_json::{Map, Value, json};

use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::function::InputSchema;
use crate::ids::TaskId;
use crate::ledger::{Question, QuestionState};
use crate::platform::{Access, Answered, CallWork};
use crate::result::Result;

/// The field of a form for an answer that is not an object.
const ANSWER: &str = "answer";

/// How a client can ask its user.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking {
    form: bool,
    url: bool,
}

impl Asking {
    /// As the client declares it; `None` for a client that cannot ask.
    pub(super) fn of(capabilities: &ClientCapabilities) -> Option<Self> {
        let declared = capabilities.elicitation.as_ref()?;
        let url = declared.url.is_some();
        // A client that names no mode can show forms.
        Some(Self { form: declared.form.is_some() || !url, url })
    }
}

/// The open questions of a call's tasks that this client can ask. The id of a question, which is never used again, is
/// the key.
pub(super) async fn open_questions(
    access: &Access,
    work: &CallWork,
    page: &str,
    asking: Asking,
) -> Result<InputRequests> {
    let mut requests = InputRequests::new();
    for (_, question) in questions_of(access, work).await? {
        let params = match form_of(&question) {
            Some((schema, _)) if asking.form => ElicitRequestParams::FormElicitationParams {
                meta: None,
                message: question.text.clone(),
                requested_schema: schema,
            },
            _ if asking.url => ElicitRequestParams::UrlElicitationParams {
                meta: None,
                message: question.text.clone(),
                url: page.to_owned(),
                elicitation_id: question.question_id.to_string(),
            },
            _ => continue,
        };
        requests.insert(question.question_id.to_string(), InputRequest::Elicitation(ElicitRequest::new(params)));
    }
    Ok(requests)
}

/// Answers questions. A refused question stays open on the page, and one that is closed is left as it is.
///
/// # Errors
/// `VALIDATION_TYPE_ERROR` and others of [`Access::answer`] for an answer that does not fit.
pub(super) async fn answer(access: &Access, work: &CallWork, responses: InputResponses) -> Result<()> {
    let open = questions_of(access, work).await?;
    for (key, response) in responses {
        let Some((task_id, question)) = open.iter().find(|(_, question)| question.question_id.to_string() == key)
        else {
            continue;
        };
        if response["action"] != "accept" {
            continue;
        }
        let Some((_, is_wrapped)) = form_of(question) else { continue };
        // Without content its user was sent to the page, and answers there.
        let Some(content) = response.get("content") else { continue };
        let answer = if is_wrapped { content[ANSWER].clone() } else { content.clone() };
        match access.answer(*task_id, Some(question.question_id), answer).await {
            Ok(Answered::Accepted(_) | Answered::Closed(_)) => {}
            Err(error) if *error.code() == codes::NOT_FOUND => {}
            Err(error) if error.kind() == ErrorKind::User => {
                return Err(Error::user(error.code().clone(), format!("{}: {}", question.name, error.message())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn questions_of(access: &Access, work: &CallWork) -> Result<Vec<(TaskId, Question)>> {
    let mut found = Vec::new();
    for task in work.tasks.iter().filter(|task| task.state.is_open() && task.open_questions > 0) {
        let questions = access.questions(task.task_id).await?;
        let open = questions.into_iter().filter(|question| question.state == QuestionState::Open);
        found.extend(open.map(|question| (task.task_id, question)));
    }
    Ok(found)
}

/// The form of a question: a flat object of simple fields, and whether it wraps the answer in a field of its own. `None`
/// for an answer that has no such form.
fn form_of(question: &Question) -> Option<(ElicitationSchema, bool)> {
    if question.schema["type"] == "object" {
        let mut schema = InputSchema::of(&question.schema).schema;
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.values_mut().for_each(simplify);
        }
        let fields = ["type", "properties", "required"];
        schema.retain(|key, _| fields.contains(&key.as_str()));
        return serde_json::from_value(Value::Object(schema)).ok().map(|schema| (schema, false));
    }
    // As a field it is inlined like the fields of an object.
    let mut whole = Map::new();
    whole.insert("type".to_owned(), json!("object"));
    let mut field = question.schema.clone();
    let definitions = field.as_object_mut().and_then(|field| field.remove("$defs"));
    whole.insert("properties".to_owned(), json!({ANSWER: field}));
    whole.insert("required".to_owned(), json!([ANSWER]));
    whole.extend(definitions.map(|definitions| ("$defs".to_owned(), definitions)));
    let mut schema = InputSchema::of(&Value::Object(whole)).schema;
    if let Some(properties) = schema.get_mut("properties") {
        simplify(&mut properties[ANSWER]);
    }
    serde_json::from_value(Value::Object(schema)).ok().map(|schema| (schema, true))
}

/// A field as forms know it: no null, and variants as a list of values.
fn simplify(field: &mut Value) {
    let Value::Object(fields) = field else { return };
    if let Some(Value::Array(kinds)) = fields.get("type") {
        let mut kinds = kinds.iter().filter(|kind| *kind != "null");
        if let (Some(kind), None) = (kinds.next().cloned(), kinds.next()) {
            fields.insert("type".to_owned(), kind);
        }
    }
    for key in ["anyOf", "oneOf"] {
        let Some(Value::Array(choices)) = fields.get(key) else { continue };
        let choices: Vec<Value> = choices.iter().filter(|choice| choice["type"] != "null").cloned().collect();
        if let [Value::Object(one)] = choices.as_slice() {
            let one = one.clone();
            fields.remove(key);
            for (name, value) in one {
                fields.entry(name).or_insert(value);
            }
            continue;
        }
        let mut values = Vec::new();
        for choice in &choices {
            match (choice.get("const"), choice.get("enum")) {
                (Some(one), _) => values.push(one.clone()),
                (None, Some(Value::Array(many))) => values.extend(many.iter().cloned()),
                _ => return,
            }
        }
        fields.remove(key);
        fields.insert("type".to_owned(), json!("string"));
        fields.insert("enum".to_owned(), Value::Array(values));
    }
    fields.retain(|key, value| key != "default" || !value.is_null());
}
