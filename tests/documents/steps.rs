//! Documents in steps: visible with the step or not at all, written once, and only there.

use imperal::context::StepRetry;
use imperal::ledger::TaskState;

use super::*;

/// The body runs again after the crash; the documents of its stored step were written once.
#[imperal::test]
async fn documents_become_visible_with_their_step() {
    let (platform, anna, log) = task(async |ctx, log| {
        let log = &log;
        ctx.step("one", async |ctx| {
            let packages = ctx.documents(&PACKAGES);
            packages.create(&package("A", "draft", 1)).await?;
            packages.put("counted", &package("B", "draft", log.note("one"))).await?;
            log.note("written");
            if log.count("one") == 1 {
                // The test kills the process here.
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .await?;
        if log.note("between") == 1 {
            std::future::pending::<()>().await;
        }
        ctx.step("two", async |ctx| ctx.documents(&PACKAGES).patch("counted", json!({"status": "done"})).await).await?;
        Ok(ActionResult::done("done"))
    })
    .await;
    let task_id = start_task(&anna).await;
    imperal_tests::eventually("written", async || (log.count("written") >= 1).then_some(())).await;
    assert_eq!(anna.documents(&PACKAGES).all().await, [], "the step is not stored");
    platform.crash().await;
    imperal_tests::eventually("between", async || (log.count("between") >= 1).then_some(())).await;
    assert_eq!(anna.documents(&PACKAGES).all().await.len(), 2);
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let all = anna.documents(&PACKAGES).all().await;
    assert_eq!(all.len(), 2, "the cut step wrote nothing");
    assert_eq!(anna.documents(&PACKAGES).get("counted").await.unwrap().value, package("B", "done", 2));
    assert_eq!((log.count("one"), log.count("attempt")), (2, 3));
}

#[imperal::test]
async fn a_step_sees_its_own_writes() {
    let (_platform, anna, _log) = task(async |ctx, _| {
        ctx.step("first", async |ctx| {
            let packages = ctx.documents(&PACKAGES);
            for (id, status, price) in [("a", "open", 1), ("b", "open", 2), ("c", "shut", 3)] {
                packages.put(id, &package(id, status, price)).await?;
            }
            Ok(())
        })
        .await?;
        ctx.step("second", async |ctx| {
            let packages = ctx.documents(&PACKAGES);
            assert!(packages.delete("a").await?);
            packages.patch("b", json!({"price": 9})).await?;
            packages.update("b", |b| b.name.push('!')).await?;
            packages.insert("d", &package("d", "open", 4)).await?;
            packages.put("c", &package("c", "open", 5)).await?;
            assert_eq!(packages.get("a").await?, None);
            assert_eq!(packages.get("b").await?.unwrap().value, package("b!", "open", 9));
            let open = packages.find().eq("status", "open").order_by("price").await?;
            assert_eq!(open.documents.iter().map(|one| &*one.id).collect::<Vec<_>>(), ["d", "c", "b"]);
            assert_eq!(packages.find().eq("status", "open").count().await?, 3);
            assert_eq!(packages.find().eq("status", "shut").count().await?, 0);
            assert_eq!(packages.find().count().await?, 3);
            let page = packages.find().eq("status", "open").order_by("price").limit(2).await?;
            let rest = packages.find().eq("status", "open").order_by("price").after(&*page.next.unwrap()).await?;
            assert_eq!(rest.documents.iter().map(|one| &*one.id).collect::<Vec<_>>(), ["b"]);
            let cheap = packages.find().lt("price", 5).await?;
            assert_eq!(cheap.documents.len(), 1, "also without an index");
            let twice = packages.insert("d", &package("d", "open", 4)).await.unwrap_err();
            assert_eq!(*twice.code(), codes::DOCUMENT_EXISTS);
            packages.delete("d").await?;
            packages.insert("d", &package("d", "shut", 6)).await
        })
        .await?;
        Ok(ActionResult::done("done"))
    })
    .await;
    let outcome = anna.run("start", json!({})).await;
    outcome.assert_state(TaskState::Succeeded);
    let all = anna.documents(&PACKAGES).all().await;
    let found: Vec<_> = all.iter().map(|one| (&*one.id, &*one.status, one.price)).collect();
    assert_eq!(found, [("b", "open", 9), ("c", "open", 5), ("d", "shut", 6)]);
}

#[imperal::test]
async fn a_write_outside_of_a_step_is_refused() {
    let (_platform, anna, _log) = task(async |ctx, _| {
        let packages = ctx.documents(&PACKAGES);
        for refused in [
            packages.put("a", &package("A", "draft", 1)).await.unwrap_err(),
            packages.create(&package("A", "draft", 1)).await.map(drop).unwrap_err(),
            packages.patch("a", json!({})).await.unwrap_err(),
            packages.update("a", |_| {}).await.map(drop).unwrap_err(),
            packages.delete("a").await.map(drop).unwrap_err(),
        ] {
            assert_eq!(*refused.code(), codes::STEP_NEEDED);
            assert!(refused.to_string().contains("write in a step"), "{refused}");
        }
        ctx.effect("pay", async |ctx, _| {
            let refused = ctx.documents(&PACKAGES).put("a", &package("A", "draft", 1)).await.unwrap_err();
            assert_eq!(*refused.code(), codes::STEP_NEEDED);
            Ok(())
        })
        .await?;
        assert_eq!(packages.find().count().await?, 0, "reads may be anywhere");
        Ok(ActionResult::done("done"))
    })
    .await;
    anna.run("start", json!({})).await.assert_state(TaskState::Succeeded);
    assert_eq!(anna.documents(&PACKAGES).all().await, []);
}

/// The step fails and stores nothing; only `retrying` runs it again.
#[imperal::test]
async fn a_conflict_fails_the_step() {
    let (sender, asked) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (go_on, is_read) = (sender.clone(), asked.clone());
    let (_platform, anna, log) = task(move |ctx, log| {
        let (go_on, is_read) = (go_on.clone(), is_read.clone());
        async move {
            let (go_on, is_read, log) = (&go_on, &is_read, &log);
            let change = async |ctx: Context| {
                let packages = ctx.documents(&PACKAGES);
                packages.update("a", |a| a.price += 10).await?;
                packages.create(&package("New", "draft", 1)).await?;
                if log.note("tried") % 2 == 1 {
                    is_read.notify_one();
                    go_on.notified().await;
                }
                Ok(())
            };
            let failed = ctx.step("once", change).await.unwrap_err();
            assert_eq!(*failed.code(), codes::DOCUMENT_CONFLICT);
            log.note("refused");
            let retry = StepRetry::backoff(3).first_wait(Duration::from_millis(1));
            let change = async |ctx: Context| {
                if log.note("again") == 1 {
                    ctx.documents(&PACKAGES).update("a", |a| a.price += 10).await?;
                    is_read.notify_one();
                    go_on.notified().await;
                    return Ok(());
                }
                ctx.documents(&PACKAGES).update("a", |a| a.price += 100).await.map(drop)
            };
            ctx.retrying(retry).step("twice", change).await?;
            Ok(ActionResult::done("done"))
        }
    })
    .await;
    let packages = anna.documents(&PACKAGES);
    packages.put("a", &package("A", "draft", 1)).await;
    let task_id = start_task(&anna).await;
    for price in [2, 3] {
        asked.notified().await;
        packages.put("a", &package("A", "changed", price)).await;
        sender.notify_one();
    }
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(log.count("again"), 2);
    let all = packages.all().await;
    assert_eq!(all.iter().map(|one| one.value.clone()).collect::<Vec<_>>(), [package("A", "changed", 103)]);
}

/// A patch expects nothing: it is merged with what another writer stored meanwhile.
#[imperal::test]
async fn a_patch_never_conflicts() {
    let (sender, asked) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (go_on, is_written) = (sender.clone(), asked.clone());
    let (_platform, anna, log) = task(move |ctx, log| {
        let (go_on, is_written) = (go_on.clone(), is_written.clone());
        async move {
            let (go_on, is_written, log) = (&go_on, &is_written, &log);
            ctx.step("patch", async |ctx| {
                log.note("tried");
                ctx.documents(&PACKAGES).patch("a", json!({"status": "ready"})).await?;
                is_written.notify_one();
                go_on.notified().await;
                Ok(())
            })
            .await?;
            Ok(ActionResult::done("done"))
        }
    })
    .await;
    let packages = anna.documents(&PACKAGES);
    packages.put("a", &package("A", "draft", 1)).await;
    let task_id = start_task(&anna).await;
    asked.notified().await;
    packages.put("a", &package("B", "draft", 2)).await;
    sender.notify_one();
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(packages.get("a").await.unwrap().value, package("B", "ready", 2));
    assert_eq!(log.count("tried"), 1);
}

#[imperal::test]
async fn a_failed_step_writes_nothing() {
    let (_platform, anna, _log) = task(async |ctx, _| {
        let failed = ctx
            .step("fails", async |ctx| {
                ctx.documents(&PACKAGES).put("a", &package("A", "draft", 1)).await?;
                Err::<(), _>(Error::user("NO_LUCK", "No luck."))
            })
            .await;
        assert!(failed.is_err());
        // Also with the context of the body, which the step uses.
        ctx.step("stays", async |_| ctx.documents(&PACKAGES).put("b", &package("B", "draft", 1)).await).await?;
        Ok(ActionResult::done("done"))
    })
    .await;
    anna.run("start", json!({})).await.assert_state(TaskState::Succeeded);
    let all = anna.documents(&PACKAGES).all().await;
    assert_eq!(all.iter().map(|one| &*one.id).collect::<Vec<_>>(), ["b"]);
}

#[imperal::test]
async fn a_step_writes_a_limited_number_of_documents() {
    let (_platform, anna, _log) = task(async |ctx, _| {
        ctx.step("many", async |ctx| {
            let packages = ctx.documents(&PACKAGES);
            for n in 0..256 {
                packages.put(&format!("{n:03}"), &package("A", "draft", n)).await?;
            }
            packages.put("000", &package("again", "draft", 0)).await?;
            let many = packages.put("256", &package("A", "draft", 256)).await.unwrap_err();
            assert_eq!(*many.code(), codes::DOCUMENTS_EXCEEDED);
            Ok(())
        })
        .await?;
        Ok(ActionResult::done("done"))
    })
    .await;
    anna.run("start", json!({})).await.assert_state(TaskState::Succeeded);
    assert_eq!(anna.documents(&PACKAGES).all().await.len(), 256);
}

/// With a hash of what was written, so that the audit row of the task's end covers it.
#[imperal::test]
async fn the_log_of_a_step_names_its_documents() {
    let (_platform, anna, _log) = task(async |ctx, _| {
        ctx.step("writes", async |ctx| {
            let packages = ctx.documents(&PACKAGES);
            packages.put("a", &package("A", "draft", 1)).await?;
            packages.put("b", &package("B", "draft", 1)).await
        })
        .await?;
        ctx.step("deletes", async |ctx| ctx.documents(&PACKAGES).delete("a").await).await?;
        ctx.step("reads", async |ctx| ctx.documents(&PACKAGES).find().count().await).await?;
        Ok(ActionResult::done("done"))
    })
    .await;
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let steps = anna.access().steps(task_id, 0, 10).await.unwrap().rows;
    let entries: Vec<Option<serde_json::Value>> =
        steps.iter().map(|step| step.log.as_deref().map(|log| serde_json::from_str(log).unwrap())).collect();
    let [Some(writes), Some(deletes), None] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((&writes[0]["documents"], &writes[0]["count"]), (&json!(["packages/a", "packages/b"]), &json!(2)));
    assert_eq!(writes[0]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(deletes[0]["documents"], json!(["-packages/a"]));
}

/// A later change of the step keeps the time that an earlier one has set or removed.
#[imperal::test]
async fn changes_of_one_step_keep_the_time_of_the_first() {
    let (_platform, anna, _log) = task(async |ctx, _| {
        ctx.step("one", async |ctx| {
            let (packages, hour) = (ctx.documents(&PACKAGES), Duration::from_secs(3600));
            ctx.documents(&PACKAGES).expires_in(hour).put("brief", &package("A", "draft", 1)).await?;
            packages.patch("brief", json!({"price": 2})).await?;
            packages.update("brief", |a| a.price += 1).await?;
            packages.put("kept", &package("B", "draft", 1)).await?;
            packages.patch("kept", json!({"price": 2})).await
        })
        .await?;
        Ok(ActionResult::done("done"))
    })
    .await;
    anna.documents(&PACKAGES).put("kept", &package("B", "draft", 0)).await;
    anna.run("start", json!({})).await.assert_state(TaskState::Succeeded);
    let (brief, kept) = (anna.documents(&PACKAGES).get("brief").await, anna.documents(&PACKAGES).get("kept").await);
    assert_eq!(brief.as_ref().map(|one| (one.value.price, one.expires_at.is_some())), Some((3, true)));
    assert_eq!(kept.map(|one| (one.value.price, one.expires_at)), Some((2, None)));
}

/// What a step has read first may have decided what it does, so an update expects that.
#[imperal::test]
async fn an_update_expects_what_the_step_read_first() {
    let (sender, asked) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (go_on, is_read) = (sender.clone(), asked.clone());
    let (_platform, anna, _log) = task(move |ctx, _| {
        let (go_on, is_read) = (go_on.clone(), is_read.clone());
        async move {
            let (go_on, is_read) = (&go_on, &is_read);
            let decided = ctx.step("decide", async |ctx| {
                let packages = ctx.documents(&PACKAGES);
                let price = packages.get("a").await?.map_or(0, |one| one.value.price);
                is_read.notify_one();
                go_on.notified().await;
                packages.update("a", |a| a.status = format!("cost {price}")).await.map(drop)
            });
            assert_eq!(*decided.await.unwrap_err().code(), codes::DOCUMENT_CONFLICT);
            Ok(ActionResult::done("done"))
        }
    })
    .await;
    anna.documents(&PACKAGES).put("a", &package("A", "draft", 1)).await;
    let task_id = start_task(&anna).await;
    asked.notified().await;
    anna.documents(&PACKAGES).put("a", &package("A", "draft", 2)).await;
    sender.notify_one();
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    assert_eq!(anna.documents(&PACKAGES).get("a").await.unwrap().value, package("A", "draft", 2));
}

/// A patch writes the whole document, as it is when the step ends.
#[imperal::test]
async fn patches_count_as_the_documents_that_they_write() {
    let user = Arc::new(std::sync::OnceLock::<TestUser>::new());
    let other = user.clone();
    let large = |n: u32| package(&"x".repeat(1_000_000), "draft", n);
    let (_platform, anna, _log) = task(move |ctx, _| {
        let other = other.clone();
        async move {
            let packages = other.get().unwrap().documents(&PACKAGES);
            let patch = async |ctx: &Context, n: u32| {
                ctx.documents(&PACKAGES).patch(&format!("{n}"), json!({"status": "patched"})).await
            };
            ctx.step("many", async |ctx| {
                for n in 0..8 {
                    patch(&ctx, n).await?;
                    patch(&ctx, n).await?;
                }
                assert_eq!(*patch(&ctx, 8).await.unwrap_err().code(), codes::DOCUMENTS_EXCEEDED);
                Ok(())
            })
            .await?;
            for n in 0..9 {
                packages.put(&format!("{n}"), &package("small", "draft", n)).await;
            }
            let grown = ctx.step("grown", async |ctx| {
                for n in 0..9 {
                    patch(&ctx, n).await?;
                    packages.put(&format!("{n}"), &large(n)).await;
                }
                Ok(())
            });
            assert_eq!(*grown.await.unwrap_err().code(), codes::DOCUMENTS_EXCEEDED);
            Ok(ActionResult::done("done"))
        }
    })
    .await;
    for n in 0..9 {
        anna.documents(&PACKAGES).put(&format!("{n}"), &large(n)).await;
    }
    assert!(user.set(anna.clone()).is_ok());
    anna.run("start", json!({})).await.assert_state(TaskState::Succeeded);
    assert!(anna.documents(&PACKAGES).all().await.iter().all(|one| one.status == "draft"));
}

/// The step has decided by the absence, so it may run again and decide anew.
#[imperal::test]
async fn a_document_that_appears_meanwhile_lets_the_step_run_again() {
    let user = Arc::new(std::sync::OnceLock::<TestUser>::new());
    let other = user.clone();
    let (_platform, anna, log) = task(move |ctx, log| {
        let other = other.clone();
        async move {
            let (packages, log) = (other.get().unwrap().documents(&PACKAGES), &log);
            let retry = || StepRetry::backoff(3).first_wait(Duration::from_millis(1));
            for name in ["put", "insert", "update"] {
                let step = async |ctx: Context| {
                    let mine = ctx.documents(&PACKAGES);
                    if mine.get(name).await?.is_some() {
                        return mine.patch(name, json!({"status": "seen"})).await;
                    }
                    match name {
                        "put" => mine.put(name, &package("mine", "new", 1)).await?,
                        "insert" => mine.insert(name, &package("mine", "new", 1)).await?,
                        _ => drop(mine.update_or_default(name, |one| one.name.push_str("mine")).await?),
                    }
                    log.note(name);
                    packages.put(name, &package("other", "new", 2)).await;
                    Ok(())
                };
                ctx.retrying(retry()).step(name, step).await?;
            }
            Ok(ActionResult::done("done"))
        }
    })
    .await;
    assert!(user.set(anna.clone()).is_ok());
    anna.run("start", json!({})).await.assert_state(TaskState::Succeeded);
    assert_eq!((log.count("put"), log.count("insert"), log.count("update")), (1, 1, 1));
    let all: Vec<_> = anna.documents(&PACKAGES).all().await.into_iter().map(|one| one.value).collect();
    assert_eq!(all, [0; 3].map(|_| package("other", "seen", 2)));
}
