/// Looks something up for the user.
async fn look(
    ctx: Context,
) -> ::imperal::__private::Result<::imperal::__private::ActionResult> {
    ctx.progress(1, "").await?;
    Ok(ActionResult::done(""))
}
::core::compile_error! {
    "a chat function must be async: write `async fn look`"
}
::core::compile_error! {
    "the params struct is missing: add `params: LookParams`, with `#[derive(Deserialize, JsonSchema)] struct LookParams {}` if it needs none (V17)"
}
::core::compile_error! {
    "the return type is missing: write `-> Result<ActionResult>`, or `-> Result<ActionResult<T>>` with data (V5)"
}
