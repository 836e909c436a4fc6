//! The values of steps and effects: what the compiler tells an author whose type cannot be stored.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The value of a step or an effect, which is stored as JSON and read back: every owned type with serde's two derives.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a step or an effect",
    label = "the value needs `Serialize` and `Deserialize`, and owns what it holds",
    note = "put `#[derive(Serialize, Deserialize)]` on `{Self}`, or on the types in it: the value is stored, and later attempts read it"
)]
pub trait StepValue: Serialize + DeserializeOwned + Send {}

// Without it, a type that lacks both derives is two errors.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send> StepValue for T {}
