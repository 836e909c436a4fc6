//! Questions about a type that the attribute asks at compile time and no trait bound can.
//!
//! "Is it none of these" is not a bound. An inherent constant takes precedence over a trait's of
//! the same name, so `Data::<()>::GIVEN` is `false` where the trait would answer `true`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::marker::PhantomData;

/// Whether an answer carries data.
#[derive(Debug)]
pub struct Data<T>(PhantomData<T>);

impl Data<()> {
    /// `()` is no data.
    pub const GIVEN: bool = false;
}

/// Whether parameters are a struct.
#[derive(Debug)]
pub struct Shape<T>(PhantomData<T>);

macro_rules! no_struct {
    ($($ty:ty),* $(,)?) => {$(
        impl Shape<$ty> {
            /// Has no fields that a form can name.
            pub const STRUCT: bool = false;
        }
    )*};
}

no_struct! {
    String, bool, char, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64, serde_json::Value,
}

macro_rules! no_struct_generic {
    ($($name:ident<$($param:ident),*>),* $(,)?) => {$(
        impl<$($param),*> Shape<$name<$($param),*>> {
            /// Has no fields that a form can name.
            pub const STRUCT: bool = false;
        }
    )*};
}

no_struct_generic!(Vec<T>, Option<T>, HashMap<K, V, S>, BTreeMap<K, V>, HashSet<T, S>, BTreeSet<T>);

/// The answer for every other type; in scope where the attribute asks.
pub trait Fallback {
    /// See [`Data`].
    const GIVEN: bool = true;
    /// See [`Shape`].
    const STRUCT: bool = true;
}

impl<T> Fallback for Data<T> {}
impl<T> Fallback for Shape<T> {}
