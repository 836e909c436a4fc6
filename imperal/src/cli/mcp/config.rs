//! Configurations of MCP clients for this program, to copy.

use std::path::Path;

use serde_json::{Value, json};

use super::McpArgs;
use crate::cli::exit::{CliError, Exit};
use crate::cli::{out, program_name};
use crate::function::Registry;

/// A client whose configuration can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum ConfigFor {
    /// A command for the terminal
    ClaudeCode,
    /// For `claude_desktop_config.json`
    ClaudeDesktop,
    /// For `.vscode/mcp.json`
    Vscode,
    /// For `.cursor/mcp.json`
    Cursor,
    /// For `~/.config/goose/config.yaml`
    Goose,
}

/// Prints the configuration with which a client starts this program.
pub(super) fn print(client: ConfigFor, registry: &Registry, args: &McpArgs) -> Result<Exit, CliError> {
    let name = match (registry.extensions().len(), registry.extensions().next()) {
        (1, Some(extension)) => extension.app_id().to_owned(),
        _ => program_name::own_name(),
    };
    let program = std::env::current_exe()?;
    // The client starts the program in a folder of its own.
    let folder = std::path::absolute(&args.folder.data_dir)?;
    out::print_line(&text(client, &name, &program, &folder));
    Ok(Exit::Success)
}

fn text(client: ConfigFor, name: &str, program: &Path, folder: &Path) -> String {
    let (program, folder) = (program.to_string_lossy(), folder.to_string_lossy());
    let command = json!({"command": program, "args": ["mcp", "--data-dir", folder]});
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
    match client {
        ConfigFor::ClaudeCode => {
            format!("claude mcp add {name} -- {} mcp --data-dir {}", quoted(&program), quoted(&folder))
        }
        ConfigFor::ClaudeDesktop | ConfigFor::Cursor => pretty(&json!({"mcpServers": {name: command}})),
        ConfigFor::Vscode => {
            let mut command = command;
            command["type"] = json!("stdio");
            pretty(&json!({"servers": {name: command}}))
        }
        ConfigFor::Goose => format!(
            "extensions:\n  {name}:\n    type: stdio\n    name: {name}\n    enabled: true\n    timeout: 300\n    cmd: {}\n    \
             args: [mcp, --data-dir, {}]",
            json!(program),
            json!(folder)
        ),
    }
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_gets_its_own_form() {
        let text = |client| text(client, "desk", Path::new("/opt/my desk/desk"), Path::new("/data"));
        assert_eq!(text(ConfigFor::ClaudeCode), "claude mcp add desk -- '/opt/my desk/desk' mcp --data-dir /data");
        let desktop: Value = serde_json::from_str(&text(ConfigFor::ClaudeDesktop)).unwrap();
        assert_eq!(desktop["mcpServers"]["desk"]["args"], json!(["mcp", "--data-dir", "/data"]));
        let vscode: Value = serde_json::from_str(&text(ConfigFor::Vscode)).unwrap();
        assert_eq!(vscode["servers"]["desk"]["type"], "stdio");
        assert!(text(ConfigFor::Goose).contains("cmd: \"/opt/my desk/desk\""));
    }
}
