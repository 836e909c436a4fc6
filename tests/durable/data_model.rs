//! A durable task's data against the function's `data_model`.

use imperal::ledger::TaskState;

use super::*;

#[derive(Serialize, JsonSchema)]
struct Film {
    url: String,
}

#[derive(Serialize, JsonSchema)]
struct Review {
    text: String,
}

/// Shoots a film.
#[durable_task]
async fn shoot(_ctx: TaskContext, number: u32) -> Result<ActionResult<Film>> {
    Ok(ActionResult::success(Film { url: format!("https://films.example/{number}") }, "Shot."))
}

/// Reviews a film.
#[durable_task]
async fn review(_ctx: TaskContext, number: u32) -> Result<ActionResult<Review>> {
    Ok(ActionResult::success(Review { text: format!("Film {number} is long.") }, "Reviewed."))
}

#[derive(Deserialize, JsonSchema)]
struct FilmParams {
    is_shot: bool,
}

/// Make a film, or only talk about it.
#[chat_function(
    action_type = "write",
    event = "film_made",
    effects = ["create:film"],
    data_model = Film,
    background
)]
async fn make_film(ctx: Context, params: FilmParams) -> Result<ActionResult> {
    let task = if params.is_shot { shoot::with(7) } else { review::with(7) };
    ctx.durable_task(task).await?;
    Ok(ActionResult::done("Filming…"))
}

#[imperal::test]
async fn durable_task_with_data_of_another_type_does_not_start() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    let reply = anna.call("make_film", json!({"is_shot": false})).await.unwrap();
    assert_eq!(reply.result.error_code.unwrap(), "INTERNAL");
    assert!(anna.access().recent_tasks(9).await.unwrap().is_empty());
    anna.run("make_film", json!({"is_shot": true})).await.assert_state(TaskState::Succeeded);
}
