//! The attribute is on a `trait`.

use imperal::prelude::*;

/// Looks something up for the user.
#[chat_function(action_type = "read")]
trait Thing {}

fn main() {}
