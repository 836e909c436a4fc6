//! The values that types accept, and the texts of refusals.

#![allow(dead_code, reason = "the fields of parameters are read by nobody here")]

mod edges;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::context::Context;
use crate::result::{ActionResult, Result};
use crate::{codes, json as limits};

/// A chat function that takes `P` and does nothing.
struct Takes<P>(PhantomData<P>);

impl<P: Params> ChatHandler for Takes<P> {
    type Ctx = Context;
    type Params = P;
    type Output = Result<ActionResult>;

    async fn call(_ctx: Context, _params: P) -> Result<ActionResult> {
        Ok(ActionResult::done(""))
    }
}

pub(super) fn def<P: Params>() -> &'static FunctionDef {
    let handler = Handler::of::<Takes<P>, Context, P, Result<ActionResult>, ()>();
    Box::leak(Box::new(FunctionDef {
        name: "take",
        params_schema: handler.params_schema,
        return_schema: handler.return_schema,
        data_model: None,
        read: handler.read,
        module_path: "a",
        file: "src/work.rs",
        line: 7,
        ..FunctionDef::BLANK
    }))
}

fn check<P: Params>() -> ParamsCheck {
    ParamsCheck::compile(def::<P>()).unwrap()
}

/// What is kept of parameters that are accepted.
fn kept<P: Params>(params: Value) -> Value {
    check::<P>().check_params(params, Vec::new()).map(|accepted| accepted.redacted).unwrap()
}

/// Field and text of a refusal.
fn refused<P: Params>(params: Value) -> (String, String) {
    match check::<P>().check_params(params, Vec::new()) {
        Ok(accepted) => panic!("{} was accepted", accepted.redacted),
        Err(error) => (error.field().unwrap_or_default().to_owned(), error.message().to_owned()),
    }
}

fn read_as<P: Params>(mut params: Value) -> P {
    integers::coerce(check::<P>().schema(), &mut params);
    read::read(&params).unwrap().value
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Numbers {
    small: Option<u32>,
    signed: Option<i64>,
    large: Option<u64>,
    float: Option<f32>,
    not_zero: Option<NonZeroU32>,
    list: Option<Vec<u8>>,
    map: Option<BTreeMap<String, i32>>,
}

#[test]
fn whole_floats_are_read_and_kept_as_integers() {
    let params =
        json!({"small": 5.0, "signed": -0.0, "large": 1e2, "list": [1.0, 2], "map": {"a": -3.0}, "float": 5.0});
    let whole = json!({"small": 5, "signed": 0, "large": 100, "list": [1, 2], "map": {"a": -3}, "float": 5.0});
    assert_eq!(kept::<Numbers>(params.clone()).to_string(), whole.to_string());
    let read = read_as::<Numbers>(params);
    assert_eq!((read.small, read.signed, read.large, read.list), (Some(5), Some(0), Some(100), Some(vec![1, 2])));
}

#[test]
fn a_number_out_of_its_types_range_is_refused_with_the_bound() {
    let cases = [
        (json!({"small": 4_294_967_296_u64}), "small", "`small` must be at most 4294967295, not 4294967296."),
        (json!({"small": -1}), "small", "`small` must be at least 0, not -1."),
        (json!({"small": 1e10}), "small", "`small` must be at most 4294967295, not 10000000000."),
        (
            json!({"signed": 9_223_372_036_854_775_808_u64}),
            "signed",
            "`signed` must be at most 9223372036854775807, not 9223372036854775808.",
        ),
        (json!({"float": 1e300}), "float", "`float` must be at most 3.4028234663852886e38, not 1e300."),
        (json!({"not_zero": 0.0}), "not_zero", "`not_zero` must be at least 1, not 0."),
        (json!({"list": [1, 256]}), "list[1]", "`list[1]` must be at most 255, not 256."),
        (json!({"map": {"a": 2_147_483_648_u32}}), "map.a", "`map.a` must be at most 2147483647, not 2147483648."),
        (
            // A float this large may not be the number that was sent.
            json!({"large": 1e17}),
            "large",
            "`large` must be a whole number without a decimal point, not 1e17.",
        ),
    ];
    for (params, field, text) in cases {
        let said = refused::<Numbers>(params);
        // The validator prints a float's exponent in one of two ways.
        assert_eq!((&*said.0, said.1.replace("e+", "e")), (field, text.to_owned()));
    }
    let (field, _) = refused::<Numbers>(serde_json::from_str(r#"{"large": 18446744073709551616}"#).unwrap());
    assert_eq!(field, "large");
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Place {
    x: u32,
    y: u32,
    note: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Pinned {
    name: Option<String>,
    #[serde(flatten)]
    place: Option<Place>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Pins {
    pins: Vec<Pinned>,
}

#[test]
fn a_flattened_option_is_read_or_refused_and_never_lost() {
    let place = Some(Place { x: 1, y: 2, note: None });
    assert_eq!(read_as::<Pinned>(json!({"x": 1.0, "y": 2})).place, place);
    assert_eq!(kept::<Pinned>(json!({"name": "a"})), json!({"name": "a"}));
    assert_eq!(kept::<Pinned>(json!({"x": 1, "y": 2, "name": "a"})), json!({"x": 1, "y": 2, "name": "a"}));
    for (params, field) in [(json!({"x": 1}), "y"), (json!({"y": 1, "name": "a"}), "x"), (json!({"note": "a"}), "x")] {
        assert_eq!(refused::<Pinned>(params.clone()).0, field, "{params}");
    }
    assert_eq!(refused::<Pins>(json!({"pins": [{"name": "a"}, {"name": "b", "y": 1}]})).0, "pins[1].x");
    assert!(check::<Pins>().check_params(json!({"pins": [{}, {"name": "b"}]}), Vec::new()).is_ok());
    // One of two is given whole, the other one not at all.
    for params in
        [json!({"x": 1, "y": 2}), json!({"left": 1, "right": 2, "name": "a"}), json!({"name": "a"}), json!({})]
    {
        assert!(check::<Both>().check_params(params.clone(), Vec::new()).is_ok(), "{params}");
    }
    assert_eq!(refused::<Both>(json!({"x": 1, "y": 2, "right": 1})).0, "left");
    assert_eq!(refused::<Small>(json!({"even": "odd"})).0, "even");
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Both {
    name: Option<String>,
    #[serde(flatten)]
    place: Option<Place>,
    #[serde(flatten)]
    margins: Option<Margins>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Margins {
    left: u32,
    right: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Small {
    #[serde(flatten)]
    even: Option<HasEven>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct HasEven {
    even: Even,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Either {
    Both { a: u32, b: u32 },
    One { a: u32 },
    None {},
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Choice {
    #[serde(flatten)]
    either: Either,
}

#[test]
fn a_form_that_is_tried_and_left_is_nothing_swallowed() {
    for params in [json!({"a": 1, "b": 2}), json!({"a": 1}), json!({})] {
        assert!(check::<Choice>().check_params(params.clone(), Vec::new()).is_ok(), "{params}");
    }
    assert!(matches!(read_as::<Choice>(json!({"a": 1.0})).either, Either::One { a: 1 }));
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Formats {
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    id: Option<uuid::Uuid>,
    address: Option<IpAddr>,
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    day: Option<jiff::civil::Date>,
    #[schemars(email)]
    mail: Option<String>,
    #[schemars(url)]
    page: Option<String>,
    letter: Option<char>,
    #[serde(flatten)]
    more: MoreFormats,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct MoreFormats {
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    at: Option<jiff::Timestamp>,
}

#[test]
fn the_type_decides_which_forms_it_takes() {
    for params in [
        json!({"id": "urn:uuid:6f9619ff-8b86-4011-b42d-00cf4fc964ff"}),
        json!({"id": "6f9619ff8b864011b42d00cf4fc964ff", "day": "20261128"}),
        json!({"address": "::1", "letter": "🦀", "at": "2026-11-28 08:30:00+01"}),
        json!({"mail": "anna@example.com", "page": "https://münchen.example/a b"}),
    ] {
        assert!(check::<Formats>().check_params(params.clone(), Vec::new()).is_ok(), "{params}");
    }
    let cases = [
        (json!({"id": "x"}), "id", "a UUID such as"),
        (json!({"address": "1.2.3"}), "address", "an IP address such as"),
        (json!({"day": "2026-02-30"}), "day", "a date such as 2026-11-28"),
        (json!({"mail": "anna"}), "mail", "an e-mail address such as"),
        (json!({"page": "example"}), "page", "a URL such as"),
        (json!({"letter": "ab"}), "letter", "at most 1 characters"),
        // Inside a flattened struct serde does not say where it was.
        (json!({"at": "noon"}), "at", "a date and time with its offset"),
    ];
    for (params, field, words) in cases {
        let (named, text) = refused::<Formats>(params.clone());
        assert_eq!(named, field, "{params}: {text}");
        assert!(text.contains(words), "{text}");
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
struct Even;

impl TryFrom<String> for Even {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        assert!(text != "panic", "the author's reader said {text}");
        if text.len().is_multiple_of(2) { Ok(Self) } else { Err(format!("{text} has an odd length")) }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Open {
    rows: Vec<Even>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "by")]
enum Way {
    Key { key: Even },
    Pin { pin: u32 },
}

#[derive(Debug, Deserialize, JsonSchema)]
#[expect(clippy::zero_sized_map_values, reason = "only how a value reads itself matters here")]
struct Secrets {
    #[schemars(extend("writeOnly" = true))]
    pin: Option<u32>,
    #[schemars(extend("writeOnly" = true))]
    word: Option<Even>,
    #[serde(default, alias = "pw")]
    #[schemars(extend("writeOnly" = true))]
    password: Option<String>,
    plain: Option<Even>,
    way: Option<Way>,
    tokens: Option<BTreeMap<String, Even>>,
    #[serde(rename = "mode")]
    mode: Option<Mode>,
}

#[derive(Debug, Deserialize, JsonSchema)]
enum Mode {
    Fast,
}

#[test]
fn an_authors_own_reader_is_quoted_with_the_field() {
    assert_eq!(
        refused::<Open>(json!({"rows": ["ab", "abc"]})),
        ("rows[1]".to_owned(), "`rows[1]` has a value that is not right: abc has an odd length.".to_owned())
    );
}

#[test]
fn no_refusal_says_a_value_where_the_schema_has_secrets() {
    let cases = [
        (json!({"pin": 99_999_999_999_u64}), "pin"),
        (json!({"pin": 4711.5}), "pin"),
        (json!({"pin": "99999999999"}), "pin"),
        (json!({"word": "hunter2"}), "word"),
        (json!({"plain": "hunter2"}), "plain"),
        (json!({"password": ["hunter2"]}), "password"),
        (json!({"way": {"by": "hunter2"}}), "way"),
        (json!({"way": {"by": "Key", "key": "hunter2"}}), "way"),
        (json!({"way": {"by": "Pin", "pin": 99_999_999_999_u64}}), "way.pin"),
        (json!({"tokens": {"hunter2": "abc"}}), "tokens"),
        (json!({"tokens": {"hunter2": 1}}), "tokens"),
        (json!({"mode": "hunter2"}), "mode"),
    ];
    for (params, field) in cases {
        let error = check::<Secrets>().check_params(params.clone(), Vec::new()).err().unwrap();
        assert_eq!(error.field(), Some(field), "{params}: {error}");
        for secret in ["hunter2", "99999999999", "4711"] {
            assert!(!format!("{error:?}").contains(secret), "{params}: {error:?}");
        }
    }
}

#[test]
fn a_secret_is_kept_under_no_name() {
    let params =
        json!({"pin": 4711.0, "pw": "hunter2", "passwort": "hunter2", "plain": "ab", "way": {"by": "Pin", "pin": 1}});
    assert_eq!(kept::<Secrets>(params), json!({"plain": "ab", "way": {"by": "Pin", "pin": 1}}));
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Loose {
    text: String,
    rest: Option<Value>,
    rows: Option<Vec<Row>>,
    #[serde(default)]
    #[schemars(extend("type" = "object"), schema_with = "any_object")]
    by_hand: Option<Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Row {
    id: u32,
}

fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({})
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Collects {
    text: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

#[test]
fn unknown_fields_are_ignored_and_not_kept() {
    let kept_of_loose = kept::<Loose>(json!({
        "text": "a", "more": 1, "rest": {"any": {"thing": [1]}}, "rows": [{"id": 1.0, "more": {}}], "by_hand": {"a": {"b": 1}}
    }));
    let expected = json!({
        "text": "a", "rest": {"any": {"thing": [1]}}, "rows": [{"id": 1}], "by_hand": {"a": {"b": 1}}
    });
    assert_eq!(kept_of_loose, expected);
    let all = json!({"text": "a", "more": {"deep": [{"x": 1.5}]}});
    assert_eq!(kept::<Collects>(all.clone()), all);
}
