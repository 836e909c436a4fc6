//! One JSON-RPC message on its way to `/mcp`: what its HTTP request has to say about it.

use serde_json::{Value, json};

use crate::ids::RequestKey;

/// Fields of `_meta`.
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const KEY: &str = "imperal/idempotencyKey";

/// What a client with a handshake has said of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// The version of the protocol, once it is agreed.
    pub(super) version: Option<String>,
    /// The name of the client.
    pub(super) name: Option<String>,
}

/// A message of the client.
#[derive(Debug)]
pub(super) struct Message {
    /// Of a request; a notification has none.
    pub(super) id: Option<Value>,
    pub(super) body: Value,
}

impl Message {
    /// Reads a message, or returns the error that the client gets.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Value> {
        let error =
            |code: i32, text: &str| json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": text}});
        let body: Value =
            crate::json::read(line).map_err(|_| error(-32700, "the line is not JSON, or longer than 2 MiB"))?;
        if !body.is_object() {
            return Err(error(-32600, "the message is not an object: batches are not part of the protocol"));
        }
        let id = body.get("id").filter(|id| !id.is_null()).cloned();
        Ok(Self { id, body })
    }

    fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }

    /// Whether it begins the handshake of the older protocols.
    pub(super) fn is_handshake(&self) -> bool {
        self.method() == "initialize"
    }

    /// The name of the client that begins a handshake.
    pub(super) fn client_name(&self) -> Option<&str> {
        let info = &self.body["params"]["clientInfo"];
        info["title"].as_str().or_else(|| info["name"].as_str())
    }

    /// The id of the request that it cancels.
    pub(super) fn cancels(&self) -> Option<String> {
        (self.method() == "notifications/cancelled").then(|| self.body["params"]["requestId"].to_string())
    }

    /// Gives a call a key, so that it can be sent again without running again.
    pub(super) fn set_key(&mut self, key: &RequestKey) {
        if self.method() != "tools/call" || !self.body["params"].is_object() {
            return;
        }
        let meta = &mut self.body["params"]["_meta"];
        if meta.is_null() {
            *meta = json!({});
        }
        if let Value::Object(meta) = meta {
            meta.entry(KEY).or_insert_with(|| key.as_str().into());
        }
    }

    /// The headers of its request, for a client that has said this of itself.
    pub(super) fn headers(&self, Said { version, name: client }: &Said) -> Vec<(&'static str, String)> {
        let params = &self.body["params"];
        let own = params["_meta"][VERSION].as_str();
        let mut headers = Vec::new();
        if let Some(version) = own.or(version.as_deref().filter(|_| !self.is_handshake())) {
            headers.push(("mcp-protocol-version", version.to_owned()));
        }
        if own.is_some() {
            headers.push(("mcp-method", self.method().to_owned()));
            let name = match self.method() {
                "tools/call" | "prompts/get" => &params["name"],
                "tasks/get" | "tasks/update" | "tasks/cancel" => &params["taskId"],
                "resources/read" => &params["uri"],
                _ => &Value::Null,
            };
            headers.extend(name.as_str().map(|name| ("mcp-name", name.to_owned())));
        }
        headers.extend(client.iter().map(|client| ("imperal-mcp-client", client.clone())));
        // A header's value is visible ASCII. Other texts name nothing here, and the platform says so.
        headers.retain(|(_, value)| value.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        headers
    }

    /// The answer to a request that failed; none for a notification.
    pub(super) fn failure(&self, why: &str) -> Option<Value> {
        let id = self.id.as_ref()?;
        Some(json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": why}}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &Value) -> Message {
        Message::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn calls_of_the_modern_era_name_version_method_and_tool() {
        let call = message(&json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
            "name": "add", "_meta": {VERSION: "2026-07-28"},
        }}));
        let said = |version: Option<&str>| Said { version: version.map(str::to_owned), name: None };
        let wanted = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "add")];
        assert_eq!(call.headers(&said(Some("2025-06-18"))), wanted.map(|(name, value)| (name, value.to_owned())));
        let list = message(&json!({"jsonrpc": "2.0", "id": 8, "method": "tools/list"}));
        assert_eq!(list.headers(&said(Some("2025-06-18"))), [("mcp-protocol-version", "2025-06-18".to_owned())]);
        assert_eq!(list.headers(&said(None)), []);
    }

    #[test]
    fn client_of_a_handshake_is_named_in_later_requests() {
        let hello =
            message(&json!({"id": 0, "method": "initialize", "params": {"clientInfo": {"name": "claude-code"}}}));
        let list = message(&json!({"id": 1, "method": "tools/list"}));
        let named = |name: &str| Said { version: None, name: Some(name.to_owned()) };
        let headers = list.headers(&named(hello.client_name().unwrap()));
        assert_eq!(headers, [("imperal-mcp-client", "claude-code".to_owned())]);
        assert_eq!(list.headers(&named("Клод")), [], "no header can have it");
    }

    #[test]
    fn calls_get_a_key_and_keep_their_own() {
        let key: RequestKey = "bridge".parse().unwrap();
        let mut call = message(&json!({"id": 1, "method": "tools/call", "params": {"name": "add"}}));
        call.set_key(&key);
        assert_eq!(call.body["params"]["_meta"][KEY], "bridge");
        let mut own = message(&json!({"id": 1, "method": "tools/call", "params": {"_meta": {KEY: "own"}}}));
        own.set_key(&key);
        assert_eq!(own.body["params"]["_meta"][KEY], "own");
    }

    #[test]
    fn lines_that_are_no_message_get_an_error() {
        for (line, code) in [("{", -32700), ("[]", -32600), ("1", -32600)] {
            assert_eq!(Message::parse(line.as_bytes()).unwrap_err()["error"]["code"], code, "{line}");
        }
    }
}
