//! Packages without their images: the brief, the list, the end, and whose they are.

use serde_json::json;

use super::{Scene, answer, brief, package, states};

#[tokio::test(start_paused = true)]
async fn a_brief_has_a_prompt_for_each_image_and_pays_nothing() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let params = json!({
        "site": "bees.example", "article_title": "How bees live: a year", "subject": "a hive",
        "style_direction": "Soft light.", "image_text": "BEES", "inline_count": 1,
    });
    let package = answer(&anna, "create_media_brief", params).await.data;
    assert_eq!(package["status"], "draft");
    let assets = package["assets"].as_array().unwrap();
    assert_eq!(assets.len(), 2);
    assert_eq!(assets[0]["prompt"], "wide view of a hive, with the text \"BEES\". Soft light.");
    assert_eq!(assets[1]["prompt"], "close view of a hive, without text. Soft light.");
    assert_eq!(assets[1]["file_name"], "how-bees-live-a-year-inline_1");
    assert!(scene.paid().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn invalid_input_names_its_field() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let brief =
        |subject: &str, model: &str| json!({"site": "s", "article_title": "t", "subject": subject, "model": model});
    let refused = answer(&anna, "create_media_brief", brief("пчёлы", "realism")).await;
    assert!(refused.text().contains("`subject` must be in English"), "{refused:?}");
    let refused = anna.call("create_media_brief", brief("bees", "oil")).await.unwrap_err();
    assert_eq!(refused.field(), Some("model"));
    assert!(refused.message().contains("realism") && refused.message().contains("sketch"), "{refused}");
    let id = super::brief(&anna, "bees").await;
    let again = json!({"package_id": id, "role": "inline_9"});
    assert!(answer(&anna, "regenerate_asset", again).await.text().contains("featured, inline_1, inline_2"));
    let again = json!({"package_id": id, "role": "featured", "prompt_override": "улей"});
    assert_eq!(answer(&anna, "regenerate_asset", again).await.error_code.unwrap(), "VALIDATION_TYPE_ERROR");
}

#[tokio::test(start_paused = true)]
async fn the_list_is_filtered_by_site_and_status() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "a hive").await;
    brief(&anna, "a queen").await;
    anna.run("generate_media_package", json!({"package_id": id})).await.assert_success();
    for (params, rows) in [
        (json!({}), 2),
        (json!({"site": "bees.example", "limit": 1}), 1),
        (json!({"status": "ready"}), 1),
        (json!({"site": "bees.example", "status": "draft"}), 1),
        (json!({"site": "other.example"}), 0),
    ] {
        let listed = answer(&anna, "list_media_packages", params.clone()).await.data;
        assert_eq!(listed["packages"].as_array().unwrap().len(), rows, "{params}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_without_a_key_or_without_a_package() {
    let scene = Scene::start().await;
    let ben = scene.platform.user("ben");
    let refused = answer(&ben, "connect_image_service", json!({"api_key": "wrong-key"})).await;
    assert_eq!(refused.error_code.unwrap(), "KEY_INVALID");
    let id = brief(&ben, "a hive").await;
    let refused = answer(&ben, "generate_media_package", json!({"package_id": id})).await;
    assert_eq!(refused.error_code.unwrap(), "SECRET_MISSING");
    let refused = answer(&ben, "generate_media_package", json!({"package_id": "none"})).await;
    assert_eq!(refused.error_code.unwrap(), "NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn packages_are_their_users() {
    let scene = Scene::start().await;
    let (anna, ben) = (scene.connected("anna").await, scene.connected("ben").await);
    let id = brief(&anna, "a hive").await;
    for function in ["get_media_package", "generate_media_package", "delete_media_package"] {
        let refused = answer(&ben, function, json!({"package_id": id})).await;
        assert_eq!(refused.error_code.unwrap(), "NOT_FOUND", "{function}");
    }
    assert_eq!(states(&package(&anna, &id).await), ["draft"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_package_takes_its_images_along() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "a hive").await;
    let task = anna.start("generate_media_package", json!({"package_id": id})).await;
    let refused = answer(&anna, "delete_media_package", json!({"package_id": id})).await;
    assert_eq!(refused.error_code.unwrap(), "STILL_GENERATING");
    anna.outcome(task).await.assert_success();
    let deleted = answer(&anna, "delete_media_package", json!({"package_id": id})).await;
    assert_eq!(deleted.data["images"], 3);
    assert!(anna.files().await.is_empty(), "no file is left");
    let refused = answer(&anna, "delete_media_package", json!({"package_id": id})).await;
    assert_eq!(refused.error_code.unwrap(), "NOT_FOUND");
}
