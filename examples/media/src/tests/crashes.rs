//! Interruptions: a crash at each moment, a deploy, a cancel between two images.

use std::time::Duration;

use imperal::ledger::TaskState;
use serde_json::json;

use super::{Scene, brief, files, package, states};

#[tokio::test(start_paused = true)]
async fn a_crash_after_the_first_image_goes_on_at_the_second() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "a hive").await;
    let task = anna.start("generate_media_package", json!({"package_id": id})).await;
    while states(&package(&anna, &id).await)[0] != "ready" {
        scene.platform.pass(Duration::from_secs(1)).await;
    }
    let before = package(&anna, &id).await;
    scene.platform.crash().await;
    anna.outcome(task).await.assert_success();
    let after = package(&anna, &id).await;
    assert_eq!(after["assets"][0], before["assets"][0], "the first image is the same");
    let mut paid = scene.paid().await;
    assert_eq!(paid.len(), 3, "{paid:?}");
    paid.dedup();
    assert_eq!(paid.len(), 3, "one job for each image");
    assert_eq!(anna.files().await.len(), 3);
}

/// Before and after each intent, each answer of the service, and each stored image.
#[tokio::test(start_paused = true)]
async fn no_crash_pays_for_an_image_twice() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let before = std::sync::Mutex::new(0);
    let prepare = async |_| {
        *before.lock().unwrap() = scene.paid().await.len();
        json!({"package_id": brief(&anna, "a hive").await})
    };
    anna.crash_at_each_step("generate_media_package", prepare, async |outcome| {
        outcome.assert_says("3 of 3 images are ready.");
        let paid = scene.paid().await.len() - *before.lock().unwrap();
        assert_eq!(paid, 3, "{}", outcome.transcript);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_deploy_pays_for_no_image_twice() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "a hive").await;
    let task = anna.start("generate_media_package", json!({"package_id": id})).await;
    scene.platform.pass(Duration::from_secs(8)).await;
    scene.platform.deploy().await;
    anna.outcome(task).await.assert_success();
    assert_eq!((scene.paid().await.len(), files(&package(&anna, &id).await).len()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_between_two_images_leaves_the_others_as_they_were() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "a hive").await;
    let second = |said: &imperal::testing::Report| said.message == "Generating inline_1";
    let params = json!({"package_id": id});
    anna.run_and_cancel_when("generate_media_package", params, second).await.assert_state(TaskState::Cancelled);
    let package = package(&anna, &id).await;
    assert_eq!(states(&package), ["ready", "draft", "draft"]);
    assert_eq!((&package["status"], &package["generating"]), (&json!("partial"), &json!(false)));
    assert_eq!(scene.paid().await.len(), 1);
}
