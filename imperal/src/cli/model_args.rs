//! The options of the assistant's model.

use clap::Args as ClapArgs;

use super::environment::env_text;
use super::exit::CliError;
use crate::assistant::AssistantSettings;
use crate::platform::Settings;

/// The variable with the model's key.
const MODEL_KEY: &str = "IMPERAL_MODEL_KEY";

/// The model of the assistant.
#[derive(Debug, Default, ClapArgs)]
pub(super) struct ModelArgs {
    /// Address of a model for the assistant, with OpenAI's chat completions, such as `http://localhost:11434/v1`; for its
    /// key set `IMPERAL_MODEL_KEY`
    #[arg(long, env = "IMPERAL_MODEL_URL", value_name = "URL", requires = "model")]
    model_url: Option<String>,
    /// The model's name there
    #[arg(long, env = "IMPERAL_MODEL", value_name = "NAME", requires = "model_url")]
    model: Option<String>,
    /// Tokens of the model that a user may use a day (UTC); 0 for no limit [default: 200000]
    #[arg(long, env = "IMPERAL_MODEL_TOKENS", value_name = "N")]
    model_tokens: Option<u64>,
}

impl ModelArgs {
    /// Sets the model. One that the program sets stays, if none is given here.
    ///
    /// # Errors
    /// For a key that is no text.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<(), CliError> {
        if let (Some(url), Some(model)) = (&self.model_url, &self.model) {
            let before = settings.assistant.take().unwrap_or_else(|| AssistantSettings::new("", ""));
            settings.assistant = Some(AssistantSettings { url: url.clone(), model: model.clone(), ..before });
        }
        if let Some(assistant) = &mut settings.assistant {
            let key = env_text(MODEL_KEY)?.map(|key| key.trim().to_owned());
            assistant.key = key.filter(|key| !key.is_empty()).or(assistant.key.take());
            assistant.tokens_per_user_and_day = self.model_tokens.unwrap_or(assistant.tokens_per_user_and_day);
        }
        Ok(())
    }
}
