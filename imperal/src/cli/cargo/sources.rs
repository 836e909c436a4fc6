//! The files whose change calls for another build.
//!
//! They are those that the last build read (the compiler writes them down, so that `include_str!`
//! and path dependencies count and ignored files do not), the manifests of cargo, and every `.rs`
//! file under `src` of the packages concerned, since a new module was not there to be read.
//! Looked at by time and size a few times a second, which works on every file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::compile::{self, Place};

/// Time and size of each file; none for one that is not there.
pub(super) type Snapshot = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// What is looked at.
#[derive(Debug)]
pub(super) struct Sources {
    place: Place,
    here: PathBuf,
    read: Vec<PathBuf>,
}

impl Sources {
    pub(super) fn new(place: Place, here: PathBuf) -> Self {
        Self { place, here, read: Vec::new() }
    }

    /// Takes over what a build that succeeded has read.
    pub(super) fn learn(&mut self, binary: &Path) {
        let read = compile::read_files(binary);
        if !read.is_empty() {
            // What a build script made would start a build that makes it again.
            self.read = read.into_iter().filter(|path| !path.starts_with(&self.place.target)).collect();
        }
    }

    /// How they stand.
    pub(super) fn look(&self) -> Snapshot {
        let mut found = Snapshot::new();
        for path in &self.read {
            note(&mut found, path.clone());
        }
        let mut folders: Vec<&Path> = vec![&self.here];
        let concerned = |folder: &&PathBuf| self.read.iter().any(|path| path.starts_with(folder));
        folders.extend(self.place.packages.iter().filter(concerned).map(PathBuf::as_path));
        for folder in folders {
            note(&mut found, folder.join("Cargo.toml"));
            note(&mut found, folder.join("build.rs"));
            note_rust_files(&mut found, &folder.join("src"));
        }
        for file in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
            note(&mut found, self.place.workspace.join(file));
        }
        found
    }
}

/// A file that differs between two looks, for people.
pub(super) fn difference(before: &Snapshot, after: &Snapshot) -> Option<PathBuf> {
    let gone = before.keys().find(|path| !after.contains_key(*path));
    after.iter().find(|(path, seen)| before.get(*path) != Some(*seen)).map(|(path, _)| path).or(gone).cloned()
}

fn note(found: &mut Snapshot, path: PathBuf) {
    if found.contains_key(&path) {
        return;
    }
    let seen = std::fs::metadata(&path).ok().and_then(|about| Some((about.modified().ok()?, about.len())));
    found.insert(path, seen);
}

fn note_rust_files(found: &mut Snapshot, folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if hidden {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            note_rust_files(found, &path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            note(found, path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_a_new_module_and_a_removed_one_are_seen_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().to_path_buf();
        std::fs::create_dir_all(here.join("src/deep")).unwrap();
        std::fs::write(here.join("src/main.rs"), "fn main() {}").unwrap();
        let place = Place { target: here.join("target"), workspace: here.clone(), packages: vec![here.clone()] };
        let sources = Sources::new(place, here.clone());
        let first = sources.look();
        std::fs::write(here.join("src/.main.rs.swp"), "x").unwrap();
        std::fs::write(here.join("notes.txt"), "x").unwrap();
        assert_eq!(difference(&first, &sources.look()), None, "nothing that a build reads");
        std::fs::write(here.join("src/deep/new.rs"), "").unwrap();
        let second = sources.look();
        assert_eq!(difference(&first, &second), Some(here.join("src/deep/new.rs")));
        std::fs::write(here.join("src/main.rs"), "fn main() { }").unwrap();
        let third = sources.look();
        assert_eq!(difference(&second, &third), Some(here.join("src/main.rs")));
        std::fs::remove_file(here.join("src/deep/new.rs")).unwrap();
        assert_eq!(difference(&third, &sources.look()), Some(here.join("src/deep/new.rs")));
    }
}
