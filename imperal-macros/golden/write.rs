#[allow(clippy::unused_async)]
#[cfg(unix)]
/// Writes down.
#[allow(deprecated)]
#[deprecated]
pub(crate) async fn r#move(_: Context, Put { note_id }: Put) -> Result<ActionResult> {
    ctx.background_task(|_| async move { todo!() }).await?;
}
#[cfg(unix)]
#[allow(deprecated)]
#[allow(deprecated)]
const _: () = {
    use renamed::__private as __imperal;
    struct __ChatFunction;
    impl __imperal::ChatHandler for __ChatFunction {
        type Ctx = Context;
        type Params = Put;
        type Output = Result<ActionResult>;
        fn call(
            ctx: Self::Ctx,
            params: Self::Params,
        ) -> impl ::core::future::Future<
            Output = Self::Output,
        > + ::core::marker::Send + 'static {
            r#move(ctx, params)
        }
    }
    const __HANDLER: __imperal::Handler = __imperal::Handler::of::<
        __ChatFunction,
        Context,
        Put,
        Result<ActionResult>,
        _,
    >();
    const _: fn(&Put) = |params| {
        let _ = &params.note_id;
    };
    __imperal::inventory::submit! {
        __imperal::FunctionDef { name : "put", description :
        "Writes something down for the user.", action_type :
        __imperal::ActionType::Write, event : "notes.put", effects : & ["create:note",
        "update:index"], id_projection : "noteId", chain_callable : true, background :
        true, long_running : true, safe : false, starter : false, params_schema :
        __HANDLER.params_schema, return_schema : __imperal::FunctionDef::data_schema:: <
        Vec < Found > >, data_model :
        ::core::option::Option::Some(__imperal::DataType::of:: < Vec < Found > >), read :
        __HANDLER.read, module_path : ::core::module_path!(), file : ::core::file!(),
        line : ::core::line!(), }
    }
};
