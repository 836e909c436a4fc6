//! Damage of documents: the damaged one is named or missing from its index, and nothing else suffers.
//!
//! Each damage hits a user of its own, on one platform with one ledger. The page of that user is read, its other
//! documents are there, and the user goes on writing.

use std::sync::Arc;

use imperal::documents::Collection;
use imperal::ledger::{
    AuditOutcome, DocumentLimits, DocumentSource, DocumentWrite, DocumentWrites, Expiry, Ledger, LedgerError, NewAudit,
    NewDocument, RetentionPolicy, SqliteLedger,
};
use imperal::testing::{TestPlatform, TestUser};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Thing {
    n: u32,
}

const THINGS: Collection<Thing> = Collection::new("things").index(["n"]);

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// List the things by their index, then read one of them.
#[chat_function(action_type = "write", event = "listed", effects = ["update:things"])]
async fn list_things(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let things = ctx.documents(&THINGS);
    let found = things.find().order_by("n").await?;
    let mut ids: Vec<&str> = found.documents.iter().map(|one| &*one.id).collect();
    ids.sort_unstable();
    let damaged: Vec<&str> = found.unreadable.iter().map(|one| &*one.id).collect();
    let one = match things.get("b").await {
        Ok(Some(_)) => "there",
        Ok(None) => "absent",
        Err(error) if *error.code() == codes::DOCUMENT_UNREADABLE => "unreadable",
        Err(error) => return Err(error),
    };
    things.find().count().await?;
    Ok(ActionResult::done(format!("{} | {} | {one}", ids.join(" "), damaged.join(" "))))
}

/// Replace a thing, add one, and delete one.
#[chat_function(action_type = "write", event = "written", effects = ["update:things"])]
async fn write_things(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let things = ctx.documents(&THINGS);
    match things.patch("b", json!({"n": 2})).await {
        Err(error) if [codes::DOCUMENT_UNREADABLE, codes::NOT_FOUND].contains(error.code()) => {}
        patched => patched?,
    }
    // A version of the program that wrote the row is newer than this one, for all this one knows.
    match things.put("b", &Thing { n: 2 }).await {
        Err(error) if *error.code() == codes::DOCUMENT_NEWER => {
            things.delete("b").await?;
            things.put("b", &Thing { n: 2 }).await?;
        }
        put => put?,
    }
    things.update("b", |thing| thing.n += 1).await?;
    things.create(&Thing { n: 4 }).await?;
    things.delete("c").await?;
    Ok(ActionResult::done("written"))
}

/// What becomes of the damaged document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It is as it was.
    Whole,
    /// It is named.
    Named,
    /// Its index has lost it; by its id it is found.
    Unkeyed,
    /// The ledger cannot know what it was.
    Lost,
}

const MAX: &str = "9223372036854775807";
const MIN: &str = "-9223372036854775808";

/// Tables, new values and consequences, for both backends.
fn damages() -> Vec<(&'static str, String, Then)> {
    let mut all = Vec::new();
    let mut add = |table, column: &str, values: &[&str], then| {
        all.extend(values.iter().map(|value| (table, format!("{column} = {value}"), then)));
    };
    for column in ["version", "shape", "index_set", "keyed_at", "created_at", "updated_at", "request", "bytes"] {
        add("document", column, &[MAX, MIN, "-3", "0"], Then::Whole);
    }
    add("document", "expires_at", &[MAX], Then::Whole);
    add("document", "expires_at", &[MIN, "-3"], Then::Lost);
    let deep = format!("'{}1{}'", "[".repeat(100_000), "]".repeat(100_000));
    add("document", "body", &["'not json'", "''", "'[]'", "'{\"n\": \"text\"}'", &deep], Then::Named);
    add("document", "collection_no", &["99999"], Then::Lost);
    add("document_key", "index_no", &["9"], Then::Unkeyed);
    add("document_key", "document_no", &["99999", MIN], Then::Unkeyed);
    add("shelf", "documents", &[MAX, MIN, "-3", "0"], Then::Whole);
    add("shelf", "bytes", &[MAX, MIN, "-3", "0"], Then::Whole);
    add("shelf", "version", &[MAX, MIN, "-3", "0"], Then::Whole);
    all
}

/// Damages one row of a user. The documents of users are in one collection each.
fn statement(table: &str, set: &str, user: &str, id: &str) -> String {
    let shelf =
        format!("(SELECT shelf_no FROM shelf WHERE owner_id = (SELECT owner_id FROM owner WHERE user_id = '{user}'))");
    let collection = format!("(SELECT collection_no FROM collection WHERE shelf_no = {shelf})");
    let document = format!("(SELECT document_no FROM document WHERE collection_no = {collection} AND id = {id})");
    let row = match table {
        "shelf" => format!("shelf_no = {shelf}"),
        _ => format!("document_no = {document}"),
    };
    format!("UPDATE {table} SET {set} WHERE {row}")
}

async fn said(user: &TestUser, function: &str) -> String {
    let reply = user.call(function, json!({})).await.unwrap();
    assert_eq!(reply.result.error_code, None, "{function}: {:?}", reply.result);
    reply.turn.body.text
}

async fn check_documents(
    ledger: Arc<dyn Ledger>,
    damages: Vec<(&'static str, String, Then)>,
    id: &str,
    damage: impl AsyncFn(&str),
) {
    let platform = TestPlatform::setup().ledger(ledger.clone()).start().await;
    let fill = async |user: &TestUser| {
        for (id, n) in [("a", 1), ("b", 2), ("c", 3)] {
            user.documents(&THINGS).put(id, &Thing { n }).await;
        }
    };
    let ben = platform.user("ben");
    fill(&ben).await;
    for (number, (table, set, then)) in damages.into_iter().enumerate() {
        let name = format!("anna-{number}");
        let anna = platform.user(&name);
        fill(&anna).await;
        let sql = statement(table, &set, &name, id);
        damage(&sql).await;
        let shown = &sql[..sql.len().min(120)];
        let seen = said(&anna, "list_things").await;
        let wanted = match then {
            Then::Whole => "a b c |  | there",
            Then::Named => "a c | b | unreadable",
            Then::Unkeyed => "a c |  | there",
            Then::Lost => "a c |  | absent",
        };
        assert_eq!(seen, wanted, "{shown}");
        ledger.collections(&Owner::new("default", &name), None).await.unwrap();
        assert_eq!(said(&anna, "write_things").await, "written", "{shown}");
        let after = said(&anna, "list_things").await;
        assert!(
            after.starts_with(|first: char| first.is_ascii_hexdigit()) && after.ends_with("| there"),
            "{shown}: {after}"
        );
        assert!(after.contains("a b"), "{shown}: {after}");
    }
    assert_eq!(said(&ben, "list_things").await, "a b c |  | there");
    let mut keep = RetentionPolicy::FOREVER;
    keep.events = Some(Duration::from_secs(3600));
    ledger.prune(&keep, 0, 1000).await.unwrap();
    assert_eq!(said(&ben, "list_things").await, "a b c |  | there");
    check_totals(&ledger, &damage).await;
}

fn as_operator(owner: &Owner) -> DocumentSource {
    DocumentSource::Operator(NewAudit::new(owner, "test", "documents.import", AuditOutcome::Done))
}

/// Totals that are less than what is removed do not end at nothing: the next write counts, so the limit holds.
async fn check_totals(ledger: &Arc<dyn Ledger>, damage: &impl AsyncFn(&str)) {
    let mut request = 1000;
    for set in ["documents = 0", "documents = -3", "bytes = 1"] {
        for removed_by in ["retention", "delete"] {
            let user = format!("{removed_by} {set}");
            let owner = Owner::new("default", &user);
            let mut write = async |writes: Vec<DocumentWrite>| {
                request += 1;
                let new = DocumentWrites::new("app", request, writes).limits(DocumentLimits::new(1, 1 << 20));
                ledger.write_documents(&owner, as_operator(&owner), new).await
            };
            let put = |id: &str| DocumentWrite::put("things", id, NewDocument::new("[]"));
            let brief = NewDocument::new("[]").expiry(Expiry::In(Duration::ZERO));
            let first = if removed_by == "delete" { put("b") } else { DocumentWrite::put("things", "b", brief) };
            // The limit is for the writes below.
            let two = DocumentWrites::new("app", 1, vec![put("a"), first]);
            ledger.write_documents(&owner, as_operator(&owner), two).await.unwrap();
            damage(&statement("shelf", set, &user, "''")).await;
            if removed_by == "delete" {
                write(vec![DocumentWrite::delete("things", "b")]).await.unwrap();
            } else {
                let mut keep = RetentionPolicy::FOREVER;
                keep.events = Some(Duration::from_secs(3600));
                assert!(ledger.prune(&keep, 0, 1000).await.unwrap().documents > 0);
            }
            assert_eq!(write(vec![put("c")]).await, Err(LedgerError::TooManyDocuments(1)), "{user}");
            assert!(write(vec![DocumentWrite::delete("things", "a"), put("c")]).await.is_ok(), "{user}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_documents_in_a_file_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    let ledger = Arc::new(SqliteLedger::open(&file).unwrap());
    let mut all = damages();
    let not_utf8 = "CAST(x'7b226e223a31ff7d' AS TEXT)";
    all.push(("document", format!("body = {not_utf8}"), Then::Named));
    all.push(("document_key", "key = x'00'".to_owned(), Then::Whole));
    check_documents(ledger, all, "'b'", async |sql: &str| {
        let conn = rusqlite::Connection::open(&file).unwrap();
        conn.busy_timeout(Duration::from_secs(5)).unwrap();
        conn.pragma_update(None, "foreign_keys", false).unwrap();
        assert_eq!(conn.execute(sql, ()).unwrap(), 1, "{sql}");
    })
    .await;
}

mod postgres {
    use imperal::ledger::PostgresLedger;
    use imperal_tests::cluster;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn damaged_documents_are_named() {
        let schema = format!("damaged_documents_{}", std::process::id());
        drop(cluster::client().await);
        let ledger = Arc::new(PostgresLedger::connect_in(&cluster::url(&schema), &schema, 4).await.unwrap());
        let mut all = damages();
        all.push(("document_key", r"key = '\x00'".to_owned(), Then::Whole));
        check_documents(ledger, all, r"'\x62'", async |sql: &str| {
            let client = cluster::client().await;
            client.batch_execute(&format!("SET search_path = {schema}")).await.unwrap();
            assert_eq!(client.execute(sql, &[]).await.unwrap(), 1, "{sql}");
        })
        .await;
        cluster::drop_schema(&schema);
    }
}
