//! Lists of which one row cannot be read: it is named and left out, the others are shown.
//!
//! Owns how JSON text is cut into its parts without reading them, so that neither a row's depth nor its
//! form matters. Nothing here calls itself: text of any depth takes the same stack.

use serde::de::DeserializeOwned;

/// A list without the rows that cannot be read, and the names of those. None where that does not help.
pub(super) fn without_unreadable<T: DeserializeOwned>(text: &[u8]) -> Option<(T, Vec<String>)> {
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
            Err(error) => left_out.push(format!("{}: {error}", name(row))),
        }
    }
    let list = with(&kept).ok()?;
    (!left_out.is_empty()).then_some((list, left_out))
}

/// What a row is known by.
fn name(row: &[u8]) -> String {
    let of = |key: &str| field(row, key).map(|value| format!("{key} {value}"));
    ["turn_id", "task_id", "audit_id", "seq"].into_iter().find_map(of).unwrap_or_else(|| "a row".to_owned())
}

/// A scalar field of an object, or `..` for one that is a list or an object. None for null.
pub(super) fn field(object: &[u8], key: &str) -> Option<String> {
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

/// The parts of an object, with their keys as they are written, or of a list.
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

/// Up to the comma behind a value, or the end.
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

/// A string with its quotes.
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
        #[allow(dead_code, reason = "what makes a row one")]
        seq: u64,
        data: serde_json::Value,
    }

    #[test]
    fn a_row_that_is_too_deep_or_of_another_form_is_named_and_the_others_stay() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let text = format!(
            r#"{{"rows": [{{"seq":1,"data":"a,\"]}}"}}, {{"seq":2,"data":{deep}}}, {{"seq":"three","data":0}} ,
               {{"seq":4,"data":{{"b":[1,2]}}}}], "next": 5}}"#
        );
        assert!(crate::json::read::<Rows>(text.as_bytes()).is_err());
        let (list, left_out) = without_unreadable::<Rows>(text.as_bytes()).unwrap();
        assert_eq!((list.rows.len(), list.next), (2, Some(5)));
        assert_eq!(list.rows[0].data, "a,\"]}");
        assert!(left_out[0].starts_with("seq 2: recursion limit exceeded"), "{left_out:?}");
        assert!(left_out[1].starts_with("seq three: "), "{left_out:?}");
    }

    #[test]
    fn what_is_no_list_is_left_to_its_own_error() {
        for text in
            ["", "{}", "[1]", "{\"rows\":[1", "{\"rows\":{}}", "{\"rows\":[],\"next\":\"x\"}", "{\"rows", "{\"a\\"]
        {
            assert!(without_unreadable::<Rows>(text.as_bytes()).is_none(), "{text}");
        }
    }
}
