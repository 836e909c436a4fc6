//! Faults in a durable task's body that stay hidden until an attempt is interrupted.
//!
//! The surfaces find them while the body runs and give them to the host: the test kit fails the test, a process that
//! serves logs a warning. A text names the place and the remedy. That of a log has no value, and no part of one.

use std::fmt::{self, Write};
use std::panic::Location;
use std::path::PathBuf;

use serde_json::Value;

use super::Context;
use crate::ids::TurnId;

/// Most paths of one value that are looked at.
const PATHS: usize = 16;
/// Longest text that may be a path.
const PATH_BYTES: usize = 4096;

/// A place in the author's code.
pub(super) type Place = &'static Location<'static>;

/// A fault that an interruption would show.
#[derive(Debug, Clone)]
pub(crate) enum Hazard {
    /// A request that may change something, outside of steps and without a key: each attempt sends it.
    Request { method: String, host: String, path: String, place: Place },
    /// The start of a task outside of steps and without a key. It was refused.
    Start { place: Place },
    /// Two attempts delivered messages that differ only in part.
    Messages { earlier: SaidText, later: SaidText },
    /// A stored value has the path of a local file.
    LocalPath { step: String, at: ValuePlace },
}

/// A delivered message.
#[derive(Debug, Clone)]
pub(crate) struct SaidText {
    pub(crate) turn_id: TurnId,
    pub(crate) text: String,
}

impl Hazard {
    /// What tells it apart from others of the same function: a log names each once.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Request { place, .. } => format!("request {place}"),
            Self::Start { place } => format!("start {place}"),
            Self::Messages { .. } => "message".to_owned(),
            // The names of steps in a loop differ in their later parts, the pointers in positions of arrays and in keys of
            // maps, which may be content.
            Self::LocalPath { step, at } => format!("path {} {}", first_part(step), at.numbers.len()),
        }
    }

    /// The text for the author's test, which may show values.
    #[cfg(feature = "testing")]
    pub(crate) fn for_test(&self) -> String {
        match self {
            Self::Request { method, host, path, place } => {
                let name = path.split('/').rfind(|part| !part.is_empty()).unwrap_or(host);
                request_text(&format!("{method} {host}{path}"), place, name)
            }
            Self::Messages { earlier, later } => {
                format!("{self}\n  an earlier attempt said: {:?}\n  a later one said: {:?}", earlier.text, later.text)
            }
            Self::LocalPath { step, at } => path_text(step, &at.pointer),
            Self::Start { .. } => self.to_string(),
        }
    }
}

fn request_text(request: &str, place: Place, name: &str) -> String {
    format!(
        "{request} was sent outside of a step ({place}), so each attempt of the task sends it again: put it into a step, \
         `ctx.step({name:?}, async |ctx| ..)`, or into `ctx.effect(..)` if it must not happen twice, or give it an \
         `.idempotency_key(..)`"
    )
}

fn path_text(step: &str, at: &str) -> String {
    let at = if at.is_empty() { String::new() } else { format!(" at {at}") };
    format!(
        "the stored value of `{step}` has the path of a local file{at}, and the next attempt may run on another machine: \
         store the file elsewhere and return its address, or make the file and use it within one step"
    )
}

/// The part of a step's name that is the same in all rounds of a loop.
fn first_part(step: &str) -> String {
    match step.split_once('/') {
        Some((first, _)) => format!("{first}/.."),
        None => step.to_owned(),
    }
}

/// The text for a log: it has nothing that a user may have entered, such as a part of an address, a key of a map, or a
/// later part of a step's name.
impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { method, place, .. } => {
                f.write_str(&request_text(&format!("a {method} request"), place, ".."))
            }
            Self::Start { place } => write!(
                f,
                "a task was started outside of a step and without a key ({place}). The start was refused, because \
                 each attempt would start it again: give it a `.key(..)`, or start it in a step, `ctx.step(\"start\", \
                 async |ctx| ..)`"
            ),
            Self::Messages { earlier, later } => write!(
                f,
                "a message outside of steps has another text in a later attempt, so the user reads it twice (turns {} \
                 and {}): give it a name, `.name(\"..\")`, or deliver it in a step",
                earlier.turn_id, later.turn_id
            ),
            Self::LocalPath { step, at } => f.write_str(&path_text(&first_part(step), &at.positions())),
        }
    }
}

/// A place in a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ValuePlace {
    /// Its JSON pointer, which may have keys of maps.
    pointer: String,
    /// The numbers of fields and items on the way to it, from 1.
    numbers: Vec<usize>,
}

impl ValuePlace {
    /// `field 2, item 1` in numbers: `position 2.1`. Empty for the value itself.
    fn positions(&self) -> String {
        let numbers: Vec<String> = self.numbers.iter().map(usize::to_string).collect();
        if numbers.is_empty() { String::new() } else { format!("position {}", numbers.join(".")) }
    }

    /// Runs `work` at a field or an item of this place.
    fn enter(&mut self, index: usize, name: &dyn fmt::Display, work: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        // Writing into a text does not fail.
        let _ = write!(self.pointer, "/{name}");
        self.numbers.push(index + 1);
        work(self);
        self.numbers.pop();
        self.pointer.truncate(length);
    }
}

/// A text of a stored value that may be the path of a local file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathText {
    pub(crate) at: ValuePlace,
    pub(crate) path: PathBuf,
}

/// The texts of a value that are absolute paths. URLs are none, except for those of files.
pub(super) fn absolute_paths(json: &str) -> Vec<PathText> {
    let mut found = Vec::new();
    // Most values have none, which this finds without reading them.
    let may_have = cfg!(windows) || json.contains("\"/") || json.contains("\"file:");
    if may_have && let Ok(value) = imperal_manifest::json::read::<Value>(json.as_bytes()) {
        collect(&value, &mut ValuePlace::default(), &mut found);
    }
    found
}

fn collect(value: &Value, at: &mut ValuePlace, found: &mut Vec<PathText>) {
    if found.len() >= PATHS {
        return;
    }
    match value {
        Value::String(text) if text.len() <= PATH_BYTES => {
            let text = text.strip_prefix("file://").unwrap_or(text);
            let path = PathBuf::from(text);
            // A share of another machine is no local file, and a look at it would sign in there.
            if path.is_absolute() && !text.starts_with("\\\\") && !text.starts_with("//") {
                found.push(PathText { at: at.clone(), path });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                at.enter(index, &index, |at| collect(item, at, found));
            }
        }
        Value::Object(fields) => {
            for (index, (name, item)) in fields.iter().enumerate() {
                let name = name.replace('~', "~0").replace('/', "~1");
                at.enter(index, &name, |at| collect(item, at, found));
            }
        }
        _ => {}
    }
}

impl Context {
    /// Tells the host of a fault in the body of this durable task.
    pub(super) fn note_hazard(&self, hazard: Hazard) {
        self.services().host.note_hazard(self.origin(), hazard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Vec<String> {
        absolute_paths(json).into_iter().map(|found| found.at.pointer).collect()
    }

    #[test]
    #[cfg(unix)]
    fn absolute_paths_are_found_with_their_pointers() {
        assert_eq!(fields(r#""/tmp/a.png""#), [""]);
        let value = r#"{"images": ["https://a.example/tmp/x", "/tmp/b"], "a/b~": {"file": "file:///srv/c"}}"#;
        let mut found = fields(value);
        found.sort();
        assert_eq!(found, ["/a~1b~0/file", "/images/1"]);
        let many = serde_json::to_string(&vec!["/x"; 100]).unwrap();
        assert_eq!(fields(&many).len(), PATHS);
    }

    #[test]
    fn urls_and_other_texts_are_no_paths() {
        let none = r#"["https://a.example/tmp/a.png", "tmp/a.png", "a text with / in it", "//", 7, null, {"/tmp/x": 1},
            "//host/share/x", "file:////host/share/x", "\\\\host\\share\\x"]"#;
        assert_eq!(fields(none), [""; 0]);
        assert!(absolute_paths("not json \"/").is_empty());
    }

    #[test]
    #[cfg(unix)]
    fn one_place_stands_for_all_steps_of_a_loop() {
        let hazard = |step: &str, value: &str| {
            let at = absolute_paths(value).remove(0).at;
            Hazard::LocalPath { step: step.to_owned(), at }
        };
        let file = r#"{"files": [{"at": "/a"}]}"#;
        let other = r#"{"files": ["", "", {"at": "/b"}]}"#;
        assert_eq!(hazard("image/1", file).place(), hazard("image/2", other).place());
        let to = |who: &str| hazard("sent", &format!(r#"{{"to": {{"{who}": "/a"}}}}"#));
        assert_eq!(to("anna@x.example").place(), to("ben@x.example").place());
        assert_ne!(hazard("image/1", file).place(), hazard("cover", file).place());
    }

    /// A log is read by others than the user. The test of the author shows what is in it.
    #[test]
    #[cfg(unix)]
    fn a_log_has_no_key_of_a_map_and_no_part_of_an_address() {
        let at = absolute_paths(r#"{"count": 2, "of": {"ben@x.example": "", "anna@x.example": ["/a"]}}"#).remove(0).at;
        let local = Hazard::LocalPath { step: "sent/anna@x.example".to_owned(), at };
        let text = local.to_string();
        assert!(!text.contains("x.example"), "{text}");
        assert!(text.starts_with("the stored value of `sent/..` has the path of a local file at position 2.2.1, and"));
        let (host, path) = ("anna.example".to_owned(), "/of/anna@x.example".to_owned());
        let request = Hazard::Request { method: "POST".to_owned(), host, path, place: Location::caller() };
        let text = request.to_string();
        assert!(text.starts_with("a POST request was sent outside of a step (") && !text.contains("anna"), "{text}");
        #[cfg(feature = "testing")]
        {
            assert!(
                local.for_test().contains("`sent/anna@x.example` has")
                    && local.for_test().contains("/of/anna@x.example/0")
            );
            assert!(request.for_test().starts_with("POST anna.example/of/anna@x.example was sent"));
        }
    }
}
