//! Every value that the parameter check accepts, the type accepts (P14): random JSON for many types.
//!
//! A call is either refused with its field and writes nothing, or its handler receives exactly the value that
//! `serde_json` reads from the stored parameters.

#![allow(dead_code, reason = "the fields of parameters are shown by `Debug`")]

mod values;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;

use imperal::function::Registry;
use imperal::manifest::export;
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestUser, run};
use imperal::{ErrorKind, codes};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

imperal::extension! {
    app_id: "parameters",
    name: "Parameters",
    description: "Functions that show the parameters that they were given.",
    icon: "icon.svg",
    capabilities: ["parameters:read"],
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Seen {
    text: String,
}

/// A value in each position that a field can have.
#[derive(Debug, Deserialize, JsonSchema)]
struct Of<T> {
    v: T,
    o: Option<T>,
    l: Option<Vec<T>>,
    m: Option<BTreeMap<String, T>>,
    p: Option<(T, T)>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Tagged {
    A { x: u8, y: Option<Ipv4Addr> },
    B { x: f32 },
    C,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Untagged {
    Small(i8),
    Float(f64),
    Pair { x: u8, y: u16 },
    List(Vec<NonZeroU16>),
    Nothing,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum External {
    A,
    B(u8),
    C { x: i16 },
    D(u8, bool),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "v", rename_all = "lowercase")]
enum Adjacent {
    A(u32),
    B { x: char },
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Xy {
    x: u32,
    y: i8,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Flat {
    o: Option<u8>,
    #[serde(flatten)]
    inner: Xy,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct FlatOption {
    v: Option<u8>,
    #[serde(flatten)]
    inner: Option<Xy>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct FlatTagged {
    v: Option<u8>,
    #[serde(flatten)]
    inner: Tagged,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct FlatMap {
    v: Option<u8>,
    #[serde(flatten)]
    rest: BTreeMap<String, i32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Keys {
    v: Option<BTreeMap<u8, u8>>,
    m: Option<BTreeMap<i16, Xy>>,
    o: Option<BTreeMap<bool, u8>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Closed {
    v: u8,
    x: f32,
}

impl Default for Closed {
    fn default() -> Self {
        Self { v: 1, x: 0.5 }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Texts {
    #[schemars(email)]
    v: Option<String>,
    #[schemars(url)]
    o: Option<String>,
    #[schemars(length(min = 2, max = 3))]
    x: Option<String>,
    #[schemars(range(min = 2, max = 3))]
    y: Option<u8>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Unit;

macro_rules! functions {
    ($($name:ident($ty:ty))*) => {
        $(
            /// Shows its parameters.
            #[chat_function(action_type = "read")]
            async fn $name(_ctx: Context, params: $ty) -> Result<ActionResult<Seen>> {
                Ok(ActionResult::success(Seen { text: format!("{params:?}") }, "Seen."))
            }
        )*

        /// The value that `serde_json` reads.
        fn by_serde(function: &str, params: Value) -> Result<String, serde_json::Error> {
            match function {
                $(stringify!($name) => serde_json::from_value::<$ty>(params).map(|params| format!("{params:?}")),)*
                other => panic!("no function {other}"),
            }
        }

        const FUNCTIONS: &[&str] = &[$(stringify!($name)),*];
    };
}

functions! {
    of_u8(Of<u8>) of_u16(Of<u16>) of_u32(Of<u32>) of_u64(Of<u64>) of_u128(Of<u128>) of_usize(Of<usize>)
    of_i8(Of<i8>) of_i16(Of<i16>) of_i32(Of<i32>) of_i64(Of<i64>) of_i128(Of<i128>)
    of_f32(Of<f32>) of_f64(Of<f64>) of_not_zero(Of<NonZeroU16>) of_bool(Of<bool>) of_char(Of<char>)
    of_text(Of<String>) of_uuid(Of<uuid::Uuid>) of_ip(Of<IpAddr>) of_ipv4(Of<Ipv4Addr>)
    of_date(Of<jiff::civil::Date>) of_time(Of<jiff::civil::Time>) of_date_time(Of<jiff::civil::DateTime>)
    of_timestamp(Of<jiff::Timestamp>) of_span(Of<jiff::SignedDuration>) of_decimal(Of<rust_decimal::Decimal>)
    of_duration(Of<Duration>) of_tagged(Of<Tagged>) of_untagged(Of<Untagged>) of_external(Of<External>)
    of_adjacent(Of<Adjacent>) of_xy(Of<Xy>) of_any(Of<Value>) of_array(Of<[u8; 2]>) of_set(Of<std::collections::BTreeSet<i8>>)
    flat(Flat) flat_option(FlatOption) flat_tagged(FlatTagged) flat_map(FlatMap) keys(Keys) closed(Closed)
    texts(Texts) unit(Unit)
}

/// The type requires `note`, which may be null.
#[derive(Debug, Deserialize, JsonSchema)]
struct Nullable {
    #[schemars(schema_with = "text_or_null")]
    note: Value,
}

fn text_or_null(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["string", "null"]})
}

/// Accepts a text or null.
#[chat_function(action_type = "read")]
async fn nullable(_ctx: Context, params: Nullable) -> Result<ActionResult<Seen>> {
    Ok(ActionResult::success(Seen { text: params.note.to_string() }, "Seen."))
}

#[test]
fn nullable_required_field_is_required_in_the_manifest() {
    let registry = Registry::collect().unwrap();
    let manifest = export(registry.extension("parameters").unwrap());
    let manifest: Value = serde_json::from_str(&manifest.to_json()).unwrap();
    let tool = manifest["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "nullable").unwrap();
    assert_eq!(tool["params_schema"]["required"], json!(["note"]));
    run(true, async {
        let anna = TestPlatform::start().await.user("anna");
        assert!(anna.call("nullable", json!({"note": null})).await.is_ok());
        assert_eq!(anna.call("nullable", json!({})).await.unwrap_err().field(), Some("note"));
    });
}

/// Smallest number of calls of each function.
const CALLS: usize = 150;

#[test]
fn type_accepts_every_value_that_the_check_accepts() {
    run(true, async {
        let anna = TestPlatform::start().await.user("anna");
        let mut runner = TestRunner::deterministic();
        let params = values::params();
        let (mut accepted, mut refused) = (0, 0);
        for function in FUNCTIONS {
            for _ in 0..CALLS {
                let params = params.new_tree(&mut runner).unwrap().current();
                if call(&anna, function, params).await { accepted += 1 } else { refused += 1 }
            }
        }
        let turns = anna.access().turns(0, 1).await.unwrap();
        assert_eq!(turns.rows.len(), 1);
        // Both outcomes must happen often enough.
        assert!(accepted > FUNCTIONS.len() * CALLS / 20 && refused > accepted, "{accepted} of {refused}");
    });
}

/// Whether the call was accepted.
async fn call(anna: &TestUser, function: &str, params: Value) -> bool {
    let shown = format!("{function} {params}");
    let before = anna.access().head().await.unwrap();
    match anna.call(function, params).await {
        Ok(reply) => {
            let result = reply.result;
            assert!(result.is_success(), "{shown}: {}", result.text());
            let asked = anna.access().turns(before, 2).await.unwrap().rows.remove(0);
            let kept = asked.body.params.unwrap();
            // serde reads a unit struct from null only.
            let plain = if function == "unit" { json!(null) } else { kept.clone() };
            let read = by_serde(function, plain).unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert_eq!(result.data["text"], read, "{shown}");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::User, "{shown}: {error}");
            let code = error.code();
            assert!([codes::VALIDATION_MISSING_FIELD, codes::VALIDATION_TYPE_ERROR].contains(code), "{shown}: {error}");
            assert!(error.field().is_some() || error.message().starts_with("the parameters"), "{shown}: {error}");
            assert_eq!(anna.access().head().await.unwrap(), before, "{shown} was refused and something was written");
            false
        }
    }
}
