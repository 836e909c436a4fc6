//! The attribute is on a `struct`.

use imperal::prelude::*;

/// Looks something up for the user.
#[chat_function(action_type = "read")]
struct Thing;

fn main() {}
