//! Exports the manifest of an extension of this binary.
//!
//! Reads no file: `build` adds the parts that belong to the file on disk, and the size of the icon's file.

use std::collections::HashMap;

use super::schema::{self, Use};
use crate::function::{Extension, FunctionDef, JobDef, file_params, params_schema};
use crate::secrets::Secret;
use imperal_manifest::{FileSink, Manifest, Panel, SCHEMA_VERSION, SDK_VERSION, Schedule, Tool, ToolSchema};
use schemars::generate::{Contract, SchemaSettings};

/// The manifest of an extension of this binary.
///
/// Functions are in the order of their declaration, each with its schemas in the reference SDK's form.
/// Parts that only the file on disk has are not included: see [`build`](super::build).
pub fn export(extension: &Extension) -> Manifest {
    let def = extension.def();
    let owner = if def.tool_name.is_empty() { def.app_id.replace('-', "_") } else { def.tool_name.to_owned() };
    let mut manifest = Manifest::default();
    manifest.manifest_schema_version = Some(SCHEMA_VERSION);
    manifest.sdk_version = Some(SDK_VERSION.to_owned());
    def.app_id.clone_into(&mut manifest.app_id);
    def.version.clone_into(&mut manifest.version);
    manifest.name = Some(if def.name.is_empty() { def.app_id } else { def.name }.to_owned());
    manifest.description = Some(def.description.to_owned());
    manifest.icon = Some(def.icon.to_owned());
    manifest.actions_explicit = Some(true);
    manifest.system = Some(def.system);
    manifest.capabilities = def.capabilities.iter().map(|&scope| scope.to_owned()).collect();
    let mut schemas = Schemas::default();
    manifest.tools = extension.functions().iter().map(|function| tool(function, &owner, &mut schemas)).collect();
    manifest.schedules = extension.jobs().iter().map(|job| schedule(job)).collect();
    manifest.icon_size_bytes = u64::try_from(def.icon_svg.len()).ok().filter(|size| *size > 0);
    manifest.secrets = (!def.secrets.is_empty()).then(|| def.secrets.iter().map(secret).collect());
    manifest.file_sinks = file_sinks(extension, &mut schemas);
    manifest.panels = Some(if def.secrets.is_empty() { Vec::new() } else { vec![secrets_panel()] });
    manifest
}

fn tool(function: &FunctionDef, owner: &str, schemas: &mut Schemas) -> Tool {
    let mut tool = Tool::default();
    function.name.clone_into(&mut tool.name);
    function.description.clone_into(&mut tool.description);
    tool.action_type = Some(function.action_type.as_str().to_owned());
    tool.chain_callable = Some(function.chain_callable);
    tool.effects = Some(function.effects.iter().map(|&effect| effect.to_owned()).collect());
    tool.id_projection = Some(function.id_projection.to_owned());
    tool.params_schema = Some(schemas.params_of(function).schema.clone());
    tool.return_schema = Some(schemas.data_of(function));
    tool.event = Some(function.event.to_owned());
    tool.background = Some(function.background);
    tool.long_running = Some(function.long_running);
    tool.owner_chat_tool = Some(owner.to_owned());
    tool
}

/// Without a description, as the reference SDK writes it.
fn schedule(job: &JobDef) -> Schedule {
    let mut schedule = Schedule::default();
    job.name.clone_into(&mut schedule.name);
    job.cron.clone_into(&mut schedule.cron);
    schedule
}

/// One for each parameter that is a file; `None` for an extension without any, whose file on disk may have its own.
fn file_sinks(extension: &Extension, schemas: &mut Schemas) -> Option<Vec<FileSink>> {
    let mut sinks = Vec::new();
    for function in extension.functions() {
        for (arg, accepts) in schemas.params_of(function).files.clone() {
            let mut sink = FileSink::default();
            function.name.clone_into(&mut sink.tool);
            (sink.accepts, sink.arg) = (accepts, arg);
            sink.arg_kind = Some("file_id".to_owned());
            sinks.push(sink);
        }
    }
    (!sinks.is_empty()).then_some(sinks)
}

fn secret(declared: &Secret) -> imperal_manifest::Secret {
    let mut secret = imperal_manifest::Secret::default();
    declared.name().clone_into(&mut secret.name);
    declared.description().clone_into(&mut secret.description);
    secret.required = declared.is_required();
    secret.write_mode = Some(declared.writer().as_str().to_owned());
    secret.max_bytes = Some(declared.most_bytes().into());
    secret.scope = Some(declared.scope().as_str().to_owned());
    secret.rotation_hint_days = declared.rotation_hint_days().map(i64::from);
    secret.env_fallback = declared.variable().map(str::to_owned);
    secret
}

/// The panel that the reference SDK adds to every extension with secrets.
pub(super) fn secrets_panel() -> Panel {
    let mut panel = Panel::default();
    panel.panel_id = Some(SECRETS_PANEL.to_owned());
    "right".clone_into(&mut panel.slot);
    panel.title = Some("Secrets".to_owned());
    panel.icon = Some("KeyRound".to_owned());
    panel.refresh = Some("manual".to_owned());
    panel.center_overlay = Some(false);
    panel.more.insert("stale_while_revalidate".to_owned(), true.into());
    panel.more.insert("cache_ttl".to_owned(), 60.into());
    panel
}

/// Id of [`secrets_panel`].
pub(super) const SECRETS_PANEL: &str = "secrets";

fn settings(contract: Contract) -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.contract = contract;
        // Struct variants become definitions, which need names.
        settings.untagged_enum_variant_titles = true;
    })
}

/// The schemas made so far. Functions with the same types have the same schemas, which are made once.
#[derive(Default)]
struct Schemas {
    params: HashMap<CodeAddress, Params>,
    data: HashMap<CodeAddress, ToolSchema>,
}

/// The address of the code that makes a schema. Functions with the same type use the same code. Two copies of it cost a
/// second schema; one address never makes two schemas, because the linker folds only equal code.
type CodeAddress = usize;

struct Params {
    schema: ToolSchema,
    /// The parameters that are files, and the kinds of files that each accepts.
    files: Vec<(String, Vec<String>)>,
}

impl Schemas {
    fn params_of(&mut self, function: &FunctionDef) -> &Params {
        self.params.entry(function.params_schema as CodeAddress).or_insert_with(|| {
            let mut generator = settings(Contract::Deserialize).into_generator();
            let schema = (function.params_schema)(&mut generator).to_value();
            Params {
                schema: schema::to_reference_form(schema, Use::Read).into(),
                files: file_params(&params_schema(function)),
            }
        })
    }

    /// Schema of a function's data, with the names under which it is serialized. As in the reference SDK,
    /// fields with a default are not required.
    fn data_of(&mut self, function: &FunctionDef) -> ToolSchema {
        let of_code = self.data.entry(function.return_schema as CodeAddress).or_insert_with(|| {
            let mut generator = settings(Contract::Serialize).into_generator();
            (function.return_schema)(&mut generator)
                .map(|data| schema::to_reference_form(data.to_value(), Use::Written).into())
                .unwrap_or_default()
        });
        of_code.clone()
    }
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, Schema, SchemaGenerator};
    use serde_json::{Map, Value};

    use super::*;

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct One {
        text: String,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Other {
        number: u8,
    }

    fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
        generator.root_schema_for::<T>()
    }

    fn function<P: JsonSchema, D: JsonSchema>(name: &'static str) -> FunctionDef {
        FunctionDef {
            name,
            params_schema: schema_of::<P>,
            return_schema: |generator| Some(schema_of::<D>(generator)),
            ..FunctionDef::BLANK
        }
    }

    #[test]
    fn functions_with_the_same_types_share_their_schemas() {
        let mut schemas = Schemas::default();
        let (first, second) = (function::<One, Other>("first"), function::<One, Other>("second"));
        let swapped = function::<Other, One>("swapped");
        let mut tool_of = |function| tool(function, "owner", &mut schemas);
        let (first, second, swapped) = (tool_of(&first), tool_of(&second), tool_of(&swapped));
        let [one, other] = [first.params_schema.unwrap(), first.return_schema.unwrap()];
        let fields = |schema: &ToolSchema| std::ptr::from_ref::<Map<String, Value>>(schema);
        assert_eq!(fields(&one), fields(&second.params_schema.unwrap()));
        assert_eq!(fields(&other), fields(&second.return_schema.unwrap()));
        assert_eq!((&one["title"], &other["title"]), (&"One".into(), &"Other".into()));
        assert_eq!(swapped.params_schema.unwrap()["title"], "Other");
        assert_eq!(swapped.return_schema.unwrap()["title"], "One");
    }
}
