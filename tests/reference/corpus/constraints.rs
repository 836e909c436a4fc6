//! Bounds, patterns, formats, defaults, and the description of a field.

use std::collections::BTreeMap;

one! {
    #[schemars(range(min = 1))]
    at_least: i64;
    #[schemars(range(max = 9))]
    at_most: i64;
    #[schemars(range(min = 1, max = 100))]
    between: u32;
    #[schemars(range(min = -5, max = 5))]
    around_zero: i8;
    #[schemars(range(min = 0.5, max = 1.5))]
    between_floats: f64;
    #[schemars(range(min = 0))]
    at_least_zero: i64;
    #[schemars(range(min = 0))]
    at_least_zero_unsigned: u32;
    #[schemars(range(max = 255))]
    at_most_a_byte: u8;
    #[schemars(range(max = 200))]
    at_most_200: u8;
    #[schemars(extend("exclusiveMinimum" = 0))]
    more_than: i64;
    #[schemars(extend("exclusiveMaximum" = 10))]
    less_than: i64;
    #[schemars(extend("multipleOf" = 5))]
    multiple: i64;
    #[schemars(length(min = 1))]
    not_empty: String;
    #[schemars(length(max = 20_000))]
    short: String;
    #[schemars(length(min = 2, max = 8))]
    sized: String;
    #[schemars(length(equal = 4))]
    exact: String;
    #[schemars(regex(pattern = r"^[a-z]+\d*$"))]
    pattern: String;
    #[schemars(length(min = 3), regex(pattern = "^a"))]
    pattern_and_length: String;
    #[schemars(email)]
    email: String;
    #[schemars(url)]
    url: String;
    #[schemars(length(min = 1))]
    list_not_empty: Vec<String>;
    #[schemars(length(min = 1, max = 4))]
    list_sized: Vec<i32>;
    #[schemars(inner(length(max = 5)))]
    list_of_short: Vec<String>;
    #[schemars(inner(range(min = 1, max = 6)))]
    list_of_bounded: Vec<u8>;
    #[schemars(length(max = 3), inner(regex(pattern = "^x")))]
    list_of_pattern: Vec<String>;
    #[schemars(title = "A title")]
    titled: i32;
    #[schemars(description = "What it is")]
    described: i32;
    /// Said in a comment
    commented: i32;
    /// Two
    /// lines
    two_lines: i32;
    /// A first paragraph.
    ///
    /// And a second: "quoted", `code`, \backslash, ünïcode 日本語.
    paragraphs: String;
    #[schemars(example = 1, example = 2)]
    examples: i32;
    #[deprecated]
    deprecated: i32;
    #[schemars(extend("x-unit" = "EUR"))]
    extended: i32;
    /// How many
    #[schemars(range(min = 1, max = 9), example = 3)]
    #[deprecated]
    #[serde(default = "crate::seven")]
    everything: i32;

    #[serde(default)]
    default_zero: i32;
    #[serde(default = "crate::seven")]
    default_int: i32;
    #[serde(default = "crate::negative")]
    default_negative: i64;
    #[serde(default)]
    default_false: bool;
    #[serde(default = "crate::yes")]
    default_true: bool;
    #[serde(default)]
    default_empty: String;
    #[serde(default = "crate::greeting")]
    default_text: String;
    #[serde(default = "crate::half")]
    default_float: f64;
    #[serde(default = "crate::whole")]
    default_whole_float: f64;
    #[serde(default = "crate::tiny")]
    default_tiny: f64;
    #[serde(default = "crate::huge")]
    default_huge: f64;
    #[serde(default = "crate::colors")]
    default_list: Vec<String>;
    #[serde(default = "crate::weights")]
    default_map: BTreeMap<String, f64>;
    #[serde(default = "crate::anything")]
    default_any: serde_json::Value;
    #[serde(default)]
    default_uuid: ::uuid::Uuid;
    #[serde(default = "crate::pair")]
    default_tuple: (i32, String);
    #[serde(default = "crate::seven")]
    #[schemars(description = "Seven by default")]
    default_described: i32;
    #[serde(default = "crate::opt_pair")]
    default_opt_list: Option<Vec<i32>>;
}

shapes! {
    container_default {
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub(crate) struct Model {
            limit: u32,
            label: Option<String>,
            deep: bool,
        }
        impl Default for Model {
            fn default() -> Self {
                Self { limit: 10, label: None, deep: true }
            }
        }
    }
    default_struct {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            #[serde(default)]
            window: Window,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Window {
            width: u32,
            at: Vec<i32>,
        }
        impl Default for Window {
            fn default() -> Self {
                Self { width: 80, at: vec![1, 2] }
            }
        }
    }
    default_enum {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            #[serde(default)]
            mode: Mode,
        }
        #[derive(Serialize, Deserialize, JsonSchema, Default)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum Mode {
            Fast,
            #[default]
            VerySlow,
        }
    }
}
