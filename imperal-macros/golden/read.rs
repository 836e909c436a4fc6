#[allow(clippy::unused_async)]
/// Looks something up for the user.
async fn look(ctx: Context, params: LookParams) -> Result<ActionResult<Found>> {
    todo!()
}
const _: () = {
    use ::imperal::__private as __imperal;
    struct __ChatFunction;
    impl __imperal::ChatHandler for __ChatFunction {
        type Ctx = Context;
        type Params = LookParams;
        type Output = Result<ActionResult<Found>>;
        fn call(
            ctx: Self::Ctx,
            params: Self::Params,
        ) -> impl ::core::future::Future<
            Output = Self::Output,
        > + ::core::marker::Send + 'static {
            look(ctx, params)
        }
    }
    const __HANDLER: __imperal::Handler = __imperal::Handler::of::<
        __ChatFunction,
        Context,
        LookParams,
        Result<ActionResult<Found>>,
        _,
    >();
    __imperal::inventory::submit! {
        __imperal::FunctionDef { name : "look", description :
        "Looks something up for the user.", action_type : __imperal::ActionType::Read,
        event : "", effects : & [], id_projection : "", chain_callable : true, background
        : false, long_running : false, safe : false, starter : false, params_schema :
        __HANDLER.params_schema, return_schema : __HANDLER.return_schema, data_model :
        ::core::option::Option::None, read : __HANDLER.read, module_path :
        ::core::module_path!(), file : ::core::file!(), line : ::core::line!(), }
    }
};
