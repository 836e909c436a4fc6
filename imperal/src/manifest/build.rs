//! Writes `imperal.json` next to an extension's Cargo.toml, or compares the file with the code.
//!
//! Replaces the file in one step. `merge` decides which parts of the old file stay.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use imperal_manifest::files::ManifestFile;
use imperal_manifest::{Manifest, files, pretty, repeated_keys};
use serde_json::Value;

use super::difference::Difference;
use super::export::export;
use super::merge::{self, Changes};
use crate::function::Extension;

/// Replaced parts with their values in a report. The others are named only.
const MAX_REPLACED: usize = 20;

/// The result of [`build`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BuildReport {
    /// The file.
    pub path: PathBuf,
    /// Whether it was written; false if it was up to date.
    pub written: bool,
    /// The extension's id.
    pub app_id: String,
    /// Its version.
    pub version: String,
    /// Number of functions in the manifest.
    pub functions: usize,
    /// Number of functions that write.
    pub writes: usize,
    /// Number of functions with an event.
    pub events: usize,
    /// Parts of the file that were kept: fields by name, plain tools as `tools.NAME`.
    pub kept: Vec<String>,
    /// Parts of the file that the code replaced, one line each: `system: true, now false`.
    pub replaced: Vec<String>,
    /// Parts of the file that were dropped: keys that no manifest has, chat functions that the code does not
    /// define, and entries that the file has a second time.
    pub dropped: Vec<String>,
    /// Size of the icon's file, if it exists.
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
            for line in self.replaced.iter().take(MAX_REPLACED) {
                write!(f, "\n    {line}")?;
            }
            let rest: Vec<&str> = self.replaced.iter().skip(MAX_REPLACED).map(|line| part(line)).collect();
            if !rest.is_empty() {
                write!(f, "\n    and {} more: {}", rest.len(), rest.join(", "))?;
            }
        }
        if !self.dropped.is_empty() {
            write!(f, "\n  dropped, because no manifest has it, the code does not define it, or it is there twice: ")?;
            write!(f, "{}", self.dropped.join(", "))?;
        }
        Ok(())
    }
}

/// The name of a replaced part: `tools.refine` of `tools.refine: description`.
fn part(line: &str) -> &str {
    line.split_once(": ").map_or(line, |(name, _)| name)
}

/// Whether the file on disk equals the result of a build.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "it equals it or it does not")]
pub enum Freshness {
    /// The file is up to date.
    Fresh,
    /// The file differs.
    Stale(Difference),
}

/// An error of a build or a comparison.
#[derive(Debug)]
pub struct BuildError(String);

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

struct Merged<'f> {
    manifest: Value,
    disk: Option<(&'f [u8], &'f Value)>,
    changes: Changes,
    icon_size_bytes: Option<u64>,
}

/// Writes the extension's manifest into its folder.
///
/// Keeps the marketplace texts of the file on disk, and the parts that code cannot declare: sections and
/// plain tools. The report names each part that was kept, replaced or dropped. A file that is up to date
/// is not touched.
///
/// # Errors
/// When the existing file is not a JSON object, or cannot be read or replaced. It then stays unchanged.
pub fn build(extension: &Extension, folder: &Path) -> Result<BuildReport, BuildError> {
    let file = ManifestFile::read(folder);
    let mut merged = merge(extension, export(extension), folder, &file)?;
    let path = file.path().to_owned();
    let old = merged.disk.map_or(&[][..], |(old, _)| old);
    merged.changes.dropped.extend(repeated_keys(old).into_iter().map(|key| format!("{key} (an earlier one)")));
    let text = pretty(&merged.manifest);
    let written = merged.disk.is_none_or(|(old, _)| old != text.as_bytes());
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
        kept: merged.changes.kept,
        replaced: merged.changes.replaced,
        dropped: merged.changes.dropped,
        icon_size_bytes: merged.icon_size_bytes,
    })
}

/// Compares the extension's manifest with the file in its folder. Writes nothing.
///
/// # Errors
/// When the existing file is not a JSON object or cannot be read. A missing file is stale, not an error.
pub fn check_freshness(extension: &Extension, folder: &Path) -> Result<Freshness, BuildError> {
    compare(extension, export(extension), folder, &ManifestFile::read(folder))
}

/// [`check_freshness`] for a manifest that is exported and a file that is read already.
pub(super) fn compare(
    extension: &Extension,
    exported: Manifest,
    folder: &Path,
    file: &ManifestFile,
) -> Result<Freshness, BuildError> {
    let merged = merge(extension, exported, folder, file)?;
    let text = pretty(&merged.manifest);
    Ok(match merged.disk {
        Some((old, _)) if old == text.as_bytes() => Freshness::Fresh,
        Some((_, old)) => Freshness::Stale(Difference::between(old, &merged.manifest)),
        None => Freshness::Stale(Difference::missing(file.path())),
    })
}

fn merge<'f>(
    extension: &Extension,
    mut manifest: Manifest,
    folder: &Path,
    file: &'f ManifestFile,
) -> Result<Merged<'f>, BuildError> {
    let disk = read(file)?;
    let on_disk = disk.and_then(|(_, value)| value.as_object());
    manifest.icon_size_bytes = icon_size(folder, extension.def().icon);
    let icon_size_bytes = manifest.icon_size_bytes;
    let mut manifest = manifest.to_value();
    let mut changes = Changes::default();
    if let (Some(fields), Some(on_disk)) = (manifest.as_object_mut(), on_disk) {
        changes = merge::merge(fields, on_disk);
    }
    Ok(Merged { manifest, disk, changes, icon_size_bytes })
}

/// The size of the icon, if it is a file in the extension's folder.
fn icon_size(folder: &Path, icon: &str) -> Option<u64> {
    let path = files::resolve_inside(folder, icon).ok().filter(|_| !icon.is_empty())?;
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len())
}

/// Text and value of the file; `None` when there is none.
fn read(file: &ManifestFile) -> Result<Option<(&[u8], &Value)>, BuildError> {
    let shown = file.path().display();
    let text = match file.content() {
        Ok(text) => text,
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(BuildError(format!("cannot read {shown}: {error}"))),
    };
    let advice = "correct it, or remove it and build again, which loses the marketplace texts in it";
    match &text.value {
        Ok(value) if value.is_object() => Ok(Some((&text.bytes, value))),
        Ok(_) => Err(BuildError(format!("{shown} is not a JSON object: {advice}"))),
        Err(error) => Err(BuildError(format!("{shown} is not JSON: {error}; {advice}"))),
    }
}

/// Replaces the file in one step: a reader sees the old text or the new one.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let aside = path.with_extension(format!("json.{}.tmp", std::process::id()));
    let written = std::fs::File::create(&aside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&aside, path));
    if written.is_err() {
        // The write has failed already; a second error would add nothing.
        let _ = std::fs::remove_file(&aside);
    }
    written
}
