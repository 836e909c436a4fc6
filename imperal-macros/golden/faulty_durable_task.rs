async fn generate(ctx: TaskContext) -> Result<ActionResult> {}
const _: fn() = ::imperal::__private::assert_output::<Result<ActionResult>>;
::core::compile_error! {
    "`durable_task` has no option `nam`; did you mean `name`?"
}
::core::compile_error! {
    "the input is missing: add `input: GenerateInput`, with `#[derive(Serialize, Deserialize)] struct GenerateInput {}` if it needs none"
}
#[doc(hidden)]
#[allow(non_camel_case_types, dead_code)]
enum generate {}
const _: () = {
    #[allow(dead_code)]
    impl generate {
        pub fn with<__Input>(_: __Input) -> ::imperal::__private::PreparedTask {
            ::core::unreachable!()
        }
    }
};
