//! Groups: saved, audited, compared, deleted.

use imperal::context::MsgType;
use imperal::testing::TestUser;
use serde_json::json;

use super::{Scene, answer, run};

async fn messages(user: &TestUser) -> Vec<String> {
    let turns = user.turns().await.into_iter();
    turns.filter(|turn| turn.body.msg_type == MsgType::System).map(|turn| turn.body.text).collect()
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_became_critical_is_announced_once() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let group = json!({"name": "shops", "domains": ["expired.example.com", "example.com"]});
    assert!(answer(&anna, "save_domain_group", group).await.is_success());
    run(&anna, "audit_domain_group", json!({"name": "shops", "checks": ["ssl", "dns"]})).await;
    assert_eq!(messages(&anna).await, ["Critical since the last audit of `shops`: expired.example.com."]);
    run(&anna, "audit_domain_group", json!({"name": "shops", "checks": ["ssl", "dns"]})).await;
    assert_eq!(messages(&anna).await.len(), 1, "it was critical before");
    let listed = answer(&anna, "list_domain_groups", json!({})).await.data;
    assert_eq!(listed["groups"][0]["status"], "critical");
}

#[tokio::test(start_paused = true)]
async fn a_group_deleted_while_it_is_audited_does_not_come_back() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    answer(&anna, "save_domain_group", json!({"name": "shops", "domains": ["example.com"]})).await;
    let task = anna.start("audit_domain_group", json!({"name": "shops"})).await;
    let deleted = answer(&anna, "delete_domain_group", json!({"name": "shops"})).await;
    assert_eq!(deleted.data, json!({"name": "shops", "audits": 0}));
    anna.end_of(task).await;
    assert_eq!(answer(&anna, "list_domain_groups", json!({})).await.data["groups"], json!([]));
    let again = answer(&anna, "delete_domain_group", json!({"name": "shops"})).await;
    assert_eq!(again.error_code.unwrap(), "NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn groups_are_separate_per_user() {
    let scene = Scene::start().await;
    let (anna, ben) = (scene.platform.user("anna"), scene.platform.user("ben"));
    answer(&anna, "save_domain_group", json!({"name": "shops", "domains": ["example.com"]})).await;
    assert_eq!(answer(&ben, "list_domain_groups", json!({})).await.data["groups"], json!([]));
    let foreign = answer(&ben, "audit_domain_group", json!({"name": "shops"})).await;
    assert_eq!(foreign.error_code.unwrap(), "NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn an_invalid_domain_is_not_saved() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let saved = answer(&anna, "save_domain_group", json!({"name": "x", "domains": ["example.com", "no domain"]})).await;
    assert_eq!(saved.error_code.unwrap(), "VALIDATION_TYPE_ERROR");
    assert_eq!(saved.error.unwrap(), "`no domain` is not the name of a domain.");
}
