//! The section `secrets`: what a build makes of it.

use std::fs;

use imperal::function::Registry;
use imperal::manifest::{FILE, Freshness, build, check_freshness, export};
use imperal::{Secret, SecretWriter};
use serde_json::{Value, json};

use imperal::__private::{ExtensionDef, FunctionDef, inventory};

const API_KEY: Secret = Secret::new("api_key", "Key of the service.").required();
const TOKEN: Secret = Secret::new("token", "Token of the service.").written_by(SecretWriter::Extension);

inventory::submit! {
    ExtensionDef {
        app_id: "with-secrets",
        name: "With secrets",
        description: "Has two secrets, so that their section can be compared.",
        capabilities: &["with-secrets:read"],
        secrets: &[API_KEY, TOKEN],
        module_path: "with_secrets",
        file: file!(),
        line: line!(),
        ..ExtensionDef::BLANK
    }
}

inventory::submit! {
    FunctionDef { name: "look", module_path: "with_secrets", file: file!(), line: line!(), ..FunctionDef::BLANK }
}

fn build_over(on_disk: &Value) -> (imperal::manifest::BuildReport, Value) {
    let registry = Registry::collect().unwrap();
    let extension = registry.extension("with-secrets").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE), on_disk.to_string()).unwrap();
    let report = build(extension, folder.path()).unwrap();
    assert!(matches!(check_freshness(extension, folder.path()).unwrap(), Freshness::Fresh));
    let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
    (report, serde_json::from_str(&text).unwrap())
}

#[test]
fn secrets_of_the_code_replace_those_of_the_file_and_each_change_is_named() {
    let on_disk = json!({
        "app_id": "with-secrets", "version": "0.1.0",
        "secrets": [{"name": "api_key", "description": "Old."}, {"name": "gone", "description": "Gone."}, "x",
            {"name": "api_key", "description": "Older."}],
        "panels": [{"panel_id": "rows", "slot": "left", "tree": {}}, {"panel_id": "secrets", "slot": "left"},
            {"panel_id": "secrets", "slot": "center"}],
    });
    let (report, built) = build_over(&on_disk);
    let names: Vec<_> = built["secrets"].as_array().unwrap().iter().map(|secret| &secret["name"]).collect();
    assert_eq!(names, ["api_key", "token"]);
    assert!(report.replaced.iter().any(|line| line.starts_with("secrets.api_key: description, ")), "{report}");
    let dropped = ["panels.secrets (a second one)", "secrets.gone", "secrets.2", "secrets.api_key (a second one)"];
    assert_eq!(report.dropped, dropped);
    let panels: Vec<_> = built["panels"].as_array().unwrap().iter().map(|panel| &panel["panel_id"]).collect();
    assert_eq!(panels, ["rows", "secrets"]);
    assert_eq!(built["panels"][1]["slot"], "right");
    assert!(report.kept.contains(&"panels".to_owned()), "{report}");
}

#[test]
fn null_sections_of_the_file_take_nothing_away() {
    let (_, built) =
        build_over(&json!({"app_id": "with-secrets", "version": "0.1.0", "secrets": null, "panels": null}));
    assert_eq!(built["secrets"].as_array().unwrap().len(), 2);
    assert_eq!(built["panels"][0]["panel_id"], "secrets");
}

#[test]
fn section_follows_the_rules_of_a_manifest() {
    let registry = Registry::collect().unwrap();
    let text = export(registry.extension("with-secrets").unwrap()).to_json();
    let findings = imperal::manifest::validate_text(&text, FILE);
    assert!(findings.iter().all(|found| !found.path.starts_with("secrets")), "{findings:#?}");
    let section: Value = serde_json::from_str::<Value>(&text).unwrap()["secrets"][0].clone();
    let expected = json!({
        "name": "api_key", "description": "Key of the service.", "required": true, "write_mode": "user",
        "max_bytes": 4096, "scope": "user",
    });
    assert_eq!(section.to_string(), expected.to_string());
}
