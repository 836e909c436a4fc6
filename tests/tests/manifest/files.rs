//! `build` and its comparison on real folders.

use std::fs;
use std::path::Path;

use imperal::function::{Extension, Registry};
use imperal::manifest::{FILE, Freshness, Level, build, check, validate_extension, validate_file};
use serde_json::{Value, json};

const ICON: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/>";

fn with_ledger<T>(work: impl FnOnce(&Extension, &Path) -> T) -> T {
    let registry = Registry::collect().unwrap();
    let folder = tempfile::tempdir().unwrap();
    work(registry.extension("tiny-ledger").unwrap(), folder.path())
}

fn stale(extension: &Extension, folder: &Path) -> String {
    match check(extension, folder).unwrap() {
        Freshness::Stale(difference) => difference.to_string(),
        Freshness::Fresh => panic!("the file is fresh"),
    }
}

fn change(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join(FILE);
    let mut manifest: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, serde_json::to_string_pretty(&manifest).unwrap()).unwrap();
}

#[test]
fn a_build_writes_once_and_counts_what_is_there() {
    with_ledger(|extension, folder| {
        fs::write(folder.join("icon.svg"), ICON).unwrap();
        assert!(stale(extension, folder).ends_with("is not there"));
        let first = build(extension, folder).unwrap();
        assert!(first.written);
        assert_eq!((first.functions, first.writes, first.events), (3, 2, 2));
        assert_eq!(first.icon_size_bytes, Some(ICON.len() as u64));
        assert!(matches!(check(extension, folder).unwrap(), Freshness::Fresh));
        let second = build(extension, folder).unwrap();
        assert!(!second.written, "a file that is up to date is not touched");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2, "nothing is left beside the file");
    });
}

#[test]
fn what_the_file_owns_is_kept_and_what_is_lost_is_named() {
    with_ledger(|extension, folder| {
        let before = json!({
            "app_id": "old", "version": "9.9.9", "name": "Curated", "tags": ["a"], "author": null,
            "webhooks": [{"path": "/a"}], "x_rust": 1, "lifecycle": {"misspelt": true},
        });
        fs::write(folder.join(FILE), before.to_string()).unwrap();
        let report = build(extension, folder).unwrap();
        assert_eq!(report.kept, ["author", "name", "tags"]);
        assert_eq!(report.dropped, ["webhooks", "x_rust", "lifecycle", "lifecycle.misspelt"]);
        let text = fs::read_to_string(folder.join(FILE)).unwrap();
        let after: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&after["name"], &after["author"]), (&json!("Curated"), &Value::Null));
        assert_eq!((&after["app_id"], &after["version"]), (&json!("tiny-ledger"), &json!("0.1.0")));
        assert!(text.ends_with("\"author\": null,\n  \"tags\": [\n    \"a\"\n  ]\n}"), "{text}");
    });
}

#[test]
fn a_difference_names_each_place_with_both_values() {
    with_ledger(|extension, folder| {
        build(extension, folder).unwrap();
        change(folder, |manifest| {
            manifest["tools"][0]["description"] = json!("Listed rows.");
            manifest["tools"][0]["params_schema"]["properties"]["limit"]["maximum"] = json!(50);
            manifest["version"] = json!("0.0.9");
            manifest["tools"].as_array_mut().unwrap().swap(1, 2);
        });
        let difference = stale(extension, folder);
        assert_eq!(
            difference,
            "4 places differ\n\n  version\n    - \"0.0.9\"\n    + \"0.1.0\"\n\n  tools.list_rows.description\n    - \"Listed rows.\"\n    + \"List ledger rows, newest first.\"\n\n  tools.list_rows.params_schema.properties.limit.maximum\n    - 50\n    + 100\n\n  order of tools\n    - list_rows, drop_row, rebuild_row\n    + list_rows, rebuild_row, drop_row"
        );
    });
}

#[test]
fn another_layout_alone_is_stale_too() {
    with_ledger(|extension, folder| {
        build(extension, folder).unwrap();
        let text = fs::read_to_string(folder.join(FILE)).unwrap();
        fs::write(folder.join(FILE), format!("{text}\n")).unwrap();
        assert_eq!(stale(extension, folder), "only its layout differs");
    });
}

#[test]
fn a_file_that_is_no_manifest_is_left_alone() {
    with_ledger(|extension, folder| {
        for text in ["{ \"name\": \"Curated\",", "[]", ""] {
            fs::write(folder.join(FILE), text).unwrap();
            let error = build(extension, folder).unwrap_err().to_string();
            assert!(error.contains("not JSON") || error.contains("not a JSON object"), "{error}");
            assert_eq!(fs::read_to_string(folder.join(FILE)).unwrap(), text);
        }
    });
}

#[test]
fn an_extension_is_checked_together_with_its_file() {
    with_ledger(|extension, folder| {
        let codes = |folder: &Path| -> Vec<&'static str> {
            validate_extension(extension, folder).iter().map(|found| found.rule).collect()
        };
        assert_eq!(codes(folder), ["M28", "V8"], "no file yet, and no icon");
        fs::write(folder.join("icon.svg"), ICON).unwrap();
        build(extension, folder).unwrap();
        assert!(codes(folder).is_empty(), "{:?}", validate_extension(extension, folder));
        change(folder, |manifest| manifest["schedule"] = json!([]));
        let findings = validate_extension(extension, folder);
        assert_eq!(findings.iter().map(|found| found.rule).collect::<Vec<_>>(), ["M3", "M30"]);
        assert!(findings[0].fix.contains("`schedules`"), "{:?}", findings[0]);
        assert!(findings[0].file.ends_with(FILE) && findings[0].line > 1);
        fs::write(folder.join(FILE), "{").unwrap();
        assert_eq!(codes(folder), ["M0"]);
    });
}

#[test]
fn findings_of_an_extension_stand_at_its_source() {
    let registry = Registry::collect().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let findings = validate_extension(registry.extension("wrong").unwrap(), folder.path());
    let of = |rule: &str| findings.iter().find(|found| found.rule == rule).unwrap_or_else(|| panic!("{rule}"));
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/manifest/rules.rs")).unwrap();
    let line = |part: &str| text.lines().position(|line| line.contains(part)).unwrap() + 1;
    for (rule, part) in [("V2", "app_id: \"wrong\""), ("V16", "name: \"half\""), ("M25", "odd_pattern: String")] {
        let found = of(rule);
        assert!(found.file.ends_with("manifest/rules.rs"), "{found:?}");
        let near = found.line.abs_diff(u32::try_from(line(part)).unwrap());
        assert!(near <= 3, "{rule} at line {}, `{part}` at line {}", found.line, line(part));
    }
    assert_eq!(of("V2").level, Level::Error);
}

#[test]
fn a_file_that_is_not_there_is_a_finding() {
    let findings = validate_file(Path::new("nowhere/imperal.json"));
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].rule, findings[0].is_error()), ("M0", true));
}
