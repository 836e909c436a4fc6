//! Documents in handlers: each write is a transaction of its own, until the reply.

use super::*;

/// The same documents, whatever fields they have.
const ANY: Collection<serde_json::Value> = Collection::new("packages");

#[imperal::test]
async fn each_operation_does_what_it_says() {
    let anna = handled(async |ctx| {
        let packages = ctx.documents(&PACKAGES);
        let id = packages.create(&package("Spring", "draft", 3)).await?;
        let stored = packages.get(&id).await?.unwrap();
        assert_eq!((&*stored.id, &*stored.name, stored.version > 0), (&*id, "Spring", true));
        packages.insert("own", &package("Own", "draft", 1)).await?;
        let twice = packages.insert("own", &package("Own", "draft", 2)).await.unwrap_err();
        assert_eq!(*twice.code(), codes::DOCUMENT_EXISTS);
        packages.put("own", &package("Own", "ready", 2)).await?;
        packages.patch("own", json!({"price": 5, "unknown": {"kept": true}})).await?;
        let changed = packages.update("own", |own| own.name.push('!')).await?;
        assert_eq!(changed, package("Own!", "ready", 5));
        for missing in [
            packages.patch("none", json!({"price": 1})).await.unwrap_err(),
            packages.update("none", |_| {}).await.map(drop).unwrap_err(),
        ] {
            assert_eq!(*missing.code(), codes::NOT_FOUND);
        }
        assert_eq!(packages.find().count().await?, 2);
        assert!(packages.delete(&id).await?);
        assert!(!packages.delete(&id).await?);
        assert_eq!(packages.get(&id).await?, None);
        Ok(())
    })
    .await;
    let all = anna.documents(&PACKAGES).all().await;
    assert_eq!(
        all.iter().map(|one| (&*one.id, one.value.clone())).collect::<Vec<_>>(),
        [("own", package("Own!", "ready", 5))]
    );
}

#[imperal::test]
async fn saving_expects_the_version_that_was_read() {
    let anna = handled(async |ctx| {
        let packages = ctx.documents(&PACKAGES);
        packages.put("a", &package("A", "draft", 1)).await?;
        let mut first = packages.get("a").await?.unwrap();
        let second = first.clone();
        first.value.price = 2;
        packages.save(&first).await?;
        let refused = packages.save(&second).await.unwrap_err();
        assert_eq!(*refused.code(), codes::DOCUMENT_CONFLICT);
        assert!(refused.to_string().contains("`a` of `packages`"), "{refused}");
        Ok(())
    })
    .await;
    assert_eq!(anna.documents(&PACKAGES).get("a").await.unwrap().price, 2);
}

/// Ten begin with the default value at the same time; each change counts.
#[imperal::test]
async fn updates_that_begin_with_the_default_lose_nothing() {
    let anna = handled(async |ctx: Context| {
        let packages = ctx.documents(&PACKAGES);
        let update = async |_| packages.update_or_default("a", |a| a.price += 1).await.map(drop);
        futures_util::future::try_join_all((0..10).map(update)).await?;
        let kept = packages.expires_in(Duration::from_secs(60));
        kept.update_or_default("b", |b| b.price = 7).await?;
        Ok(())
    })
    .await;
    assert_eq!(anna.documents(&PACKAGES).get("a").await.unwrap().value, package("", "", 10));
    assert!(anna.documents(&PACKAGES).get("b").await.unwrap().expires_at.is_some());
}

/// Patches of other fields and updates of the same one, all at once.
#[imperal::test]
async fn patches_and_updates_at_once_lose_nothing() {
    let anna = handled(async |ctx| {
        let packages = ctx.documents(&PACKAGES);
        packages.put("a", &package("A", "draft", 0)).await?;
        let update = async |_| packages.update("a", |a| a.price += 1).await.map(drop);
        let patch = async |n: u32| packages.patch("a", json!({format!("field{n}"): n})).await;
        let (updated, patched) = tokio::join!(
            futures_util::future::try_join_all((0..10).map(update)),
            futures_util::future::try_join_all((0..10).map(patch)),
        );
        updated?;
        patched?;
        Ok(())
    })
    .await;
    let all = anna.documents(&ANY).all().await;
    let body = &all[0].value;
    assert!((0..10).all(|n| body[format!("field{n}")] == n), "{body}");
    assert_eq!(body["price"], 10);
}

#[imperal::test]
async fn a_user_sees_only_own_documents() {
    let platform = handler(async |ctx| {
        let packages = ctx.documents(&PACKAGES);
        let others = packages.find().count().await? + u64::from(packages.get("a").await?.is_some());
        packages.put("a", &package(&ctx.user().id, "draft", 1)).await?;
        Ok(ActionResult::done(format!("{others}")))
    })
    .start()
    .await;
    let users = [platform.user("anna"), platform.user("ben"), platform.user_of("other", "anna")];
    for user in &users {
        assert_eq!(user.call("handle", json!({})).await.unwrap().turn.body.text, "0");
    }
    for user in &users {
        assert_eq!(user.call("handle", json!({})).await.unwrap().turn.body.text, "2");
        assert_eq!(user.documents(&PACKAGES).all().await.len(), 1);
    }
}

#[imperal::test]
async fn limits_name_what_to_do() {
    let platform = handler(async |ctx| {
        let packages = ctx.documents(&PACKAGES);
        let large = packages.put("a", &package(&"x".repeat(1 << 20), "draft", 1)).await.unwrap_err();
        assert_eq!(*large.code(), codes::DOCUMENT_TOO_LARGE);
        for n in 0..3 {
            packages.put(&format!("{n}"), &package("A", "draft", n)).await?;
        }
        let full = packages.put("3", &package("A", "draft", 3)).await.unwrap_err();
        assert_eq!(*full.code(), codes::DOCUMENTS_EXCEEDED);
        assert!(full.to_string().contains("You have 3 documents"), "{full}");
        packages.put("0", &package("B", "draft", 3)).await?;
        packages.delete("0").await?;
        packages.put("3", &package("A", "draft", 3)).await?;
        let long = packages.put(&"x".repeat(513), &package("A", "draft", 3)).await.unwrap_err();
        assert_eq!(*long.code(), codes::INTERNAL);
        Ok(ActionResult::done("done"))
    });
    let platform = platform.settings(|settings| settings.documents_per_user = 3).start().await;
    let reply = platform.user("anna").call("handle", json!({})).await.unwrap();
    assert_eq!(reply.turn.body.text, "done", "{:?}", reply.turn.body);
}

/// A stray clone of the context writes nothing more.
#[imperal::test]
async fn nothing_is_written_after_the_reply() {
    let (sender, mut late) = tokio::sync::mpsc::unbounded_channel();
    let platform = handler(move |ctx| {
        let sender = sender.clone();
        async move {
            sender.send(ctx.clone()).unwrap();
            Ok(ActionResult::done("done"))
        }
    })
    .start()
    .await;
    let anna = platform.user("anna");
    anna.call("handle", json!({})).await.unwrap();
    let ctx = late.recv().await.unwrap();
    let refused = ctx.documents(&PACKAGES).put("a", &package("A", "draft", 1)).await.unwrap_err();
    assert_eq!(*refused.code(), codes::CANCELLED);
    assert_eq!(anna.documents(&PACKAGES).all().await, []);
}

#[imperal::test]
async fn expiring_documents_keep_their_time() {
    handled(async |ctx| {
        let packages = ctx.documents(&PACKAGES);
        let brief = ctx.documents(&PACKAGES).expires_in(Duration::from_secs(3600));
        brief.put("a", &package("A", "draft", 1)).await?;
        let until = packages.get("a").await?.unwrap().expires_at.unwrap();
        packages.patch("a", json!({"price": 2})).await?;
        packages.update("a", |a| a.price += 1).await?;
        assert_eq!(packages.get("a").await?.unwrap().expires_at, Some(until));
        packages.put("a", &package("A", "draft", 1)).await?;
        assert_eq!(packages.get("a").await?.unwrap().expires_at, None);
        Ok(())
    })
    .await;
}

/// What could not be read again is not written; the error names the value.
#[imperal::test]
async fn values_that_cannot_be_read_again_are_refused() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Measured {
        rows: Vec<Option<f64>>,
        #[serde(skip_serializing_if = "String::is_empty")]
        needed: String,
    }
    const MEASURED: Collection<Measured> = Collection::new("measured");
    fn nested(depth: usize) -> serde_json::Value {
        (0..depth).fold(json!(1), |inner, _| json!([inner]))
    }
    let anna = handled(async |ctx| {
        let measured = ctx.documents(&MEASURED);
        let new = |row, needed: &str| Measured { rows: vec![Some(1.0), Some(row)], needed: needed.to_owned() };
        measured.put("a", &new(0.1, "x")).await?;
        for (refused, why) in [
            (measured.put("a", &new(f64::NAN, "x")).await, "its `rows[1]` is NaN"),
            (measured.insert("b", &new(f64::INFINITY, "x")).await, "its `rows[1]` is inf"),
            (measured.update("a", |a| a.rows[0] = Some(f64::NAN)).await.map(drop), "its `rows[0]` is NaN"),
            (measured.put("b", &new(0.1, "")).await, "missing field `needed`"),
            (ctx.documents(&ANY).put("b", &nested(121)).await, "deeper than 120 levels"),
            (measured.patch("a", json!({"rows": nested(120)})).await, "deeper than 120 levels"),
        ] {
            let refused = refused.unwrap_err();
            assert_eq!(*refused.code(), codes::INTERNAL);
            assert!(format!("{refused:?}").contains(why), "{refused:?} without {why}");
        }
        assert_eq!(measured.get("a").await?.unwrap().value, new(0.1, "x"));
        let any = ctx.documents(&ANY);
        any.put("deep", &nested(120)).await?;
        assert_eq!(any.get("deep").await?.unwrap().value, nested(120));
        Ok(())
    })
    .await;
    assert_eq!(anna.documents(&ANY).all().await.len(), 1);
}

/// With the order of its fields, also after a patch.
#[imperal::test]
async fn a_document_comes_back_as_it_was() {
    handled(async |ctx| {
        let any = ctx.documents(&ANY);
        let text = r#"{"z":1,"a":{"y":[1.5,-0.0,18446744073709551615],"b":null},"m":"\u0000"}"#;
        any.put("a", &serde_json::from_str(text)?).await?;
        assert_eq!(any.get("a").await?.unwrap().value.to_string(), text);
        any.patch("a", json!({"a": 2, "c": 3, "z": 4})).await?;
        assert_eq!(any.get("a").await?.unwrap().value.to_string(), r#"{"z":4,"a":2,"m":"\u0000","c":3}"#);
        Ok(())
    })
    .await;
}
