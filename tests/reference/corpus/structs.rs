//! Structs: nesting, recursion, names, flattening, strictness.

use std::collections::BTreeMap;

/// A row of the ledger
#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Documented {
    /// Its id
    pub(crate) id: String,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct RowId(pub(crate) String);

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub(crate) struct Amount {
    pub(crate) cents: i64,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Position(pub(crate) f64, pub(crate) f64);

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Tags(pub(crate) Vec<String>);

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Empty {}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Pair<A, B> {
    pub(crate) left: A,
    pub(crate) right: B,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Batch[{T}]")]
pub(crate) struct Batch<T> {
    pub(crate) rows: Vec<T>,
}

one! {
    nested: Documented;
    /// Which row
    nested_described: Documented;
    #[deprecated]
    nested_deprecated: Documented;
    nested_opt_list: Option<Vec<Documented>>;
    nested_map_list: BTreeMap<String, Vec<Documented>>;
    newtype: RowId;
    newtype_opt: Option<RowId>;
    newtype_list: Vec<RowId>;
    newtype_of_list: Tags;
    transparent: Amount;
    tuple_struct: Position;
    empty_nested: Empty;
    generic: Page<Documented>;
    generic_primitive: Page<String>;
    generic_number: Page<u32>;
    generic_two: Pair<String, i64>;
    generic_nested: Page<Page<i32>>;
    generic_list: Page<Vec<f64>>;
    generic_named: Batch<Documented>;
    #[serde(rename = "dueDate")]
    renamed: String;
    #[serde(rename(serialize = "written", deserialize = "read"))]
    renamed_twice: String;
    #[serde(alias = "other")]
    aliased: i32;
}

shapes! {
    empty {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {}
    }
    empty_strict {
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Model {}
    }
    strict {
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Model {
            a: i32,
        }
    }
    documented {
        /// What the function takes
        ///
        /// In two paragraphs.
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            a: i32,
        }
    }
    titled_model {
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[schemars(title = "Another title")]
        pub(crate) struct Model {
            a: i32,
        }
    }
    renamed_model {
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[schemars(rename = "Other")]
        pub(crate) struct Model {
            a: i32,
        }
    }
    order_of_fields {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            zebra: i32,
            apple: i32,
            mango: Option<i32>,
            banana: String,
            _under: bool,
            row2col_id: i32,
            a: i32,
        }
    }
    camel_case {
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct Model {
            due_date: String,
            row_id: i32,
        }
    }
    keywords {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            r#type: String,
            r#in: i32,
        }
    }
    unicode_fields {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            größe: i32,
            straße_id: i32,
        }
    }
    oddly_named_fields {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            default: Nested,
            properties: Nested,
            required: bool,
            items: Vec<i32>,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Nested {
            title: String,
            description: Option<String>,
        }
    }
    field_named_default {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            /// Used where nothing is given
            #[schemars(range(min = 1))]
            default: i64,
        }
    }
    skipped_field {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            a: i32,
            #[serde(skip)]
            b: i32,
        }
    }
    deep {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            a: A,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct A {
            b: Vec<B>,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct B {
            c: Option<C>,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct C {
            value: f64,
        }
    }
    used_twice {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            first: Documented,
            second: Option<Documented>,
            more: Vec<Documented>,
        }
    }
    sorted_definitions {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            z: Zed,
            a: Alpha,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Zed {
            n: i32,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Alpha {
            n: i32,
        }
    }
    recursive_root {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            name: String,
            children: Vec<Model>,
        }
    }
    recursive_root_opt {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            next: Option<Box<Model>>,
        }
    }
    recursive_nested {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            tree: Node,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Node {
            name: String,
            parent: Option<Box<Node>>,
            children: Vec<Node>,
        }
    }
    recursive_mutual {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            file: File,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct File {
            folder: Option<Box<Folder>>,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Folder {
            files: Vec<File>,
        }
    }
    flattened {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            #[serde(flatten)]
            page: PageParams,
            query: String,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct PageParams {
            #[serde(default = "crate::seven")]
            limit: i32,
            cursor: Option<String>,
        }
    }
    flattened_required {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            #[serde(flatten)]
            base: Base,
            own: i32,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Base {
            id: String,
        }
    }
    flattened_map {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            id: String,
            #[serde(flatten)]
            more: BTreeMap<String, i32>,
        }
    }
    flattened_any {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            id: String,
            #[serde(flatten)]
            more: BTreeMap<String, serde_json::Value>,
        }
    }
    generic_root {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Result_<T> {
            value: T,
        }
        pub(crate) type Model = Page<Result_<bool>>;
    }
    read_only {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            a: i32,
            #[serde(skip_deserializing)]
            b: i32,
        }
    }
    root_list {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model(Vec<Documented>);
    }
    root_newtype {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model(String);
    }
    like_a_search {
        /// Finds rows.
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            /// What to look for
            #[schemars(length(min = 1, max = 200))]
            query: String,
            /// Maximum rows
            #[serde(default = "crate::seven")]
            #[schemars(range(min = 1, max = 100))]
            limit: i32,
            /// Only rows with one of these labels
            #[serde(default)]
            labels: Vec<String>,
            /// Rows that are newer
            since: Option<::jiff::Timestamp>,
            sort: Option<Sort>,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum Sort {
            Newest,
            MostUsed,
        }
    }
    like_a_result {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            rows: Vec<Found>,
            total: u64,
            next_cursor: Option<String>,
            by_label: BTreeMap<String, u32>,
        }
        /// One row found
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Found {
            id: ::uuid::Uuid,
            title: String,
            score: f32,
            labels: Vec<String>,
            at: ::jiff::Timestamp,
            author: Option<Documented>,
        }
    }
}
