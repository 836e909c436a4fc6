//! Files in handlers: stored when the put returns, counted exactly, removed in time.

use std::future::IntoFuture;

use futures_util::{StreamExt, stream};

use super::*;

#[imperal::test]
async fn each_operation_does_what_it_says() {
    let anna = handled(async |ctx| {
        let files = ctx.files();
        let text = files.put("a.txt", "hello").await?;
        assert_eq!((&*text.name, &*text.content_type, text.size), ("a.txt", "text/plain", 5));
        assert_eq!(text.sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!(&*files.get(&text).await?, b"hello");
        let csv = files.put("b.csv", "a,b").content_type("Text/CSV; charset=utf-8").await?;
        assert_eq!(csv.content_type, "text/csv");
        let empty = files.put("empty", "").await?;
        assert_eq!((empty.size, files.get(&empty).await?.len()), (0, 0));
        let chunks = (0..2000_u32).map(|n| Ok(vec![n.to_le_bytes()[0]; 10_000]));
        let large = files.put_stream("large.bin", stream::iter(chunks)).await?;
        assert_eq!(large.size, 20_000_000);
        let (mut stream, mut read) = (files.stream(&large).await?, 0);
        while let Some(bytes) = stream.next().await {
            read += bytes?.len();
        }
        assert_eq!(read, 20_000_000);
        assert_eq!(files.find(large.file_id).await?, Some(large.clone()));
        assert_eq!(names(&files.list().await?), ["large.bin", "empty", "b.csv", "a.txt"]);
        assert_eq!(names(&files.list().after(empty.file_id).limit(1).await?), ["b.csv"]);
        assert!(files.delete(&large).await?);
        assert!(!files.delete(&large).await?);
        let gone = files.get(&large).await.unwrap_err();
        assert_eq!(*gone.code(), codes::NOT_FOUND);
        Ok(())
    })
    .await;
    assert_eq!(names(&anna.files().await), ["empty", "b.csv", "a.txt"]);
}

#[imperal::test]
async fn refused_files_leave_nothing_behind() {
    let anna = handled_with(
        async |ctx| {
            let files = ctx.files();
            for name in ["", "..", "../a", "a/b", "a\\b", "a\0b", "a\nb", &"x".repeat(256)] {
                assert_eq!(*files.put(name, "x").await.unwrap_err().code(), codes::INTERNAL, "{name:?}");
            }
            let too_large = files.put("a", vec![0; 101]).await.unwrap_err();
            assert_eq!(*too_large.code(), codes::FILE_TOO_LARGE);
            let chunks = (0..11).map(|_| Ok(vec![0; 10]));
            let too_large = files.put_stream("a", stream::iter(chunks)).await.unwrap_err();
            assert_eq!(*too_large.code(), codes::FILE_TOO_LARGE);
            let broken = [Ok(vec![0; 10]), Err(Error::retryable("BROKEN", "The service hung up."))];
            let broken = files.put_stream("a", stream::iter(broken)).await.unwrap_err();
            assert_eq!(broken.code().as_str(), "BROKEN");
            assert_eq!(files.list().await?, []);
            Ok(())
        },
        |settings| settings.file_bytes = 100,
    )
    .await;
    assert_eq!(anna.files().await, []);
}

/// A put that is dropped in the middle, here by a timeout of the handler, counts for no limit.
#[imperal::test]
async fn dropped_put_leaves_nothing_behind() {
    let anna = handled_with(
        async |ctx| {
            let files = ctx.files();
            let put = files.put_stream("a", stream::iter([Ok(vec![0; 10])]).chain(stream::pending())).into_future();
            assert!(tokio::time::timeout(Duration::from_secs(1), put).await.is_err());
            // Its row is deleted by a task of the runtime.
            tokio::time::sleep(Duration::from_secs(1)).await;
            files.put("b", "x").await.map(drop)
        },
        |settings| settings.files_per_user = 1,
    )
    .await;
    assert_eq!(names(&anna.files().await), ["b"]);
}

/// Also for files of a stream, whose size is known at its end.
#[imperal::test]
async fn limits_of_a_user_are_exact_and_a_delete_frees_them() {
    handled_with(
        async |ctx| {
            let files = ctx.files();
            let first = files.put("1", vec![0; 60]).await?;
            let refused = files.put("2", vec![0; 41]).await.unwrap_err();
            assert_eq!(*refused.code(), codes::FILES_EXCEEDED, "{refused}");
            let refused = files.put_stream("2", stream::iter([Ok(vec![0; 41])])).await.unwrap_err();
            assert_eq!(*refused.code(), codes::FILES_EXCEEDED, "{refused}");
            files.put("2", vec![0; 40]).await?;
            files.put("3", "").await?;
            let refused = files.put("4", "").await.unwrap_err();
            assert!(refused.message().contains("You have 3 files"), "{refused}");
            files.delete(&first).await?;
            files.put("4", vec![0; 60]).await?;
            Ok(())
        },
        |settings| (settings.files_per_user, settings.file_bytes_per_user) = (3, 100),
    )
    .await;
}

#[imperal::test]
async fn files_of_others_are_not_there() {
    let platform = handler(async |ctx| {
        let files = ctx.files();
        let stolen = match files.list().await?.into_iter().next() {
            Some(own) => own,
            None => files.put("mine", ctx.user().id.clone()).await?,
        };
        Ok(ActionResult::done(String::from_utf8_lossy(&files.get(&stolen).await?)))
    });
    let platform = platform.start().await;
    let (anna, ben, other) = (platform.user("anna"), platform.user("ben"), platform.user_of("other", "anna"));
    for (user, wanted) in [(&anna, "anna"), (&ben, "ben"), (&other, "anna"), (&anna, "anna")] {
        assert_eq!(user.call("handle", json!({})).await.unwrap().turn.body.text, wanted);
    }
    let file = &anna.files().await[0];
    for user in [&ben, &other] {
        let refused = user.access().file(file.file_id).await.unwrap_err();
        assert_eq!(*refused.code(), codes::NOT_FOUND);
        assert!(!user.access().delete_file(file.file_id).await.unwrap());
    }
    assert_eq!(anna.read_file(file).await, b"anna");
}

#[imperal::test]
async fn expired_file_is_gone_and_its_bytes_later() {
    let platform = handler(async |ctx| {
        ctx.files().put("short", "x").expires_in(Duration::from_secs(60)).await?;
        ctx.files().put("long", "y").await?;
        Ok(ActionResult::done("done"))
    });
    let platform = platform.start().await;
    let anna = platform.user("anna");
    anna.call("handle", json!({})).await.unwrap();
    let short = anna.files().await.into_iter().find(|file| file.name == "short").unwrap();
    platform.pass(Duration::from_secs(61)).await;
    assert_eq!(names(&anna.files().await), ["long"]);
    assert_eq!(*anna.access().file(short.file_id).await.unwrap_err().code(), codes::NOT_FOUND);
    // Two passes of retention: one deletes it, one removes its bytes.
    platform.pass(Duration::from_secs(30 * 3600)).await;
    let ledger = platform.platform();
    assert_eq!(names(&anna.files().await), ["long"]);
    drop(ledger);
}
