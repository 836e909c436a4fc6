#[doc(hidden)]
#[macro_export]
macro_rules! one_extension_is_one_crate {
    () => {};
}
const _: () = {
    ::imperal::__private::inventory::submit! {
        ::imperal::__private::ExtensionDef { app_id : "my-notes", version :
        ::core::env!("CARGO_PKG_VERSION"), name : "Notes", description :
        "Keeps the notes of a team where everyone finds them.", icon :
        "../tests/icon.svg", icon_svg :
        ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/",
        "../tests/icon.svg")), capabilities : & ["my-notes:read"], tool_name :
        "my_notes", secrets : & [], system : false, manifest_dir :
        ::core::env!("CARGO_MANIFEST_DIR"), module_path : ::core::module_path!(), file :
        ::core::file!(), line : ::core::line!(), }
    }
};
