//! The plans of the statements on schedules: which index each one uses.

use super::*;
use crate::ledger::sqlite::schedules::{BY_NUMBER, DUE, FIRST_WAKE, OF_OWNER, ONE, SEEN};

/// The look for due schedules, which each node repeats, reads those that are due and nothing else.
#[test]
fn schedules_are_found_by_their_indexes() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = folder.connect();
    let statements: [(&str, &str, &[&str]); 6] = [
        ("one schedule", ONE, &["schedule_1 (schedule_id=?)"]),
        ("a schedule by its number", BY_NUMBER, &["SEARCH s USING INTEGER PRIMARY KEY"]),
        ("those of an owner", OF_OWNER, &["INDEX schedule_of (owner_id=?)"]),
        (
            "due ones",
            DUE,
            &["INDEX schedule_due (wake_at<?)", "INDEX schedule_of (owner_id=?", "SEARCH u USING PRIMARY KEY"],
        ),
        ("the next one", FIRST_WAKE, &["INDEX schedule_due"]),
        ("a seen user", SEEN, &["SEARCH u USING PRIMARY KEY (owner_id=? AND app_id=?)"]),
    ];
    for (name, sql, wanted) in statements {
        let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let unbound = rusqlite::params_from_iter(vec![rusqlite::types::Null; explain.parameter_count()]);
        let plan: Vec<String> = explain.query_map(unbound, |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        for part in wanted {
            assert!(plan.iter().any(|step| step.contains(part)), "{name} without {part}: {plan:#?}");
        }
        assert!(!plan.iter().any(|step| step.starts_with("SCAN s") && name != "the next one"), "{name}: {plan:#?}");
        let is_sorted = plan.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!is_sorted || name == "those of an owner", "{name}: {plan:#?}");
    }
}
