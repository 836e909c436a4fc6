//! A manipulated audit trail: the check names the first wrong row.

use crate::ledger::{AuditCheck, NewAudit};

use super::*;

const ROWS: u64 = 9;

/// Rows of two users in turn, and a connection outside of the ledger.
async fn trail(folder: &Folder) -> Connection {
    let ledger = folder.open().unwrap();
    for n in 0..ROWS {
        let row = NewAudit {
            tenant_id: "t".to_owned(),
            user_id: if n % 3 == 0 { "ben" } else { "anna" }.to_owned(),
            actor: "service".to_owned(),
            app_id: None,
            action: "chat.inject".to_owned(),
            target: Some(format!("turn {n}")),
            outcome: crate::ledger::AuditOutcome::Done,
            detail: None,
        };
        ledger.write_audit(row).await.unwrap();
    }
    drop(ledger);
    Connection::open(folder.file()).unwrap()
}

async fn check(folder: &Folder) -> AuditCheck {
    AuditCheck::run(&folder.open().unwrap(), None).await.unwrap()
}

#[tokio::test]
async fn triggers_refuse_changes_of_the_audit_trail() {
    let folder = Folder::new();
    let conn = trail(&folder).await;
    for sql in [
        "DELETE FROM audit",
        "UPDATE audit SET detail = 'x' WHERE audit_id = 2",
        "DELETE FROM audit WHERE 0 OR audit_id = 1",
    ] {
        let error = conn.execute_batch(sql).unwrap_err();
        assert!(error.to_string().contains("only ever added to"), "{error}");
    }
    drop(conn);
    assert_eq!(check(&folder).await.broken, None);
}

#[tokio::test]
async fn audit_check_finds_altered_removed_and_inserted_rows() {
    // Rows 1, 4, 7 are ben's, the others are anna's.
    let cases: [(&str, Option<u64>, &str); 9] = [
        ("UPDATE audit SET target = 'another turn' WHERE audit_id = 5", Some(5), "anna"),
        ("UPDATE audit SET outcome = 'done', actor = 'platform' WHERE audit_id = 4", Some(4), "ben"),
        ("UPDATE audit SET at = at + 1 WHERE audit_id = 1", Some(1), "ben"),
        ("DELETE FROM audit WHERE audit_id = 2", Some(3), "anna"),
        ("DELETE FROM audit WHERE audit_id = 5", Some(6), "anna"),
        ("DELETE FROM audit WHERE audit_id = 9", None, "anna"),
        ("DELETE FROM audit WHERE audit_id IN (1, 4, 7)", None, "ben"),
        (
            "UPDATE audit SET owner_id = (SELECT owner_id FROM audit WHERE audit_id = 1) WHERE audit_id = 2",
            Some(2),
            "ben",
        ),
        (
            "INSERT INTO audit (at, owner_id, actor, action, outcome, hash)
          SELECT at, owner_id, actor, action, outcome, hash FROM audit WHERE audit_id = 9",
            Some(10),
            "anna",
        ),
    ];
    for (sql, row, user) in cases {
        let folder = Folder::new();
        let conn = trail(&folder).await;
        let triggers = ["audit_is_not_changed", "audit_is_not_removed"].map(|name| {
            let sql = "SELECT sql FROM sqlite_schema WHERE name = ?1";
            (name, conn.query_row(sql, [name], |row| row.get::<_, String>(0)).unwrap())
        });
        for (name, _) in &triggers {
            conn.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
        }
        unusable(folder.open(), "undo the change");
        conn.execute_batch(sql).unwrap();
        for (_, sql) in &triggers {
            conn.execute_batch(sql).unwrap();
        }
        drop(conn);
        let broken = check(&folder).await.broken.unwrap_or_else(|| panic!("not found: {sql}"));
        assert_eq!((broken.audit_id, broken.user_id.as_str()), (row, user), "{sql}");
    }
}
