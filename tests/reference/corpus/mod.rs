//! The shapes of types that are compared with the reference, the Rust half.
//!
//! Every shape has a name and a type `Model`; the Python half has the same name in
//! `python/shapes_*.py`. Each registers a function that takes the type and returns it, so that both
//! of the schemas of a manifest are compared.

/// Shapes of one field: name, attributes, type.
macro_rules! one {
    ($($(#[$meta:meta])* $name:ident : $ty:ty;)*) => {$(
        #[allow(non_snake_case, deprecated)]
        pub(crate) mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
            pub(crate) struct Model {
                $(#[$meta])*
                pub(crate) value: $ty,
            }
            crate::corpus::register!($name);
        }
    )*};
}

/// Shapes written out: name and items, one of which is `Model`.
macro_rules! shapes {
    ($($name:ident { $($items:item)* })*) => {$(
        #[allow(non_snake_case, dead_code, deprecated)]
        pub(crate) mod $name {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use serde::{Deserialize, Serialize};
            #[allow(unused_imports)]
            use schemars::JsonSchema;

            $($items)*
            crate::corpus::register!($name);
        }
    )*};
}

macro_rules! register {
    ($name:ident) => {
        imperal::__private::inventory::submit! {
            imperal::__private::FunctionDef {
                name: stringify!($name),
                params_schema: |generator| generator.root_schema_for::<Model>(),
                return_schema: imperal::__private::FunctionDef::data_schema::<Model>,
                module_path: "corpus",
                file: file!(),
                line: line!(),
                ..crate::PLAIN
            }
        }
    };
}

pub(crate) use register;

mod alternatives;
mod collections;
mod constraints;
mod scalars;
mod structs;

imperal::__private::inventory::submit! {
    imperal::__private::ExtensionDef {
        app_id: "corpus",
        name: "Corpus",
        module_path: "corpus",
        ..crate::EXTENSION
    }
}
