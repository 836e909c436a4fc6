//! Edge cases: a reader that panics, deep parameters, types without fields, types that are not an object.

use super::*;

/// One test: tracing caches whether an event has a subscriber, and all threads share the cache.
#[test]
fn a_panic_of_the_authors_reader_is_a_refusal_and_logged_without_secrets() {
    let logged_of = |check: &ParamsCheck, params: Value| {
        logged(|| {
            let error = check.check_params(params, Vec::new()).err().unwrap();
            assert_eq!(error.code(), &codes::INTERNAL);
            assert!(!error.to_string().contains("said panic"));
        })
    };
    let open = logged_of(&check::<Open>(), json!({"rows": ["panic"]}));
    assert!(open.contains("reading the parameters panicked") && open.contains("said panic"), "{open}");
    let secret = logged_of(&check::<Secrets>(), json!({"word": "panic"}));
    assert!(secret.contains("reading the parameters panicked") && !secret.contains("said panic"), "{secret}");
    assert!(check::<Open>().check_params(json!({"rows": ["ab"]}), Vec::new()).is_ok());
}

/// What is logged while `work` runs.
fn logged(work: impl FnOnce()) -> String {
    let text = Arc::new(Mutex::new(Vec::new()));
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer({
        let text = text.clone();
        move || Written(text.clone())
    });
    tracing::subscriber::with_default(log.finish(), work);
    let text = text.lock().unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn parameters_are_refused_at_the_depth_limit_without_recursion() {
    let nested = |depth: usize| {
        let mut value = json!({});
        for _ in 2..depth {
            value = Value::Array(vec![value]);
        }
        // `json!` would copy it by recursion.
        Value::Object([("text".to_owned(), json!("a")), ("rest".to_owned(), value)].into_iter().collect())
    };
    if let Err(error) = check::<Loose>().check_params(nested(limits::DATA_DEPTH), Vec::new()) {
        panic!("{error}");
    }
    assert!(refused::<Loose>(nested(limits::DATA_DEPTH + 1)).1.contains("120 levels"));
    let deep = nested(100_000);
    assert!(check::<Loose>().check_params(deep, Vec::new()).is_err());
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Unit;

#[derive(Debug, Deserialize, JsonSchema)]
struct Empty {}

#[derive(Debug, Deserialize, JsonSchema)]
struct Wrapped(Row);

#[derive(Debug, Deserialize, JsonSchema)]
struct Number(u32);

#[derive(Debug, Deserialize, JsonSchema)]
struct Pair(u32, u32);

type Words = Vec<String>;

#[test]
fn structs_without_fields_take_an_empty_object() {
    assert_eq!(kept::<Unit>(json!({"more": 1})), json!({}));
    assert_eq!(kept::<Empty>(json!({"more": 1})), json!({}));
    assert_eq!(kept::<Wrapped>(json!({"id": 1.0})), json!({"id": 1}));
    assert!(check::<Unit>().check_params(json!(null), Vec::new()).is_err());
}

#[test]
fn parameters_that_are_no_object_are_refused_at_the_start() {
    fn fault<P: Params>() -> String {
        ParamsCheck::compile(def::<P>()).unwrap_err().to_string()
    }
    for (fault, found) in [
        (fault::<()>(), "`()`"),
        (fault::<Number>(), "a whole number"),
        (fault::<Pair>(), "a list"),
        (fault::<Words>(), "a list"),
        (fault::<Mode>(), "text"),
        (fault::<Way>(), "a choice of several forms"),
        (fault::<Option<Row>>(), "a choice of several forms"),
        (fault::<Value>(), "of no type"),
    ] {
        assert!(fault.contains("take (src/work.rs:7)"), "{fault}");
        assert!(fault.contains(&format!("are {found};")) && fault.contains("a struct with named fields"), "{fault}");
    }
}
