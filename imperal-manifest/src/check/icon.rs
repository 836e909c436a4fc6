//! The rules on the icon that a manifest names (V21, M28, M34).
//!
//! `svg` finds faults in the file's content. An icon that cannot be read is a warning here (M28); for
//! `extension!` it is a compile error (V21).

use std::path::Path;

use serde_json::{Map, Value};

use super::collector::Collector;
use super::lookup::text;
use crate::files::{self, FileError};
use crate::svg::{has_svg_extension, size_fault, svg_faults};

/// Checks the icon that a manifest names, and its file if the folder is known.
pub(super) fn check_icon(manifest: &Map<String, Value>, folder: Option<&Path>, findings: &mut Collector) {
    let icon = text(manifest, "icon");
    let at = "icon";
    if icon.is_empty() {
        let message = "the extension has no icon".to_owned();
        let fix = findings.advice(
            "draw an SVG, put it next to Cargo.toml, and name it: `icon: \"icon.svg\"`",
            "draw an SVG, put it into the extension's folder, and name it: `Extension(.., icon=\"icon.svg\")`",
        );
        findings.error("V21", at, message, fix);
        return;
    }
    if !has_svg_extension(icon) {
        findings.error(
            "V21",
            at,
            format!("the icon `{icon}` is not an SVG"),
            "draw it as an SVG: it is shown in many sizes",
        );
        return;
    }
    let Some(folder) = folder else { return };
    let bytes = match files::resolve_inside(folder, icon).and_then(|path| files::read_limited(&path, files::ICON_BYTES))
    {
        Ok(bytes) => bytes,
        Err(FileError::Outside) => {
            let message = format!("the icon `{icon}` is outside the extension's folder and was not read");
            let fix = format!("put it into {} and name it there: `icon.svg` for example", folder.display());
            findings.error("M34", at, message, fix);
            return;
        }
        Err(FileError::TooLarge { bytes, .. }) => {
            if let Some(found) = size_fault(bytes) {
                findings.error("V21", at, format!("the icon `{icon}` {}", found.fault), found.fix);
            }
            return;
        }
        Err(error) => {
            let message = format!("the icon `{icon}` cannot be read: {error}");
            findings.warn("M28", at, message, format!("put it into {}", folder.display()));
            return;
        }
    };
    for found in svg_faults(&bytes) {
        findings.error("V21", at, format!("the icon `{icon}` {}", found.fault), found.fix);
    }
}
