//! Reads a list although some of its rows cannot be read: those are named and left out.
//!
//! Owns how JSON text is split into its parts without parsing them, so that a row may have any depth and form.
//! Nothing here is recursive: text of any depth takes the same stack.

use serde::de::DeserializeOwned;

/// The list without its unreadable rows, and the names of those. `None` if that does not make it readable.
pub(super) fn read_readable_rows<T: DeserializeOwned>(text: &[u8]) -> Option<(T, Vec<String>)> {
    let fields = parts(text)?;
    let list = fields.iter().position(|(_, value)| value.first() == Some(&b'['))?;
    let with = |rows: &[&[u8]]| {
        let mut document = vec![b'{'];
        for (at, (key, value)) in fields.iter().enumerate() {
            document.extend_from_slice(if at == 0 { b"" } else { b"," });
            document.extend_from_slice(key);
            document.push(b':');
            if at == list {
                document.extend_from_slice(&[b"[", rows.join(&b","[..]).as_slice(), b"]"].concat());
            } else {
                document.extend_from_slice(value);
            }
        }
        document.push(b'}');
        crate::json::read::<T>(&document)
    };
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (_, row) in parts(fields[list].1)? {
        match with(&[row]) {
            Ok(_) => kept.push(row),
            Err(error) => left_out.push(format!("{}: {error}", row_name(row))),
        }
    }
    let list = with(&kept).ok()?;
    (!left_out.is_empty()).then_some((list, left_out))
}

/// The field that identifies a row.
fn row_name(row: &[u8]) -> String {
    let identify = |key: &str| scalar_field(row, key).map(|value| format!("{key} {value}"));
    ["turn_id", "task_id", "audit_id", "seq"].into_iter().find_map(identify).unwrap_or_else(|| "a row".to_owned())
}

/// The text of a field, or `..` for a list or object. `None` for null and for a field that is missing.
pub(super) fn scalar_field(object: &[u8], key: &str) -> Option<String> {
    let quoted = format!("\"{key}\"");
    let (_, value) = parts(object)?.into_iter().find(|(found, _)| *found == quoted.as_bytes())?;
    match value.first()? {
        b'{' | b'[' => Some("..".to_owned()),
        b'n' => None,
        _ => crate::json::read::<serde_json::Value>(value)
            .ok()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
    }
}

/// The parts of an object, each with its key as written, or of a list.
fn parts(text: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let text = text.trim_ascii();
    let (is_object, inner) = match text {
        [b'{', inner @ .., b'}'] => (true, inner),
        [b'[', inner @ .., b']'] => (false, inner),
        _ => return None,
    };
    let mut parts = Vec::new();
    let mut rest = inner.trim_ascii();
    while !rest.is_empty() {
        let mut key: &[u8] = b"";
        if is_object {
            (key, rest) = rest.split_at_checked(string_length(rest)?)?;
            rest = rest.trim_ascii_start().strip_prefix(b":")?;
        }
        let (value, behind) = rest.split_at_checked(value_length(rest)?)?;
        parts.push((key, value.trim_ascii()));
        rest = match behind.trim_ascii_start() {
            [] => break,
            [b',', next @ ..] => next.trim_ascii_start(),
            _ => return None,
        };
    }
    Some(parts)
}

/// The length of a value, up to its comma or the end.
fn value_length(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0_usize, 0_usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at += string_length(&text[at..])?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => return Some(at),
            _ => {}
        }
        at += 1;
    }
    (depth == 0).then_some(at)
}

/// The length of a string with its quotes.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    text.strip_prefix(b"\"")?;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Rows {
        rows: Vec<Row>,
        next: Option<u64>,
    }

    #[derive(Debug, Deserialize)]
    struct Row {
        #[allow(dead_code, reason = "a row without it is unreadable")]
        seq: u64,
        data: serde_json::Value,
    }

    #[test]
    fn names_unreadable_rows_and_keeps_the_others() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let text = format!(
            r#"{{"rows": [{{"seq":1,"data":"a,\"]}}"}}, {{"seq":2,"data":{deep}}}, {{"seq":"three","data":0}} ,
               {{"seq":4,"data":{{"b":[1,2]}}}}], "next": 5}}"#
        );
        assert!(crate::json::read::<Rows>(text.as_bytes()).is_err());
        let (list, left_out) = read_readable_rows::<Rows>(text.as_bytes()).unwrap();
        assert_eq!((list.rows.len(), list.next), (2, Some(5)));
        assert_eq!(list.rows[0].data, "a,\"]}");
        assert!(left_out[0].starts_with("seq 2: recursion limit exceeded"), "{left_out:?}");
        assert!(left_out[1].starts_with("seq three: "), "{left_out:?}");
    }

    #[test]
    fn returns_none_for_text_that_is_not_a_list() {
        for text in
            ["", "{}", "[1]", "{\"rows\":[1", "{\"rows\":{}}", "{\"rows\":[],\"next\":\"x\"}", "{\"rows", "{\"a\\"]
        {
            assert!(read_readable_rows::<Rows>(text.as_bytes()).is_none(), "{text}");
        }
    }
}
