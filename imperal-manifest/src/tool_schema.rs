//! A JSON Schema of a tool, which many tools can share.
//!
//! Functions with the same types have the same schemas. A copy of one costs no more than a pointer.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The JSON Schema of a tool's parameters or result. A clone shares the fields.
///
/// ```
/// use imperal_manifest::ToolSchema;
/// use serde_json::{Map, json};
///
/// let schema = ToolSchema::from(Map::from_iter([("type".to_owned(), json!("object"))]));
/// assert_eq!(schema["type"], "object");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolSchema(Arc<Map<String, Value>>);

impl From<Map<String, Value>> for ToolSchema {
    fn from(fields: Map<String, Value>) -> Self {
        Self(Arc::new(fields))
    }
}

impl Deref for ToolSchema {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Serialize for ToolSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ToolSchema {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        Map::deserialize(reader).map(Self::from)
    }
}
