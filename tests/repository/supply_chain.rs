//! Dependencies of the published crate for each combination of features that authors use.
//!
//! The rules are in `deny.toml`; `cargo deny` checks the others for all features at once.

use std::process::Command;

const COMBINATIONS: [&str; 7] = [
    "",
    "--no-default-features",
    "--features=postgres",
    "--features=otel",
    "--features=mcp",
    "--features=testing",
    "--all-features",
];

fn root() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/..")
}

/// Features of `serde_json` that deny.toml bans.
fn banned() -> Vec<String> {
    let text = std::fs::read_to_string(format!("{}/deny.toml", root())).unwrap();
    let after = text.split_once("crate = \"serde_json\"\ndeny = [").expect("deny.toml bans features of serde_json").1;
    let list = after.split_once(']').unwrap().0;
    list.split(',').map(|name| name.trim().trim_matches('"').to_owned()).collect()
}

/// The features of `serde_json` in a build of `imperal`.
fn features(combination: &str) -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.current_dir(root()).args(["tree", "--locked", "-p", "imperal", "--edges", "normal,build,features"]);
    tree.args(["--invert", "serde_json", "--prefix", "none"]).args(Some(combination).filter(|text| !text.is_empty()));
    let output = tree.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("serde_json feature \"")?.split('"').next());
    names.map(str::to_owned).collect()
}

#[test]
fn no_published_combination_of_features_lets_json_text_overflow_the_stack() {
    let banned = banned();
    assert!(banned.contains(&"raw_value".to_owned()) && banned.contains(&"unbounded_depth".to_owned()), "{banned:?}");
    for combination in COMBINATIONS {
        let features = features(combination);
        assert!(features.contains(&"std".to_owned()), "{combination}: {features:?}");
        let found: Vec<_> = features.iter().filter(|feature| banned.contains(feature)).collect();
        assert!(found.is_empty(), "`{combination}` turns on {found:?} of serde_json: see deny.toml");
    }
}
