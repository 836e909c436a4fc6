//! `FileRef`: the reference to a file in results, documents, steps and parameters.
//!
//! As JSON it is an object; as a parameter of a call it is the file's id alone. The platform looks the ids up before it
//! reads the parameters, and reading finds them by the thread: [`ParamFiles::read`].

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::FileId;

/// Longest name of a file, in bytes.
const NAME_LIMIT: usize = 255;

/// A file of the user, in a result or a parameter.
///
/// [`Context::files`](crate::Context::files) makes one of bytes. In a result, a delivered value, a document or a step
/// it is a small object, from which the chat page shows the file. As a parameter of a chat function it is a file that
/// the user has chosen: the platform has checked that it is the user's own, and keeps it.
///
/// ```
/// use imperal::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct ShrinkParams {
///     /// The picture.
///     #[schemars(extend("contentMediaType" = "image/png, image/jpeg"))]
///     picture: FileRef,
/// }
///
/// #[derive(Serialize, JsonSchema)]
/// struct Shrunk {
///     picture: FileRef,
/// }
///
/// # async fn example(ctx: Context, params: ShrinkParams) -> Result<Shrunk> {
/// # fn shrink(bytes: &[u8]) -> Vec<u8> { bytes.to_vec() }
/// let bytes = ctx.files().get(&params.picture).await?;
/// let picture = ctx.files().put(format!("small-{}", params.picture.name), shrink(&bytes)).await?;
/// # Ok(Shrunk { picture }) }
/// ```
///
/// A reference grants nothing: every use of it is checked against the user and the extension.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct FileRef {
    /// Its id.
    pub file_id: FileId,
    /// Its name, for people: 1 to 255 bytes without control characters and slashes.
    pub name: String,
    /// The type of its content, for example `image/png`.
    pub content_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes, as 64 hexadecimal digits.
    pub sha256: String,
}

impl FileRef {
    pub(crate) fn new(file_id: FileId, name: String, content_type: String, size: u64, sha256: &[u8; 32]) -> Self {
        use std::fmt::Write;
        let sha256 = sha256.iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Self { file_id, name, content_type, size, sha256 }
    }
}

/// Why a text cannot be the name of a file.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_name = (1..=NAME_LIMIT).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'));
    if is_name {
        return Ok(());
    }
    let shown: String = name.chars().take(60).collect();
    Err(format!("{shown:?} is no name of a file; use 1 to {NAME_LIMIT} bytes without control characters and slashes"))
}

/// The files that a call's parameters may name, while they are read.
#[derive(Debug, Default)]
pub(crate) struct ParamFiles {
    known: HashMap<FileId, FileRef>,
    used: BTreeSet<FileId>,
}

thread_local! {
    static READING: RefCell<Option<ParamFiles>> = const { RefCell::new(None) };
}

/// Ends the reading also when it panics.
struct EndsReading;

impl Drop for EndsReading {
    fn drop(&mut self) {
        READING.take();
    }
}

impl ParamFiles {
    pub(crate) fn new(known: impl IntoIterator<Item = FileRef>) -> Self {
        let known = known.into_iter().map(|file| (file.file_id, file)).collect();
        Self { known, used: BTreeSet::new() }
    }

    /// Reads parameters that may name these files. Returns those that they name.
    pub(crate) fn read<T>(self, read: impl FnOnce() -> T) -> (T, Vec<FileId>) {
        READING.replace(Some(self));
        let ends = EndsReading;
        let done = read();
        let used = READING.take().map(|reading| reading.used).unwrap_or_default();
        drop(ends);
        (done, used.into_iter().collect())
    }

    fn look_up(text: &str) -> Result<FileRef, String> {
        READING.with_borrow_mut(|reading| {
            let Some(reading) = reading else {
                return Err("a file's id stands for the file in the parameters of a call only".to_owned());
            };
            let file = text.parse().ok().and_then(|file_id: FileId| reading.known.get(&file_id));
            let Some(file) = file.cloned() else {
                return Err("there is no such file of yours; upload it, and use the file_id of the answer".to_owned());
            };
            reading.used.insert(file.file_id);
            Ok(file)
        })
    }
}

impl<'de> Deserialize<'de> for FileRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// The object.
#[derive(Deserialize)]
struct Fields {
    file_id: FileId,
    name: String,
    content_type: String,
    size: u64,
    sha256: String,
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = FileRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<FileRef, E> {
        ParamFiles::look_up(text).map_err(E::custom)
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<FileRef, M::Error> {
        let fields = Fields::deserialize(de::value::MapAccessDeserializer::new(map))?;
        let Fields { file_id, name, content_type, size, sha256 } = fields;
        Ok(FileRef { file_id, name, content_type, size, sha256 })
    }
}

impl JsonSchema for FileRef {
    fn schema_name() -> Cow<'static, str> {
        "FileRef".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_deserialize() {
            return json_schema!({"type": "string", "format": "file-id"});
        }
        json_schema!({
            "title": "FileRef",
            "type": "object",
            "format": "file",
            "properties": {
                "file_id": {"type": "string", "format": "uuid"},
                "name": {"type": "string"},
                "content_type": {"type": "string"},
                "size": {"type": "integer", "minimum": 0},
                "sha256": {"type": "string"}
            },
            "required": ["file_id", "name", "content_type", "size", "sha256"]
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file() -> FileRef {
        FileRef::new(FileId::generate(), "a.png".to_owned(), "image/png".to_owned(), 5, &[0xab; 32])
    }

    #[test]
    fn object_comes_back_and_an_id_needs_a_call() {
        let file = file();
        let json = serde_json::to_value(&file).unwrap();
        assert_eq!(json["sha256"].as_str().map(str::len), Some(64));
        assert_eq!(serde_json::from_value::<FileRef>(json).unwrap(), file);
        let id = json!(file.file_id);
        assert!(serde_json::from_value::<FileRef>(id.clone()).unwrap_err().to_string().contains("of a call only"));
        let known = || ParamFiles::new([file.clone()]);
        let (read, used) = known().read(|| serde_json::from_value::<Vec<Option<FileRef>>>(json!([id, null, id])));
        assert_eq!((read.unwrap(), used), (vec![Some(file.clone()), None, Some(file.clone())], vec![file.file_id]));
        let other = json!(FileId::generate());
        for wrong in [other, json!("x"), json!("")] {
            let (read, used) = known().read(|| serde_json::from_value::<FileRef>(wrong));
            assert!(read.unwrap_err().to_string().contains("no such file of yours"));
            assert!(used.is_empty());
        }
        assert!(serde_json::from_value::<FileRef>(id).is_err(), "the reading has ended");
    }

    #[test]
    fn names_are_no_paths() {
        for good in ["a", "ü.png", ".hidden", "...", "a b.txt", &"x".repeat(255)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "../a", "a/b", "a\\b", "a\0", "a\n", &"x".repeat(256)] {
            assert!(check_name(bad).unwrap_err().contains("use 1 to 255 bytes"), "{bad:?}");
        }
    }
}
