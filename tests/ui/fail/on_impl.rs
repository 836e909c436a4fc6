//! The attribute is on an `impl`.

use imperal::prelude::*;

struct Service;

#[chat_function(action_type = "read")]
impl Service {}

fn main() {}
