#[allow(dead_code)]
async fn nightly(ctx: Context, site: Site) -> Result<ActionResult> {}
::core::compile_error! {
    "`schedule` has no option `tims`; its options are `cron`, `name`, `spread`, `documents` and `crate`"
}
::core::compile_error! {
    "a schedule takes the context alone, because nobody fills in parameters: read what it needs from `ctx.documents(..)`, and write `(ctx: Context)`"
}
::core::compile_error! {
    "invalid spread `1d`: use a number of seconds, minutes or hours up to 12 hours, such as `\"90s\"`, `\"30m\"` or `\"2h\"`"
}
::core::compile_error! {
    "invalid cron expression `0 25 * * *`: its hour `25` is not within 0 to 23"
}
