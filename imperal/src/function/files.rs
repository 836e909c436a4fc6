//! Files among a call's parameters: which ids they name, and whether the types fit.
//!
//! Where a schema says `"format": "file-id"`, the author's type has a [`FileRef`](crate::FileRef) and the caller sends
//! the file's id. An object of a result that names a file is taken as its id.

use serde_json::Value;

use super::read::Step;
use super::refusal::{PARAMETERS, refusal};
use super::subschemas::Subschemas;
use crate::codes;
use crate::files::{FileRef, accepts};
use crate::ids::FileId;
use crate::result::Result;

/// Most files that a call's parameters name.
const MOST: usize = 100;
const FORMAT: &str = "file-id";

/// Whether a schema has a file anywhere.
pub(super) fn has_files(schema: &Value) -> bool {
    let mut left = vec![schema];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(fields) if fields.get("format").is_some_and(|format| format == FORMAT) => return true,
            Value::Object(fields) => left.extend(fields.values()),
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
    false
}

/// The parameters that are files, with the types that each accepts: those at the top, one file or a list.
#[cfg(feature = "platform")]
pub(crate) fn file_params(schema: &Value) -> Vec<(String, Vec<String>)> {
    let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name);
    let sink = |name: &String| {
        let field = Subschemas::of_root(schema).field(name);
        let item = field.item(0);
        let is_file = |schema: &&Value| schema["format"] == FORMAT;
        let found = field.schemas().find(is_file).or_else(|| item.schemas().find(is_file))?;
        let accepted = found["contentMediaType"].as_str().unwrap_or("*/*");
        Some((name.clone(), accepted.split(',').map(|one| one.trim().to_owned()).collect()))
    };
    names.filter_map(sink).collect()
}

/// Replaces each object that is a file of a result by the file's id.
pub(super) fn to_ids(params: &mut Value) {
    let mut left = vec![params];
    while let Some(value) = left.pop() {
        let is_file = value.as_object().is_some_and(|fields| {
            let has = |name: &str| fields.get(name).is_some_and(Value::is_string);
            has("file_id") && has("sha256") && has("content_type") && has("name") && fields.contains_key("size")
        });
        if is_file {
            *value = value["file_id"].take();
            continue;
        }
        match value {
            Value::Object(fields) => left.extend(fields.values_mut()),
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
}

/// The texts among parameters that may name files, at most as many as a call may have. Which of them do is known once
/// they are read.
pub(super) fn ids(params: &Value) -> Vec<FileId> {
    let (mut left, mut found) = (vec![params], Vec::new());
    while let Some(value) = left.pop() {
        match value {
            // Other forms of UUIDs are longer or shorter.
            Value::String(text) if text.len() == 36 => found.extend(text.parse::<FileId>()),
            Value::Object(fields) => left.extend(fields.values()),
            Value::Array(items) => left.extend(items),
            _ => {}
        }
        if found.len() > 10 * MOST {
            break;
        }
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST);
    found
}

/// Refuses a file whose type the schema of its parameter does not accept.
///
/// # Errors
/// `VALIDATION_TYPE_ERROR` with the path as field.
pub(super) fn check_types(schema: &Value, params: &Value, files: &[FileRef], has_secrets: bool) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let mut left = vec![(Vec::new(), params)];
    while let Some((path, value)) = left.pop() {
        match value {
            Value::String(text) => {
                let Some(file) = text.parse().ok().and_then(|id: FileId| files.iter().find(|file| file.file_id == id))
                else {
                    continue;
                };
                let subschemas = Subschemas::of_root(schema).at(&path);
                let accepted = subschemas
                    .schemas()
                    .filter(|schema| schema["format"] == FORMAT)
                    .find_map(|schema| schema["contentMediaType"].as_str());
                if let Some(accepted) = accepted.filter(|accepted| !accepts(accepted, &file.content_type)) {
                    let text = format!("must be a file of the type {accepted}, not {}", file.content_type);
                    let code = codes::VALIDATION_TYPE_ERROR;
                    return Err(refusal(code, &path, &text, schema, has_secrets, PARAMETERS));
                }
            }
            Value::Object(fields) => left.extend(
                fields
                    .iter()
                    .map(|(name, value)| (path.iter().cloned().chain([Step::Field(name.clone())]).collect(), value)),
            ),
            Value::Array(items) => left.extend(
                items
                    .iter()
                    .enumerate()
                    .map(|(at, value)| (path.iter().cloned().chain([Step::Item(at)]).collect(), value)),
            ),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_of_results_become_ids_and_ids_are_found() {
        let file_id = FileId::generate();
        let file = FileRef::new(file_id, "a".to_owned(), "image/png".to_owned(), 1, &[1; 32]);
        let mut params = json!({"a": file, "b": [{"c": file}, 3, null], "text": "short", "other": {"file_id": "x"}});
        to_ids(&mut params);
        let id = file_id.to_string();
        assert_eq!(params, json!({"a": id, "b": [{"c": id}, 3, null], "text": "short", "other": {"file_id": "x"}}));
        assert_eq!(ids(&params), [file_id]);
    }

    #[test]
    fn file_of_another_type_is_refused_by_its_field() {
        let schema = json!({"type": "object", "properties": {
            "free": {"type": "string", "format": "file-id"},
            "pictures": {"type": "array", "items": {"$ref": "#/$defs/Picture"}}
        }, "$defs": {"Picture": {"type": "string", "format": "file-id", "contentMediaType": "image/*"}}});
        assert!(has_files(&schema) && !has_files(&json!({"format": "uuid"})));
        let [picture, text] = ["image/png", "text/plain"]
            .map(|kind| FileRef::new(FileId::generate(), "a".to_owned(), kind.to_owned(), 1, &[1; 32]));
        let files = [picture.clone(), text.clone()];
        let good = json!({"free": text.file_id, "pictures": [picture.file_id]});
        assert!(check_types(&schema, &good, &files, false).is_ok());
        let bad = json!({"free": text.file_id, "pictures": [picture.file_id, text.file_id]});
        let refused = check_types(&schema, &bad, &files, false).unwrap_err();
        assert_eq!(refused.field(), Some("pictures[1]"));
        assert_eq!(refused.message(), "`pictures[1]` must be a file of the type image/*, not text/plain.");
    }
}
