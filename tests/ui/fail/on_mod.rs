//! The attribute is on a `mod`.

use imperal::prelude::*;

/// Looks something up for the user.
#[chat_function(action_type = "read")]
mod thing {}

fn main() {}
