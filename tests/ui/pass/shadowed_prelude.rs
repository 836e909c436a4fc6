//! Types with the names of the prelude.

#![deny(warnings)]
#![allow(dead_code)]

use imperal::{ActionResult, Context, TaskContext, chat_function, durable_task, schedule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

struct Option;
struct String;
struct Box;
struct Vec;
struct Result;
struct Ok;
struct Err;
struct Some;
struct None;
struct PhantomData;
struct Future;
trait Send {}
trait Sync {}
trait From {}
trait Into {}
trait Iterator {}
mod core {}
mod std {}

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: u8,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: u8,
}

/// Looks something up for the user.
#[chat_function(action_type = "write", event = "looked", effects = ["update:text"], id_projection = "text")]
async fn look(_ctx: Context, params: Params) -> imperal::Result<ActionResult<Data>> {
    ::core::result::Result::Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

/// Works something out for the user.
#[durable_task]
async fn work(_ctx: TaskContext, data: Data) -> imperal::Result<ActionResult<Data>> {
    ::core::result::Result::Ok(ActionResult::success(data, "Found."))
}

/// Works at night.
#[schedule(cron = "0 3 * * *")]
async fn at_night(_ctx: Context) -> imperal::Result<()> {
    ::core::result::Result::Ok(())
}

fn main() {}
