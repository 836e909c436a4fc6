//! How this binary is called: in hints and help, and on the PATH.

/// The command line that runs this binary again, as the person typed it.
pub(super) fn command_line() -> String {
    if let Ok(named) = std::env::var("IMPERAL_CALLED_AS") {
        return named;
    }
    let path = std::path::PathBuf::from(std::env::args_os().next().unwrap_or_default());
    // `cargo run` starts it by a path in the target folder, which the person did not type.
    if path.starts_with("target") && std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        return "cargo run --".to_owned();
    }
    own_name()
}

/// The binary's name on the PATH.
pub(super) fn own_name() -> String {
    let path = std::path::PathBuf::from(std::env::args_os().next().unwrap_or_default());
    path.file_stem().map_or_else(|| "imperal".to_owned(), |name| name.to_string_lossy().into_owned())
}
