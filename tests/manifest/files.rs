//! `build` and its comparison, on real folders.

use std::fs;
use std::path::Path;

use imperal::function::{Extension, Registry};
use imperal::manifest::{FILE, Freshness, Level, build, check_freshness, validate_extension, validate_file};
use serde_json::{Value, json};

const ICON: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/>";

fn with_ledger<T>(work: impl FnOnce(&Extension, &Path) -> T) -> T {
    let registry = Registry::collect().unwrap();
    let folder = tempfile::tempdir().unwrap();
    work(registry.extension("tiny-ledger").unwrap(), folder.path())
}

fn stale_difference(extension: &Extension, folder: &Path) -> String {
    match check_freshness(extension, folder).unwrap() {
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
fn build_writes_once_and_counts_sections() {
    with_ledger(|extension, folder| {
        fs::write(folder.join("icon.svg"), ICON).unwrap();
        assert!(stale_difference(extension, folder).ends_with("is missing"));
        let first = build(extension, folder).unwrap();
        assert!(first.written);
        assert_eq!((first.functions, first.writes, first.events), (3, 2, 2));
        assert_eq!(first.icon_size_bytes, Some(ICON.len() as u64));
        assert!(matches!(check_freshness(extension, folder).unwrap(), Freshness::Fresh));
        let second = build(extension, folder).unwrap();
        assert!(!second.written, "a file that is up to date is not touched");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2, "no other file is left in the folder");
    });
}

#[test]
fn build_reads_no_icon_outside_the_folder() {
    with_ledger(|extension, above| {
        let folder = above.join("extension");
        fs::create_dir(&folder).unwrap();
        fs::write(above.join("secret.svg"), ICON).unwrap();
        std::os::unix::fs::symlink(above.join("secret.svg"), folder.join("icon.svg")).unwrap();
        let report = build(extension, &folder).unwrap();
        assert_eq!(report.icon_size_bytes, None);
    });
}

#[test]
fn build_keeps_owned_fields_and_names_changes() {
    with_ledger(|extension, folder| {
        let before = json!({
            "app_id": "old", "version": "9.9.9", "name": "Curated", "tags": ["a"], "author": null,
            "webhooks": [{"path": "/a"}], "x_rust": 1, "lifecycle": {"misspelt": true},
        });
        fs::write(folder.join(FILE), before.to_string()).unwrap();
        let report = build(extension, folder).unwrap();
        assert_eq!(report.kept, ["author", "tags", "webhooks", "lifecycle"]);
        assert_eq!(
            report.replaced,
            [
                "app_id: \"old\", now \"tiny-ledger\"",
                "version: \"9.9.9\", now \"0.1.0\"",
                "name: \"Curated\", now \"Tiny Ledger\""
            ]
        );
        assert_eq!(report.dropped, ["x_rust"]);
        let text = fs::read_to_string(folder.join(FILE)).unwrap();
        let after: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&after["name"], &after["author"]), (&json!("Tiny Ledger"), &Value::Null));
        assert_eq!((&after["app_id"], &after["version"]), (&json!("tiny-ledger"), &json!("0.1.0")));
        assert!(text.ends_with("\"author\": null,\n  \"tags\": [\n    \"a\"\n  ]\n}"), "{text}");
    });
}

/// The parts of a manifest of the reference SDK that this version cannot declare in code.
fn of_another_hand() -> Value {
    json!({
        "manifest_schema_version": 3, "sdk_version": "6.3.7", "app_id": "tiny-ledger", "version": "0.1.0",
        "actions_explicit": true, "system": true, "capabilities": ["mail:read"],
        "tools": [
            {"name": "skeleton_refresh_rows", "description": "Draws the rows again.", "scopes": ["tiny-ledger:read"],
             "parameters": {"limit": {"type": "integer", "required": false, "default": 3}}},
            {"name": "list_rows", "description": "An older text of the list.", "action_type": "read", "owner_chat_tool": "x"},
            {"name": "renamed", "description": "A function that the code no longer has.", "action_type": "read"},
            {"name": "rebuild_row", "description": "A plain tool of that name.", "scopes": []},
            {"description": "A tool without a name."},
        ],
        "signals": [{"name": "tick", "description": "Time"}],
        "schedules": [{"name": "nightly", "cron": "0 3 * * *", "description": "Every night"}],
        "required_scopes": ["tiny-ledger:read"],
        "webhooks": null,
        "config_defaults": {"skeleton": {"b": 1, "a": [1.0, 1e-7, 18_446_744_073_709_551_615_u64]}},
        "panels": [
            {"slot": "left", "panel_id": "rows", "title": "Rows", "cache_ttl": 60, "stale_while_revalidate": true,
             "tree": {"type": "Stack", "props": {"children": [{"type": "Input", "props": {"type": "email"}}]}}},
        ],
    })
}

#[test]
fn build_keeps_sections_and_plain_tools_unchanged() {
    with_ledger(|extension, folder| {
        let before = of_another_hand();
        fs::write(folder.join(FILE), before.to_string()).unwrap();
        let report = build(extension, folder).unwrap();
        let kept = ["signals", "schedules", "required_scopes", "webhooks", "config_defaults", "panels"];
        assert_eq!(report.kept[..6], kept);
        assert_eq!(report.kept[6..], ["tools.skeleton_refresh_rows"]);
        assert_eq!(report.dropped, ["tools.renamed", "tools.4"]);
        assert_eq!(
            report.replaced[..2],
            [
                "system: true, now false",
                "capabilities: [\"mail:read\"], now [\"tiny-ledger:read\",\"tiny-ledger:write\"]"
            ]
        );
        assert!(report.replaced[2].starts_with("tools.list_rows: description, owner_chat_tool, "), "{report}");
        assert!(report.replaced[3].starts_with("tools.rebuild_row: description, "), "{report}");
        let after: Value = serde_json::from_str(&fs::read_to_string(folder.join(FILE)).unwrap()).unwrap();
        for key in kept {
            assert_eq!(after[key], before[key], "{key}");
        }
        assert_eq!(after["tools"][0], before["tools"][0]);
        let names: Vec<&str> = after["tools"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["skeleton_refresh_rows", "list_rows", "rebuild_row", "drop_row"]);
        let keys: Vec<&str> = after.as_object().unwrap().keys().map(String::as_str).collect();
        let tail = ["schedules", "required_scopes", "webhooks", "config_defaults", "panels"];
        assert_eq!(keys[keys.len() - 5..], tail, "the reference's order");
        assert!(
            matches!(check_freshness(extension, folder).unwrap(), Freshness::Fresh),
            "a check agrees with the build"
        );
        assert!(!build(extension, folder).unwrap().written);
    });
}

/// JSON allows a key twice, and a reader keeps the last value: here an empty list of panels.
#[test]
fn entries_that_the_file_has_twice_are_named() {
    with_ledger(|extension, folder| {
        let text = r#"{"panels": [{"panel_id": "rows", "slot": "left"}], "tags": ["a"],
            "config_defaults": {"a": 1, "a": 2}, "panels": []}"#;
        fs::write(folder.join(FILE), text).unwrap();
        let report = build(extension, folder).unwrap();
        assert_eq!(report.dropped, ["config_defaults.a (an earlier one)", "panels (an earlier one)"]);
        assert!(report.to_string().contains("panels (an earlier one)"), "{report}");
        assert!(build(extension, folder).unwrap().dropped.is_empty());
    });
}

#[test]
fn every_replaced_part_is_named_however_many_there_are() {
    with_ledger(|extension, folder| {
        build(extension, folder).unwrap();
        change(folder, |manifest| {
            let one = json!({"name": "list_rows", "description": "x"});
            manifest["tools"] = json!([one, {"name": "drop_row", "description": "y"}, {"name": "rebuild_row"}]);
        });
        let mut report = build(extension, folder).unwrap();
        let tools = std::mem::take(&mut report.replaced);
        assert_eq!(tools.len(), 3);
        report.replaced = (0..20).map(|at| format!("field{at}: 1, now 2")).chain(tools).collect();
        let text = report.to_string();
        assert!(text.contains("and 3 more: tools.list_rows, tools.drop_row, tools.rebuild_row"), "{text}");
    });
}

#[test]
fn kept_sections_are_validated_with_the_extension() {
    with_ledger(|extension, folder| {
        fs::write(folder.join("icon.svg"), ICON).unwrap();
        let mut manifest = of_another_hand();
        manifest["schedules"][0]["cron"] = json!("0 24 * * *");
        fs::write(folder.join(FILE), manifest.to_string()).unwrap();
        build(extension, folder).unwrap();
        let findings = validate_extension(extension, folder);
        let found: Vec<_> = findings.iter().map(|found| (found.rule, found.path.as_str())).collect();
        assert_eq!(found, [("M23", "schedules.0.cron")], "{findings:#?}");
    });
}

/// An author changes the texts in `extension!` after the file was generated.
#[test]
fn texts_of_the_code_replace_those_of_the_file() {
    with_ledger(|extension, folder| {
        fs::write(folder.join("icon.svg"), ICON).unwrap();
        build(extension, folder).unwrap();
        change(folder, |manifest| {
            manifest["name"] = json!("Hello");
            manifest["description"] = json!("Greets people by their name, at once or at length in the background.");
        });
        assert!(stale_difference(extension, folder).starts_with("2 places differ"));
        let rules: Vec<&str> = validate_extension(extension, folder).iter().map(|found| found.rule).collect();
        assert_eq!(rules, ["M30", "M33", "M33"]);
        let report = build(extension, folder).unwrap();
        assert!(report.replaced[0].starts_with("name: \"Hello\", now "), "{report}");
        assert!(report.replaced[1].starts_with("description: "), "{report}");
        assert!(validate_extension(extension, folder).is_empty());
    });
}

#[test]
fn difference_names_each_place_with_both_values() {
    with_ledger(|extension, folder| {
        build(extension, folder).unwrap();
        change(folder, |manifest| {
            manifest["tools"][0]["description"] = json!("Listed rows.");
            manifest["tools"][0]["params_schema"]["properties"]["limit"]["maximum"] = json!(50);
            manifest["version"] = json!("0.0.9");
            manifest["tools"].as_array_mut().unwrap().swap(1, 2);
        });
        let difference = stale_difference(extension, folder);
        assert_eq!(
            difference,
            "4 places differ\n\n  version\n    - \"0.0.9\"\n    + \"0.1.0\"\n\n  tools.list_rows.description\n    - \"Listed rows.\"\n    + \"List ledger rows, newest first.\"\n\n  tools.list_rows.params_schema.properties.limit.maximum\n    - 50\n    + 100\n\n  order of tools\n    - list_rows, drop_row, rebuild_row\n    + list_rows, rebuild_row, drop_row"
        );
    });
}

#[test]
fn different_layout_alone_is_stale() {
    with_ledger(|extension, folder| {
        build(extension, folder).unwrap();
        let text = fs::read_to_string(folder.join(FILE)).unwrap();
        fs::write(folder.join(FILE), format!("{text}\n")).unwrap();
        assert_eq!(stale_difference(extension, folder), "only its layout differs");
    });
}

#[test]
fn file_that_is_no_manifest_is_not_changed() {
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
fn extension_is_checked_together_with_its_file() {
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
fn findings_of_an_extension_have_its_source_line() {
    let registry = Registry::collect().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let findings = validate_extension(registry.extension("wrong").unwrap(), folder.path());
    let of = |rule: &str| findings.iter().find(|found| found.rule == rule).unwrap_or_else(|| panic!("{rule}"));
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/manifest/rules.rs")).unwrap();
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
fn missing_file_is_a_finding() {
    let findings = validate_file(Path::new("nowhere/imperal.json"));
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].rule, findings[0].is_error()), ("M0", true));
}

/// A folder with a manifest that names this icon.
fn with_icon(icon: &str) -> tempfile::TempDir {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("extension");
    fs::create_dir(&folder).unwrap();
    let mut manifest: Value = serde_json::from_str(crate::WHOLE).unwrap();
    manifest["icon"] = json!(icon);
    fs::write(folder.join(FILE), manifest.to_string()).unwrap();
    above
}

#[cfg(unix)]
#[test]
fn icon_outside_the_folder_is_refused_unread() {
    let secret = tempfile::tempdir().unwrap();
    let secret = secret.path().join("secret.svg");
    fs::write(&secret, "<svg>a secret of another folder").unwrap();
    for icon in ["../secret.svg", &secret.display().to_string(), "link.svg", "a/../../secret.svg"] {
        let above = with_icon(icon);
        let folder = above.path().join("extension");
        fs::copy(&secret, above.path().join("secret.svg")).unwrap();
        std::os::unix::fs::symlink(&secret, folder.join("link.svg")).unwrap();
        let findings = validate_file(&folder.join(FILE));
        let found: Vec<_> = findings.iter().filter(|found| found.path == "icon").collect();
        assert_eq!(found.len(), 1, "{findings:#?}");
        assert_eq!((found[0].rule, found[0].level), ("M34", Level::Error));
        assert!(found[0].message.contains(icon), "{:?}", found[0]);
    }
}

/// Runs on a separate thread, so that a check that hangs fails only this test.
#[cfg(unix)]
fn within_a_minute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(std::time::Duration::from_secs(60)).expect("the check hangs")
}

#[cfg(unix)]
#[test]
fn special_files_are_refused_before_they_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.svg");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, kind) in [
        (pipe.clone(), "a named pipe"),
        (socket, "a socket"),
        (folder.path().to_owned(), "a folder"),
        ("/dev/zero".into(), "a device"),
    ] {
        let findings = within_a_minute(move || validate_file(&path));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].rule, "M0");
        assert!(findings[0].message.contains(kind), "{:?}", findings[0]);
    }
    let mut manifest: Value = serde_json::from_str(crate::WHOLE).unwrap();
    manifest["icon"] = json!("pipe.svg");
    fs::write(folder.path().join(FILE), manifest.to_string()).unwrap();
    let path = folder.path().join(FILE);
    let findings = within_a_minute(move || validate_file(&path));
    let found = findings.iter().find(|found| found.path == "icon").unwrap();
    assert!(found.rule == "M28" && found.message.contains("a named pipe"), "{found:?}");
}

#[test]
fn file_over_the_limit_is_refused_unread() {
    let above = with_icon("icon.svg");
    let folder = above.path().join("extension");
    fs::write(folder.join("icon.svg"), vec![b' '; 2 * 1024 * 1024]).unwrap();
    let findings = validate_file(&folder.join(FILE));
    let found = findings.iter().find(|found| found.path == "icon").unwrap();
    assert!(found.rule == "V21" && found.message.contains("2097152 bytes"), "{found:?}");
    fs::write(folder.join(FILE), vec![b' '; 4 * 1024 * 1024 + 1]).unwrap();
    let findings = validate_file(&folder.join(FILE));
    assert!(findings.len() == 1 && findings[0].message.contains("the limit is 4194304"), "{findings:?}");
}
