//! Documents of users over HTTP, for operators: who may, what is audited, limits, damage.

use imperal_tests::{Node, User};
use serde_json::{Value, json};

use crate::operators::with_scope;
use crate::{node, options};

fn whose(tenant: &str, user: &str) -> Value {
    json!({ "tenant": tenant, "user": user, "app": "probe" })
}

fn import(user: &str, documents: &Value) -> Value {
    let mut body = whose("default", user);
    body["documents"] = documents.clone();
    body
}

/// What an operator imports is what they read, page by page, on any ledger.
pub(crate) async fn documents_come_back(node: &Node) {
    let operator = with_scope(node, "default", "documents:operate");
    let all: Vec<Value> = (0..5)
        .map(|n| json!({ "collection": "things", "id": format!("t{n}"), "shape": n + 1, "value": { "z": n, "a": "\u{0}" } }))
        .collect();
    let (status, imported) = operator.post("/v1/operator/documents/import", &import("anna", &json!(all))).await;
    assert_eq!((status.as_u16(), &imported["documents"]), (200, &json!(5)), "{imported}");
    let place = "/v1/operator/documents/page?tenant=default&user=anna&app=probe&collection=things";
    let (_, first) = operator.get(&format!("{place}&limit=3")).await;
    let (_, rest) = operator.get(&format!("{place}&limit=3&after={}", first["next"].as_str().unwrap())).await;
    assert_eq!(rest["next"], Value::Null);
    let read: Vec<&Value> = [&first, &rest].iter().flat_map(|page| page["documents"].as_array().unwrap()).collect();
    for (read, sent) in read.iter().zip(&all) {
        for name in ["collection", "id", "shape", "value"] {
            assert_eq!(read[name], sent[name], "{read}");
        }
    }
    assert_eq!(read.len(), 5);
    let (_, one) = operator.get(&format!("{place}&id=t3")).await;
    assert_eq!(one["documents"][0]["value"]["z"], 3);
    let (_, collections) = operator.get("/v1/operator/documents?tenant=default&user=anna").await;
    assert_eq!(collections["collections"][0]["documents"], 5, "{collections}");

    // All or none.
    let some = json!([{ "collection": "things", "id": "new", "value": 1 }, { "collection": "things", "id": "t1", "value": 1 }]);
    let (status, refused) = operator.post("/v1/operator/documents/import", &import("anna", &some)).await;
    assert_eq!((status.as_u16(), &refused["error"]["code"]), (409, &json!("DOCUMENT_EXISTS")), "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("`things/t1`"), "{refused}");
    let (_, missing) = operator.get(&format!("{place}&id=new")).await;
    assert_eq!(missing["documents"], json!([]));

    let mut gone = whose("default", "anna");
    (gone["collection"], gone["ids"]) = (json!("things"), json!(["t0", "t9"]));
    let (_, deleted) = operator.post("/v1/operator/documents/delete", &gone).await;
    assert_eq!(deleted["documents"], 1);
    let trail = User::of(node, "anna").audit().await;
    let actions: Vec<_> = trail.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["documents.import", "documents.read", "documents.read", "documents.read", "documents.delete"]);
    assert!(trail.iter().all(|row| row["actor"] == "operator:default/operator"), "{trail:?}");
}

#[tokio::test]
async fn operator_imports_reads_and_deletes_documents() {
    let (_folder, node) = node().await;
    documents_come_back(&node).await;
}

/// The refusal is in the operator's own trail.
#[tokio::test]
async fn documents_of_another_tenant_need_the_wider_scope() {
    let (_folder, node) = node().await;
    let (of_tenant, of_tasks) =
        (with_scope(&node, "default", "documents:operate"), with_scope(&node, "default", "tasks:operate:all"));
    let place = "/v1/operator/documents?tenant=north&user=anna";
    assert_eq!(of_tenant.get(place).await.0, 403);
    assert_eq!(of_tasks.get(place).await.0, 403, "another right");
    let tries = of_tenant.audit().await;
    assert_eq!((&tries[0]["action"], &tries[0]["target"]), (&json!("documents.read"), &json!("north/anna")));
    let all = with_scope(&node, "default", "documents:operate:all");
    assert_eq!(all.get(place).await.0, 200);
    let mut foreign = whose("north", "anna");
    foreign["documents"] = json!([{ "collection": "things", "id": "a", "value": 1 }]);
    assert_eq!(of_tenant.post("/v1/operator/documents/import", &foreign).await.0, 403);
    assert_eq!(all.post("/v1/operator/documents/import", &foreign).await.0, 200);
    let (_, found) = all.get(place).await;
    assert_eq!(found["collections"][0]["documents"], 1);
}

#[tokio::test]
async fn import_obeys_limits_and_names_faults() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.args.extend(["--documents-per-user", "2"].map(str::to_owned));
    let node = options.start().await;
    let operator = with_scope(&node, "default", "documents:operate");
    let path = "/v1/operator/documents/import";
    let document = |id: &str, value: Value| json!({ "collection": "things", "id": id, "value": value });
    let three = json!([document("a", json!(1)), document("b", json!(1)), document("c", json!(1))]);
    let large = json!([document("a", json!("x".repeat((1 << 20) - 2)))]);
    let too_large = json!([document("a", json!("x".repeat(1 << 20)))]);
    let many: Vec<Value> = (0..101).map(|n| document(&n.to_string(), json!(1))).collect();
    for (documents, status, code) in [
        (three, 409, "DOCUMENTS_EXCEEDED"),
        (too_large, 413, "DOCUMENT_TOO_LARGE"),
        (json!(many), 422, "VALIDATION_TYPE_ERROR"),
        (json!([{ "collection": "../x", "id": "a", "value": 1 }]), 422, "VALIDATION_TYPE_ERROR"),
        (json!([{ "collection": "things", "id": "", "value": 1 }]), 422, "VALIDATION_TYPE_ERROR"),
        (json!([{ "id": "a" }]), 400, "MALFORMED_REQUEST"),
    ] {
        let (found, refused) = operator.post(path, &import("anna", &documents)).await;
        assert_eq!((found.as_u16(), &refused["error"]["code"]), (status, &json!(code)), "{refused}");
    }
    assert_eq!(operator.post(path, &import("anna", &large)).await.0, 200, "the largest document");
    let mut unknown = import("anna", &json!([document("a", json!(1))]));
    unknown["app"] = json!("nothing");
    assert_eq!(operator.post(path, &unknown).await.0, 404);
    let (_, expired) = operator
        .post(
            path,
            &import(
                "anna",
                &json!([{ "collection": "things", "id": "old", "expires_at": "2020-01-01T00:00:00Z", "value": 1 }]),
            ),
        )
        .await;
    assert_eq!(expired["documents"], 0, "its time is over");
}
