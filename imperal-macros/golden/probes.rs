#[allow(clippy::unused_async)]
#[doc = include_str!("look.md")]
async fn look(ctx: Context, params: Value) -> Result<ActionResult> {}
const _: () = {
    use ::imperal::__private as __imperal;
    struct __ChatFunction;
    impl __imperal::ChatHandler for __ChatFunction {
        type Ctx = Context;
        type Params = Value;
        type Output = Result<ActionResult>;
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
        Value,
        Result<ActionResult>,
        _,
    >();
    const _: () = {
        #[allow(unused_imports)]
        use __imperal::Fallback as _;
        ::core::assert!(
            __imperal::Data:: << Result < ActionResult > as __imperal::HandlerOutput >
            ::Data > ::GIVEN,
            "a `read` function must return data: write `ActionResult<MyType>`, or `data_model = MyType` (V23)"
        );
    };
    const _: () = {
        #[allow(unused_imports)]
        use __imperal::Fallback as _;
        ::core::assert!(
            __imperal::Shape:: < Value > ::STRUCT,
            "the parameters are not a struct: write one with a named field for each value (V17)"
        );
    };
    __imperal::inventory::submit! {
        __imperal::FunctionDef { name : "look", description :
        ::core::concat!(include_str!("look.md"), "\n"), action_type :
        __imperal::ActionType::Read, event : "", effects : & [], id_projection : "",
        chain_callable : true, background : false, long_running : false, safe : false,
        starter : false, params_schema : __HANDLER.params_schema, return_schema :
        __HANDLER.return_schema, data_model : ::core::option::Option::None, read :
        __HANDLER.read, module_path : ::core::module_path!(), file : ::core::file!(),
        line : ::core::line!(), }
    }
};
