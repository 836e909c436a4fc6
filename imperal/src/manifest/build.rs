//! Writes `imperal.json` beside an extension's Cargo.toml, and says whether it is up to date.
//!
//! Owns the report, the icon's size and the writing itself, which replaces the file in one step.
//! Which parts of the old file stay is decided by `merge`; what differs is told by `difference`.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use imperal_manifest::{FILE, files, pretty};
use serde_json::Value;

use super::difference::Difference;
use super::export::export;
use super::merge::{self, Parts};
use crate::function::Extension;

/// Replaced parts that a report shows.
const MOST_REPLACED: usize = 20;

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
    /// What was kept of the file because the code does not say it or the file owns it: fields by
    /// their name, plain tools as `tools.NAME`.
    pub kept: Vec<String>,
    /// What the code says otherwise than the file did, one line each: `system: true, now false`.
    pub replaced: Vec<String>,
    /// What the file had and the new one does not: keys that no manifest has, and chat functions
    /// that are not in the code.
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
        if !self.replaced.is_empty() {
            write!(f, "\n  replaced by the code:")?;
            for line in self.replaced.iter().take(MOST_REPLACED) {
                write!(f, "\n    {line}")?;
            }
            if self.replaced.len() > MOST_REPLACED {
                write!(f, "\n    and {} more", self.replaced.len() - MOST_REPLACED)?;
            }
        }
        if !self.dropped.is_empty() {
            write!(f, "\n  dropped, as no manifest has it or the code no longer defines it: ")?;
            write!(f, "{}", self.dropped.join(", "))?;
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
    parts: Parts,
    icon_size_bytes: Option<u64>,
}

/// Writes the extension's manifest into its folder.
///
/// What the file on disk owns stays, and so does what the code cannot declare: sections, and plain
/// tools. The report names everything that was kept, replaced or dropped. A file that is up to date
/// is not touched.
///
/// # Errors
/// When the file there is not a JSON object, or cannot be read or replaced. It is then left as it
/// was.
pub fn build(extension: &Extension, folder: &Path) -> Result<BuildReport, BuildError> {
    let path = folder.join(FILE);
    let merged = merge(extension, folder)?;
    let text = pretty(&merged.manifest);
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
        kept: merged.parts.kept,
        replaced: merged.parts.replaced,
        dropped: merged.parts.dropped,
        icon_size_bytes: merged.icon_size_bytes,
    })
}

/// Compares the extension's manifest with the file in its folder, and writes nothing.
///
/// # Errors
/// As [`build`]'s, writing excepted. A file that is not there is stale, not an error.
pub fn check_freshness(extension: &Extension, folder: &Path) -> Result<Freshness, BuildError> {
    let merged = merge(extension, folder)?;
    let text = pretty(&merged.manifest);
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
    let mut manifest = export(extension);
    let icon = match on_disk.and_then(|fields| fields.get("icon")) {
        Some(icon) => icon.as_str().unwrap_or_default().to_owned(),
        None => extension.def().icon.to_owned(),
    };
    manifest.icon_size_bytes = icon_size(folder, &icon);
    let icon_size_bytes = manifest.icon_size_bytes;
    let mut manifest = manifest.to_value();
    let mut parts = Parts::default();
    if let (Some(fields), Some(on_disk)) = (manifest.as_object_mut(), on_disk) {
        parts = merge::merge(fields, on_disk);
    }
    Ok(Merged { manifest, disk, parts, icon_size_bytes })
}

/// The size of the icon's file, when it is a file in the extension's folder.
fn icon_size(folder: &Path, icon: &str) -> Option<u64> {
    let path = files::resolve_inside(folder, icon).ok().filter(|_| !icon.is_empty())?;
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len())
}

fn read(path: &Path) -> Result<Option<(String, Value)>, BuildError> {
    let shown = path.display();
    let bytes = match files::read_limited(path, files::MANIFEST_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(BuildError(format!("cannot read {shown}: {error}"))),
    };
    let advice = "correct it, or remove it and build again: names and marketplace texts in it would then be lost";
    let value = match crate::json::read::<Value>(&bytes) {
        Ok(value) if value.is_object() => value,
        Ok(_) => return Err(BuildError(format!("{shown} is not a JSON object: {advice}"))),
        Err(error) => return Err(BuildError(format!("{shown} is not JSON: {error}; {advice}"))),
    };
    // Text that was read as JSON is UTF-8.
    Ok(Some((String::from_utf8(bytes).unwrap_or_default(), value)))
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
