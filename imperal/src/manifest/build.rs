//! Writes `imperal.json` beside an extension's Cargo.toml, and says whether it is up to date.
//!
//! Owns the merge with what the file owns (names, marketplace texts), the icon's size and the
//! writing itself, which replaces the file in one step. What differs is told by `difference`.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::check::unknown_keys;
use super::difference::Difference;
use super::json;
use super::model::Manifest;
use crate::function::Extension;

/// Name of a manifest's file.
pub const FILE: &str = "imperal.json";

/// Fields that the file on disk owns: a build keeps them, null included, in this order.
const OF_THE_FILE: [&str; 11] = [
    "author",
    "category",
    "description",
    "hidden_in_sidebar",
    "homepage",
    "icon",
    "license",
    "marketplace",
    "name",
    "pricing",
    "tags",
];

/// What [`build`] did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BuildReport {
    /// The file.
    pub path: PathBuf,
    /// Whether it was written; false when it was up to date.
    pub written: bool,
    /// The extension's id.
    pub app_id: String,
    /// Its version.
    pub version: String,
    /// How many functions the manifest has.
    pub functions: usize,
    /// How many of them change something.
    pub writes: usize,
    /// How many of them emit an event.
    pub events: usize,
    /// Fields kept from the file.
    pub kept: Vec<String>,
    /// Fields of the file that are not in the new one: keys that no manifest has, and sections that
    /// the code does not declare.
    pub dropped: Vec<String>,
    /// Size of the icon, when its file is there.
    pub icon_size_bytes: Option<u64>,
}

impl fmt::Display for BuildReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.written { "Wrote" } else { "Up to date:" };
        writeln!(f, "{verb} {}", self.path.display())?;
        write!(f, "  {} {}, functions: {}", self.app_id, self.version, self.functions)?;
        write!(f, " ({} that change something, {} with an event)", self.writes, self.events)?;
        match self.icon_size_bytes {
            Some(size) => write!(f, ", icon: {size} bytes")?,
            None => write!(f, ", no icon file")?,
        }
        if !self.kept.is_empty() {
            write!(f, "\n  kept from the file: {}", self.kept.join(", "))?;
        }
        if !self.dropped.is_empty() {
            write!(f, "\n  not kept, as the code does not declare it: {}", self.dropped.join(", "))?;
        }
        Ok(())
    }
}

/// Whether the file on disk is what a build would write.
#[derive(Debug, Clone)]
pub enum Freshness {
    /// It is.
    Fresh,
    /// It is not, and this is how it differs.
    Stale(Difference),
}

/// Why a manifest could not be built or compared.
#[derive(Debug)]
pub struct BuildError(String);

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

struct Merged {
    manifest: Value,
    disk: Option<(String, Value)>,
    kept: Vec<String>,
    dropped: Vec<String>,
    icon_size_bytes: Option<u64>,
}

/// Writes the extension's manifest into its folder.
///
/// What the file on disk owns stays; a file that is up to date is not touched.
///
/// # Errors
/// When the file there is not a JSON object, or cannot be read or replaced. It is then left as it
/// was.
pub fn build(extension: &Extension, folder: &Path) -> Result<BuildReport, BuildError> {
    let path = folder.join(FILE);
    let merged = merge(extension, folder)?;
    let text = json::pretty(&merged.manifest);
    let written = merged.disk.as_ref().is_none_or(|(old, _)| *old != text);
    if written {
        replace(&path, &text).map_err(|error| BuildError(format!("cannot write {}: {error}", path.display())))?;
    }
    let functions = extension.functions();
    Ok(BuildReport {
        path,
        written,
        app_id: extension.app_id().to_owned(),
        version: extension.def().version.to_owned(),
        functions: functions.len(),
        writes: functions.iter().filter(|function| function.action_type != crate::ActionType::Read).count(),
        events: functions.iter().filter(|function| !function.event.is_empty()).count(),
        kept: merged.kept,
        dropped: merged.dropped,
        icon_size_bytes: merged.icon_size_bytes,
    })
}

/// Compares the extension's manifest with the file in its folder, and writes nothing.
///
/// # Errors
/// As [`build`]'s, writing excepted. A file that is not there is stale, not an error.
pub fn check(extension: &Extension, folder: &Path) -> Result<Freshness, BuildError> {
    let merged = merge(extension, folder)?;
    let text = json::pretty(&merged.manifest);
    Ok(match merged.disk {
        Some((old, _)) if old == text => Freshness::Fresh,
        Some((_, old)) => Freshness::Stale(Difference::between(&old, &merged.manifest)),
        None => Freshness::Stale(Difference::missing(&folder.join(FILE))),
    })
}

fn merge(extension: &Extension, folder: &Path) -> Result<Merged, BuildError> {
    let path = folder.join(FILE);
    let disk = read(&path)?;
    let on_disk = disk.as_ref().and_then(|(_, value)| value.as_object());
    let mut manifest = Manifest::export(extension);
    let icon = match on_disk.and_then(|fields| fields.get("icon")) {
        Some(icon) => icon.as_str().unwrap_or_default().to_owned(),
        None => extension.def().icon.to_owned(),
    };
    let size = std::fs::metadata(folder.join(&icon)).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    manifest.icon_size_bytes = size.filter(|_| !icon.is_empty());
    let icon_size_bytes = manifest.icon_size_bytes;
    let mut manifest = manifest.to_value();
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    if let (Some(fields), Some(on_disk)) = (manifest.as_object_mut(), on_disk) {
        kept = keep(fields, on_disk);
        dropped = on_disk.keys().filter(|key| !fields.contains_key(*key)).cloned().collect();
        let nested = unknown_keys(&Value::Object(on_disk.clone()));
        dropped.extend(nested.into_iter().filter(|path| path.contains('.')));
    }
    Ok(Merged { manifest, disk, kept, dropped, icon_size_bytes })
}

/// Copies what the file owns; names those that say something else than the code.
fn keep(fields: &mut Map<String, Value>, on_disk: &Map<String, Value>) -> Vec<String> {
    let mut kept = Vec::new();
    for key in OF_THE_FILE {
        if let Some(value) = on_disk.get(key) {
            let before = fields.insert(key.to_owned(), value.clone());
            if before.as_ref() != Some(value) {
                kept.push(key.to_owned());
            }
        }
    }
    kept
}

fn read(path: &Path) -> Result<Option<(String, Value)>, BuildError> {
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BuildError(format!("cannot read {shown}: {error}"))),
    };
    let advice = "correct it, or remove it and build again: names and marketplace texts in it would then be lost";
    match serde_json::from_str::<Value>(&text) {
        Ok(value) if value.is_object() => Ok(Some((text, value))),
        Ok(_) => Err(BuildError(format!("{shown} is not a JSON object: {advice}"))),
        Err(error) => Err(BuildError(format!("{shown} is not JSON: {error}; {advice}"))),
    }
}

/// A reader sees the old file or the new one, never half of it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let aside = path.with_extension(format!("json.{}.tmp", std::process::id()));
    let written = std::fs::File::create(&aside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&aside, path));
    if written.is_err() {
        // What could not be moved is of no use; failing to remove it as well changes nothing.
        let _ = std::fs::remove_file(&aside);
    }
    written
}
