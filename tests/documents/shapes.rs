//! Types that change: older documents are upgraded, newer ones are not harmed, damaged ones are named.

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Named {
    full_name: String,
}

/// The third version of the type: first `first` and `last`, then `name`.
const PEOPLE: Collection<Named> = Collection::new("people").index(["full_name"]).shape(3).upgrade(|from, mut value| {
    if from == 1 {
        let name = format!("{} {}", value["first"].as_str().unwrap_or(""), value["last"].as_str().unwrap_or(""));
        value["name"] = json!(name);
    }
    value["full_name"] = value["name"].clone();
    value
});
const FIRST: Collection<serde_json::Value> = Collection::new("people").index(["last"]);
const SECOND: Collection<serde_json::Value> = Collection::new("people").shape(2);

#[imperal::test]
async fn older_documents_are_upgraded_when_they_are_read() {
    handled(async |ctx| {
        ctx.documents(&FIRST).put("a", &json!({"first": "Anna", "last": "A", "age": 5})).await?;
        ctx.documents(&SECOND).put("b", &json!({"name": "Ben B"})).await?;
        let people = ctx.documents(&PEOPLE);
        assert_eq!(people.get("a").await?.unwrap().full_name, "Anna A");
        assert_eq!(people.get("b").await?.unwrap().full_name, "Ben B");
        let found = people.find().eq("full_name", "Anna A").await?;
        assert_eq!(found.documents.iter().map(|one| &*one.id).collect::<Vec<_>>(), ["a"]);
        // An update writes it in the new shape; a patch of a program without an upgrade leaves the old one.
        people.update("b", |b| b.full_name.push('!')).await?;
        ctx.documents(&SECOND).patch("a", json!({"age": 6})).await?;
        assert_eq!(people.get("a").await?.unwrap().full_name, "Anna A");
        assert_eq!(people.find().eq("full_name", "Ben B!").count().await?, 1);
        // A patch by the new program is read as it was written.
        people.patch("a", json!({"full_name": "Cara C"})).await?;
        assert_eq!(people.get("a").await?.unwrap().full_name, "Cara C");
        assert_eq!(people.find().eq("full_name", "Cara C").count().await?, 1);
        Ok(())
    })
    .await;
}

#[imperal::test]
async fn an_older_program_does_not_overwrite_newer_documents() {
    let anna = handled(async |ctx| {
        ctx.documents(&PEOPLE).put("a", &Named { full_name: "Anna".to_owned() }).await?;
        let older = ctx.documents(&SECOND);
        let mut document = older.get("a").await?.unwrap();
        document.value["name"] = json!("lost");
        for refused in [
            older.put("a", &json!({"name": "lost"})).await.unwrap_err(),
            older.save(&document).await.unwrap_err(),
            older.update("a", |a| a["name"] = json!("lost")).await.map(drop).unwrap_err(),
        ] {
            assert_eq!(*refused.code(), codes::DOCUMENT_NEWER);
        }
        older.patch("a", json!({"age": 5})).await?;
        assert_eq!(ctx.documents(&PEOPLE).get("a").await?.unwrap().full_name, "Anna");
        assert!(older.delete("a").await?);
        Ok(())
    })
    .await;
    assert!(anna.documents(&PEOPLE).all().await.is_empty());
}

#[imperal::test]
async fn documents_that_do_not_fit_are_named_and_hide_no_other() {
    handled(async |ctx| {
        let any = ctx.documents(&FIRST);
        any.put("1", &json!({"last": "A"})).await?;
        let typed: Collection<Named> = Collection::new("people");
        let people = ctx.documents(&typed);
        people.put("2", &Named { full_name: "Ben".to_owned() }).await?;
        let refused = people.get("1").await.unwrap_err();
        assert_eq!(*refused.code(), codes::DOCUMENT_UNREADABLE);
        assert!(
            refused.to_string().contains("`1` of `people`") && refused.to_string().contains("full_name"),
            "{refused}"
        );
        let found = people.find().await?;
        assert_eq!((found.documents.len(), found.unreadable.len()), (1, 1));
        assert_eq!(found.unreadable[0].id, "1");
        assert_eq!(people.find().count().await?, 2);
        Ok(())
    })
    .await;
}

/// The author's upgrade panics for one document: an error names it, and the others are as they were.
#[imperal::test]
async fn a_panic_of_an_upgrade_is_an_error_of_its_document() {
    const STRICT: Collection<Named> =
        Collection::new("people").index(["full_name"]).shape(4).upgrade(|from, mut value| {
            let name = value["last"].as_str().unwrap_or_else(|| panic!("no last name in shape {from}")).to_owned();
            value["full_name"] = json!(name);
            value
        });
    handled(async |ctx| {
        let any = ctx.documents(&FIRST);
        any.put("a", &json!({"last": "A"})).await?;
        any.put("b", &json!({"first": "Ben"})).await?;
        let people = ctx.documents(&STRICT);
        for refused in [
            people.get("b").await.unwrap_err(),
            people.update("b", |_| {}).await.unwrap_err(),
            people.patch("b", json!({"age": 5})).await.unwrap_err(),
        ] {
            assert_eq!(*refused.code(), codes::DOCUMENT_UNREADABLE);
            let text = refused.to_string();
            assert!(text.contains("`b` of `people`") && text.contains("shape 1"), "{text}");
            assert!(text.contains("no last name"), "{text}");
        }
        for _ in 0..2 {
            let found = people.find().order_by("full_name").await?;
            assert_eq!((found.documents.len(), &*found.unreadable[0].id), (1, "b"));
            assert!(found.unreadable[0].why.contains("the upgrade from shape 1 to 4 panicked"));
        }
        assert_eq!(any.get("b").await?.unwrap().value, json!({"first": "Ben"}));
        people.put("b", &Named { full_name: "Ben".to_owned() }).await
    })
    .await;
}

/// Also if the newer program writes it after the step has looked.
#[imperal::test]
async fn a_step_does_not_overwrite_a_document_that_became_newer() {
    let user = Arc::new(std::sync::OnceLock::<TestUser>::new());
    let newer = user.clone();
    let (_platform, anna, _log) = task(move |ctx, _| {
        let newer = newer.clone();
        async move {
            let people = newer.get().unwrap().documents(&PEOPLE);
            let step = async |ctx: Context| {
                ctx.documents(&SECOND).put("a", &json!({"name": "lost"})).await?;
                people.put("a", &Named { full_name: "Anna".to_owned() }).await;
                Ok(())
            };
            let refused = ctx.step("put", step).await.unwrap_err();
            assert_eq!(*refused.code(), codes::DOCUMENT_NEWER);
            assert!(refused.to_string().contains("`a` of `people`"), "{refused}");
            Ok(ActionResult::done("done"))
        }
    })
    .await;
    assert!(user.set(anna.clone()).is_ok());
    anna.run("start", json!({})).await.assert_state(imperal::ledger::TaskState::Succeeded);
    assert_eq!(anna.documents(&PEOPLE).get("a").await.unwrap().full_name, "Anna");
}
