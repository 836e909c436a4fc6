//! The numbers in the rules.

/// Fewest characters of an extension's description (V14).
pub const EXTENSION_DESCRIPTION: usize = 40;

/// Fewest characters of an extension's name (V15).
pub const EXTENSION_NAME: usize = 3;

/// Fewest characters of a function's description (V16).
pub const FUNCTION_DESCRIPTION: usize = 20;

/// Most bytes of an icon's file (V21).
pub const ICON_BYTES: u64 = 100 * 1024;

/// Most characters of a tool's full name, `{app_id}__{function}` (V33). Language models take no longer
/// ones.
pub const FULL_NAME: usize = 64;

/// Most characters of a function's name behind the shortest app id (V33).
pub const FUNCTION_NAME: usize = FULL_NAME - "xx__".len();

/// Characters of a text without white space at its ends, as the limits count them.
#[must_use]
pub fn length(text: &str) -> usize {
    text.trim().chars().count()
}
