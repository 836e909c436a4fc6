//! Finds keys that an object of a JSON text has twice.
//!
//! A reader keeps the last value of such a key, and so does the reference SDK. A program that rewrites the text
//! loses the earlier one. The depth is limited by `serde_json`.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Most paths that are returned.
const MAX_PATHS: usize = 100;

/// The paths (`tools.0.name`) of the keys that an object has more than once, each once. At most 100.
///
/// Empty for a text that is not JSON.
#[must_use]
pub fn repeated_keys(text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(text);
    match (Search { path: &mut Vec::new(), found: &mut found }).deserialize(&mut reader) {
        Ok(()) => found,
        Err(_) => Vec::new(),
    }
}

struct Search<'a> {
    path: &'a mut Vec<String>,
    found: &'a mut Vec<String>,
}

impl Search<'_> {
    fn inside(&mut self, part: String) -> Search<'_> {
        self.path.push(part);
        Search { path: self.path, found: self.found }
    }
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        let (mut seen, mut named) = (HashSet::new(), HashSet::new());
        while let Some(key) = object.next_key::<String>()? {
            if self.found.len() < MAX_PATHS && !seen.insert(key.clone()) && named.insert(key.clone()) {
                let path: Vec<&str> = self.path.iter().map(String::as_str).chain([key.as_str()]).collect();
                self.found.push(path.join("."));
            }
            object.next_value_seed(self.inside(key))?;
            self.path.pop();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            let more = list.next_element_seed(self.inside(index.to_string()))?;
            self.path.pop();
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_repeated_key_once_with_its_path() {
        let text = br#"{"a": 1, "b": [true, {"c": null, "c": 1.5, "c": "x"}], "a": -2, "d": {"a": {}}}"#;
        assert_eq!(repeated_keys(text), ["b.1.c", "a"]);
    }

    #[test]
    fn a_key_is_the_same_however_it_is_escaped() {
        assert_eq!(repeated_keys(br#"{"panels": [], "\u0070anels": []}"#), ["panels"]);
    }

    #[test]
    fn bounds_the_answer_and_the_depth() {
        let pairs: Vec<String> = (0..300).map(|at| format!("\"k{at}\":1,\"k{at}\":2")).collect();
        assert_eq!(repeated_keys(format!("{{{}}}", pairs.join(",")).as_bytes()).len(), MAX_PATHS);
        assert!(repeated_keys("[".repeat(100_000).as_bytes()).is_empty());
        assert!(repeated_keys(b"{\"a\": 1, \"a\": ").is_empty(), "not JSON");
    }
}
