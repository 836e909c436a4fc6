//! Small pictures of results, which a client shows in place. Larger ones, and other files, are in the chat.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use rmcp::model::ContentBlock;
use serde_json::Value;

use crate::ids::FileId;
use crate::platform::Access;

/// Largest picture, in bytes. As Base64 it takes a third more of what a model reads.
const LARGEST: u64 = 256 << 10;
/// Most pictures of a result.
const MOST: usize = 4;
/// The types that clients show.
const TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// The small pictures among the files in these data. A file that cannot be read is left out: the data name it.
pub(super) async fn of(access: &Access, data: impl Iterator<Item = &Value>) -> Vec<ContentBlock> {
    let mut found = Vec::new();
    data.for_each(|data| find(data, &mut found));
    let mut images = Vec::new();
    for (file_id, content_type) in found {
        match read(access, file_id).await {
            Ok(Some(bytes)) => images.push(ContentBlock::image(STANDARD.encode(bytes), content_type)),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, file = %file_id, "a picture is not shown to an MCP client"),
        }
    }
    images
}

/// Finds references to small pictures, in the order of the data.
fn find(data: &Value, found: &mut Vec<(FileId, &'static str)>) {
    if found.len() >= MOST {
        return;
    }
    match data {
        Value::Object(fields) => match small_picture(data) {
            Some(picture) if !found.contains(&picture) => found.push(picture),
            Some(_) => {}
            None => fields.values().for_each(|value| find(value, found)),
        },
        Value::Array(values) => values.iter().for_each(|value| find(value, found)),
        _ => {}
    }
}

fn small_picture(data: &Value) -> Option<(FileId, &'static str)> {
    let file_id = data.get("file_id")?.as_str()?.parse().ok()?;
    let content_type = data.get("content_type")?.as_str()?;
    let is_small = data.get("size")?.as_u64()? <= LARGEST && data.get("sha256")?.is_string();
    TYPES.iter().find(|known| **known == content_type && is_small).map(|known| (file_id, *known))
}

/// The bytes of a file of the user. `None` for more than the reference said.
async fn read(access: &Access, file_id: FileId) -> crate::Result<Option<Vec<u8>>> {
    if access.file(file_id).await?.file.size > LARGEST {
        return Ok(None);
    }
    let chunks = access.read_file(file_id).await?;
    chunks
        .try_fold(Vec::new(), async |mut bytes, chunk| {
            bytes.extend_from_slice(&chunk);
            Ok(bytes)
        })
        .await
        .map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn small_pictures_are_found_once_at_any_depth() {
        let id = |n: u32| format!("0199c2ab-3f6e-7c1d-9a40-{n:012}");
        let file = |n: u32, kind: &str, size: u64| json!({"file_id": id(n), "name": "a", "content_type": kind, "size": size, "sha256": "0"});
        let data = json!({
            "cover": file(1, "image/png", 100),
            "pages": [file(1, "image/png", 100), {"scan": file(2, "image/webp", LARGEST)}],
            "large": file(3, "image/png", LARGEST + 1),
            "drawing": file(4, "image/svg+xml", 100),
            "other": {"file_id": "no id", "content_type": "image/png", "size": 1, "sha256": "0"},
        });
        let mut found = Vec::new();
        find(&data, &mut found);
        let wanted = [(id(1).parse().unwrap(), "image/png"), (id(2).parse().unwrap(), "image/webp")];
        assert_eq!(found, wanted);
        let many: Vec<_> = (10..30).map(|n| file(n, "image/png", 1)).collect();
        let mut found = Vec::new();
        find(&json!(many), &mut found);
        assert_eq!(found.len(), MOST);
    }
}
