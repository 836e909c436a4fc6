//! The attribute is on an `enum`.

use imperal::prelude::*;

/// Looks something up for the user.
#[chat_function(action_type = "read")]
enum Thing {}

fn main() {}
