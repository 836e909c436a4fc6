//! An audit of many domains: bounds, isolation, cancel, owners.

use std::time::Duration;

use imperal::ledger::{FeedSignal, TaskState};
use serde_json::json;
use tokio::time::Instant;

use super::{Scene, answer, data, many, row, run};

#[tokio::test(start_paused = true)]
async fn never_more_than_three_domains_of_five_checks_are_in_flight() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let (task, outcome) = run(&anna, "audit_domains", many(25)).await;
    assert_eq!(task.state, TaskState::Succeeded);
    assert_eq!(data(&outcome)["domains"].as_array().unwrap().len(), 25);
    let counts = scene.service.counts();
    assert_eq!(counts.requests, 125);
    // The limit is used, and not exceeded.
    assert_eq!((counts.most, counts.most_domains, counts.most_of_one), (15, 3, 5));
}

#[tokio::test(start_paused = true)]
async fn more_than_five_checks_of_a_domain_wait_for_each_other() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let all = ["dns", "ssl", "http", "email", "blacklist", "geo", "whois", "ports", "smtp", "seo", "propagation"];
    let (_, outcome) = run(&anna, "audit_domains", json!({"domains": ["example.com"], "checks": all})).await;
    assert_eq!(scene.service.counts().most, 5);
    let row = row(data(&outcome), "example.com");
    assert!(all.iter().all(|check| row[check].is_string()), "{row}");
}

#[tokio::test(start_paused = true)]
async fn bad_domains_stop_nothing() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let domains = json!({"domains": ["down.example.com", "no domain", "example.com", "expired.example.com"]});
    let (task, outcome) = run(&anna, "audit_domains", domains).await;
    assert_eq!(task.state, TaskState::Succeeded);
    let audit = data(&outcome);
    assert_eq!(audit["domains"][0]["domain"], "expired.example.com", "the worst first");
    assert_eq!(row(audit, "expired.example.com")["ssl"], "critical");
    assert_eq!(row(audit, "down.example.com")["status"], "unknown");
    assert_eq!(row(audit, "no domain")["dns"], "unknown");
    assert_eq!(row(audit, "example.com")["dns"], "ok");
    let unknown = audit["unknown"].as_array().unwrap();
    assert_eq!(unknown.len(), 2, "one row a domain and reason: {unknown:?}");
    assert!(unknown.iter().all(|row| row["checks"].as_array().unwrap().len() == 5));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_is_unknown_alone_after_its_timeout() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let begun = Instant::now();
    let (_, outcome) = run(&anna, "audit_domains", json!({"domains": ["hang.example.com", "example.com"]})).await;
    assert!((20..25).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let unknown = data(&outcome)["unknown"].as_array().unwrap();
    assert_eq!(unknown.len(), 1, "{unknown:?}");
    assert_eq!((&unknown[0]["domain"], &unknown[0]["checks"]), (&json!("hang.example.com"), &json!(["ssl"])));
    assert_eq!(unknown[0]["why"], "The service did not answer in time (no answer within 20 s).");
}

#[tokio::test(start_paused = true)]
async fn progress_counts_domains_and_names_them() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let mut subscription = anna.access().subscribe();
    let task = anna.start("audit_domains", many(9)).await;
    let mut reports: Vec<(f64, String)> = Vec::new();
    while reports.last().is_none_or(|(percent, _)| *percent < 95.0) {
        if let FeedSignal::Progress(report) = subscription.next().await {
            reports.push((report.percent.unwrap(), report.message.clone().unwrap()));
        }
    }
    anna.end_of(task).await;
    assert!(reports.is_sorted_by(|a, b| a.0 <= b.0), "{reports:?}");
    let middle = reports.iter().find(|(percent, _)| (40.0..60.0).contains(percent)).unwrap();
    assert!(middle.1.contains(" of 9: d") && middle.1.contains(".example.com, "), "{middle:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_audit_asks_for_nothing_more() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let task = anna.start("audit_domains", many(10)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = scene.service.counts().requests;
    assert!((15..50).contains(&before), "it is in the middle: {before}");
    let asked = Instant::now();
    anna.cancel(task).await;
    assert_eq!(anna.end_of(task).await.state, TaskState::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(scene.service.counts().requests, before);
    assert_eq!(answer(&anna, "get_last_audit", json!({})).await.error_code.unwrap(), "NO_AUDIT");
}

#[tokio::test(start_paused = true)]
async fn two_users_audit_at_once_and_see_their_own() {
    let scene = Scene::start().await;
    let (anna, ben) = (scene.platform.user("anna"), scene.platform.user("ben"));
    let annas = anna.start("audit_domains", json!({"domains": ["anna.example.com"]})).await;
    let second = answer(&anna, "audit_domains", json!({"domains": ["more.example.com"]})).await;
    assert_eq!(second.error_code.unwrap(), "ALREADY_RUNNING");
    let bens = ben.start("audit_domains", json!({"domains": ["ben.example.com"]})).await;
    anna.end_of(annas).await;
    ben.end_of(bens).await;
    for (user, domain) in [(anna, "anna.example.com"), (ben, "ben.example.com")] {
        let last = answer(&user, "get_last_audit", json!({})).await.data;
        assert_eq!(last["domains"].as_array().unwrap().len(), 1);
        assert_eq!(last["domains"][0]["domain"], domain);
    }
}

#[tokio::test(start_paused = true)]
async fn the_export_has_every_finding_that_is_not_ok() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    assert_eq!(answer(&anna, "export_audit", json!({})).await.error_code.unwrap(), "NO_AUDIT");
    run(&anna, "audit_domains", json!({"domains": ["expired.example.com", "down.example.com"]})).await;
    let export = answer(&anna, "export_audit", json!({})).await.data;
    let csv = export["csv"].as_str().unwrap();
    assert!(csv.contains("expired.example.com,ssl,critical,the certificate is not valid\n"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + usize::try_from(export["rows"].as_u64().unwrap()).unwrap());
}
