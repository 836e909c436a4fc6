//! Single values: numbers, text, dates, identifiers, and what may be absent.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroI32, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

one! {
    boolean: bool;
    int8: i8;
    int16: i16;
    int32: i32;
    int64: i64;
    int128: i128;
    int_size: isize;
    uint8: u8;
    uint16: u16;
    uint32: u32;
    uint64: u64;
    uint128: u128;
    uint_size: usize;
    float32: f32;
    float64: f64;
    non_zero: NonZeroU32;
    non_zero_signed: NonZeroI32;
    text: String;
    character: char;
    path: PathBuf;
    cow: Cow<'static, str>;
    boxed: Box<String>;
    nothing: ();
    anything: serde_json::Value;
    any_object: serde_json::Map<String, serde_json::Value>;
    any_number: serde_json::Number;
    duration: Duration;
    ipv4: Ipv4Addr;
    ipv6: Ipv6Addr;
    ip: IpAddr;
    uuid: ::uuid::Uuid;
    moment: ::jiff::Timestamp;
    day: ::jiff::civil::Date;
    time_of_day: ::jiff::civil::Time;
    local_moment: ::jiff::civil::DateTime;
    zoned_moment: ::jiff::Zoned;
    signed_duration: ::jiff::SignedDuration;
    decimal: ::rust_decimal::Decimal;
    #[schemars(with = "String", extend("format" = "binary"))]
    bytes: Vec<u8>;
    byte_list: Vec<u8>;

    opt_bool: Option<bool>;
    opt_int: Option<i64>;
    opt_small_int: Option<u8>;
    opt_float: Option<f64>;
    opt_text: Option<String>;
    opt_list: Option<Vec<i32>>;
    opt_list_of_opt: Option<Vec<Option<String>>>;
    opt_map: Option<std::collections::BTreeMap<String, i32>>;
    opt_set: Option<std::collections::BTreeSet<String>>;
    opt_tuple: Option<(i32, String)>;
    opt_uuid: Option<::uuid::Uuid>;
    opt_moment: Option<::jiff::Timestamp>;
    opt_day: Option<::jiff::civil::Date>;
    opt_decimal: Option<::rust_decimal::Decimal>;
    opt_any: Option<serde_json::Value>;
    opt_any_object: Option<serde_json::Map<String, serde_json::Value>>;
    opt_opt: Option<Option<i32>>;
    opt_boxed: Option<Box<i32>>;
    list_of_opt: Vec<Option<i32>>;
    #[schemars(range(min = 1, max = 100))]
    opt_bounded: Option<u32>;
    #[schemars(length(min = 1, max = 5))]
    opt_bounded_text: Option<String>;
    #[schemars(length(max = 3))]
    opt_bounded_list: Option<Vec<String>>;
    #[schemars(required)]
    opt_required: Option<i32>;
    #[serde(default)]
    opt_default: Option<i32>;
    #[serde(default = "crate::some_five")]
    opt_default_some: Option<i32>;
    #[serde(skip_serializing_if = "Option::is_none")]
    opt_skipped: Option<String>;
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opt_default_skipped: Option<String>;
    #[schemars(description = "Why", example = &"a", example = &"b")]
    opt_described: Option<String>;
    #[deprecated]
    opt_deprecated: Option<String>;
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Inner {
    /// How many
    pub(crate) count: u32,
}

shapes! {
    opt_nested {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            inner: Option<Inner>,
        }
    }
    opt_nested_described {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            /// The inner one
            inner: Option<Inner>,
        }
    }
    opt_many {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            a: Option<i32>,
            b: String,
            c: Option<Vec<Inner>>,
            d: bool,
        }
    }
}
