//! Every rule can be violated, and its finding has a place, a reason and a remedy.

use imperal::__private::{ActionType, ExtensionDef, FunctionDef, inventory};
use imperal::manifest::{Finding, Level, ReportStyle, findings_to_json, render_findings, validate_text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::WHOLE;

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
struct HalfParams {
    fine: i32,
    #[schemars(regex(pattern = "("))]
    odd_pattern: String,
}

// `extension!` would refuse to compile this; the rules must find it nevertheless.
inventory::submit! {
    ExtensionDef {
        app_id: "wrong",
        version: "1",
        name: "x",
        description: "Too short.",
        icon: "icon.png",
        manifest_dir: env!("CARGO_MANIFEST_DIR"),
        module_path: "wrong",
        file: file!(),
        line: line!() - 8,
        ..ExtensionDef::BLANK
    }
}

inventory::submit! {
    FunctionDef {
        name: "half",
        description: "Half.",
        action_type: ActionType::Write,
        id_projection: "nowhere",
        chain_callable: false,
        params_schema: |generator| generator.root_schema_for::<HalfParams>(),
        module_path: "wrong",
        file: file!(),
        line: line!() - 8,
        ..FunctionDef::BLANK
    }
}

/// The findings for the complete manifest with one change.
fn changed(pointer: &str, value: Value) -> Vec<Finding> {
    let mut manifest: Value = serde_json::from_str(WHOLE).unwrap();
    match pointer.rsplit_once('/') {
        Some((above, "+")) => manifest.pointer_mut(above).unwrap().as_array_mut().unwrap().push(value),
        Some((above, key)) if manifest.pointer(above).is_some_and(Value::is_object) => {
            manifest.pointer_mut(above).unwrap()[key] = value;
        }
        _ => *manifest.pointer_mut(pointer).unwrap() = value,
    }
    validate_text(&manifest.to_string(), "imperal.json")
}

#[test]
fn complete_manifest_has_one_finding() {
    // Its plain tool has a name that looks like a section.
    let findings = validate_text(WHOLE, "imperal.json");
    assert_eq!(findings.iter().map(|found| found.rule).collect::<Vec<_>>(), ["V13"]);
}

#[test]
fn every_rule_can_be_violated() {
    let long = "f".repeat(60);
    let cases = [
        ("M2", "/webhooks/0", json!({}), "webhooks.0.path"),
        ("M3", "/schedule", json!([]), "schedule"),
        ("M4", "/webhooks/0/method", json!("PATCH"), "webhooks.0.method"),
        ("M5", "/tools/0/name", json!("a b"), "tools.0.name"),
        ("M6.3", "/webhooks/1/path", json!("/a"), "webhooks.1.path"),
        ("M7.3", "/events/emits/0/type", json!("other.x"), "events.emits.0.type"),
        ("M8.2", "/exposed/1/name", json!("rows"), "exposed.1.name"),
        ("SDK-VERSION-1", "/sdk_version", json!("4.0.0"), "sdk_version"),
        ("V3", "/tools", json!([]), "tools"),
        ("V9", "/lifecycle/health_check", json!(null), "lifecycle"),
        ("V10", "/tools/1/event", json!(""), "tools.1.event"),
        ("V12", "/lifecycle/on_install", json!(null), "lifecycle"),
        ("V13", "/tools/0/name", json!("alert_rows"), "tools.0.name"),
        ("V14", "/description", json!("Short."), "description"),
        ("SDK-VERSION-1", "/sdk_version", json!("+5.0.0"), "sdk_version"),
        ("V15", "/name", json!("ab"), "name"),
        ("V16", "/tools/1/description", json!("Drop."), "tools.1.description"),
        ("V17", "/tools/1/params_schema", json!({}), "tools.1.params_schema"),
        ("V19", "/tools/1/chain_callable", json!(false), "tools.1.chain_callable"),
        ("V19", "/actions_explicit", json!(false), "actions_explicit"),
        ("V20", "/tools/1/effects", json!([]), "tools.1.effects"),
        ("V21", "/icon", json!(""), "icon"),
        ("V21", "/icon", json!("icon.png"), "icon"),
        ("V23", "/tools/+", json!({"name": "look", "action_type": "read"}), "tools.2.return_schema"),
        ("V24", "/tools/1/return_schema", json!({}), "tools.1.return_schema"),
        ("V25", "/tools/0/name", json!("tool_x_chat"), "tools.0.name"),
        ("V33", "/tools/1/name", json!(long), "tools.1.name"),
        ("V34", "/tools/0/scopes", json!([]), "capabilities"),
        ("V35", "/file_sinks/0/tool", json!("nothing"), "file_sinks.0.tool"),
        ("M20", "/tools/0/name", json!("drop_row"), "tools.1.name"),
        ("M21", "/tools/1/action_type", json!("mutate"), "tools.1.action_type"),
        ("M21", "/tools/1/action_type", json!(""), "tools.1.action_type"),
        ("M22", "/panels/0/tree/props/children/0/props", json!(1), "panels.0.tree.props.children.0.props"),
        ("M23", "/schedules/0/cron", json!("0 24 * * *"), "schedules.0.cron"),
        ("M24", "/tools/1/id_projection", json!("id"), "tools.1.id_projection"),
        ("M25", "/tools/1/params_schema", json!({"type": "object", "required": 1}), "tools.1.params_schema.required"),
        ("M26", "/tools/1/params_schema", json!({"anyOf": [{"type": "object"}]}), "tools.1.params_schema"),
        ("M27", "/tools/0/description", json!(" "), "tools.0"),
        ("M29", "/signals/+", json!({"name": "tick"}), "signals.1.name"),
        ("M31", "/panels/0/slot", json!("bottom"), "panels.0.slot"),
        ("M32", "/category", json!(""), "category"),
    ];
    for (rule, pointer, value, path) in cases {
        let mut manifest = changed(pointer, value.clone());
        if rule == "V34" {
            manifest = no_scopes();
        }
        let found = manifest.iter().find(|found| found.rule == rule && found.path == path);
        let found = found.unwrap_or_else(|| panic!("{rule} at {path}: {manifest:#?}"));
        assert!(!found.message.is_empty() && !found.fix.is_empty() && !found.why.is_empty(), "{found:?}");
        assert!(!found.message.ends_with('.') && !found.fix.ends_with('.'), "house style: {found:?}");
    }
    for (rule, text) in [("M0", "{"), ("M1", "[]")] {
        assert_eq!(validate_text(text, "imperal.json")[0].rule, rule);
    }
}

#[test]
fn absent_values_are_called_absent() {
    let absent = |pointer: &str, value: Value, path: &str| {
        let findings = changed(pointer, value);
        let found = findings.iter().find(|found| found.path == path).unwrap_or_else(|| panic!("{path}: {findings:#?}"));
        assert!(!found.message.contains("``"), "{found:?}");
        found.message.clone()
    };
    assert_eq!(absent("/name", json!(""), "name"), "the extension has no name");
    assert_eq!(absent("/description", json!(" "), "description"), "the extension has no description");
    assert_eq!(absent("/tools/1/description", json!(""), "tools.1.description"), "`drop_row` has no description");
    let nameless = json!({"action_type": "read", "description": "A function without a name at all."});
    assert_eq!(
        absent("/tools/1", nameless, "tools.1.params_schema"),
        "the function at `tools.1` has no schema of its parameters"
    );
    for pointer in ["/app_id", "/tools/1/name", "/schedules/0/name", "/tools/1/event", "/panels/0/panel_id"] {
        for found in changed(pointer, json!("")).iter().chain(&changed(pointer, Value::Null)) {
            let text = format!("{} {}", found.message, found.fix);
            assert!(!text.contains("``") && !text.contains("`.`") && !text.contains("\":"), "{pointer}: {found:?}");
        }
    }
}

#[test]
fn advice_is_in_terms_of_the_extension() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest: Value = serde_json::from_str(WHOLE).unwrap();
    manifest["tools"] = json!([]);
    let path = folder.path().join("imperal.json");
    std::fs::write(&path, manifest.to_string()).unwrap();
    let fix = || {
        let findings = imperal::manifest::validate_file(&path);
        findings.iter().find(|found| found.rule == "V3").unwrap().fix.clone()
    };
    let (rust, python) = ("put `#[chat_function(..)]` on an async fn", "put `@chat.function(..)` on an async def");
    assert_eq!(fix(), format!("in Rust: {rust}; in Python: {python}"));
    std::fs::write(folder.path().join("main.py"), "").unwrap();
    assert_eq!(fix(), python);
    std::fs::remove_file(folder.path().join("main.py")).unwrap();
    std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
    assert_eq!(fix(), rust);
}

fn no_scopes() -> Vec<Finding> {
    let mut manifest: Value = serde_json::from_str(WHOLE).unwrap();
    manifest["capabilities"] = json!([]);
    manifest["tools"][0]["scopes"] = json!([]);
    manifest["system"] = json!(true);
    let findings = validate_text(&manifest.to_string(), "imperal.json");
    assert!(
        findings.iter().any(|found| found.rule == "V34" && found.level == Level::Error),
        "an error for a system app"
    );
    findings
}

#[test]
fn findings_have_the_line_of_their_value() {
    let text = "{\n  \"app_id\": \"ab\",\n  \"version\": \"1.0.0\",\n  \"tools\": [\n    {\n      \"name\": \"1\"\n    }\n  ]\n}";
    let findings = validate_text(text, "x.json");
    let found = findings.iter().find(|found| found.rule == "M5").unwrap();
    assert_eq!((found.file.as_str(), found.line), ("x.json", 6));
}

#[test]
fn text_and_json_have_the_same_findings() {
    let findings: Vec<Finding> =
        changed("/schedules/0/cron", json!("0 24 * * *")).into_iter().filter(Finding::is_error).collect();
    assert_eq!(
        render_findings(&findings, ReportStyle::plain()),
        "error[M23]: the timetable of `nightly` cannot be read: its hour `24` is not within 0 to 23\n  --> imperal.json:1\n   = why: a timetable that never matches never runs\n   = fix: write five fields: minute, hour, day, month, weekday, in UTC\n\n1 error, 0 warnings, 0 notes\n"
    );
    let json = findings_to_json(&findings);
    assert_eq!((&json["valid"], &json["errors"]), (&json!(false), &json!(1)));
    let keys: Vec<&String> = json["findings"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["rule", "level", "message", "file", "line", "fix", "why", "path"]);
    assert_eq!(render_findings(&[], ReportStyle::plain()), "no findings\n");
}

#[test]
fn source_line_is_shown_with_marks_and_in_colour() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("imperal.json");
    std::fs::write(&path, "{\n  \"app_id\": \"Ab\",\n  \"version\": \"1.0.0\"\n}").unwrap();
    let findings = imperal::manifest::validate_file(&path);
    let one: Vec<Finding> = findings.into_iter().filter(|found| found.path == "app_id").collect();
    let text = render_findings(&one, ReportStyle::full(false));
    assert!(text.contains("\n   |\n 2 |   \"app_id\": \"Ab\",\n   |   ^^^^^^^^^^^^^^^\n"), "{text}");
    assert!(render_findings(&one, ReportStyle::full(true)).contains("\u{1b}[1;31merror[M4]\u{1b}[0m"));
}
