//! Results of calls as tool results: a sentence and the data as JSON text, short enough for every client.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use crate::codes;
use crate::error::Error;
use crate::ids::CallId;
use crate::ledger::{Task, TaskState};
use crate::result::WireResult;

/// Longest text of a result, in characters. Clients cut longer ones, some at 25,000 tokens.
const TEXT_LIMIT: usize = 20_000;
/// Longest text of an error, in characters. Claude Code cuts at 11,000.
const ERROR_LIMIT: usize = 10_000;

/// The result of a call or of a task.
pub(super) fn of_result(result: &WireResult, page: &str) -> CallToolResult {
    if !result.is_success() {
        let code = result.error_code.as_ref().map(|code| code.as_str().to_owned());
        return failure(code.as_deref(), result.text(), result.retryable);
    }
    let has_data = match &result.data {
        Value::Null => false,
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    if !has_data {
        return CallToolResult::success(vec![ContentBlock::text(cut(&result.summary, TEXT_LIMIT, page))]);
    }
    let data = result.data.to_string();
    let whole = format!("{}\n\n{data}", result.summary);
    let fits = whole.chars().count() <= TEXT_LIMIT;
    let mut answer = CallToolResult::success(vec![ContentBlock::text(cut(&whole, TEXT_LIMIT, page))]);
    // A client that shows this instead of the text must not get more of it.
    if fits && result.data.is_object() {
        answer.structured_content = Some(result.data.clone());
    }
    answer
}

/// The reply of a call without tasks.
pub(super) fn of_reply(reply: &WireResult, page: &str) -> CallToolResult {
    if reply.error_code.as_ref() == Some(&codes::CANCELLED) {
        of_error(Error::cancelled())
    } else {
        of_result(reply, page)
    }
}

/// A request that was refused, or that failed before there was a result.
pub(super) fn of_error(error: Error) -> CallToolResult {
    let field = error.field().map(str::to_owned);
    let result = error.into_wire();
    let code = result.error_code.as_ref().map(|code| code.as_str().to_owned());
    let text = match field {
        Some(field) => format!("{} (parameter `{field}`)", result.text()),
        None => result.text().to_owned(),
    };
    failure(code.as_deref(), &text, result.retryable)
}

/// A tool error. Models read the text, programs the structured part.
fn failure(code: Option<&str>, text: &str, retryable: bool) -> CallToolResult {
    let code = code.unwrap_or("ERROR");
    let hint = if retryable { "\nThe same call may succeed later." } else { "" };
    let text = cut(&format!("{code}: {text}{hint}"), ERROR_LIMIT, "");
    let mut answer = CallToolResult::error(vec![ContentBlock::text(text.clone())]);
    answer.structured_content = Some(json!({"error": {"code": code, "message": text, "retryable": retryable}}));
    answer
}

/// The outcomes of all tasks of a call. One task speaks for itself; several follow the call's reply.
pub(super) fn of_outcomes(reply: &WireResult, tasks: &[Task], page: &str) -> CallToolResult {
    let outcome = |task: &Task| {
        if let Some(result) = &task.result {
            return of_result(result, page);
        }
        let end =
            format!("{}: {}. Its result is no longer kept, or in the chat: {page}", task.name, task.state.in_words());
        let text = vec![ContentBlock::text(end)];
        if task.state == TaskState::Succeeded { CallToolResult::success(text) } else { CallToolResult::error(text) }
    };
    if let [task] = tasks {
        return outcome(task);
    }
    let mut texts = vec![reply.text().to_owned()];
    let mut failed = false;
    for task in tasks {
        let answer = outcome(task);
        failed |= answer.is_error == Some(true);
        let said = answer.content.iter().filter_map(|block| block.as_text()).map(|block| block.text.as_str());
        let said = said.collect::<Vec<_>>().join("\n");
        texts.push(format!("{} ({}): {said}", task.name, task.state.in_words()));
    }
    let text = texts.join("\n\n");
    let text = vec![ContentBlock::text(cut(&text, TEXT_LIMIT, page))];
    if failed { CallToolResult::error(text) } else { CallToolResult::success(text) }
}

/// The answer for work that was not done in time, to a client without tasks.
pub(super) fn ticket(call_id: CallId, ack: Option<&str>, status: &str, page: &str) -> CallToolResult {
    let ack = ack.map(|ack| format!("{}\n\n", cut(ack, TEXT_LIMIT / 2, page))).unwrap_or_default();
    let text = format!(
        "{ack}It is still at work: {status}\n\nThis is not the result yet. Call the tool `task_status` with \
         {{\"id\": \"{call_id}\"}} for it, or tell the user that it will be in the chat: {page}"
    );
    let mut answer = CallToolResult::success(vec![ContentBlock::text(text)]);
    answer.structured_content = Some(json!({"id": call_id, "status": "working", "message": status}));
    answer
}

/// The answer to a call of a function that only its user can run, on the page.
pub(super) fn on_page(why: &str, form: &str) -> CallToolResult {
    let text = format!("{why} Ask the user to open the form and run it there: {form}");
    let mut answer = CallToolResult::error(vec![ContentBlock::text(text)]);
    let mut link = Map::new();
    link.insert("form".to_owned(), Value::from(form));
    answer.structured_content = Some(Value::Object(link));
    answer
}

/// A plain sentence.
pub(super) fn say(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text.into())])
}

/// The first characters of a text, and where the rest is.
fn cut(text: &str, most: usize, page: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else { return text.to_owned() };
    let more = text[end..].chars().count();
    let rest = if page.is_empty() { String::new() } else { format!(" The whole text is in the chat: {page}") };
    format!("{}…\n\n({more} more characters were cut.{rest})", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answer: &CallToolResult) -> &str {
        &answer.content[0].as_text().unwrap().text
    }

    fn success(summary: &str, data: &Value) -> WireResult {
        serde_json::from_value(json!({"status": "success", "summary": summary, "data": data})).unwrap()
    }

    #[test]
    fn results_are_a_sentence_with_json() {
        let answer = of_result(&success("Found two.", &json!({"n": 2})), "http://page/");
        assert_eq!(text(&answer), "Found two.\n\n{\"n\":2}");
        assert_eq!((answer.structured_content, answer.is_error), (Some(json!({"n": 2})), Some(false)));
        let plain = of_result(&success("Done.", &json!({})), "http://page/");
        assert_eq!((text(&plain), &plain.structured_content), ("Done.", &None));
    }

    #[test]
    fn long_results_are_cut_between_characters_and_name_the_page() {
        let answer = of_result(&success("Long.", &json!({"x": "é".repeat(30_000)})), "http://page/");
        let text = text(&answer);
        assert!(text.chars().count() < TEXT_LIMIT + 200 && text.ends_with("in the chat: http://page/)"), "{text}");
        assert_eq!(answer.structured_content, None);
    }

    #[test]
    fn long_errors_are_cut() {
        let answer = of_error(Error::user(codes::VALIDATION_TYPE_ERROR, "é".repeat(20_000)));
        let length = text(&answer).chars().count();
        assert!((ERROR_LIMIT..ERROR_LIMIT + 100).contains(&length), "{length}");
    }

    #[test]
    fn errors_have_code_and_way_out() {
        let error = Error::user(codes::VALIDATION_TYPE_ERROR, "`n` must be a number").with_field("n");
        let answer = of_error(error);
        assert_eq!(text(&answer), "VALIDATION_TYPE_ERROR: `n` must be a number (parameter `n`)");
        assert_eq!(answer.is_error, Some(true));
        assert_eq!(answer.structured_content.unwrap()["error"]["code"], "VALIDATION_TYPE_ERROR");
    }
}
