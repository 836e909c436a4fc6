//! The name of a client, as its user sees it in the chat.

use rmcp::model::Implementation;

use crate::truncate::truncate_line;

/// Longest name, in bytes.
const LIMIT: usize = 60;

/// Names that clients give themselves, and the names that people know.
const KNOWN: [(&str, &str); 5] = [
    ("claude-code", "Claude Code"),
    ("claude-ai", "Claude"),
    ("cursor-vscode", "Cursor"),
    ("visual studio code", "VS Code"),
    ("vscode", "VS Code"),
];

/// The name of a client from its own information, or from a header of its requests.
pub(super) fn of(info: Option<&Implementation>, header: Option<&str>) -> String {
    let own = info.map(|info| info.title.as_deref().unwrap_or(&info.name));
    let name = own.or(header).map(str::trim).filter(|name| !name.is_empty());
    let name = name.map(|name| known(name).unwrap_or(name));
    truncate_line(name.unwrap_or("an MCP client"), LIMIT).into_owned()
}

/// The name of a client by the header `User-Agent`, if the header names a client and not a library for HTTP.
pub(crate) fn of_user_agent(header: &str) -> Option<&'static str> {
    known(header.split(['/', ' ']).next()?)
}

fn known(name: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, known)| *known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_is_shown_before_name_and_header() {
        let info = Implementation::new("claude-code", "2");
        assert_eq!(of(Some(&info), Some("Cursor")), "Claude Code");
        assert_eq!(of(Some(&info.with_title("Claude Code of Anna")), None), "Claude Code of Anna");
        assert_eq!(of(None, Some("goose")), "goose");
        assert_eq!(of(None, None), "an MCP client");
        assert_eq!(of(Some(&Implementation::new(" ", "1")), None), "an MCP client");
        assert_eq!(
            of(Some(&Implementation::new("x\n".repeat(100), "1")), None).chars().filter(|c| c.is_control()).count(),
            0
        );
    }

    #[test]
    fn libraries_are_no_clients() {
        assert_eq!(of_user_agent("claude-code/2.1.319 (cli)"), Some("Claude Code"));
        assert_eq!(of_user_agent("python-httpx/0.28"), None);
        assert_eq!(of_user_agent(""), None);
    }
}
