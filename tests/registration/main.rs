//! The registry has what the attribute and `extension!` declare.

imperal::extensions![imperal_tests_renamed_dependency];

use imperal::ActionType;
use imperal::function::Registry;
use imperal::prelude::*;

imperal::extension! {
    app_id: "smoke-test",
    name: "Smoke test",
    description: "Two functions that show what the attribute registers.",
    icon: "icon.svg",
    capabilities: ["smoke-test:write"],
}

#[derive(Deserialize, JsonSchema)]
struct NoteParams {
    /// What to write down.
    text: String,
    note_id: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Note {
    text: String,
}

/// Writes a note down,
/// in the background.
///
/// # Errors
/// None.
#[chat_function(
    action_type = "write",
    event = "note_added",
    effects = ["create:note"],
    id_projection = "note_id",
    data_model = Note,
    background
)]
async fn add_note(ctx: Context, params: NoteParams) -> Result<ActionResult> {
    ctx.background_task(move |ctx| async move {
        ctx.progress(50, "Writing").await?;
        Ok(ActionResult::success(Note { text: params.text }, "Written."))
    })
    .await?;
    Ok(ActionResult::done("Writing it down…"))
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident, $text:expr;)*) => {$(
        #[doc = $text]
        $(#[$doc])*
        #[chat_function(action_type = "read", id_projection = "text", effects = ["read:note"])]
        async fn $name(_: Context, NoteParams { text, .. }: NoteParams) -> Result<ActionResult<Note>> {
            Ok(ActionResult::success(Note { text }, "Read."))
        }
    )*};
}

readers! {
    /// Second line.
    zeta, "First of two written by a macro.";
    /** Second
     *  block.
     *
     *  # Errors
     */
    alpha, "Second of two written by a macro.";
}

#[chat_function(action_type = "read")]
#[cfg(doctest)]
async fn left_out(_: Context, params: NoteParams) -> Result<ActionResult<Note>> {
    Ok(ActionResult::success(Note { text: params.text }, "Read."))
}

mod inner {
    use super::*;

    #[chat_function(name = "read_note", action_type = "read", description = "Reads the note that was written down.")]
    #[allow(deprecated)]
    pub(super) async fn r#match(_ctx: Context, params: NoteParams) -> Result<ActionResult<Note>> {
        Ok(ActionResult::success(Note { text: params.text }, "Read."))
    }
}

#[test]
fn functions_and_extension_are_registered_as_written() {
    let registry = Registry::collect().unwrap();
    let extension = registry.extension("smoke-test").unwrap();
    let def = extension.def();
    assert_eq!((def.name, def.version, def.tool_name), ("Smoke test", "0.1.0", "smoke_test"));
    assert_eq!((def.icon, def.capabilities, def.system), ("icon.svg", &["smoke-test:write"][..], false));
    assert!(def.icon_svg.starts_with("<svg"));
    assert!(std::path::Path::new(def.manifest_dir).join("Cargo.toml").is_file());
    assert!(def.file.ends_with("registration/main.rs") && def.line > 1);

    let [add, alpha, zeta, read] = extension.functions() else { panic!("{extension:?}") };
    // Functions on one line are sorted by name, so that every build has the same manifest.
    assert_eq!((alpha.name, zeta.name, alpha.line), ("alpha", "zeta", zeta.line));
    assert_eq!(zeta.description, "First of two written by a macro. Second line.");
    assert_eq!(alpha.description, "Second of two written by a macro. Second block.");
    assert_eq!((add.name, add.action_type), ("add_note", ActionType::Write));
    assert_eq!(add.description, "Writes a note down, in the background.");
    assert_eq!((add.event, add.effects, add.id_projection), ("note_added", &["create:note"][..], "note_id"));
    assert!(add.background && !add.long_running && add.chain_callable);
    assert_eq!((read.name, read.action_type), ("read_note", ActionType::Read));
    assert!(read.module_path.ends_with("::inner"));

    let mut generator = schemars::SchemaGenerator::default();
    let params = (add.params_schema)(&mut generator).to_value();
    assert_eq!(params["properties"]["text"]["description"], "What to write down.");
    for function in [add, read] {
        let returned = (function.return_schema)(&mut generator).unwrap().to_value();
        assert_eq!(returned["title"], "Note", "{}", function.name);
    }
}

/// What is to be generated.
#[derive(Serialize, Deserialize)]
struct Job {
    text: String,
}

mod durable {
    use super::*;

    /// Generates a note,
    /// step by step.
    ///
    /// # Errors
    /// None.
    #[durable_task]
    pub(super) async fn generate(_ctx: TaskContext, job: Job) -> Result<ActionResult<Note>> {
        Ok(ActionResult::success(Note { text: job.text }, "Generated."))
    }

    #[durable_task(name = "shrink_v1", twin = Shrink)]
    pub(super) async fn r#move(_ctx: TaskContext, by: u32) -> Result<ActionResult> {
        Ok(ActionResult::done(by.to_string()))
    }

    #[durable_task]
    #[cfg(doctest)]
    async fn left_out(_ctx: TaskContext, _: u32) -> Result<ActionResult> {
        Ok(ActionResult::done("Never."))
    }

    #[durable_task]
    pub(super) async fn r#match(_ctx: TaskContext, _input: ()) -> Result<ActionResult> {
        Ok(ActionResult::done("Matched."))
    }
}

#[test]
fn durable_tasks_are_registered_as_written() {
    let registry = Registry::collect().unwrap();
    let extension = registry.extension("smoke-test").unwrap();
    let [generate, shrink, raw] = extension.durable_tasks() else { panic!("{extension:?}") };
    assert_eq!((generate.name, shrink.name, raw.name), ("generate", "shrink_v1", "match"));
    assert_eq!(generate.description, "Generates a note, step by step.");
    assert_eq!(shrink.description, "");
    assert!(generate.module_path.ends_with("::durable") && generate.file.ends_with("registration/main.rs"));
    assert!((generate.bind)(r#"{"text":"a"}"#).is_ok() && (shrink.bind)("3").is_ok());
    let refused = (generate.bind)(r#"{"text":3}"#).err().unwrap();
    assert!(refused.contains("expected a string"), "{refused}");
    // They are no functions: no caller reaches them.
    assert!(extension.function("generate").is_none());
}

#[test]
fn a_durable_task_is_prepared_by_the_name_it_is_stored_under() {
    let prepared = |task: imperal::context::PreparedTask| format!("{task:?}");
    assert!(prepared(durable::generate::with(Job { text: String::new() })).contains("generate"));
    assert!(prepared(durable::Shrink::with(3)).contains("shrink_v1"));
    assert!(prepared(durable::r#match::with(())).contains("\"match\""));
}

#[test]
fn durable_task_stays_callable_as_written() {
    fn is_body<F, R>(_: F)
    where
        F: Fn(TaskContext, Job) -> R,
        R: Future<Output = Result<ActionResult<Note>>> + Send,
    {
    }
    is_body(durable::generate);
}

#[test]
fn function_stays_callable_as_written() {
    fn is_handler<F, R>(_: F)
    where
        F: Fn(Context, NoteParams) -> R,
        R: Future<Output = Result<ActionResult<Note>>> + Send,
    {
    }
    is_handler(inner::r#match);
}

#[test]
fn extension_of_a_crate_that_renames_imperal_is_registered() {
    let registry = Registry::collect().unwrap();
    let other = registry.extension("renamed-dependency").unwrap();
    assert_eq!(other.functions().iter().map(|f| f.name).collect::<Vec<_>>(), ["echo"]);
    assert_eq!(other.durable_tasks().iter().map(|task| task.name).collect::<Vec<_>>(), ["echo_on"]);
    assert!(other.def().manifest_dir.ends_with("renamed_dependency"));
}
