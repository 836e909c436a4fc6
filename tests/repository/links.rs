//! Every link in a Markdown page leads to a file and to a heading in it. The README of the package is the
//! repository's README with absolute links.
//!
//! After a change of README.md: `UPDATE_GOLDEN=1 cargo test -p imperal-tests --test repository`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imperal_tests::updating_golden;

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The text without its code blocks and code words.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.push_str(&line.split('`').step_by(2).collect::<Vec<_>>().join("`"));
            prose.push('\n');
        }
    }
    prose
}

fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let mut found = Vec::new();
    for (at, _) in prose.match_indices("](") {
        let target = prose[at + 2..].split(')').next().unwrap_or_default();
        found.push(target.split_whitespace().next().unwrap_or_default().to_owned());
    }
    found
}

/// The anchors of a page's headings.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        let Some(heading) = line.strip_prefix('#').filter(|_| !fenced) else { continue };
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let anchor: String = heading.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect();
        let again = seen.entry(anchor.clone()).or_default();
        found.push(if *again == 0 { anchor } else { format!("{anchor}-{again}") });
        *again += 1;
    }
    found
}

#[test]
fn every_link_has_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    pages(root, &mut found);
    assert!(found.len() > 8, "{found:?}");
    let mut broken = Vec::new();
    let mut followed = 0;
    for page in &found {
        let text = std::fs::read_to_string(page).unwrap();
        for link in links(&text) {
            // This test does not follow links to other sites; rustdoc checks links to items.
            if link.contains("://") || link.starts_with("mailto:") || link.contains("::") {
                continue;
            }
            followed += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let leads = target.exists()
                && (anchor.is_empty()
                    || std::fs::read_to_string(&target).is_ok_and(|text| anchors(&text).iter().any(|a| a == anchor)));
            if !leads {
                broken.push(format!("{}: {link}", page.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(followed > 20, "only {followed} links were found");
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

/// The repository's README with absolute links for crates.io and docs.rs.
fn package_readme(readme: &str) -> String {
    let repository = "https://github.com/imperal/imperal-rs";
    let mut fenced = false;
    let mut page = String::new();
    for line in readme.split_inclusive('\n') {
        fenced ^= line.starts_with("```");
        let mut rest = line;
        while let Some(at) = rest.find("](").filter(|_| !fenced) {
            let (text, target) = rest.split_at(at + 2);
            page.push_str(text);
            let link = target.split(')').next().unwrap_or_default();
            if !link.contains("://") && !link.starts_with('#') {
                let place = if text.contains("![") { "raw" } else { "blob" };
                page.extend([repository, "/", place, "/main/"]);
            }
            rest = target;
        }
        page.push_str(rest);
    }
    page
}

#[test]
fn package_readme_is_the_repository_readme_with_absolute_links() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let expected = package_readme(&std::fs::read_to_string(root.join("README.md")).unwrap());
    let path = root.join("imperal/README.md");
    if updating_golden() {
        std::fs::write(path, expected).unwrap();
    } else {
        assert!(std::fs::read_to_string(path).unwrap() == expected, "imperal/README.md is not current: see the head");
    }
}

#[test]
fn relative_links_become_absolute_outside_of_code() {
    let page = "![x](a.png)\n[b](c.md#d) [e](https://f.g)\n```\n[h](i)\n```\n";
    let at = "https://github.com/imperal/imperal-rs";
    let expected =
        format!("![x]({at}/raw/main/a.png)\n[b]({at}/blob/main/c.md#d) [e](https://f.g)\n```\n[h](i)\n```\n");
    assert_eq!(package_readme(page), expected);
}

#[test]
fn link_without_a_target_is_found() {
    let text = "# One `code`\n\n[a](b.md#x) and `[no](link)`\n\n```\n[c](d)\n# no\n```\n\n## One code\n";
    assert_eq!(links(text), ["b.md#x"]);
    assert_eq!(anchors(text), ["one-code", "one-code-1"]);
}
