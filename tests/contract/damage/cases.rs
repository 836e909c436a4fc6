//! What is damaged, and how.

/// What the ledger has to notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// A row that cannot be read, or that does not fit the others: it is reported.
    Row,
    /// The audit trail's check names it, whether or not the row can be read.
    Trail,
    /// The value could have been written so: nobody can notice.
    Nothing,
    /// It depends on what else is there.
    Other,
}

/// One damage.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// As SQL.
    pub(super) sql: String,
    pub(super) finding: Finding,
}

/// A kind of column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text that users or authors choose.
    Text,
    /// A text that may be missing.
    MaybeText,
    /// A UUID as text.
    Id,
    /// A turn or a task as JSON.
    Json,
    /// One of a few words.
    Word,
    /// A time in microseconds.
    Time,
    /// A time that may be missing.
    MaybeTime,
    /// A number of the owner's.
    Number,
    /// A number that may be missing.
    MaybeNumber,
    /// Another row's number.
    Link,
    /// True or false as a number.
    Flag,
    /// A number with a fraction.
    Real,
    /// 32 bytes.
    Hash,
}

/// A table, its columns, and a condition for each of its rows that is damaged in turn.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
    pub(super) rows: Vec<String>,
}

/// JSON that no reader takes: this deep in a place where data may be.
pub(super) fn deep(levels: usize) -> String {
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    format!(
        r#"{{"turn_id":"0198c0de-0000-7000-8000-000000000000","role":"user","type":"response","text":"","app_id":"contract","function":"work","params":{open}{close}}}"#
    )
}
