//! The operations of a user's files.

use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::{NEXT_PLACE, Operation, get, schema};
use crate::gateway::files::DeletedFile;
use crate::platform::{FileInfo, FilePage};

/// The body of an upload and of a file.
pub(super) fn bytes() -> Value {
    json!({"type": "string", "format": "binary"})
}

/// A file as results have it, and the answer to an upload.
fn file() -> Value {
    json!({
        "type": "object",
        "title": "FileRef",
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

pub(super) fn file_operations(generator: &mut SchemaGenerator) -> Vec<Operation> {
    const ONE: &str = "/v1/files/{file_id}";
    // Its definition is used by the page.
    let _ = schema::<FileInfo>(generator);
    vec![
        Operation {
            query: &[
                ("app", "Only files of this extension"),
                ("after", NEXT_PLACE),
                ("limit", "Most files, 1 to 1,000; 100 when absent"),
            ],
            ..get("/v1/files", "The caller's files, the latest first", schema::<FilePage>(generator))
        },
        Operation {
            method: "post",
            query: &[
                ("app", "The extension whose function takes the file"),
                ("name", "The file's name: 1 to 255 bytes without control characters and slashes"),
                ("expires_in", "Seconds that the file is kept; without it, until it is deleted"),
            ],
            body: Some(bytes()),
            errors: &[400, 401, 404, 409, 413, 429, 503],
            ..get(
                "/v1/files",
                "Upload a file, for a parameter of a call: the call takes its `file_id`. The body is the file, not a form; \
                 Content-Type is its type, guessed without it. A file that no call takes within 24 hours is removed",
                file(),
            )
        },
        Operation {
            query: &[
                ("info", "Present: what is known of the file as JSON, instead of its bytes"),
                ("download", "Present: never shown by a browser"),
            ],
            errors: &[400, 401, 404, 416, 500, 503],
            ..get(
                ONE,
                "The bytes of a file. One `Range` is answered with 206; the strong `ETag` is the file's SHA-256. Pictures, \
                 sound, films and plain text are shown by a browser if their first bytes agree with their type; everything \
                 else is a download",
                bytes(),
            )
        },
        Operation {
            method: "delete",
            errors: &[400, 401, 404, 503],
            ..get(ONE, "Delete a file", schema::<DeletedFile>(generator))
        },
    ]
}
