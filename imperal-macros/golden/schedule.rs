#[allow(clippy::unused_async)]
/// Checks each user's sites at night.
#[cfg(unix)]
pub(crate) async fn check_sites(ctx: Context) -> Result<()> {
    todo!()
}
#[cfg(unix)]
const _: () = {
    use ::imperal::__private as __imperal;
    struct __Schedule;
    impl __imperal::JobHandler for __Schedule {
        type Ctx = Context;
        type Output = Result<()>;
        fn call(
            ctx: Self::Ctx,
        ) -> impl ::core::future::Future<
            Output = Self::Output,
        > + ::core::marker::Send + 'static {
            check_sites(ctx)
        }
    }
    const __RUN: __imperal::RunJob = __imperal::run_job::<
        __Schedule,
        Context,
        Result<()>,
    >();
    __imperal::inventory::submit! {
        __imperal::JobDef { name : "check_sites", description :
        "Checks each user's sites at night.", cron : "0 3 * * *", spread : 300u32,
        collection : "", run : __RUN, module_path : ::core::module_path!(), file :
        ::core::file!(), line : ::core::line!(), }
    }
};
