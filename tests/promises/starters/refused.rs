//! A start that the ledger refuses after the handler has heard of it: the handler runs again.

use imperal::platform::CallState;

use super::*;

/// The handler gets the refusal, and its call is there.
#[tokio::test(start_paused = true)]
async fn refused_start_is_the_handlers_to_answer() {
    let scene = Scene::start_with(|setup| setup.settings(|settings| settings.tasks_per_user = 1)).await;
    let anna = scene.platform.user("anna");
    anna.call("send_letters", json!({"minutes": 10})).await.unwrap();
    assert_eq!(scene.written(), (0, 1, 0));
    let reply = anna.call("send_letters", json!({})).await.unwrap();
    assert_eq!(reply.result.summary, format!("Refused: [\"{}\"].", codes::RATE_LIMITED));
    // All together, then the call alone; and the start alone, by a handler that runs again.
    assert_eq!((scene.written(), scene.begun()), ((1, 2, 1), (3, 1)));
    // A handler that takes longer is stopped where it is.
    let reply = anna.call("send_letters", json!({"linger": 1_000})).await.unwrap();
    assert_eq!(reply.result.summary, format!("Refused: [\"{}\"].", codes::RATE_LIMITED));
    assert_eq!((scene.written(), scene.begun()), ((3, 2, 2), (5, 1)));
    let reply = anna.call("send_letters", json!({"then": "fail"})).await.unwrap();
    assert_eq!(reply.result.error_code.map(|code| code.to_string()).as_deref(), Some("NO_PAPER"));
    assert_eq!((settled(&anna).await.len(), scene.begun()), (8, (7, 1)));
}

/// Whether the refused task is stored cannot be read at first: the call has its reply all the same.
#[tokio::test(start_paused = true)]
async fn refused_start_is_answered_while_reads_fail() {
    let scene = Scene::start_with(|setup| setup.settings(|settings| settings.tasks_per_user = 1)).await;
    let anna = scene.platform.user("anna");
    anna.call("send_letters", json!({"minutes": 10})).await.unwrap();
    scene.ledger.task_reads_to_refuse.store(2, Ordering::SeqCst);
    let reply = anna.call("send_letters", json!({"linger": 1_000})).await.unwrap();
    assert_eq!(reply.result.summary, format!("Refused: [\"{}\"].", codes::RATE_LIMITED));
    assert_eq!(scene.ledger.task_reads_to_refuse.load(Ordering::SeqCst), 0, "no read failed");
}

/// A repeated request waits for the reply of a handler that runs again.
#[tokio::test(start_paused = true)]
async fn request_is_repeated_while_the_handler_runs_again() {
    let scene = Scene::start_with(|setup| setup.settings(|settings| settings.tasks_per_user = 1)).await;
    let anna = scene.platform.user("anna");
    anna.call("send_letters", json!({"minutes": 10})).await.unwrap();
    let slow = json!({"linger": 60_000});
    let first = tokio::spawn({
        let (anna, slow) = (anna.clone(), slow.clone());
        async move { send_under(&anna, "k", slow).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.begun().0, 3, "the first, and two runs of this");
    let second = send_under(&anna, "k", slow).await.unwrap();
    assert_eq!((first.await.unwrap().repeated, second.repeated), (false, true));
    assert_eq!(scene.begun().0, 3);
}

/// The run that heard of a task which was refused writes nothing more.
#[tokio::test(start_paused = true)]
async fn handler_that_runs_again_leaves_no_ghost() {
    let scene = Scene::start_with(|setup| setup.settings(|settings| settings.tasks_per_user = 1)).await;
    let anna = scene.platform.user("anna");
    anna.call("send_letters", json!({"minutes": 10})).await.unwrap();
    for linger in [0, 3_000] {
        anna.call("send_letters", json!({"then": "haunt", "linger": linger})).await.unwrap();
    }
    let ghosts = settled(&anna).await.into_iter().filter(|(_, text)| text == "A ghost.").count();
    assert_eq!(ghosts, 1, "of the second run, whose call was open");
}

#[tokio::test(start_paused = true)]
async fn second_task_under_a_key_is_the_handlers_to_answer() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let reply = anna.call("send_letters", json!({"key": "letters", "tasks": 2})).await.unwrap();
    assert_eq!(reply.result.summary, format!("Refused: [\"{}\"].", codes::ALREADY_RUNNING));
    assert_eq!((settled(&anna).await.len(), scene.begun()), (3, (1, 1)));
}

/// The write of both is lost, and another task takes the only slot before it is repeated: the call does not wait for it.
#[tokio::test(start_paused = true)]
async fn repeated_start_does_not_wait_for_a_slot() {
    let scene = Scene::start_with(|setup| setup.settings(|settings| settings.tasks_per_user = 1)).await;
    let anna = scene.platform.user("anna");
    scene.ledger.to_forget.store(1, Ordering::SeqCst);
    let begun = tokio::time::Instant::now();
    let first = tokio::spawn({
        let anna = anna.clone();
        async move { anna.call("send_letters", json!({})).await.unwrap() }
    });
    while scene.ledger.to_forget.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    let second = anna.call("send_letters", json!({"minutes": 10})).await.unwrap();
    assert_eq!(second.result.summary, "Refused: [].");
    let first = first.await.unwrap();
    assert_eq!(first.result.summary, format!("Refused: [\"{}\"].", codes::RATE_LIMITED));
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!((settled(&anna).await.len(), scene.begun()), (4, (3, 1)));
}

/// The user stops the call after its first run and before its second.
#[tokio::test(start_paused = true)]
async fn stop_reaches_the_second_run() {
    for linger in [0, 60_000] {
        let scene = Scene::start_with(|setup| setup.settings(|settings| settings.tasks_per_user = 1)).await;
        let anna = scene.platform.user("anna");
        anna.call("send_letters", json!({"minutes": 10})).await.unwrap();
        scene.ledger.to_forget.store(1, Ordering::SeqCst);
        let call = tokio::spawn({
            let anna = anna.clone();
            async move { anna.call("send_letters", json!({"linger": linger})).await.unwrap() }
        });
        while scene.ledger.to_forget.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let call_id = scene.begun.call.lock().unwrap().unwrap();
        assert_eq!(anna.access().cancel_call(call_id).await.unwrap().state, CallState::Stopping);
        assert_eq!(call.await.unwrap().result.error_code, Some(codes::CANCELLED), "after {linger} ms");
        assert_eq!((settled(&anna).await.len(), scene.begun().1), (4, 1));
    }
}
