//! Answers as a person types them, by the schema of their question.
//!
//! A choice is named by its value, its title or its number; a form is `key=value` words; everything else is one word.
//! Texts of extensions in the results are as they came.

use serde_json::Value;

use super::exit::{CliError, suggestion};
use super::{params, schema_text};

/// A value that a question lists.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    pub(super) value: Value,
    pub(super) title: String,
}

/// The values that a question lists, and whether it takes no other.
pub(super) fn choices(schema: &Value) -> (Vec<Choice>, bool) {
    if schema["type"] == "boolean" {
        let choice = |value: bool, title: &str| Choice { value: value.into(), title: title.to_owned() };
        return (vec![choice(true, "yes"), choice(false, "no")], true);
    }
    if let Some(values) = schema["enum"].as_array() {
        return (values.iter().map(|value| named(value, &Value::Null)).collect(), true);
    }
    let forms = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
    let mut listed = Vec::new();
    let mut only = forms.is_some();
    for form in forms.into_iter().flatten() {
        match (form.get("const"), form["enum"].as_array()) {
            (Some(value), _) => listed.push(named(value, &form["title"])),
            (None, Some(values)) => listed.extend(values.iter().map(|value| named(value, &Value::Null))),
            (None, None) => only = false,
        }
    }
    (listed, only)
}

fn named(value: &Value, title: &Value) -> Choice {
    Choice { title: title.as_str().map_or_else(|| as_text(value), str::to_owned), value: value.clone() }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether an answer is a form of fields.
pub(super) fn is_form(schema: &Value) -> bool {
    schema["properties"].is_object()
}

/// An answer in words.
pub(super) fn in_words(schema: &Value, value: &Value) -> String {
    let (listed, _) = choices(schema);
    listed.into_iter().find(|choice| choice.value == *value).map_or_else(|| as_text(value), |choice| choice.title)
}

/// The answers that a question takes: "one of: Publish, Later", "note=.. (text), copies=.. (whole number)".
pub(super) fn takes(schema: &Value) -> String {
    let (listed, only) = choices(schema);
    if !listed.is_empty() {
        let titles: Vec<_> = listed.into_iter().map(|choice| choice.title).collect();
        return format!("one of: {}{}", titles.join(", "), if only { "" } else { "; or JSON" });
    }
    if !is_form(schema) {
        return schema_text::value_kind(schema);
    }
    let field = |field: schema_text::ParameterText| {
        let optional = if field.required { "" } else { ", optional" };
        format!("{}=.. ({}{optional})", field.name, field.kind)
    };
    schema_text::parameters(schema).into_iter().map(field).collect::<Vec<_>>().join(", ")
}

/// The answer that these words give.
///
/// # Errors
/// With the way out, for words that are none. The platform checks bounds.
pub(super) fn parse(words: &[String], schema: &Value) -> Result<Value, CliError> {
    if is_form(schema) {
        if let [json] = words
            && json.starts_with('{')
        {
            return crate::json::read(json.as_bytes())
                .map_err(|error| CliError::usage(format!("the answer is not JSON: {error}")));
        }
        let given = params::answer_from_pairs(words, schema).map(Value::Object);
        return given.map_err(|error| error.hint(format!("it takes {}", takes(schema))));
    }
    let [word] = words else {
        return Err(CliError::usage("the answer is one value: put it in quotes"));
    };
    let (listed, only) = choices(schema);
    let is_it = |choice: &&Choice| as_text(&choice.value) == *word || choice.title.eq_ignore_ascii_case(word);
    let by_number = || word.parse::<usize>().ok()?.checked_sub(1).and_then(|at| listed.get(at));
    if let Some(choice) = listed.iter().find(is_it).or_else(by_number) {
        return Ok(choice.value.clone());
    }
    if !only {
        return Ok(params::parse_value(word.clone(), schema, schema));
    }
    let titles: Vec<_> = listed.iter().map(|choice| choice.title.as_str()).collect();
    Err(CliError::refused(format!("`{word}` is not a choice; there is {}", titles.join(", ")))
        .hint(suggestion(word, titles.iter().copied())))
}

/// The words of a line, as a shell would split it: quotes keep spaces.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The answer that a typed line gives. A value that is no form may have spaces. `None` for an empty line.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_line(line: &str, schema: &Value) -> Result<Option<Value>, CliError> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(None);
    }
    let words = if is_form(schema) && !line.starts_with('{') { split(line) } else { vec![line.to_owned()] };
    parse(&words, schema).map(Some)
}

/// The answer that a line of JSON gives, next to the listed choices: a number is itself, and not the number of a
/// choice.
/// `None` for an empty line.
///
/// # Errors
/// With the way out, for a line that is not JSON.
pub(super) fn parse_json(line: &str) -> Result<Option<Value>, CliError> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(None);
    }
    crate::json::read(line.as_bytes()).map(Some).map_err(|error| {
        CliError::usage(format!("the answer is not JSON: {error}")).hint("put a text in double quotes".to_owned())
    })
}

/// One word that names a choice and that a shell does not split or change: its title, its value, or else its number.
pub(super) fn plain_word(choice: &Choice, number: usize) -> String {
    let is_plain = |word: &str| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ',' | '+' | '@' | '/');
        !word.is_empty() && !word.starts_with('-') && word.chars().all(plain)
    };
    let words = [choice.title.clone(), as_text(&choice.value)];
    words.into_iter().find(|word| is_plain(word)).unwrap_or_else(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn word(text: &str, schema: &Value) -> Result<Value, String> {
        parse(&[text.to_owned()], schema)
            .map_err(|error| format!("{} | {}", error.text, error.hint.unwrap_or_default()))
    }

    #[test]
    fn a_choice_is_named_by_value_title_or_number() {
        let schema = json!({"oneOf": [
            {"const": "publish", "title": "Publish now"}, {"const": "later"}, {"const": "2"},
        ]});
        for (text, value) in [("publish", "publish"), ("publish NOW", "publish"), ("Later", "later"), ("1", "publish")]
        {
            assert_eq!(word(text, &schema), Ok(json!(value)), "{text}");
        }
        assert_eq!(word("2", &schema), Ok(json!("2")), "a value is meant before a number");
        let refused = word("latter", &schema).unwrap_err();
        assert_eq!(refused, "`latter` is not a choice; there is Publish now, later, 2 | did you mean `later`?");
        assert_eq!(word("yes", &json!({"type": "boolean"})), Ok(json!(true)));
        assert_eq!(word("false", &json!({"type": "boolean"})), Ok(json!(false)));
        assert_eq!(in_words(&schema, &json!("publish")), "Publish now");
    }

    /// The page lists them in this order too.
    #[test]
    fn choices_are_in_the_order_of_their_schema() {
        let schema = json!({"oneOf": [
            {"type": "string", "enum": ["Skip"]}, {"const": "Wait", "description": "Until it is there."}, {"const": "Buy"},
        ]});
        assert_eq!(takes(&schema), "one of: Skip, Wait, Buy");
        assert_eq!(word("2", &schema), Ok(json!("Wait")));
    }

    #[test]
    fn json_is_never_the_number_of_a_choice() {
        let schema = json!({"anyOf": [{"const": "a"}, {"const": "b"}, {"type": "integer"}]});
        assert_eq!(parse_line("2", &schema).unwrap(), Some(json!("b")));
        assert_eq!(parse_json("2").unwrap(), Some(json!(2)));
        assert_eq!(parse_json(r#" {"Other": "x"} "#).unwrap(), Some(json!({"Other": "x"})));
        assert_eq!(parse_json(" ").unwrap(), None);
        let error = parse_json("x").unwrap_err();
        assert!(error.text.starts_with("the answer is not JSON") && error.hint.unwrap().contains("quotes"));
    }

    #[test]
    fn every_choice_has_a_word_that_a_shell_does_not_split() {
        let schema = json!({"oneOf": [
            {"const": "later"}, {"const": "publish", "title": "Publish now"}, {"const": "at noon"}, {"const": "$HOME"},
            {"const": "--all"}, {"const": "für Ärzte", "title": "Ärzte"},
        ]});
        let (listed, _) = choices(&schema);
        let words: Vec<_> = listed.iter().zip(1..).map(|(choice, number)| plain_word(choice, number)).collect();
        assert_eq!(words, ["later", "publish", "3", "4", "5", "Ärzte"]);
        for (text, choice) in words.iter().zip(&listed) {
            assert_eq!(word(text, &schema), Ok(choice.value.clone()));
        }
    }

    #[test]
    fn a_form_is_key_value_words_and_other_values_are_one_word() {
        let form = json!({
            "type": "object", "required": ["note"],
            "properties": {"note": {"type": "string"}, "copies": {"type": "integer", "minimum": 1}},
        });
        let typed = |line: &str| parse_line(line, &form).map_err(|error| (error.text, error.hint.unwrap_or_default()));
        assert_eq!(typed("note='a red one' copies=2"), Ok(Some(json!({"note": "a red one", "copies": 2}))));
        assert_eq!(typed(r#"{"note": "x"}"#), Ok(Some(json!({"note": "x"}))));
        assert_eq!(typed(" "), Ok(None));
        let (text, hint) = typed("not=x").unwrap_err();
        assert_eq!(text, "the answer has no field `not`; it has note, copies");
        assert_eq!(hint, "it takes note=.. (text), copies=.. (whole number, at least 1, optional)");
        let text = json!({"type": "string"});
        assert_eq!(parse_line("more than one word", &text).unwrap(), Some(json!("more than one word")));
        assert_eq!(word("7", &text), Ok(json!("7")));
        assert_eq!(word("7", &json!({"type": "integer"})), Ok(json!(7)));
        assert!(parse(&["a".to_owned(), "b".to_owned()], &text).unwrap_err().text.contains("quotes"));
    }
}
