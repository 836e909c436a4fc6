//! `documents` at the terminal, on the data folder without a running platform.

use std::path::Path;

use serde_json::{Value, json};

use super::{json_lines, run, text};

fn line(collection: &str, id: &str, value: &Value) -> String {
    format!("{}\n", json!({ "collection": collection, "id": id, "value": value }))
}

/// A folder with a ledger, and a file with these lines.
async fn folder(lines: &str) -> (tempfile::TempDir, std::path::PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("documents.jsonl"));
    assert!(run(&data, &["call", "echo", "text=hello"]).await.status.success());
    std::fs::write(&file, lines).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, data, file)
}

fn without_times(mut documents: Vec<Value>) -> Vec<Value> {
    for document in &mut documents {
        let fields = document.as_object_mut().unwrap();
        for name in ["created_at", "updated_at", "version"] {
            assert!(fields.remove(name).is_some(), "{name}");
        }
    }
    documents
}

#[tokio::test]
async fn documents_are_imported_shown_exported_and_deleted() {
    let odd = json!({ "b": 1, "a": [null, "\u{0}\u{1b}[31m\n"], "big": 9_007_199_254_740_993_u64 });
    let lines = line("packages", "spring", &odd)
        + "\n"
        + &line("packages", "a/b ü", &json!(7))
        + &line("notes", "n", &json!({}));
    let (_folder, data, file) = folder(&lines).await;
    let none = run(&data, &["documents", "list"]).await;
    assert_eq!(text(&none.stdout), "default/me has no documents of probe.\n");
    let imported = run(&data, &["documents", "import", "--file", &file]).await;
    assert_eq!(text(&imported.stdout), "3 documents imported.\n", "{}", text(&imported.stderr));

    let listed = json_lines(&run(&data, &["documents", "list", "--json"]).await);
    let names: Vec<_> = listed.iter().map(|one| (&one["collection"], &one["documents"])).collect();
    assert_eq!(names, [(&json!("notes"), &json!(1)), (&json!("packages"), &json!(2))]);
    let table = text(&run(&data, &["documents", "list", "packages"]).await.stdout);
    assert!(table.contains("spring") && table.contains("a/b ü") && !table.contains('\u{1b}'), "{table}");
    let first = run(&data, &["documents", "list", "packages", "-n", "1"]).await;
    assert!(text(&first.stderr).contains("there are more"), "{}", text(&first.stderr));
    let shown = run(&data, &["documents", "show", "packages", "spring", "--json"]).await;
    assert_eq!(json_lines(&shown)[0]["value"], odd);
    let missing = run(&data, &["documents", "show", "packages", "summer"]).await;
    assert!(text(&missing.stderr).contains("there is no document summer in packages"), "{}", text(&missing.stderr));

    // An export is what an import takes, for another user too.
    let exported = run(&data, &["documents", "export", "--json"]).await;
    let wanted = without_times(json_lines(&exported));
    let ids: Vec<_> = wanted.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["n", "a/b ü", "spring"]);
    let copy = format!("{file}.copy");
    let written = run(&data, &["documents", "export", "--file", &copy]).await;
    assert!(text(&written.stderr).contains("wrote 3 documents"), "{}", text(&written.stderr));
    let to_ben = ["documents", "import", "--user", "north/ben", "--file", &copy];
    assert_eq!(text(&run(&data, &to_ben).await.stdout), "3 documents imported.\n");
    let of_ben = run(&data, &["documents", "export", "--user", "north/ben"]).await;
    assert_eq!(without_times(json_lines(&of_ben)), wanted);

    // What exists is not replaced unless it is said.
    let twice = run(&data, &["documents", "import", "--file", &file]).await;
    assert!(!twice.status.success());
    let said = text(&twice.stderr);
    assert!(said.contains("exists already") && said.contains("lines 1 to 4 were not written"), "{said}");
    let replaced = run(&data, &["documents", "import", "--replace", "--file", &file]).await;
    assert_eq!(text(&replaced.stdout), "3 documents imported.\n", "{}", text(&replaced.stderr));

    let dry = run(&data, &["documents", "delete", "packages"]).await;
    assert_eq!(text(&dry.stdout), "2 documents of default/me in packages. Add --yes to delete.\n");
    let one = run(&data, &["documents", "delete", "packages", "spring", "none", "--yes"]).await;
    assert_eq!(text(&one.stdout), "1 document deleted.\n");
    let rest = run(&data, &["documents", "delete", "packages", "--yes"]).await;
    assert_eq!(text(&rest.stdout), "1 document deleted.\n");
    assert_eq!(json_lines(&run(&data, &["documents", "list", "--json"]).await).len(), 1);

    // Each of these is in the trail of the documents' user.
    check_trail(&data).await;
}

async fn check_trail(data: &Path) {
    let rows = json_lines(&run(data, &["audit", "-n", "100", "--json"]).await);
    let of = |user: &str, action: &str| {
        let by = |row: &&Value| {
            row["user_id"] == user
                && row["action"] == action
                && row["actor"] == "operator:default/me"
                && row["app_id"] == "probe"
        };
        rows.iter().filter(by).count()
    };
    assert_eq!((of("me", "documents.import"), of("ben", "documents.import")), (2, 1), "{rows:#?}");
    assert_eq!((of("me", "documents.delete"), of("ben", "documents.read")), (2, 2), "{rows:#?}");
    assert!(of("me", "documents.read") >= 5, "{rows:#?}");
    assert!(run(data, &["audit", "--verify"]).await.status.success());
}

#[tokio::test]
async fn bad_lines_are_named_before_anything_is_written() {
    for (lines, wanted) in [
        (line("packages", "a", &json!(1)) + "not json\n", "line 2 is no document"),
        (
            line("packages", "a", &json!(1)) + "{\"collection\": \"packages\"}\n",
            "line 2 is no document: missing field `id`",
        ),
        (line("Packages", "a", &json!(1)), "`Packages` is no name of a collection"),
        (line("packages", "", &json!(1)), "The id of a document has 1 to 512 bytes"),
        (line("packages", "a", &json!("x".repeat(1 << 20))), "more than 1048576"),
    ] {
        let (_folder, data, file) = folder(&lines).await;
        let refused = run(&data, &["documents", "import", "--file", &file]).await;
        assert!(!refused.status.success());
        assert!(text(&refused.stderr).contains(wanted), "{wanted}: {}", text(&refused.stderr));
        assert_eq!(json_lines(&run(&data, &["documents", "list", "--json"]).await).len(), 0);
    }
}

/// Lines go in several requests, each all or none.
#[tokio::test]
async fn refused_import_says_which_lines_were_written() {
    let lines = |ids: std::ops::Range<u32>| -> String {
        ids.map(|n| line("packages", &format!("{n:03}"), &json!(n))).collect()
    };
    let (folder, data, file) = folder(&lines(0..150)).await;
    let one = folder.path().join("one.jsonl");
    std::fs::write(&one, lines(120..121)).unwrap();
    assert!(run(&data, &["documents", "import", "--file", one.to_str().unwrap()]).await.status.success());
    let refused = run(&data, &["documents", "import", "--file", &file]).await;
    let said = text(&refused.stderr);
    assert!(said.contains("`packages/120` exists already"), "{said}");
    assert!(said.contains("lines 101 to 150 were not written, nor those after them; 100 documents were"), "{said}");
    let listed = json_lines(&run(&data, &["documents", "list", "--json"]).await);
    assert_eq!(listed[0]["documents"], 101);
}
