//! The history: order, owners, comparison, export.

use serde_json::json;

use super::{Scene, answer, result, rows, run};

#[tokio::test(start_paused = true)]
async fn checks_of_one_second_keep_their_order() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    // The clock stands still, so both have the same time.
    for url in ["first.example.com", "second.example.com"] {
        run(&anna, "check_site_speed", json!({"url": url})).await;
    }
    let rows = rows(&anna).await;
    assert_eq!(rows[0]["url"], "https://second.example.com");
    assert_eq!(rows[0]["checked_at"], rows[1]["checked_at"]);
}

#[tokio::test(start_paused = true)]
async fn rows_are_separate_per_user() {
    let scene = Scene::start().await;
    let (anna, ben) = (scene.connected("anna").await, scene.connected("ben").await);
    let (_, outcome) = run(&anna, "check_site_speed", json!({"url": "example.com"})).await;
    let id = &result(&outcome).data["snapshot_id"];
    assert_eq!(rows(&ben).await.len(), 0);
    let foreign = answer(&ben, "get_speed_snapshot", json!({"snapshot_id": id})).await;
    assert_eq!(foreign.error_code.unwrap(), "NOT_FOUND");
    let own = answer(&anna, "get_speed_snapshot", json!({"snapshot_id": id})).await;
    assert_eq!(own.data["url"], "https://example.com");
}

#[tokio::test(start_paused = true)]
async fn an_id_cannot_be_a_path() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    for id in ["../key", "../settings", "", "x", "/etc/passwd", "20260301T120000.00000../"] {
        let refused = answer(&anna, "get_speed_snapshot", json!({"snapshot_id": id})).await;
        assert_eq!(refused.error_code.unwrap(), "NOT_FOUND", "{id:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_two_newest_checks_of_a_page_are_compared() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let page = json!({"url": "example.com"});
    run(&anna, "check_site_speed", page.clone()).await;
    let too_few = answer(&anna, "compare_speed_snapshots", page.clone()).await;
    assert_eq!(too_few.error_code.unwrap(), "TOO_FEW_CHECKS");
    run(&anna, "check_site_speed", json!({"url": "example.com", "strategy": "desktop"})).await;
    let (_, newer) = run(&anna, "check_site_speed", page.clone()).await;
    let compared = answer(&anna, "compare_speed_snapshots", page).await.data;
    let performance = &compared["scores"][0];
    assert_eq!(performance["now"], result(&newer).data["scores"]["performance"]);
    let change = performance["now"].as_f64().unwrap() - performance["before"].as_f64().unwrap();
    assert!((performance["difference"].as_f64().unwrap() - change).abs() < 0.000_051);
    assert_eq!(compared["regressed"], change < -0.05);
    assert_eq!(compared["metrics"].as_array().unwrap().len(), 3);
    assert_eq!(compared["strategy"], "mobile", "the one on a desktop is another series");
}

#[tokio::test(start_paused = true)]
async fn the_list_has_a_filter_and_a_limit() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    for url in ["a.example.com", "b.example.com", "a.example.com/x"] {
        run(&anna, "check_site_speed", json!({"url": url})).await;
    }
    let filtered = answer(&anna, "list_speed_snapshots", json!({"url": "a.example"})).await.data;
    assert_eq!(filtered["snapshots"].as_array().unwrap().len(), 2);
    let cut = answer(&anna, "list_speed_snapshots", json!({"limit": 1})).await.data;
    assert_eq!(cut["snapshots"][0]["url"], "https://a.example.com/x");
    assert_eq!(cut["snapshots"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_export_has_every_row() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    run(&anna, "check_site_speed", json!({"url": "example.com"})).await;
    run(&anna, "check_site_speed", json!({"url": "nowhere.example.com"})).await;
    let export = answer(&anna, "export_speed_history", json!({})).await.data;
    let csv = export["csv"].as_str().unwrap();
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(csv.lines().nth(1).unwrap().contains(",failed,,,,,The page-speed service cannot measure"), "{csv}");
}
