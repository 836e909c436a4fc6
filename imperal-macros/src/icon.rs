//! Checks the icon file of `extension!` at compile time. Every fault has the code V21, a missing file included.

use std::path::Path;

use imperal_manifest::svg::{has_svg_extension, size_fault, svg_faults};

/// Checks the icon at `path`, relative to `folder`. The error is the message for its first fault.
pub(crate) fn check_icon(folder: &Path, path: &str) -> Result<(), String> {
    if !has_svg_extension(path) {
        return Err("the icon must be an SVG: name a file that ends in `.svg` (V21)".to_owned());
    }
    let file = folder.join(path);
    let Ok(metadata) = file.metadata() else {
        return Err(format!("no file `{path}` next to Cargo.toml: the icon's path is relative to its folder (V21)"));
    };
    // A file that is too large is not read.
    let fault = if let Some(fault) = size_fault(metadata.len()) {
        Some(fault)
    } else {
        let bytes = std::fs::read(&file).map_err(|error| format!("cannot read the icon `{path}`: {error} (V21)"))?;
        svg_faults(&bytes).into_iter().next()
    };
    match fault {
        Some(found) => Err(format!("the icon `{path}` {}: {} (V21)", found.fault, found.fix)),
        None => Ok(()),
    }
}
