//! Functions for the suite `untrusted_input`: parameters of many types, and results that no ledger may store
//! unchanged.

use std::net::IpAddr;

use imperal::prelude::*;
use serde_json::{Map, Value};

#[derive(Serialize, JsonSchema)]
struct Answer {
    text: String,
}

fn answer(text: String) -> ActionResult<Answer> {
    ActionResult::success(Answer { text: text.clone() }, text)
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Typed {
    /// A count.
    count: Option<u32>,
    /// A large number.
    large: Option<u64>,
    /// A signed number.
    signed: Option<i64>,
    /// An id.
    id: Option<uuid::Uuid>,
    /// An address.
    ip: Option<IpAddr>,
    /// A moment.
    at: Option<jiff::Timestamp>,
    /// A day.
    day: Option<jiff::civil::Date>,
    /// A mail address.
    #[schemars(email)]
    mail: Option<String>,
    /// A link.
    #[schemars(url)]
    link: Option<String>,
}

/// Answer with the parameters as they were read.
#[chat_function(action_type = "read")]
async fn typed(_ctx: Context, params: Typed) -> Result<ActionResult<Typed>> {
    Ok(ActionResult::success(params, "Read."))
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Free {
    /// Anything.
    value: Map<String, Value>,
}

/// Answer with an object as it came.
#[chat_function(action_type = "read")]
async fn keep(_ctx: Context, params: Free) -> Result<ActionResult<Free>> {
    Ok(ActionResult::success(params, "Kept."))
}

#[derive(Deserialize, JsonSchema)]
struct Login {
    /// Who.
    user: String,
    /// The secret number.
    #[serde(alias = "code")]
    #[schemars(extend("writeOnly" = true))]
    pin: Option<u32>,
    /// A secret with its own parser.
    #[schemars(extend("writeOnly" = true))]
    word: Option<Word>,
}

/// Its error message contains the value, as a careless author would write it.
#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
struct Word;

impl TryFrom<String> for Word {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        if text == "open sesame" { Ok(Self) } else { Err(format!("{text} is not the word")) }
    }
}

/// Take secrets and say nothing of them.
#[chat_function(action_type = "read")]
async fn log_in(_ctx: Context, params: Login) -> Result<ActionResult<Answer>> {
    let given = params.pin.is_some() || params.word.is_some();
    Ok(answer(format!("{}: {}", params.user, if given { "let in" } else { "nothing given" })))
}

#[derive(Deserialize, JsonSchema)]
struct Shape {
    /// Nesting of the data.
    depth: Option<usize>,
    /// Bytes of a text in the data.
    bytes: Option<usize>,
    /// Whether a number in it is not one.
    not_a_number: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct Shaped {
    tree: Value,
    text: String,
    rates: Vec<f64>,
}

/// Answer with data of a shape that was asked for.
#[chat_function(action_type = "read")]
async fn shaped(_ctx: Context, params: Shape) -> Result<ActionResult<Shaped>> {
    let tree = (0..params.depth.unwrap_or_default()).fold(Value::Null, |tree, _| Value::Array(vec![tree]));
    let last = if params.not_a_number == Some(true) { f64::NAN } else { 1.0 };
    let shaped = Shaped { tree, text: "x".repeat(params.bytes.unwrap_or_default()), rates: vec![0.5, last] };
    Ok(ActionResult::success(shaped, "Shaped."))
}

#[derive(Deserialize, JsonSchema)]
struct Address {
    /// Where to.
    url: String,
}

/// Read a service's answer as JSON.
#[chat_function(action_type = "read")]
async fn read_service(ctx: Context, params: Address) -> Result<ActionResult<Answer>> {
    let value: Value = ctx.http().get(&params.url).send().await?.error_for_status()?.json()?;
    Ok(answer(format!("It is {}.", if value.is_array() { "a list" } else { "something else" })))
}
