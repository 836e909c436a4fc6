//! The damages: a value for each column of each table of `tables`, for both backends.
//!
//! A run takes a sample that rotates. It holds every column of every table and every value of every
//! kind of column; their combinations change with the seed.

use std::collections::HashSet;

use imperal_tests::{Dice, seed_from_env, seed_of_the_time};

use super::tables::{Backend, DURABLE_TABLES, Kind, TABLES, Table};

/// How the ledger has to notice a damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// It reports an unreadable or contradictory row.
    Row,
    /// The check of the audit trail names the row, readable or not.
    Trail,
    /// It cannot notice: the value is a possible one.
    Nothing,
    /// It depends on the other rows.
    Other,
}

/// One damage.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) sql: String,
    pub(super) finding: Finding,
    /// The table and, unless its row is deleted, the column.
    column: (&'static str, Option<&'static str>),
    /// The kind of the column and the number of the value among its values.
    value: Option<(Kind, usize)>,
}

/// SQL of values that a healthy column of this kind never has.
fn values(kind: Kind, backend: Backend) -> Vec<String> {
    let not_utf8 = "CAST(x'44414d414745ff80' AS TEXT)";
    let values: &[&str] = match (kind, backend) {
        (Kind::Text | Kind::MaybeText, Backend::File) => &[not_utf8],
        (Kind::Text | Kind::MaybeText, Backend::Database) => &[r"'DAMAGE\q'", r"'DAMAGE\00'", r"'DAMAGE\'"],
        (Kind::Id, Backend::File) => &["'not-a-uuid'", "''", not_utf8],
        (Kind::Id, Backend::Database) => &["gen_random_uuid()"],
        (Kind::Json, Backend::File) => {
            &["'not json'", "'{}'", "'[]'", "''", "'{\"turn_id\":7,\"app_id\":\"contract\"}'", not_utf8]
        }
        (Kind::Json, Backend::Database) => {
            &["'not json'", "'{}'", "'[]'", "''", "'{\"turn_id\":7,\"app_id\":\"contract\"}'"]
        }
        (Kind::Word | Kind::MaybeWord, Backend::File) => &["'DAMAGE'", "''", not_utf8],
        (Kind::Word | Kind::MaybeWord, Backend::Database) => &["'DAMAGE'", "''"],
        (Kind::Time | Kind::MaybeTime, _) => &["9223372036854775807", "-9223372036854775808"],
        (Kind::Number | Kind::MaybeNumber, _) => &["9223372036854775807", "-9223372036854775808", "-3", "4000000"],
        (Kind::Link, _) => &["999"],
        (Kind::Flag, _) => &["7", "-9223372036854775808"],
        (Kind::Real, Backend::File) => &["9e999"],
        (Kind::Real, Backend::Database) => &["'NaN'", "'Infinity'"],
        (Kind::Hash, Backend::File) => &["x''", "x'00'", "zeroblob(33)"],
        (Kind::Hash, Backend::Database) => &[r"''", r"'\x00'"],
    };
    let mut values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    if kind == Kind::Json {
        values.extend([nested_turn(127), nested_turn(100_000)]);
    }
    values
}

/// A turn whose parameters are nested deeper than any reader accepts.
fn nested_turn(levels: usize) -> String {
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    format!(
        r#"'{{"turn_id":"0198c0de-0000-7000-8000-000000000000","role":"user","type":"response","text":"","app_id":"contract","function":"work","params":{open}{close}}}'"#
    )
}

fn finding(table: &str, column: &str, kind: Kind, backend: Backend) -> Finding {
    match (table, kind, backend) {
        ("audit", ..) | ("owner", Kind::Hash, _) => Finding::Trail,
        ("turn", Kind::Id, Backend::File) => Finding::Nothing,
        // Compared with versions, and never shown.
        ("task", ..) if column == "refused_program" => Finding::Nothing,
        ("turn", Kind::Json, _)
        | ("task", Kind::Text | Kind::Real, _)
        | ("task", Kind::Id | Kind::Word | Kind::MaybeWord, Backend::File) => Finding::Row,
        ("task", Kind::MaybeText, _) if column != "key" => Finding::Row,
        _ => Finding::Other,
    }
}

/// Every damage of a backend.
fn all(backend: Backend) -> Vec<Case> {
    of(&TABLES, backend)
}

fn of(tables: &[Table], backend: Backend) -> Vec<Case> {
    let mut cases = Vec::new();
    for table in tables {
        let rows = table.conditions();
        for &(column, kind, only) in table.columns {
            if only.is_some_and(|only| only != backend) {
                continue;
            }
            for (number, value) in values(kind, backend).into_iter().enumerate() {
                for row in &rows {
                    cases.push(Case {
                        sql: format!("UPDATE {} SET {column} = {value} WHERE {row}", table.name),
                        finding: finding(table.name, column, kind, backend),
                        column: (table.name, Some(column)),
                        value: Some((kind, number)),
                    });
                }
            }
        }
        // PostgreSQL keeps rows that other rows link to.
        if backend == Backend::Database && ["owner", "node"].contains(&table.name) {
            continue;
        }
        for row in &rows {
            cases.push(Case {
                sql: format!("DELETE FROM {} WHERE {row}", table.name),
                finding: Finding::Other,
                column: (table.name, None),
                value: None,
            });
        }
    }
    cases
}

/// In a random order, the cases with a column or a value that no case before them has.
fn sample(mut cases: Vec<Case>, seed: u64) -> Vec<Case> {
    Dice::new(seed).shuffle(&mut cases);
    let (mut columns, mut values) = (HashSet::new(), HashSet::new());
    cases.retain(|case| {
        let (column, value) = (columns.insert(case.column), values.insert(case.value));
        column || value
    });
    cases
}

/// The cases of this run: a sample; with `IMPERAL_DAMAGE=all` every case; with any other text in it
/// the cases whose SQL contains that text.
pub(super) fn chosen(backend: Backend) -> Vec<Case> {
    choose(all(backend), backend)
}

/// The same of the tables of durable tasks, in a file.
pub(super) fn chosen_durable() -> Vec<Case> {
    choose(of(&DURABLE_TABLES, Backend::File), Backend::File)
}

fn choose(cases: Vec<Case>, backend: Backend) -> Vec<Case> {
    match std::env::var("IMPERAL_DAMAGE") {
        Ok(text) if text == "all" => cases,
        Ok(text) if !text.is_empty() => cases.into_iter().filter(|case| case.sql.contains(&text)).collect(),
        _ => {
            let seed = seed_from_env().unwrap_or_else(seed_of_the_time);
            let (total, sample) = (cases.len(), sample(cases, seed));
            eprintln!(
                "{backend:?}: {} of {total} damages; IMPERAL_TEST_SEED={seed} repeats them, IMPERAL_DAMAGE=all tries all",
                sample.len()
            );
            sample
        }
    }
}

#[test]
fn every_sample_has_every_column_and_every_value_of_its_kind() {
    for backend in [Backend::File, Backend::Database] {
        let cases = all(backend);
        let columns: HashSet<_> = cases.iter().map(|case| case.column).collect();
        let values: HashSet<_> = cases.iter().map(|case| case.value).collect();
        for seed in 0..20 {
            let sample = sample(cases.clone(), seed);
            assert_eq!(sample.iter().map(|case| case.column).collect::<HashSet<_>>(), columns);
            assert_eq!(sample.iter().map(|case| case.value).collect::<HashSet<_>>(), values);
            assert!(sample.len() < cases.len() / 2, "{} of {} cases are no sample", sample.len(), cases.len());
        }
    }
}

#[test]
fn samples_of_enough_runs_are_all_cases() {
    for (backend, at_least) in [(Backend::File, 300), (Backend::Database, 150)] {
        let cases = all(backend);
        assert!(cases.len() > at_least, "{} cases only", cases.len());
        let mut sampled = HashSet::new();
        for seed in 0..200 {
            sampled.extend(sample(cases.clone(), seed).into_iter().map(|case| case.sql));
        }
        assert_eq!(sampled.len(), cases.len());
    }
}
