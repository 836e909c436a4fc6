//! Golden expansions, and a test that they resolve no name in the author's scope.
//!
//! After a change: `UPDATE_GOLDEN=1 cargo test -p imperal-macros`, then read the difference in `golden/`.

use std::collections::HashSet;
use std::path::Path;

use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::quote;

use crate::chat_function::chat_function;
use crate::durable_task::durable_task;
use crate::extension::extension;
use crate::schedule::schedule;

struct Case {
    name: &'static str,
    input: TokenStream,
    output: TokenStream,
}

fn function(name: &'static str, options: TokenStream, item: &TokenStream) -> Case {
    let input = quote!(#options #item);
    Case { name, input, output: chat_function(options, item) }
}

fn task(name: &'static str, options: TokenStream, item: &TokenStream) -> Case {
    let input = quote!(#options #item);
    Case { name, input, output: durable_task(options, item) }
}

fn job(name: &'static str, options: TokenStream, item: &TokenStream) -> Case {
    let input = quote!(#options #item);
    Case { name, input, output: schedule(options, item) }
}

fn jobs() -> Vec<Case> {
    vec![
        job(
            "schedule",
            quote!(cron = "0 3 * * *"),
            &quote! {
                /// Checks each user's sites at night.
                #[cfg(unix)]
                pub(crate) async fn check_sites(ctx: Context) -> Result<()> {
                    todo!()
                }
            },
        ),
        job(
            "schedule_with_options",
            quote!(cron = "@weekly", spread = "1h", documents = store::SITES, name = "digest", crate = renamed),
            &quote!(
                async fn weekly(_: Context) -> Result<()> {}
            ),
        ),
        job(
            "faulty_schedule",
            quote!(cron = "0 25 * * *", spread = "1d", tims = 3),
            &quote!(
                async fn nightly(ctx: Context, site: Site) -> Result<ActionResult> {}
            ),
        ),
    ]
}

fn cases() -> Vec<Case> {
    let plain = quote! {
        /// Looks something up for the user.
        async fn look(ctx: Context, params: LookParams) -> Result<ActionResult<Found>> {
            todo!()
        }
    };
    let declaration = quote! {
        app_id: "my-notes",
        name: "Notes",
        description: "Keeps the notes of a team where everyone finds them.",
        icon: "../tests/icon.svg",
        capabilities: ["my-notes:read"],
    };
    let secrets = quote!(#declaration secrets: [API_KEY, keys::TOKEN]);
    let mut cases = vec![
        function("read", quote!(action_type = "read"), &plain),
        function(
            "write",
            quote! {
                action_type = "write", name = "put", description = "Writes something down for the user.",
                event = "notes.put", effects = ["create:note", "update:index"], id_projection = "noteId",
                data_model = Vec<Found>, chain_callable = true, background, long_running = true, crate = renamed
            },
            &quote! {
                #[cfg(unix)]
                /// Writes down.
                #[allow(deprecated)]
                #[deprecated]
                pub(crate) async fn r#move(_: Context, Put { note_id }: Put) -> Result<ActionResult> {
                    ctx.background_task(|_| async move { todo!() }).await?;
                }
            },
        ),
        function(
            "probes",
            quote!(action_type = "read"),
            &quote! {
                #[doc = include_str!("look.md")]
                async fn look(ctx: Context, params: Value) -> Result<ActionResult> {}
            },
        ),
        function(
            "warnings",
            quote!(action_type = "destructive", background),
            &quote! {
                /// Drops something for the user.
                async fn drop_it(ctx: Context, params: Drop) -> Result<ActionResult> {}
            },
        ),
        function("faulty_options", quote!(action_type = "raed", efects = []), &plain),
        function(
            "faulty_signature",
            quote!(action_type = "read"),
            &quote! {
                /// Looks something up for the user.
                fn look(ctx: Context) {
                    ctx.progress(1, "").await?;
                    Ok(ActionResult::done(""))
                }
            },
        ),
        task(
            "durable_task",
            quote!(),
            &quote! {
                /// Generates images.
                #[cfg(unix)]
                pub(crate) async fn generate(ctx: TaskContext, job: Job) -> Result<ActionResult<Package>> {
                    todo!()
                }
            },
        ),
        task(
            "durable_task_with_options",
            quote!(name = "generate", twin = Generate, crate = renamed),
            &quote!(
                async fn generate_images(ctx: TaskContext, job: Job) -> Result<ActionResult> {}
            ),
        ),
        task(
            "faulty_durable_task",
            quote!(nam = "a"),
            &quote!(
                async fn generate(ctx: TaskContext) -> Result<ActionResult> {}
            ),
        ),
        Case { name: "extension", input: declaration.clone(), output: extension(quote!(::imperal; #declaration)) },
        Case { name: "extension_with_secrets", input: secrets.clone(), output: extension(quote!(::imperal; #secrets)) },
    ];
    cases.extend(jobs());
    cases
}

/// Whether `UPDATE_GOLDEN` asks for golden files to be written. Empty and `0` do not.
pub(crate) fn updating_golden() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty() && value != "0")
}

#[test]
fn expansions_equal_the_golden_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    for case in cases() {
        let file = syn::parse2(case.output).unwrap();
        let text = prettyplease::unparse(&file);
        let path = folder.join(case.name).with_extension("rs");
        if updating_golden() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(golden, text, "{} differs", path.display());
    }
}

/// Identifiers that an expansion may use without a path: its own names and Rust's keywords. A name of the
/// prelude is not allowed, because the author may have shadowed it.
const OWN: &[&str] = &[
    "__imperal",
    "__ChatFunction",
    "__DurableTask",
    "__Schedule",
    "__RUN",
    "__HANDLER",
    "__Input",
    "Ctx",
    "Params",
    "Input",
    "Output",
    "Self",
    "call",
    "ctx",
    "params",
    "input",
    "with",
    "_",
    "as",
    "async",
    "const",
    "enum",
    "fn",
    "for",
    "impl",
    "let",
    "macro_rules",
    "pub",
    "struct",
    "type",
    "use",
    "true",
    "false",
    "allow",
    "clippy",
    "deprecated",
    "doc",
    "hidden",
    "macro_export",
    "note",
    "unused_imports",
    "dead_code",
    "non_camel_case_types",
    "private_interfaces",
    "non_local_definitions",
    "one_extension_is_one_crate",
    "only_one_durable_task_is_named_generate",
    "V10",
    "V20",
    "V24",
    "P15",
];

fn leaks(tokens: TokenStream, written: &HashSet<String>, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |at: Option<usize>, c: char| {
        at.and_then(|at| tokens.get(at)).is_some_and(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == c))
    };
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => leaks(group.stream(), written, found),
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                let in_path = is(at.checked_sub(1), ':') && is(at.checked_sub(2), ':');
                let root = in_path && !matches!(at.checked_sub(3).map(|at| &tokens[at]), Some(TokenTree::Ident(_)));
                let named = matches!(tokens.get(at + 1), Some(TokenTree::Punct(p)) if p.as_char() == ':' && p.spacing() == Spacing::Alone);
                let field = named || is(at.checked_sub(1), '.') || is(at.checked_sub(1), '\'');
                let allowed = if root {
                    ["core", "imperal"].contains(&name.as_str()) || is(at.checked_sub(3), '>')
                } else {
                    in_path || field || OWN.contains(&name.as_str())
                };
                if !allowed && !written.contains(&name) {
                    found.push(name);
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn names(tokens: TokenStream, into: &mut HashSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => drop(into.insert(ident.to_string())),
            TokenTree::Group(group) => names(group.stream(), into),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

#[test]
fn expansions_resolve_no_name_in_the_authors_scope() {
    for case in cases() {
        let mut written = HashSet::new();
        names(case.input, &mut written);
        let mut found = Vec::new();
        leaks(case.output, &written, &mut found);
        assert!(found.is_empty(), "{}: {found:?}", case.name);
    }
}

#[test]
fn an_expansion_names_only_the_renamed_dependency() {
    for renamed in ["write", "durable_task_with_options", "schedule_with_options"] {
        let case = cases().into_iter().find(|case| case.name == renamed).unwrap();
        let mut used = HashSet::new();
        names(case.output, &mut used);
        assert!(used.contains("renamed") && !used.contains("imperal"), "{renamed}");
    }
}
