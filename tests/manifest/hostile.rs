//! Manifests that try to hang, crash or flood the check.

use imperal::manifest::{Finding, Manifest, ReportStyle, render_findings, validate_file, validate_text};
use serde_json::{Map, Value, json};

use crate::WHOLE;

fn whole() -> Map<String, Value> {
    serde_json::from_str(WHOLE).unwrap()
}

/// The whole manifest with one field replaced.
fn with(key: &str, value: Value) -> String {
    let mut manifest = whole();
    manifest.insert(key.to_owned(), value);
    Value::Object(manifest).to_string()
}

fn with_schema(schema: Value) -> String {
    let mut manifest = whole();
    manifest["tools"][1]["params_schema"] = schema;
    Value::Object(manifest).to_string()
}

/// Nanoseconds between two updates of [`ran`]: the kernel counts at its ticks, so shorter work can measure as 0.
#[cfg(target_os = "linux")]
const TICK: u64 = 4_000_000;

/// Processor time of this thread in nanoseconds, which does not depend on other processes.
#[cfg(target_os = "linux")]
fn ran() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// The work must grow in proportion to the length of the text, not with its square.
#[cfg(target_os = "linux")]
fn grows_with_its_input(what: &str, of: impl Fn(usize) -> String, size: usize) {
    let cost = |text: &str| {
        let once = || {
            let start = ran();
            let findings = validate_text(text, "imperal.json");
            let _ = render_findings(&findings, ReportStyle::plain());
            ran() - start
        };
        (0..3).map(|_| once()).min().unwrap()
    };
    let (short, long) = (of(size / 2), of(size * 2));
    assert!(long.len() > short.len() * 3, "{what}: {} and {} bytes", short.len(), long.len());
    let (short, long) = (cost(&short), cost(&long));
    // For a text of four times the length, linear work grows fourfold and quadratic work sixteenfold. The bound
    // leaves room for caches and a busy machine.
    assert!(long <= short.max(TICK) * 12, "{what}: {short} ns, and for four times the text {long} ns");
}

#[cfg(target_os = "linux")]
#[test]
fn work_is_linear_in_the_length_of_a_manifest() {
    let many = |n: usize, one: &dyn Fn(usize) -> Value| Value::from((0..n).map(one).collect::<Vec<_>>());
    let object = |n: usize, one: &dyn Fn(usize) -> (String, Value)| Value::Object((0..n).map(one).collect());
    grows_with_its_input("wrong items of a list", |n| with("capabilities", many(n, &|_| json!(0))), 40_000);
    grows_with_its_input(
        "unknown keys",
        |n| {
            let mut manifest = whole();
            manifest.extend((0..n).map(|at| (format!("x{at}"), json!(1))));
            Value::Object(manifest).to_string()
        },
        10_000,
    );
    grows_with_its_input("a key with many dots", |n| with(&"a.".repeat(n), json!(1)), 200_000);
    grows_with_its_input(
        "parameters under a long name",
        |n| {
            let mut parameter = object(n / 8, &|at| (format!("k{at}"), json!(1)));
            parameter["type"] = json!("wrong");
            with("tools", json!([{"name": "a", "parameters": {"p".repeat(n): parameter}}]))
        },
        100_000,
    );
    grows_with_its_input(
        "wrong nodes under a long key",
        |n| {
            let nodes = many(n / 50, &|_| json!({"type": "", "props": 1}));
            with("panels", json!([{"slot": "left", "tree": {"type": "Stack", "props": {"k".repeat(n): nodes}}}]))
        },
        100_000,
    );
    grows_with_its_input("tools of one name", |n| with("tools", many(n, &|_| json!({"name": "a"}))), 2000);
    grows_with_its_input(
        "files for tools that do not exist",
        |n| {
            let mut manifest = whole();
            manifest.insert("tools".into(), many(n, &|at| json!({"name": format!("t{at}")})));
            let sinks = many(n, &|at| json!({"tool": format!("s{at}"), "accepts": ["a"], "arg": "a"}));
            manifest.insert("file_sinks".into(), sinks);
            Value::Object(manifest).to_string()
        },
        2000,
    );
    grows_with_its_input(
        "a chain of definitions",
        |n| {
            let next = |at: usize| (format!("d{at}"), json!({"$ref": format!("#/$defs/d{}", (at + 1).min(n - 1))}));
            with_schema(json!({"type": "object", "$defs": object(n, &next)}))
        },
        1000,
    );
    grows_with_its_input(
        "one definition that many refer to",
        |n| {
            let fields = object(n, &|at| (format!("f{at}"), json!({"$ref": "#/$defs/d"})));
            with_schema(json!({"type": "object", "properties": fields, "$defs": {"d": {"type": "string"}}}))
        },
        2000,
    );
}

#[cfg(target_os = "linux")]
#[test]
fn work_is_linear_in_the_length_of_an_icon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("imperal.json");
    std::fs::write(&path, WHOLE).unwrap();
    let cost = |icon: String| {
        std::fs::write(folder.path().join("icon.svg"), icon).unwrap();
        let once = || {
            let start = ran();
            let _ = validate_file(&path);
            ran() - start
        };
        (0..5).map(|_| once()).min().unwrap()
    };
    let attributes =
        |n: usize| -> String { (0..n).flat_map(|at| [" a".to_owned(), at.to_string(), "='1'".to_owned()]).collect() };
    let spaces =
        |n: usize| -> String { (0..n).flat_map(|at| [format!(" xmlns:s{at}='1'"), format!(" s{at}:a='2'")]).collect() };
    for (what, icon) in [
        ("attributes", &(|n| format!("<svg viewBox='0 0 1 1'{}/>", attributes(n))) as &dyn Fn(usize) -> String),
        ("namespaces", &|n| format!("<svg viewBox='0 0 1 1'{}/>", spaces(n / 2))),
        ("entities", &|n| format!("<svg viewBox='0 0 1 1'>{}</svg>", "&lt;".repeat(n))),
        ("siblings", &|n| format!("<svg viewBox='0 0 1 1'>{}</svg>", "<a b='1'/>".repeat(n))),
    ] {
        // For a text of four times the length, linear work grows fourfold and quadratic work sixteenfold. The bound
        // leaves room for caches and a busy machine.
        let (short, long) = (cost(icon(15_000)), cost(icon(60_000)));
        assert!(long <= short.max(TICK) * 12, "{what}: {short} ns, and for four times the icon {long} ns");
    }
}

#[test]
fn first_findings_are_shown_and_the_rest_counted() {
    let text = with("capabilities", Value::from(vec![json!(0); 1_000_000]));
    let findings = validate_text(&text, "imperal.json");
    let errors = findings.iter().filter(|found| found.rule == "M4").count();
    assert_eq!(errors, 200);
    let last = findings.last().unwrap();
    assert_eq!((last.rule, last.is_error()), ("M35", true));
    assert_eq!(last.message, "and 999800 more (999800 errors, 0 warnings, 0 notes)");
}

#[test]
fn nesting_over_the_limit_is_a_finding() {
    for text in [
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{{\"a\":{}1{}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000)),
        with_schema(json!({"type": "object"})).replacen(
            "\"object\"",
            &format!("{}{}", "[".repeat(500), "]".repeat(500)),
            1,
        ),
    ] {
        let findings = validate_text(&text, "imperal.json");
        assert_eq!(findings.iter().map(|found| found.rule).collect::<Vec<_>>(), ["M0"]);
        assert!(findings[0].message.contains("recursion limit"), "{:?}", findings[0]);
        assert!(Manifest::read(&text).is_err());
    }
}

/// JSON within JSON under a key that some parsers treat specially.
fn bomb(levels: usize) -> String {
    let escaped = |text: &str| text.replace('\\', "\\u005c").replace('"', "\\u0022");
    (0..levels).fold("0".to_owned(), |text, _| {
        let (open, close) = ("[".repeat(120), "]".repeat(120));
        format!("{open}{{\"$serde_json::private::RawValue\":\"{}\"}}{close}", escaped(&text))
    })
}

#[test]
fn json_library_marker_is_data_or_refused() {
    for levels in [1, 3, 8] {
        let text = format!("{{\"app_id\": \"ab\", \"version\": \"1.0.0\", \"x\": {}}}", bomb(levels));
        let findings = validate_text(&text, "imperal.json");
        assert!(findings.iter().any(Finding::is_error));
        let _ = Manifest::read(&text);
    }
}

#[test]
fn self_containing_schema_is_found() {
    for schema in [
        json!({"type": "object", "properties": {"child": {"$ref": "#"}}}),
        json!({"type": "object", "properties": {"child": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}),
        json!({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"$ref": "#/properties/a"}}}}}),
        json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {
            "A": {"properties": {"b": {"$ref": "#/$defs/B"}}}, "B": {"items": {"$ref": "#/$defs/A"}}}}),
        json!({"type": "object", "properties": {"a/b": {"items": {"$ref": "#/properties/a~1b"}}}}),
    ] {
        let findings = validate_text(&with_schema(schema.clone()), "imperal.json");
        assert!(findings.iter().any(|found| found.rule == "M26"), "{schema}: {findings:#?}");
    }
    for schema in [
        json!({"type": "object", "properties": {"row_id": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}),
        json!({"type": "object", "properties": {"row_id": {"type": "string", "default": {"$ref": "#"}}}}),
    ] {
        let findings = validate_text(&with_schema(schema.clone()), "imperal.json");
        assert!(!findings.iter().any(|found| found.rule == "M26"), "{schema}: {findings:#?}");
    }
}

#[test]
fn text_of_a_file_cannot_control_or_reorder_the_terminal() {
    let text = with("app_id", json!("\u{1b}[2Jevil\u{202e}txt.\u{200b}x\r\n"));
    let shown = render_findings(&validate_text(&text, "im\u{202e}peral.json"), ReportStyle::full(false));
    assert!(shown.contains("<U+202E>"), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{200b}', '\r']), "{shown}");
}
