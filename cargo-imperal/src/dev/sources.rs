//! The files whose change starts a build.
//!
//! These are the files that the last build read (the compiler lists them, so `include_str!` and path
//! dependencies count and ignored files do not), cargo's own files, and every `.rs` file under `src` of the
//! packages involved, because a new module is in no list yet. Time and size of each are compared a few times
//! a second, which works on every file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cargo::Metadata;
use crate::compile;

/// Time and size of each file; `None` for a file that does not exist.
pub(super) type Snapshot = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// The files to compare.
#[derive(Debug)]
pub(super) struct WatchedFiles {
    folders: BuildFolders,
    here: PathBuf,
    read: Vec<PathBuf>,
}

/// Where the sources are and where the build goes.
#[derive(Debug, Clone)]
struct BuildFolders {
    target: PathBuf,
    workspace: PathBuf,
    /// Packages that may be part of the build.
    packages: Vec<PathBuf>,
}

impl WatchedFiles {
    pub(super) fn new(metadata: &Metadata, here: PathBuf) -> Self {
        let packages = metadata.packages.iter().filter_map(|package| package.folder()).map(Path::to_path_buf);
        let folders = BuildFolders {
            target: metadata.target_directory.clone(),
            workspace: metadata.workspace_root.clone(),
            packages: packages.collect(),
        };
        Self { folders, here, read: Vec::new() }
    }

    /// Remembers which files a successful build read.
    pub(super) fn learn(&mut self, binary: &Path) {
        let read = compile::read_files(binary);
        if !read.is_empty() {
            // Every build writes the files of a build script again. They would start builds without end.
            self.read = read.into_iter().filter(|path| !path.starts_with(&self.folders.target)).collect();
        }
    }

    /// The files as they are now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut found = Snapshot::new();
        for path in &self.read {
            add_file(&mut found, path.clone());
        }
        let mut folders: Vec<&Path> = vec![&self.here];
        let is_involved = |folder: &&PathBuf| self.read.iter().any(|path| path.starts_with(folder));
        folders.extend(self.folders.packages.iter().filter(is_involved).map(PathBuf::as_path));
        for folder in folders {
            add_file(&mut found, folder.join("Cargo.toml"));
            add_file(&mut found, folder.join("build.rs"));
            add_rust_files(&mut found, &folder.join("src"));
        }
        for file in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
            add_file(&mut found, self.folders.workspace.join(file));
        }
        found
    }
}

/// A file that differs between two snapshots.
pub(super) fn changed_file(before: &Snapshot, after: &Snapshot) -> Option<PathBuf> {
    let removed = before.keys().find(|path| !after.contains_key(*path));
    after.iter().find(|(path, stamp)| before.get(*path) != Some(*stamp)).map(|(path, _)| path).or(removed).cloned()
}

fn add_file(found: &mut Snapshot, path: PathBuf) {
    if found.contains_key(&path) {
        return;
    }
    let stamp = std::fs::metadata(&path).ok().and_then(|file| Some((file.modified().ok()?, file.len())));
    found.insert(path, stamp);
}

fn add_rust_files(found: &mut Snapshot, folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if hidden {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            add_rust_files(found, &path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            add_file(found, path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_changed_new_and_removed_sources_and_no_other_files() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().to_path_buf();
        std::fs::create_dir_all(here.join("src/deep")).unwrap();
        std::fs::write(here.join("src/main.rs"), "fn main() {}").unwrap();
        let folders =
            BuildFolders { target: here.join("target"), workspace: here.clone(), packages: vec![here.clone()] };
        let files = WatchedFiles { folders, here: here.clone(), read: Vec::new() };
        let first = files.snapshot();
        std::fs::write(here.join("src/.main.rs.swp"), "x").unwrap();
        std::fs::write(here.join("notes.txt"), "x").unwrap();
        assert_eq!(changed_file(&first, &files.snapshot()), None, "no build reads these");
        std::fs::write(here.join("src/deep/new.rs"), "").unwrap();
        let second = files.snapshot();
        assert_eq!(changed_file(&first, &second), Some(here.join("src/deep/new.rs")));
        std::fs::write(here.join("src/main.rs"), "fn main() { }").unwrap();
        let third = files.snapshot();
        assert_eq!(changed_file(&second, &third), Some(here.join("src/main.rs")));
        std::fs::remove_file(here.join("src/deep/new.rs")).unwrap();
        assert_eq!(changed_file(&third, &files.snapshot()), Some(here.join("src/deep/new.rs")));
    }
}
