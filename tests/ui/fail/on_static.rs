//! The attribute is on a `static`.

use imperal::prelude::*;

/// Looks something up for the user.
#[chat_function(action_type = "read")]
static THING: u8 = 1;

fn main() {}
