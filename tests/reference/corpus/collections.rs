//! Lists, sets, tuples and maps.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Row {
    pub(crate) row_id: String,
    pub(crate) amount: i64,
}

/// A colour
#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Color {
    Red,
    Green,
}

one! {
    list_text: Vec<String>;
    list_int: Vec<i64>;
    list_small_int: Vec<u16>;
    list_float: Vec<f32>;
    list_bool: Vec<bool>;
    list_list: Vec<Vec<i32>>;
    list_any: Vec<serde_json::Value>;
    list_row: Vec<Row>;
    list_color: Vec<Color>;
    list_map: Vec<BTreeMap<String, i32>>;
    list_uuid: Vec<::uuid::Uuid>;
    list_moment: Vec<::jiff::Timestamp>;
    list_decimal: Vec<::rust_decimal::Decimal>;
    list_tuple: Vec<(String, i32)>;
    list_boxed: Vec<Box<Row>>;
    boxed_slice: Box<[i32]>;
    deque: VecDeque<i32>;
    linked: LinkedList<i32>;
    set_text: BTreeSet<String>;
    set_int: HashSet<u32>;
    set_color: HashSet<Color>;
    pair: (i32, String);
    triple: (bool, f64, Vec<String>);
    single: (i32,);
    tuple_row: (Row, Color);
    tuple_opt: (i32, Option<String>);
    fixed: [i32; 3];
    fixed_rows: [Row; 2];
    map_int: BTreeMap<String, i64>;
    map_text: HashMap<String, String>;
    map_list: BTreeMap<String, Vec<i32>>;
    map_map: BTreeMap<String, BTreeMap<String, bool>>;
    map_row: HashMap<String, Row>;
    map_color: BTreeMap<String, Color>;
    map_any: HashMap<String, serde_json::Value>;
    map_opt: BTreeMap<String, Option<i32>>;
    map_tuple: BTreeMap<String, (i32, i32)>;
    map_int_key: BTreeMap<u32, String>;
    map_signed_key: BTreeMap<i64, Row>;
    map_int_key_any: BTreeMap<u32, serde_json::Value>;
    map_char_key: BTreeMap<char, i32>;
    map_enum_key: BTreeMap<Color, i32>;
    #[serde(default)]
    list_default: Vec<String>;
    #[serde(default)]
    map_default: BTreeMap<String, i32>;
    #[serde(default)]
    set_default: BTreeSet<i32>;
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    list_factory: Vec<String>;
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    map_factory: BTreeMap<String, i32>;
}

shapes! {
    lists_of_everything {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            rows: Vec<Row>,
            by_id: BTreeMap<String, Row>,
            colors: BTreeSet<Color>,
            pages: Vec<Vec<Row>>,
        }
    }
}
