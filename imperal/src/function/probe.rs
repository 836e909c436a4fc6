//! Compile-time questions of the attribute about a type.
//!
//! "Is it none of these types" is not a trait bound. An inherent constant takes precedence over a trait's
//! constant of the same name, so `Data::<()>::GIVEN` is `false` and the trait's `true` is the fallback.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::marker::PhantomData;

/// Whether a result has data.
#[derive(Debug)]
pub struct Data<T>(PhantomData<T>);

impl Data<()> {
    /// `()` is not data.
    pub const GIVEN: bool = false;
}

/// Whether parameters are a struct.
#[derive(Debug)]
pub struct Shape<T>(PhantomData<T>);

macro_rules! not_a_struct {
    ($($ty:ty),* $(,)?) => {$(
        impl Shape<$ty> {
            /// Has no fields that a form can name.
            pub const STRUCT: bool = false;
        }
    )*};
}

not_a_struct! {
    String, bool, char, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64, serde_json::Value,
}

macro_rules! not_a_generic_struct {
    ($($name:ident<$($param:ident),*>),* $(,)?) => {$(
        impl<$($param),*> Shape<$name<$($param),*>> {
            /// Has no fields that a form can name.
            pub const STRUCT: bool = false;
        }
    )*};
}

not_a_generic_struct!(Vec<T>, Option<T>, HashMap<K, V, S>, BTreeMap<K, V>, HashSet<T, S>, BTreeSet<T>);

/// The answer for every other type; the expansion imports it.
pub trait Fallback {
    /// See [`Data`].
    const GIVEN: bool = true;
    /// See [`Shape`].
    const STRUCT: bool = true;
}

impl<T> Fallback for Data<T> {}
impl<T> Fallback for Shape<T> {}

/// `data_model = Self` on a fn whose return type has the data `D`.
#[diagnostic::on_unimplemented(
    message = "`data_model` is `{Self}`, but the return type has the data `{D}`",
    label = "remove `data_model`, or write the type of the data",
    note = "`data_model` is for a fn that returns `ActionResult` without data and starts a task"
)]
pub trait DataModel<D> {}

impl<T> DataModel<T> for T {}

/// Compiles if `M` is the data `D` of the return type.
pub const fn assert_data_model<M: DataModel<D>, D>() {}

/// Compiles if `O` is a return type of a chat function or a durable task.
pub const fn assert_output<O: super::HandlerOutput>() {}
