//! Making images: all of them, some of them, one again.

use imperal::ledger::TaskState;
use serde_json::json;

use super::{Scene, answer, brief, files, get, package, states};

#[tokio::test(start_paused = true)]
async fn each_image_is_one_paid_job_and_has_the_bytes_of_the_service() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "a hive").await;
    let outcome = anna.run("generate_media_package", json!({"package_id": id})).await;
    outcome.assert_success().assert_says("3 of 3 images are ready.");
    assert_eq!(scene.paid().await.len(), 3);
    let package = package(&anna, &id).await;
    assert_eq!(package["status"], "ready");
    assert_eq!(package["assets"][0]["pixels"], json!([640, 400]));
    assert_eq!(package["assets"][0]["picture"]["content_type"], "image/png");
    assert_eq!(package["assets"][2]["picture"]["name"], "how-bees-live-inline_2.png");
    // The latest first.
    let stored = anna.files().await;
    for (job, (file, id)) in scene.jobs("task_id").await.iter().zip(stored.iter().rev().zip(files(&package))) {
        assert_eq!(file.file_id.to_string(), id);
        assert_eq!(anna.read_file(file).await, get(&scene.service, &format!("/img/{job}.png")).await);
    }
    let said: Vec<f64> = anna.progress_of(outcome.task.task_id).iter().map(|said| said.percent).collect();
    assert!(said.len() >= 3 && said.is_sorted(), "{said:?}");
    assert!(!anna.transcript().await.contains("a-key-that-works"));
}

#[tokio::test(start_paused = true)]
async fn one_of_three_fails_and_a_second_run_makes_only_that_one() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "lightning over a hive").await;
    let run = || anna.run("generate_media_package", json!({"package_id": id}));
    run().await.assert_success().assert_says("2 of 3 images are ready. inline_1: The image service could not make it.");
    let first = package(&anna, &id).await;
    assert_eq!((first["status"].as_str(), states(&first)), (Some("partial"), vec!["ready", "failed", "ready"]));
    assert_eq!(first["assets"][1]["error"], "The image service could not make it.");
    assert_eq!(scene.paid().await.len(), 3);

    run().await.assert_success().assert_says("3 of 3 images are ready.");
    let second = package(&anna, &id).await;
    assert_eq!((second["status"].as_str(), &second["assets"][1]["error"]), (Some("ready"), &json!(null)));
    assert_eq!(scene.paid().await.len(), 4, "one more job");
    let (before, after) = (files(&first), files(&second));
    assert_eq!((after[0], after[2]), (before[0], before[1]), "the others stay");

    let nothing = answer(&anna, "generate_media_package", json!({"package_id": id})).await;
    assert_eq!(nothing.text(), "All images of this package are ready.");
}

#[tokio::test(start_paused = true)]
async fn a_run_without_any_image_is_a_failure() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "lightning").await;
    anna.run("regenerate_asset", json!({"package_id": id, "role": "inline_2"})).await.assert_success();
    let outcome = anna.run("regenerate_asset", json!({"package_id": id, "role": "inline_1"})).await;
    outcome.assert_state(TaskState::Failed).assert_code("MEDIA_FAILED");
    assert_eq!(states(&package(&anna, &id).await), ["draft", "failed", "ready"]);
}

#[tokio::test(start_paused = true)]
async fn one_image_is_made_again_with_another_prompt() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "a hive").await;
    anna.run("generate_media_package", json!({"package_id": id})).await.assert_success();
    let before = package(&anna, &id).await;
    let again = json!({"package_id": id, "role": "inline_1", "prompt_override": "a queen", "model": "sketch"});
    anna.run("regenerate_asset", again).await.assert_success();
    let after = package(&anna, &id).await;
    assert_eq!(scene.paid().await[3..], ["a queen"]);
    for at in [0, 2] {
        assert_eq!(after["assets"][at], before["assets"][at]);
    }
    assert_eq!((&after["assets"][1]["prompt"], &after["assets"][1]["model"]), (&json!("a queen"), &json!("sketch")));
    assert_ne!(files(&after)[1], files(&before)[1]);
    let mut stored: Vec<String> = anna.files().await.iter().map(|file| file.file_id.to_string()).collect();
    let mut kept = files(&after);
    stored.sort();
    kept.sort_unstable();
    assert_eq!(stored, kept, "the replaced file is gone");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_made_again_stays() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "a hive").await;
    anna.run("generate_media_package", json!({"package_id": id})).await.assert_success();
    let before = package(&anna, &id).await;
    let again = |prompt: &str| json!({"package_id": id, "role": "featured", "prompt_override": prompt});
    anna.run("regenerate_asset", again("lightning")).await.assert_success();
    let kept = package(&anna, &id).await;
    assert_ne!(files(&kept)[0], files(&before)[0]);
    anna.run("regenerate_asset", again("more lightning")).await.assert_code("MEDIA_FAILED");
    let after = package(&anna, &id).await;
    assert_eq!((states(&after), files(&after)), (vec!["ready"; 3], files(&kept)));
    assert_eq!(after["assets"][0]["error"], "The image service could not make it.");
}

#[tokio::test(start_paused = true)]
async fn a_second_click_is_refused_while_the_first_works() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let id = brief(&anna, "a hive").await;
    let task = anna.start("generate_media_package", json!({"package_id": id})).await;
    assert_eq!(package(&anna, &id).await["generating"], true);
    for (function, params) in [
        ("generate_media_package", json!({"package_id": id})),
        ("regenerate_asset", json!({"package_id": id, "role": "featured"})),
    ] {
        assert_eq!(answer(&anna, function, params).await.error_code.unwrap(), "ALREADY_RUNNING");
    }
    anna.outcome(task).await.assert_success();
    assert_eq!(package(&anna, &id).await["generating"], false);
    assert_eq!(scene.paid().await.len(), 3);
}
