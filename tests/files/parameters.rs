//! Files as parameters: ids of the user's own uploads, claimed by the call.

use imperal::platform::{NewSchedule, ScheduleChanges, ScheduleState, Upload};
use imperal::schedules::When;

use super::*;

#[imperal::test]
async fn uploaded_file_is_stored_by_the_call_that_takes_it() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    let (one, two) = (anna.file("1.txt", "one ").await, anna.file("2.txt", "two").await);
    let unused = anna.file("3.txt", "three").await;
    assert_eq!(anna.access().file(one.file_id).await.unwrap().state, "pending");
    let reply = anna.call("read_files", json!({"file": one.file_id, "more": [null, two]})).await.unwrap();
    assert_eq!(reply.turn.body.text, "one two");
    let files = serde_json::to_value(&reply.result).unwrap()["data"]["files"].clone();
    assert_eq!(files, json!([one, two]), "a result has the whole reference");
    for file in [&one, &two] {
        assert_eq!(anna.access().file(file.file_id).await.unwrap().state, "stored");
    }
    let asked = anna.turns().await.into_iter().find(|turn| turn.body.params.is_some()).unwrap();
    assert_eq!(asked.body.params.unwrap()["file"], json!(one.file_id), "the chat has the id alone");
    // The same file again.
    anna.call("read_files", json!({"file": one})).await.unwrap();
    platform.pass(Duration::from_secs(26 * 3600)).await;
    assert_eq!(names(&anna.files().await), ["2.txt", "1.txt"], "what nothing claimed is gone");
    drop(unused);
}

#[imperal::test]
async fn wrong_files_are_refused_by_their_field() {
    let platform = TestPlatform::start().await;
    let (anna, ben) = (platform.user("anna"), platform.user("ben"));
    let (own, of_ben) = (anna.file("a.txt", "text").await, ben.file("b.txt", "secret").await);
    let picture = anna.file("a.png", &b"\x89PNG\r\n\x1a\n"[..]).await;
    let deleted = anna.file("c.txt", "x").await;
    anna.access().delete_file(deleted.file_id).await.unwrap();
    let cases = [
        (json!({"file": of_ben}), "file"),
        (json!({"file": deleted.file_id}), "file"),
        (json!({"file": imperal::ids::FileId::generate()}), "file"),
        (json!({"file": "../a.txt"}), "file"),
        (json!({"file": ""}), "file"),
        (json!({"file": 5}), "file"),
        (json!({"file": own, "more": [own, of_ben.file_id]}), "more[1]"),
        (json!({"file": own, "picture": own}), "picture"),
    ];
    for (params, field) in cases {
        let refused = anna.call("read_files", params.clone()).await.unwrap_err();
        assert_eq!(*refused.code(), codes::VALIDATION_TYPE_ERROR, "{params}: {refused}");
        assert_eq!(refused.field(), Some(field), "{params}: {refused}");
    }
    assert_eq!(anna.turns().await.len(), 0);
    anna.call("read_files", json!({"file": own, "picture": picture})).await.unwrap();
}

#[imperal::test]
async fn uploads_are_checked_before_their_bytes() {
    let platform = TestPlatform::setup().settings(|settings| settings.file_bytes = 100).start().await;
    let anna = platform.user("anna").access();
    for (upload, code) in [
        (Upload::new("unknown", "a", "x"), codes::UNKNOWN_TOOL),
        (Upload::new("files", "../a", "x"), codes::MALFORMED_REQUEST),
        (Upload::new("files", "", "x"), codes::MALFORMED_REQUEST),
        (Upload::new("files", "a", vec![0; 101]), codes::FILE_TOO_LARGE),
    ] {
        assert_eq!(*anna.upload_file(upload).await.unwrap_err().code(), code);
    }
    let never = futures_util::stream::pending::<Result<_>>();
    let refused = anna.upload_file(Upload::of_stream("files", "a", never).size(Some(101))).await.unwrap_err();
    assert_eq!(*refused.code(), codes::FILE_TOO_LARGE, "no byte was waited for");
    assert_eq!(anna.files(None, None, 10).await.unwrap().files, []);
}

/// A dropped upload frees its place and its row.
#[imperal::test]
async fn uploads_of_a_user_are_limited_and_hung_up_ones_are_removed() {
    let platform = TestPlatform::start().await;
    let (anna, ben) = (platform.user("anna").access(), platform.user("ben").access());
    let mut open = Vec::new();
    for _ in 0..4 {
        let anna = anna.clone();
        open.push(tokio::spawn(async move {
            anna.upload_file(Upload::of_stream("files", "a", futures_util::stream::pending())).await
        }));
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let refused = anna.upload_file(Upload::new("files", "b", "x")).await.unwrap_err();
    assert_eq!(*refused.code(), codes::RATE_LIMITED);
    ben.upload_file(Upload::new("files", "b", "x")).await.unwrap();
    for upload in open {
        upload.abort();
        assert!(upload.await.unwrap_err().is_cancelled());
    }
    anna.upload_file(Upload::new("files", "b", "x")).await.unwrap();
}

/// The file that a schedule names is stored with it, and each run reads it.
#[imperal::test]
async fn schedule_stores_the_uploads_that_it_names() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    let (one, two) = (anna.file("1.txt", "one ").await, anna.file("2.txt", "two").await);
    let schedules = anna.access().schedules();
    let mut new = NewSchedule::new("Reading", "files", "read_files", When::EverySeconds(3600));
    new.params = serde_json::from_value(json!({"file": one})).unwrap();
    let id = schedules.create(new.clone()).await.unwrap().id;
    let state = async |file: &FileRef| anna.access().file(file.file_id).await.unwrap().state;
    assert_eq!((state(&one).await, state(&two).await), ("stored".to_owned(), "pending".to_owned()));
    platform.pass(Duration::from_secs(3660)).await;
    assert_eq!(anna.texts().await.last().unwrap(), "one ");
    let mut changes = ScheduleChanges::default();
    changes.params = serde_json::from_value(json!({"file": two.file_id})).unwrap();
    schedules.edit(id, changes).await.unwrap();
    assert_eq!(state(&two).await, "stored");
    platform.pass(Duration::from_secs(26 * 3600)).await;
    assert_eq!(anna.texts().await.last().unwrap(), "two", "an upload of yesterday");
    // Another user's file is refused by its field, and a deleted one stops the schedule.
    let of_ben = platform.user("ben").file("b.txt", "secret").await;
    new.params = serde_json::from_value(json!({"file": of_ben})).unwrap();
    assert_eq!(schedules.create(new).await.unwrap_err().field(), Some("file"));
    anna.access().delete_file(two.file_id).await.unwrap();
    platform.pass(Duration::from_secs(2 * 3600)).await;
    let shown = schedules.find(id).await.unwrap();
    assert_eq!((shown.state, shown.reason.unwrap().code.as_str()), (ScheduleState::NeedsYou, "params_invalid"));
}
