//! The declaration of an extension by `extension!`.
//!
//! The macro writes one [`ExtensionDef`] per crate and registers it. `manifest/` makes a manifest of it.

use crate::secrets::Secret;

/// An extension crate as its `extension!` declares it.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "the macros write it as a literal")]
pub struct ExtensionDef {
    /// Known by this everywhere: `^[a-z0-9][a-z0-9-]*[a-z0-9]$`.
    pub app_id: &'static str,
    /// `version:`, or the crate's own.
    pub version: &'static str,
    /// For people.
    pub name: &'static str,
    /// At least 40 characters for people and for the language model that picks functions.
    pub description: &'static str,
    /// Path of the SVG, relative to Cargo.toml; empty when not given.
    pub icon: &'static str,
    /// The SVG itself, as it was when the crate was compiled; empty when not given.
    pub icon_svg: &'static str,
    /// `app:action` scopes.
    pub capabilities: &'static [&'static str],
    /// `owner_chat_tool` of every function; `tool_<app_id>_chat`'s successor, the app id with `_`.
    pub tool_name: &'static str,
    /// The secrets that it reads, each name once.
    pub secrets: &'static [Secret],
    /// A first-party extension.
    pub system: bool,
    /// Folder of the crate's Cargo.toml when it was compiled.
    pub manifest_dir: &'static str,
    /// `module_path!()` of the declaration.
    pub module_path: &'static str,
    /// Where it stands.
    pub file: &'static str,
    /// Where it stands.
    pub line: u32,
}

#[cfg(any(test, feature = "testing"))]
impl ExtensionDef {
    /// A definition with empty fields, for tests that set the fields they are about.
    pub const BLANK: Self = Self {
        app_id: "",
        version: "0.1.0",
        name: "",
        description: "",
        icon: "",
        icon_svg: "",
        capabilities: &[],
        tool_name: "",
        secrets: &[],
        system: false,
        manifest_dir: "",
        module_path: "",
        file: "",
        line: 0,
    };
}

inventory::collect!(ExtensionDef);

/// A crate that `extensions![..]` names, so that one which registers nothing is found at start.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "the macros write it as a literal")]
pub struct HostedCrate {
    /// Crate name as written.
    pub name: &'static str,
    /// Where it is named.
    pub file: &'static str,
    /// Where it is named.
    pub line: u32,
}

inventory::collect!(HostedCrate);

/// The crate part of a module path.
pub(crate) fn crate_of(module_path: &str) -> &str {
    module_path.split("::").next().unwrap_or(module_path)
}

/// Declares this crate an extension: what it is called, what it is for, what it may do.
///
/// Once in a crate, in any module. Everything is checked when the crate is compiled; the keys and
/// their forms are in [the table](macro@crate::chat_function#options-of-extension).
///
/// ```
/// imperal::extension! {
///     app_id: "notes",
///     name: "Notebook",
///     description: "Keeps the notes of a team where everyone finds them.",
///     icon: "icon.svg",
///     capabilities: ["notes:read", "notes:write"],
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! extension {
    ($($declaration:tt)*) => {
        $crate::__private::extension! { $crate; $($declaration)* }
    };
}

/// Links the named extension crates into this binary and checks at start that each registers one.
///
/// A crate that Cargo.toml lists and no code names is left out by the linker without a word; this
/// names it.
///
/// ```text
/// imperal::extensions![refine, page_speed];
/// ```
#[macro_export]
macro_rules! extensions {
    ($($name:ident),+ $(,)?) => {
        $(
            use $name as _;
            $crate::__private::inventory::submit! {
                $crate::__private::HostedCrate {
                    name: ::core::stringify!($name),
                    file: ::core::file!(),
                    line: ::core::line!(),
                }
            }
        )+
    };
}
