//! Queries: by declared indexes, by a look at a limited number, in pages, and never without a document.

use super::*;

const STATES: [&str; 3] = ["draft", "open", "shut"];

async fn fill(ctx: &Context) -> Result<()> {
    let packages = ctx.documents(&PACKAGES);
    for n in 0..60 {
        let (name, status) = (format!("n{:02}", 59 - n), STATES[n as usize % 3]);
        packages.insert(&format!("{n:02}"), &package(&name, status, n / 6)).await?;
    }
    Ok(())
}

/// The answer of a query by hand.
fn by_hand(fits: impl Fn(u32) -> bool) -> Vec<String> {
    (0..60).filter(|n| fits(*n)).map(|n| format!("{n:02}")).collect()
}

#[imperal::test]
async fn answers_are_those_of_a_search_by_hand() {
    handled(async |ctx| {
        fill(&ctx).await?;
        let packages = ctx.documents(&PACKAGES);
        let ids = async |find: imperal::documents::Find<Package>| {
            let found = find.limit(1000).await?;
            assert!(found.next.is_none());
            Ok::<_, Error>(found.documents.into_iter().map(|one| one.id).collect::<Vec<_>>())
        };
        // By an index.
        assert_eq!(ids(packages.find()).await?, by_hand(|_| true));
        assert_eq!(ids(packages.find().eq("status", "open")).await?, by_hand(|n| n % 3 == 1));
        let range = packages.find().eq("status", "open").gte("price", 3).lt("price", 7).order_by("price");
        assert_eq!(ids(range).await?, by_hand(|n| n % 3 == 1 && (3..7).contains(&(n / 6))));
        let mut names = by_hand(|_| true);
        names.reverse();
        assert_eq!(ids(packages.find().order_by("name")).await?, names);
        assert_eq!(ids(packages.find().order_by("name").descending()).await?, by_hand(|_| true));
        assert_eq!(ids(packages.find().gt("name", "n57")).await?, ["01", "00"]);
        // Without one.
        assert_eq!(ids(packages.find().eq("price", 2)).await?, by_hand(|n| n / 6 == 2));
        assert_eq!(
            ids(packages.find().eq("status", "shut").gt("name", "n40")).await?,
            by_hand(|n| n % 3 == 2 && 59 - n > 40)
        );
        assert_eq!(ids(packages.find().eq("unknown", json!(null))).await?, by_hand(|_| true));
        assert_eq!(packages.find().eq("status", "open").gte("price", 3).count().await?, 14);
        assert_eq!(packages.find().eq("price", 2).count().await?, 6);
        Ok(())
    })
    .await;
}

#[imperal::test]
async fn pages_follow_each_other() {
    handled(async |ctx| {
        fill(&ctx).await?;
        let packages = ctx.documents(&PACKAGES);
        let queries: [&(dyn Fn() -> imperal::documents::Find<Package> + Sync); 4] = [
            &|| packages.find().eq("status", "open").order_by("price"),
            &|| packages.find().order_by("name").descending(),
            &|| packages.find(),
            &|| packages.find().gte("price", 2).order_by("price"),
        ];
        for query in queries {
            let all: Vec<_> = query().limit(1000).await?.documents.into_iter().map(|one| one.id).collect();
            let (mut seen, mut next) = (Vec::new(), None::<String>);
            loop {
                let mut find = query().limit(7);
                if let Some(cursor) = next {
                    find = find.after(cursor);
                }
                let page = find.await?;
                seen.extend(page.documents.into_iter().map(|one| one.id));
                match page.next {
                    Some(cursor) => next = Some(cursor.to_string()),
                    None => break,
                }
            }
            assert_eq!(seen, all);
        }
        let cursor = packages.find().limit(1).await?.next.unwrap();
        for other in [packages.find().order_by("name"), packages.find().eq("status", "open")] {
            let refused = other.after(cursor.to_string()).await.unwrap_err();
            assert_eq!(*refused.code(), codes::VALIDATION_TYPE_ERROR);
        }
        assert!(packages.find().after("ü").await.is_err());
        Ok(())
    })
    .await;
}

/// A program whose collection has other indexes finds the documents of the earlier one, before and after they are
/// indexed anew.
#[imperal::test]
async fn documents_of_a_program_with_other_indexes_are_found() {
    const BEFORE: Collection<Package> = Collection::new("packages").index(["name"]);
    handled(async |ctx| {
        let before = ctx.documents(&BEFORE);
        for n in 0..20 {
            before.insert(&format!("{n:02}"), &package("A", STATES[n as usize % 2], n)).await?;
        }
        let packages = ctx.documents(&PACKAGES);
        packages.insert("new", &package("A", "draft", 100)).await?;
        for _ in 0..2 {
            let found = packages.find().eq("status", "draft").order_by("price").limit(1000).await?;
            let wanted: Vec<_> = (0..20).step_by(2).map(|n| format!("{n:02}")).chain(["new".to_owned()]).collect();
            assert_eq!(found.documents.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), wanted);
            assert_eq!(packages.find().eq("status", "draft").count().await?, 11);
            let page = packages.find().eq("status", "draft").order_by("price").limit(3).await?;
            assert_eq!(page.documents.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), wanted[..3]);
            let rest = packages.find().eq("status", "draft").order_by("price").after(&*page.next.unwrap()).await?;
            assert_eq!(rest.documents.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), wanted[3..]);
            assert_eq!(before.find().eq("name", "A").count().await?, 21);
        }
        Ok(())
    })
    .await;
}

#[imperal::test]
async fn a_query_of_too_many_names_the_index_to_declare() {
    let anna = handled(async |ctx| {
        // 17 documents of 1 MB are more than a query may look at.
        let packages = ctx.documents(&PACKAGES);
        for n in 0..17 {
            packages.put(&format!("{n}"), &package(&"x".repeat(1_000_000), "open", n)).await?;
        }
        let refused = packages.find().eq("price", 3).order_by("name").await.unwrap_err();
        assert_eq!(*refused.code(), codes::INDEX_NEEDED);
        let text = refused.to_string();
        assert!(text.contains(r#".index(["price", "name"])"#) && text.contains("[status, price], [name]"), "{text}");
        let found = packages.find().eq("status", "open").gte("price", 16).await?;
        assert_eq!(found.documents.len(), 1);
        Ok(())
    })
    .await;
    drop(anna);
}

/// Documents that no program has keyed yet: a count that keyed them would count them twice.
#[imperal::test]
async fn documents_of_other_indexes_are_counted_once() {
    let setup = handler(async |ctx| {
        let packages = ctx.documents(&PACKAGES);
        for _ in 0..2 {
            assert_eq!(packages.find().eq("status", "open").count().await?, 10);
        }
        assert_eq!(packages.find().eq("status", "open").await?.documents.len(), 10);
        assert_eq!(packages.find().eq("status", "open").count().await?, 10);
        Ok(ActionResult::done("done"))
    });
    let platform = setup.start().await;
    let anna = platform.user("anna");
    let unkeyed: Collection<Package> = Collection::new("packages");
    for n in 0..10 {
        anna.documents(&unkeyed).put(&format!("{n}"), &package("a", "open", n)).await;
    }
    // Only what was not written lately is keyed.
    platform.pass(Duration::from_secs(3600)).await;
    let reply = anna.call("handle", json!({})).await.unwrap();
    assert_eq!(reply.turn.body.text, "done", "{:?}", reply.turn.body);
}

/// Of more documents than a query may look at: in a deploy, neither program takes the keys of the other.
#[imperal::test]
async fn two_programs_with_different_indexes_find_many_documents() {
    const OLD: Collection<Package> = Collection::new("packages").index(["name"]).index(["price"]);
    let setup = handler(async |ctx| {
        let (old, new) = (ctx.documents(&OLD), ctx.documents(&PACKAGES));
        for price in 0..3 {
            let id = format!("new {price}");
            new.insert(&id, &package("new", "open", price)).await?;
            assert_eq!(new.find().eq("status", "open").eq("price", price).count().await?, 1);
            assert_eq!(new.find().eq("status", "draft").order_by("price").limit(5).await?.documents.len(), 5);
            assert_eq!(old.find().eq("name", "old").order_by("name").limit(5).await?.documents.len(), 5);
            assert_eq!(old.find().eq("price", price).count().await?, 101 + u64::from(price == 0));
            assert_eq!(old.find().eq("name", "new").count().await?, u64::from(price) + 1);
        }
        Ok(ActionResult::done("done"))
    });
    let platform = setup.start().await;
    let anna = platform.user("anna");
    for n in 0..10_001 {
        anna.documents(&OLD).put(&format!("{n:05}"), &package("old", "draft", n % 100)).await;
    }
    let reply = anna.call("handle", json!({})).await.unwrap();
    assert_eq!(reply.turn.body.text, "done", "{:?}", reply.turn.body);
}

/// A document that another program writes while a query reads its pages is in none of them by its key.
#[imperal::test]
async fn a_document_that_loses_its_key_between_pages_is_found() {
    const OTHER: Collection<Package> = Collection::new("packages").index(["name"]);
    handled(async |ctx| {
        let (packages, other) = (ctx.documents(&PACKAGES), ctx.documents(&OTHER));
        let large = |n| package(&"x".repeat(2000), "open", n);
        for n in 0..1200 {
            packages.put(&format!("{n:04}"), &large(n)).await?;
        }
        // The query pauses within its first page.
        let query = async { packages.find().eq("status", "open").gte("name", "a").limit(1000).count().await };
        let again = large(1100);
        let (found, written) = tokio::join!(query, other.put("1100", &again));
        written?;
        assert_eq!(found?, 1200);
        Ok(())
    })
    .await;
}
