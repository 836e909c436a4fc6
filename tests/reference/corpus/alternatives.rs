//! Enums: lists of values, and alternatives with data.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) enum Plain {
    Red,
    DarkGreen,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Snake {
    Red,
    DarkGreen,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kebab {
    Red,
    DarkGreen,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Screaming {
    Red,
    DarkGreen,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) enum Renamed {
    #[serde(rename = "r")]
    Red,
    #[serde(rename = "größe")]
    Size,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) enum Single {
    Only,
}

/// What it is like
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) enum Documented {
    Red,
    Green,
}

/// What it is like
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Explained {
    /// As blood
    Red,
    /// As grass
    Green,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HalfExplained {
    Red,
    /// As grass
    Green,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Literal {
    Asc,
    Desc,
}

#[derive(schemars::JsonSchema_repr, Serialize, Deserialize, Clone, Copy)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub(crate) enum Level {
    Low = 1,
    High = 5,
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level as Self
    }
}

impl TryFrom<u8> for Level {
    type Error = &'static str;

    fn try_from(value: u8) -> Result<Self, Self::Error> {
        match value {
            1 => Ok(Self::Low),
            5 => Ok(Self::High),
            _ => Err("neither"),
        }
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Cat {
    pub(crate) lives: u8,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Dog {
    /// How loud
    pub(crate) bark: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Payment {
    Card {
        number: String,
    },
    WireTransfer {
        /// Where to
        iban: String,
        urgent: Option<bool>,
    },
    Cash,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
pub(crate) enum Pet {
    Cat(Cat),
    Dog(Dog),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "t", content = "c")]
pub(crate) enum Adjacent {
    Number(i64),
    Animal(Cat),
    Nothing,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Either {
    Number(i64),
    Text(String),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum EitherRef {
    Cat(Cat),
    Dog(Dog),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum EitherStruct {
    Point { x: i32, y: i32 },
    Named { name: String },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Mixed {
    One(String),
    Many(Vec<String>),
    Row { id: i32 },
    Unset(()),
}

/// One of several
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Said {
    Number(f64),
    Flag(bool),
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) enum External {
    Circle { radius: f64 },
    Square(f64),
    Nothing,
}

one! {
    enum_plain: Plain;
    enum_snake: Snake;
    enum_kebab: Kebab;
    enum_screaming: Screaming;
    enum_renamed: Renamed;
    enum_single: Single;
    enum_documented: Documented;
    enum_explained: Explained;
    enum_half_explained: HalfExplained;
    enum_inline: Literal;
    enum_inline_opt: Option<Literal>;
    enum_inline_list: Vec<Literal>;
    enum_number: Level;
    enum_opt: Option<Snake>;
    enum_opt_explained: Option<Explained>;
    enum_list: Vec<Snake>;
    enum_map: BTreeMap<String, Snake>;
    /// Which one
    enum_described: Snake;
    #[deprecated]
    enum_deprecated: Snake;
    union_tagged: Payment;
    union_tagged_opt: Option<Payment>;
    union_tagged_list: Vec<Payment>;
    union_tagged_map: BTreeMap<String, Payment>;
    union_tagged_newtype: Pet;
    /// Which animal
    union_tagged_described: Pet;
    union_adjacent: Adjacent;
    union_untagged: Either;
    union_untagged_opt: Option<Either>;
    union_untagged_list: Vec<Either>;
    union_untagged_refs: EitherRef;
    union_untagged_structs: EitherStruct;
    union_untagged_mixed: Mixed;
    union_untagged_said: Said;
    union_external: External;
    union_external_list: Vec<External>;
}

shapes! {
    union_and_its_parts {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            pet: Pet,
            cat: Cat,
        }
    }
    union_twice {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            first: Payment,
            second: Option<Payment>,
            either: Either,
        }
    }
    union_of_unions {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            order: Order,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "type", rename_all = "lowercase")]
        pub(crate) enum Order {
            Paid { how: Payment },
            Open { items: Vec<String> },
        }
    }
    union_strict {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            shape: Shape,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "kind", deny_unknown_fields)]
        pub(crate) enum Shape {
            Circle { radius: f64 },
            Square { side: f64 },
        }
    }
    union_documented {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            shape: Shape,
        }
        /// A drawing
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "lowercase")]
        pub(crate) enum Shape {
            /// Round
            Circle { radius: f64 },
            /// Not round
            Square { side: f64 },
        }
    }
    union_of_one {
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Model {
            shape: Shape,
        }
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "lowercase")]
        pub(crate) enum Shape {
            Circle { radius: f64 },
        }
    }
    root_tagged {
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "lowercase")]
        pub(crate) enum Model {
            Circle { radius: f64 },
            Square { side: f64 },
        }
    }
    root_untagged {
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(untagged)]
        pub(crate) enum Model {
            Text(String),
            Texts(Vec<String>),
        }
    }
    root_enum {
        /// A colour
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(crate) enum Model {
            Red,
            Green,
        }
    }
}
