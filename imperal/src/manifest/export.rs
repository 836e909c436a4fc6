//! Makes a manifest from a linked extension.
//!
//! Owns what each declared thing becomes. Reads no file: what the file on disk owns is added by
//! `build`, which also takes the icon's size from its file.

use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value};

use super::model::{Manifest, SCHEMA_VERSION, SDK_VERSION, Tool};
use super::schema::{self, Use};
use crate::function::{Extension, FunctionDef};

impl Manifest {
    /// The manifest of an extension of this binary.
    ///
    /// Functions come in order of declaration, each with its schemas in the reference SDK's form.
    /// What only the file on disk knows is not in it: see [`build`](super::build).
    pub fn export(extension: &Extension) -> Self {
        let def = extension.def();
        let owner = if def.tool_name.is_empty() { def.app_id.replace('-', "_") } else { def.tool_name.to_owned() };
        Self {
            manifest_schema_version: Some(SCHEMA_VERSION),
            sdk_version: Some(SDK_VERSION.to_owned()),
            app_id: def.app_id.to_owned(),
            version: def.version.to_owned(),
            name: Some(if def.name.is_empty() { def.app_id } else { def.name }.to_owned()),
            description: Some(def.description.to_owned()),
            icon: Some(def.icon.to_owned()),
            actions_explicit: Some(true),
            system: Some(def.system),
            capabilities: def.capabilities.iter().map(|&scope| scope.to_owned()).collect(),
            tools: extension.functions().iter().map(|function| tool(function, &owner)).collect(),
            icon_size_bytes: u64::try_from(def.icon_svg.len()).ok().filter(|size| *size > 0),
            panels: Some(Vec::new()),
            ..Self::default()
        }
    }
}

fn tool(function: &FunctionDef, owner: &str) -> Tool {
    Tool {
        name: function.name.to_owned(),
        description: function.description.to_owned(),
        action_type: Some(function.action_type.as_str().to_owned()),
        chain_callable: Some(function.chain_callable),
        effects: Some(function.effects.iter().map(|&effect| effect.to_owned()).collect()),
        id_projection: Some(function.id_projection.to_owned()),
        params_schema: Some(params_schema(function)),
        return_schema: Some(return_schema(function)),
        event: Some(function.event.to_owned()),
        background: Some(function.background),
        long_running: Some(function.long_running),
        owner_chat_tool: Some(owner.to_owned()),
        ..Tool::default()
    }
}

fn settings(contract: Contract) -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.contract = contract;
        // The names are needed to give struct variants a definition of their own.
        settings.untagged_enum_variant_titles = true;
    })
}

/// Schema of a function's parameters: what is read from a caller.
fn params_schema(function: &FunctionDef) -> Map<String, Value> {
    let mut generator = settings(Contract::Deserialize).into_generator();
    schema::shape((function.params_schema)(&mut generator).to_value(), Use::Read)
}

/// Schema of a function's data: what is written, under the names it is written with. The reference
/// describes data as it would be read, so what has a default is not required here either.
fn return_schema(function: &FunctionDef) -> Map<String, Value> {
    let mut generator = settings(Contract::Serialize).into_generator();
    (function.return_schema)(&mut generator)
        .map(|data| schema::shape(data.to_value(), Use::Written))
        .unwrap_or_default()
}
