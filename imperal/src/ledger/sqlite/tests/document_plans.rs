//! The plans of the statements on documents: which index each one uses.

use super::*;
use crate::ledger::sqlite::documents::{
    BY_ID, BY_KEY, BY_KEY_DESCENDING, COUNT, COUNT_IN_ORDER, IN_ORDER, IN_ORDER_DESCENDING, OTHERS,
};
use crate::ledger::sqlite::ops::EXPIRED_DOCUMENTS;

/// A change of the schema that drops an index changes a plan.
#[test]
fn documents_are_found_by_their_indexes() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = folder.connect();
    let by_key = "SEARCH k USING PRIMARY KEY (collection_no=? AND index_no=? AND key>? AND key<?)";
    let by_id = "document_1 (collection_no=? AND id>? AND id<?)";
    let statements: [(&str, &str, &[&str]); 10] = [
        ("one document", BY_ID, &["document_1 (collection_no=? AND id=?)"]),
        ("an index", BY_KEY, &[by_key, "SEARCH d USING INTEGER PRIMARY KEY"]),
        ("an index, descending", BY_KEY_DESCENDING, &[by_key, "SEARCH d USING INTEGER PRIMARY KEY"]),
        ("ids in order", IN_ORDER, &[by_id]),
        ("ids in order, descending", IN_ORDER_DESCENDING, &[by_id]),
        ("count by an index", COUNT, &[by_key]),
        ("count by ids", COUNT_IN_ORDER, &[by_id]),
        (
            "other indexes",
            OTHERS,
            &[
                "COVERING INDEX document_set (collection_no=?)",
                "COVERING INDEX document_set (collection_no=? AND index_set>?)",
                "COVERING INDEX document_set (collection_no=? AND index_set=?)",
                "INDEX document_key_of (document_no=?)",
            ],
        ),
        ("expired documents", EXPIRED_DOCUMENTS, &["INDEX document_expiring"]),
        (
            "keys of a document",
            "DELETE FROM document_key WHERE document_no = ?1",
            &["INDEX document_key_of (document_no=?)"],
        ),
    ];
    for (name, sql, wanted) in statements {
        let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let unbound = rusqlite::params_from_iter(vec![rusqlite::types::Null; explain.parameter_count()]);
        let plan: Vec<String> = explain.query_map(unbound, |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        for part in wanted {
            assert!(plan.iter().any(|step| step.contains(part)), "{name} without {part}: {plan:#?}");
        }
        let scans_table = |step: &String| {
            step.starts_with("SCAN document") || step.starts_with("SCAN d") || step.starts_with("SCAN k")
        };
        assert!(!plan.iter().any(scans_table), "{name}: {plan:#?}");
        // The documents of other indexes are sorted, up to their limit; nothing else is.
        let is_sorted = plan.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!is_sorted || name == "other indexes", "{name}: {plan:#?}");
    }
}
