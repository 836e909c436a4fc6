#[allow(clippy::unused_async)]
async fn generate_images(ctx: TaskContext, job: Job) -> Result<ActionResult> {}
#[doc(hidden)]
#[allow(non_camel_case_types, dead_code)]
enum Generate {}
const _: () = {
    use renamed::__private as __imperal;
    struct __DurableTask;
    impl __imperal::DurableHandler for __DurableTask {
        type Ctx = TaskContext;
        type Input = Job;
        type Output = Result<ActionResult>;
        fn call(
            ctx: Self::Ctx,
            input: Self::Input,
        ) -> impl ::core::future::Future<
            Output = Self::Output,
        > + ::core::marker::Send + 'static {
            generate_images(ctx, input)
        }
    }
    const __HANDLER: __imperal::TaskHandler<Job> = __imperal::TaskHandler::of::<
        __DurableTask,
        TaskContext,
        Job,
        Result<ActionResult>,
        _,
    >();
    #[allow(dead_code, private_interfaces)]
    impl Generate {
        /// The task with its input, for `ctx.durable_task(..)`.
        pub fn with(input: Job) -> __imperal::PreparedTask {
            (__HANDLER.prepare)("generate", ::core::module_path!(), input)
        }
    }
    #[doc(hidden)]
    #[allow(non_local_definitions)]
    #[macro_export]
    macro_rules! only_one_durable_task_is_named_generate {
        () => {};
    }
    __imperal::inventory::submit! {
        __imperal::DurableDef { name : "generate", description : "", bind : __HANDLER
        .bind, module_path : ::core::module_path!(), file : ::core::file!(), line :
        ::core::line!(), }
    }
};
