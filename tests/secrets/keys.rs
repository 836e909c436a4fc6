//! Keys: a start without one, with a wrong one, rotation, and secrets whose key is gone.

use imperal_tests::{Claims, JWT_SECRET, User, token};
use reqwest::Method;
use serde_json::json;

use crate::{call, key, operator, options, put, status_of};

/// What a node says that does not start.
fn refusal(options: &imperal_tests::NodeOptions) -> String {
    let mut command = options.command().into_std();
    let done = command.output().unwrap();
    assert!(!done.status.success());
    String::from_utf8_lossy(&done.stderr).into_owned()
}

#[tokio::test]
async fn serve_does_not_start_without_a_key_and_says_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let said = refusal(&options(&folder, ""));
    for part in ["the extension `keyring` declares secrets", "IMPERAL_SECRET_KEYS_FILE", "`secret new-key` prints one"]
    {
        assert!(said.contains(part), "{said}");
    }
    let said = refusal(&options(&folder, "k1:tooshort"));
    assert!(said.contains("IMPERAL_SECRET_KEYS: key 1 (`k1`)") && !said.contains("tooshort"), "{said}");
}

#[tokio::test]
async fn wrong_key_under_a_known_id_fails_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    options(&folder, &key("k1", 1)).start().await.kill().await;
    let said = refusal(&options(&folder, &key("k1", 2)));
    assert!(said.contains("the secret key `k1` is not the one that this ledger knows under its id"), "{said}");
    options(&folder, &key("k1", 1)).start().await.kill().await;
}

#[tokio::test]
async fn keys_come_from_a_file_or_the_environment_but_not_from_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, format!("# made today\n{}\n", key("k1", 1))).unwrap();
    let mut both = options(&folder, &key("k1", 1));
    both.env.push(("IMPERAL_SECRET_KEYS_FILE".to_owned(), file.display().to_string()));
    assert!(refusal(&both).contains("are both set"));
    let mut from_file = both.clone();
    from_file.env.retain(|(name, _)| name != "IMPERAL_SECRET_KEYS");
    from_file.start().await.kill().await;
}

#[tokio::test]
async fn rotation_seals_again_and_the_old_key_can_go() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (key("old", 1), key("new", 2));
    let node = options(&folder, &old).start().await;
    let users = ["anna", "ben", "cleo"];
    for user in users {
        assert_eq!(put(&User::of(&node, user), "keyring/api_key", &format!("key of {user}")).await.0, 200);
    }
    let before = User::of(&node, "anna").get("/v1/secrets/keyring/api_key").await.1;
    node.kill().await;

    // Add everywhere, then promote.
    options(&folder, &format!("{old} {new}")).start().await.kill().await;
    let node = options(&folder, &format!("{new} {old}")).start().await;
    let refused = User::of(&node, "anna").post("/v1/operator/secrets/rotate", &json!({})).await;
    assert_eq!(refused.0, 403);
    let (status, done) = operator(&node).post("/v1/operator/secrets/rotate", &json!({})).await;
    let wanted = json!({"key_id": "new", "sealed": 3, "changed": 0, "unreadable": 0, "more": false});
    assert_eq!((status.as_u16(), &done), (200, &wanted));
    let again = operator(&node).post("/v1/operator/secrets/rotate", &json!({})).await.1;
    assert_eq!(again["sealed"], 0);
    node.kill().await;

    // Without the old one.
    let node = options(&folder, &new).start().await;
    let anna = User::of(&node, "anna");
    assert_eq!(anna.get("/v1/secrets/keyring/api_key").await.1, before, "who set it, and when, stays");
    let connected = call(&anna, "put_into", json!({"place": "result"})).await;
    assert_eq!(connected["result"]["error_code"], "SECRET_EXPOSED", "the value is read: {connected}");
    node.kill().await;
}

#[tokio::test]
async fn secret_whose_key_is_gone_is_entered_again() {
    let folder = tempfile::tempdir().unwrap();
    let node = options(&folder, &key("old", 1)).start().await;
    assert_eq!(put(&User::of(&node, "anna"), "keyring/api_key", "the first key").await.0, 200);
    node.kill().await;

    let mut options = options(&folder, &key("new", 2));
    let log = options.log_into(folder.path());
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    assert_eq!(status_of(&anna, "keyring/api_key").await, "unreadable");
    let reply = call(&anna, "put_into", json!({"place": "result"})).await;
    assert_eq!(reply["result"]["error_code"], "SECRET_MISSING", "{reply}");
    assert!(reply["result"]["error"].as_str().unwrap().contains("cannot be read any more"), "{reply}");
    let done = operator(&node).post("/v1/operator/secrets/rotate", &json!({})).await.1;
    assert_eq!((&done["sealed"], &done["unreadable"]), (&json!(0), &json!(1)));
    assert_eq!(put(&anna, "keyring/api_key", "another key").await.0, 200);
    assert_eq!(status_of(&anna, "keyring/api_key").await, "set");
    node.kill().await;
    let said = std::fs::read_to_string(log).unwrap();
    assert!(said.contains("secrets are sealed with keys that this process does not have"), "{said}");
}

#[tokio::test]
async fn row_that_is_copied_to_another_user_or_changed_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let keys = key("k1", 1);
    let node = options(&folder, &keys).start().await;
    for user in ["anna", "ben"] {
        assert_eq!(put(&User::of(&node, user), "keyring/api_key", &format!("key of {user}")).await.0, 200);
    }
    node.kill().await;
    let file = rusqlite::Connection::open(folder.path().join("data/ledger.db")).unwrap();
    let copied = "UPDATE secret SET (key_id, salt, nonce, ciphertext) =
        (SELECT key_id, salt, nonce, ciphertext FROM secret WHERE user_id = 'anna') WHERE user_id = 'ben'";
    assert_eq!(file.execute(copied, ()).unwrap(), 1);
    drop(file);
    let node = options(&folder, &keys).start().await;
    assert_eq!(status_of(&User::of(&node, "anna"), "keyring/api_key").await, "set");
    let ben = User::of(&node, "ben");
    assert_eq!(status_of(&ben, "keyring/api_key").await, "unreadable");
    let reply = call(&ben, "put_into", json!({"place": "result"})).await;
    assert_eq!(reply["result"]["error_code"], "SECRET_MISSING");
}

#[tokio::test]
async fn operators_enter_secrets_of_others_and_users_only_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let node = options(&folder, &key("k1", 1)).start().await;
    let (anna, olga) = (User::of(&node, "anna"), operator(&node));
    assert_eq!(put(&anna, "keyring/api_key?user=ben", "stolen").await.0, 403);
    assert_eq!(anna.get("/v1/secrets?user=ben").await.0, 403);
    assert_eq!(put(&anna, "keyring/shared_key", "for all").await.0, 403);
    assert_eq!(put(&anna, "keyring/token", "of the extension").await.0, 403);
    assert_eq!(put(&anna, "keyring/nothing", "of nobody").await.0, 404);
    let refused: Vec<_> = anna.audit().await.into_iter().map(|row| row["action"].clone()).collect();
    assert_eq!(refused, ["secret.operate"; 3]);

    let (status, state) = put(&olga, "keyring/api_key?user=ben", "key of ben").await;
    assert_eq!((status.as_u16(), &state["set_by"]), (200, &json!("operator:default/olga")), "{state}");
    assert_eq!(status_of(&User::of(&node, "ben"), "keyring/api_key").await, "set");
    assert_eq!(status_of(&olga, "keyring/api_key").await, "missing");
    assert_eq!(put(&olga, "keyring/shared_key", "for all users").await.0, 200);
    let reply = call(&anna, "look_at_shared", json!({})).await;
    assert_eq!(reply["result"]["summary"], "13 bytes");
    let shown = anna.get("/v1/secrets/keyring/shared_key").await.1;
    assert!(shown["set_by"].is_null() && shown["status"] == "set" && shown["writable"] == false, "{shown}");
    // An operator of one tenant.
    let claims = Claims { scopes: vec!["secrets:operate".to_owned()], ..Claims::of("otto") };
    let otto = User::with_token(&node, &token(&claims, JWT_SECRET));
    assert_eq!(put(&otto, "keyring/api_key?user=ben", "a third key").await.0, 200);
    assert_eq!(put(&otto, "keyring/api_key?user=ben&tenant=another", "stolen").await.0, 403);
    assert_eq!(put(&otto, "keyring/shared_key", "stolen").await.0, 403);

    let removed = User::send(anna.request(Method::DELETE, "/v1/secrets/keyring/api_key")).await;
    assert_eq!(removed.1, json!({"was_set": false}));
    let ben = User::of(&node, "ben");
    let removed = User::send(ben.request(Method::DELETE, "/v1/secrets/keyring/api_key")).await;
    assert_eq!(removed.1, json!({"was_set": true}));
    assert_eq!(status_of(&ben, "keyring/api_key").await, "missing");
}

#[tokio::test]
async fn environment_has_the_value_until_an_operator_enters_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder, &key("k1", 1));
    options.env.push(("IMPERAL_APPSECRET_KEYRING".to_owned(), "of the environment".to_owned()));
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    assert_eq!(status_of(&anna, "keyring/shared_key").await, "environment");
    assert_eq!(call(&anna, "look_at_shared", json!({})).await["result"]["summary"], "18 bytes");
    assert_eq!(put(&operator(&node), "keyring/shared_key", "entered").await.0, 200);
    assert_eq!(call(&anna, "look_at_shared", json!({})).await["result"]["summary"], "7 bytes");
}
