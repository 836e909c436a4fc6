#[allow(clippy::unused_async)]
/// Drops something for the user.
async fn drop_it(ctx: Context, params: Drop) -> Result<ActionResult> {}
const _: () = {
    use ::imperal::__private as __imperal;
    struct __ChatFunction;
    impl __imperal::ChatHandler for __ChatFunction {
        type Ctx = Context;
        type Params = Drop;
        type Output = Result<ActionResult>;
        fn call(
            ctx: Self::Ctx,
            params: Self::Params,
        ) -> impl ::core::future::Future<
            Output = Self::Output,
        > + ::core::marker::Send + 'static {
            drop_it(ctx, params)
        }
    }
    const __HANDLER: __imperal::Handler = __imperal::Handler::of::<
        __ChatFunction,
        Context,
        Drop,
        Result<ActionResult>,
        _,
    >();
    __imperal::inventory::submit! {
        __imperal::FunctionDef { name : "drop_it", description :
        "Drops something for the user.", action_type :
        __imperal::ActionType::Destructive, event : "", effects : & [], id_projection :
        "", chain_callable : true, background : true, long_running : false, safe : false,
        starter : false, params_schema : __HANDLER.params_schema, return_schema :
        __HANDLER.return_schema, data_model : ::core::option::Option::None, read :
        __HANDLER.read, module_path : ::core::module_path!(), file : ::core::file!(),
        line : ::core::line!(), }
    }
};
const _: () = {
    #[deprecated(
        note = "a function that writes has no event: add `event = \"drop_it\"`, named for what happened"
    )]
    const V10: () = ();
    let _ = V10;
};
const _: () = {
    #[deprecated(
        note = "a function that writes has no effects: add `effects = [\"update:thing\"]`"
    )]
    const V20: () = ();
    let _ = V20;
};
const _: () = {
    #[deprecated(
        note = "the type of the outcome's data is unknown: add `data_model = MyType`, or return `Result<ActionResult<T>>`"
    )]
    const V24: () = ();
    let _ = V24;
};
const _: () = {
    #[deprecated(
        note = "`background` detaches nothing by itself, and this function cannot start a task: call `ctx.background_task(..)`, or remove the flag"
    )]
    const P15: () = ();
    let _ = P15;
};
