#[allow(clippy::unused_async)]
async fn weekly(_: Context) -> Result<()> {}
const _: () = {
    use renamed::__private as __imperal;
    struct __Schedule;
    impl __imperal::JobHandler for __Schedule {
        type Ctx = Context;
        type Output = Result<()>;
        fn call(
            ctx: Self::Ctx,
        ) -> impl ::core::future::Future<
            Output = Self::Output,
        > + ::core::marker::Send + 'static {
            weekly(ctx)
        }
    }
    const __RUN: __imperal::RunJob = __imperal::run_job::<
        __Schedule,
        Context,
        Result<()>,
    >();
    __imperal::inventory::submit! {
        __imperal::JobDef { name : "digest", description : "", cron : "@weekly", spread :
        3600u32, collection : __imperal::collection_name(& store::SITES), run : __RUN,
        module_path : ::core::module_path!(), file : ::core::file!(), line :
        ::core::line!(), }
    }
};
