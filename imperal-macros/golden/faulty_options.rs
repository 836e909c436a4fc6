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
};
::core::compile_error! {
    "`chat_function` has no option `efects`; did you mean `effects`?"
}
::core::compile_error! {
    "invalid action type: write \"read\", \"write\" or \"destructive\"; did you mean `\"read\"`? (V4)"
}
