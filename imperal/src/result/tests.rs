//! Tests of answers, their wire form and their limits.

use serde::Serialize;
use serde_json::Value;

use super::data::{self, Size};
use super::delivery::RESULT_LIMIT;
use super::*;
use crate::{codes, json};

fn wire<T: Serialize>(result: ActionResult<T>) -> String {
    serde_json::to_string(&result.into_wire().unwrap()).unwrap()
}

#[test]
fn wire_shapes_are_those_of_the_reference_sdk() {
    assert_eq!(
        wire(ActionResult::success(serde_json::json!({"a": 1}), "ok")),
        r#"{"status":"success","summary":"ok","data":{"a":1}}"#
    );
    assert_eq!(
        wire(ActionResult::<()>::error("BACKEND_TIMEOUT", "boom").retryable()),
        r#"{"status":"error","summary":"","data":{},"error":"boom","error_code":"BACKEND_TIMEOUT","retryable":true}"#
    );
    assert_eq!(wire(ActionResult::done("ok")), r#"{"status":"success","summary":"ok","data":{}}"#);
}

#[test]
fn no_panels_and_all_panels_differ() {
    let none = ActionResult::done("ok").refresh_panels(Vec::<String>::new()).into_wire().unwrap();
    assert_eq!(none.refresh_panels, Some(vec![]));
    assert_eq!(ActionResult::done("ok").into_wire().unwrap().refresh_panels, None);
}

#[test]
fn data_that_is_not_json_is_an_error_and_no_panic() {
    let odd: std::collections::HashMap<(u8, u8), u8> = [((1, 2), 3)].into();
    assert_eq!(ActionResult::success(odd, "x").into_wire().unwrap_err().code(), &crate::codes::INTERNAL);
}

#[derive(Serialize)]
struct Rows {
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    ratio: f64,
}

#[derive(Serialize)]
enum Form {
    Unit,
    New(u8),
    Pair(i8, char),
    Fields { a: Option<f32>, b: () },
}

fn nested(depth: usize) -> Value {
    (1..depth).fold(serde_json::json!([]), |value, _| Value::Array(vec![value]))
}

#[test]
fn data_is_written_as_serde_json_writes_it() {
    let data = (
        [Form::Unit, Form::New(1), Form::Pair(-1, '🦀'), Form::Fields { a: Some(0.1), b: () }],
        std::collections::BTreeMap::from([(1_u64, Some(u64::MAX)), (2, None)]),
        std::collections::BTreeMap::from([(true, i64::MIN)]),
        (serde_json::json!({"any": [null, 1.5, "\u{1}\"\\"]}), u128::from(7_u8), i128::from(-7_i8)),
        nested(json::DATA_DEPTH - 1),
    );
    let expected = serde_json::to_value(&data).unwrap();
    let size = Size::default();
    assert_eq!(data::write(&data, &size).unwrap(), expected);
    let text = expected.to_string().len();
    // Exact but for the two floats, which are counted alike.
    assert!(size.bytes().abs_diff(text) < 40, "{} of {text}", size.bytes());
    let measured = Size::default();
    data::measure(&expected, &measured);
    assert_eq!(measured.bytes(), text);
}

#[test]
fn a_number_that_json_does_not_have_is_named() {
    let data = Rows { rows: vec![Row { ratio: 1.0 }, Row { ratio: f64::NAN }] };
    let error = ActionResult::success(data, "x").into_wire().unwrap_err();
    assert_eq!(error.code(), &codes::RESULT_NOT_FINITE);
    assert!(error.message().starts_with("`rows[1].ratio` of the result is NaN"), "{error}");
    let error = ActionResult::success(f32::INFINITY, "x").into_wire().unwrap_err();
    assert!(error.message().starts_with("The result is inf"), "{error}");
}

#[test]
fn a_result_over_the_limit_is_refused_with_its_size() {
    let text = |bytes: usize| ActionResult::success("x".repeat(bytes), "x");
    assert!(text(RESULT_LIMIT - 2).into_wire().is_ok());
    let error = text(RESULT_LIMIT - 1).into_wire().unwrap_err();
    assert_eq!(error.code(), &codes::RESULT_TOO_LARGE);
    let rows = vec![vec!["a\n".repeat(500); 1000]; 60];
    let message = ActionResult::success(rows, "x").into_wire().unwrap_err().message().to_owned();
    assert!(message.contains("has 90180") && message.contains("1048576"), "{message}");
    let half = Value::from("x".repeat(RESULT_LIMIT / 2));
    let parts = ActionResult::success(half.clone(), "x").ui(half);
    assert_eq!(parts.into_wire().unwrap_err().code(), &codes::RESULT_TOO_LARGE);
    let panels = ActionResult::done("x").refresh_panels(vec!["x".repeat(1000); 2000]);
    assert_eq!(panels.into_wire().unwrap_err().code(), &codes::RESULT_TOO_LARGE);
}

#[test]
fn a_result_of_any_depth_is_refused_on_a_small_stack() {
    #[derive(Serialize)]
    struct Deep(Value);
    fn is_too_deep<T: Serialize + Send + 'static>(result: ActionResult<T>) {
        assert_eq!(result.deliver().unwrap_err().code(), &codes::RESULT_TOO_DEEP);
    }
    let work = || {
        assert!(ActionResult::success(nested(json::DATA_DEPTH), "x").deliver().is_ok());
        is_too_deep(ActionResult::success(nested(json::DATA_DEPTH + 1), "x"));
        is_too_deep(ActionResult::success(nested(100_000), "x"));
        is_too_deep(ActionResult::success(Deep(nested(50_000)), "x"));
        is_too_deep(ActionResult::done("x").ui(nested(100_000)).undo(nested(100_000)));
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn wire_survives_a_round_trip() {
    let full = ActionResult::success(1, "s")
        .refresh_panels(["a"])
        .undo(Value::Bool(true))
        .diff(Value::from("d"))
        .action_receipt(Value::from(2))
        .ui(serde_json::json!({"type": "Text", "props": {}}))
        .into_wire()
        .unwrap();
    let text = serde_json::to_string(&full).unwrap();
    assert_eq!(serde_json::from_str::<WireResult>(&text).unwrap(), full);
}
