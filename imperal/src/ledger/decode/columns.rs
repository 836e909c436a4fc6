//! From a column's value to a value of the program.
//!
//! A value that cannot be decoded is replaced by a stand-in and noted; decoding never fails.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::json;
use crate::ledger::unreadable::{Unreadable, UnreadableRow};
use crate::ledger::{AuditHash, Owner};

/// The value of a column.
#[derive(Debug)]
pub(in crate::ledger) enum Cell<'r> {
    Null,
    Text(&'r str),
    Int(i64),
    Real(f64),
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "SQLite has none"))]
    Flag(bool),
    Bytes(&'r [u8]),
    /// A value that the engine itself could not read, with the readable part of its text.
    Broken(String),
}

/// A row of a database.
pub(in crate::ledger) trait Columns {
    /// The column with this name; null if the statement does not select it, as a list of tasks leaves the outcome
    /// out.
    fn cell(&self, column: &str) -> Cell<'_>;

    /// Turns a stored text back into the original.
    ///
    /// # Errors
    /// The readable part of a text that this backend cannot have stored.
    fn original(text: &str) -> Result<Cow<'_, str>, String>;
}

/// Decodes one row and collects what is wrong with it.
pub(in crate::ledger) struct RowDecoder<'r, R> {
    pub(super) row: &'r R,
    wrong: Vec<String>,
}

impl<'r, R: Columns> RowDecoder<'r, R> {
    pub(super) fn new(row: &'r R) -> Self {
        Self { row, wrong: Vec::new() }
    }

    pub(super) fn wrong(&mut self, column: &str, what: impl Display) {
        self.wrong.push(format!("{column} {what}"));
    }

    /// Reports the row if anything is wrong with it.
    pub(super) fn report(self, unreadable: &Unreadable, table: &'static str, row: impl Display, owner: Option<&Owner>) {
        if !self.wrong.is_empty() {
            let (row, why) = (row.to_string(), self.wrong.join(", "));
            unreadable.report(&UnreadableRow { table, row: &row, owner, why: &why });
        }
    }

    /// A number that may be null. Null also replaces a value of another type.
    pub(super) fn maybe_int(&mut self, column: &str) -> Option<i64> {
        match self.row.cell(column) {
            Cell::Null => None,
            Cell::Int(number) => Some(number),
            _ => {
                self.wrong(column, "is not a number");
                None
            }
        }
    }

    pub(super) fn int(&mut self, column: &str) -> i64 {
        let missing = matches!(self.row.cell(column), Cell::Null);
        if missing {
            self.wrong(column, "is missing");
        }
        self.maybe_int(column).unwrap_or_default()
    }

    /// A number that is never negative.
    pub(super) fn count(&mut self, column: &str) -> u64 {
        u64::try_from(self.int(column)).unwrap_or_else(|_| {
            self.wrong(column, "is negative");
            0
        })
    }

    pub(super) fn maybe_time(&mut self, column: &str) -> Option<Timestamp> {
        let micros = self.maybe_int(column)?;
        let time = Timestamp::from_microsecond(micros).ok();
        if time.is_none() {
            self.wrong(column, "is out of range for a time");
        }
        time
    }

    /// A time; 1970 replaces an unreadable one.
    pub(super) fn time(&mut self, column: &str) -> Timestamp {
        let micros = self.int(column);
        Timestamp::from_microsecond(micros).unwrap_or_else(|_| {
            self.wrong(column, "is out of range for a time");
            Timestamp::UNIX_EPOCH
        })
    }

    pub(super) fn maybe_text(&mut self, column: &str) -> Option<String> {
        let text = match self.row.cell(column) {
            Cell::Null => return None,
            Cell::Text(text) => R::original(text).map(Cow::into_owned),
            Cell::Broken(text) => Err(text),
            Cell::Bytes(bytes) => Err(String::from_utf8_lossy(bytes).into_owned()),
            Cell::Int(_) | Cell::Real(_) | Cell::Flag(_) => Err(String::new()),
        };
        Some(text.unwrap_or_else(|rest| {
            self.wrong(column, "is not a text that was stored by this program");
            rest
        }))
    }

    pub(super) fn text(&mut self, column: &str) -> String {
        self.maybe_text(column).unwrap_or_else(|| {
            self.wrong(column, "is missing");
            String::new()
        })
    }

    pub(super) fn flag(&mut self, column: &str) -> bool {
        match self.row.cell(column) {
            Cell::Flag(flag) => flag,
            Cell::Int(number) => number != 0,
            _ => {
                self.wrong(column, "is neither true nor false");
                false
            }
        }
    }

    /// A flag that a statement may leave out, which then is false.
    pub(super) fn maybe_flag(&mut self, column: &str) -> bool {
        !matches!(self.row.cell(column), Cell::Null) && self.flag(column)
    }

    pub(super) fn maybe_real(&mut self, column: &str) -> Option<f64> {
        match self.row.cell(column) {
            Cell::Null => None,
            Cell::Real(number) if number.is_finite() => Some(number),
            _ => {
                self.wrong(column, "is not a number");
                None
            }
        }
    }

    /// A text that backends store unescaped: an id, a state, JSON.
    pub(super) fn raw(&mut self, column: &str) -> Option<&'r str> {
        match self.row.cell(column) {
            Cell::Text(text) => Some(text),
            Cell::Null => {
                self.wrong(column, "is missing");
                None
            }
            _ => {
                self.wrong(column, "is not a text");
                None
            }
        }
    }

    /// The same, or null.
    pub(super) fn maybe_raw(&mut self, column: &str) -> Option<&'r str> {
        if matches!(self.row.cell(column), Cell::Null) { None } else { self.raw(column) }
    }

    pub(super) fn maybe_id<T: FromStr>(&mut self, column: &str) -> Option<T> {
        let id = self.raw(column)?.parse().ok();
        if id.is_none() {
            self.wrong(column, "is not a UUID");
        }
        id
    }

    /// A value with a name.
    pub(super) fn named<T: FromStr>(&mut self, column: &str) -> Option<T> {
        let found = self.raw(column)?.parse().ok();
        if found.is_none() {
            self.wrong(column, "is not a known value");
        }
        found
    }

    /// A value with a name, or null.
    pub(super) fn maybe_named<T: FromStr>(&mut self, column: &str) -> Option<T> {
        if matches!(self.row.cell(column), Cell::Null) { None } else { self.named(column) }
    }

    /// A value that is stored as JSON, or null.
    pub(super) fn maybe_json<T: DeserializeOwned>(&mut self, column: &str) -> Option<T> {
        let text = self.maybe_text(column)?;
        self.json(column, &text)
    }

    /// A value that is stored as unescaped JSON, or null.
    pub(super) fn maybe_raw_json<T: DeserializeOwned>(&mut self, column: &str) -> Option<T> {
        let text = self.maybe_raw(column)?;
        self.json(column, text)
    }

    pub(super) fn bytes(&mut self, column: &str) -> Vec<u8> {
        if let Cell::Bytes(bytes) = self.row.cell(column) {
            return bytes.to_vec();
        }
        self.wrong(column, "is missing or no bytes");
        Vec::new()
    }

    /// A hash that may be null. Zeros, which no row has, replace an unreadable one.
    pub(super) fn maybe_hash(&mut self, column: &str) -> Option<AuditHash> {
        let bytes = match self.row.cell(column) {
            Cell::Null => return None,
            Cell::Bytes(bytes) => bytes.try_into().ok(),
            _ => None,
        };
        Some(AuditHash::from_bytes(bytes.unwrap_or_else(|| {
            self.wrong(column, "is not a hash");
            [0; 32]
        })))
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self, column: &str, text: &str) -> Option<T> {
        match json::read(text.as_bytes()) {
            Ok(value) => Some(value),
            // Not serde's own text, which quotes the content.
            Err(error) if error.is_data() => {
                self.wrong(column, "is JSON of another shape");
                None
            }
            Err(error) => {
                let (line, place) = (error.line(), error.column());
                self.wrong(column, format!("is not JSON, or nested too deep (line {line}, column {place})"));
                None
            }
        }
    }
}
