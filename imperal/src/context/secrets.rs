//! `ctx.secret`: the values that the extension needs and no person may see.
//!
//! Owns the checks of a declaration's rules. The platform opens, seals and stores; [`SecretsInUse`] keeps the values
//! out of what the work writes.

use zeroize::Zeroizing;

use super::Context;
use crate::codes;
use crate::error::Error;
use crate::result::Result;
use crate::secrets::{Secret, SecretScope, SecretValue};

impl Context {
    /// The value of a secret that the extension declares: the user's own, or the one of all users for a secret
    /// [of the app](Secret::of_app).
    ///
    /// From now on the value is kept out of everything that this call or task, and each task that it starts, writes:
    /// the log, traces, errors, progress and the requests of a step show `[secret NAME]` in its place, also
    /// percent-encoded, in base64, in hexadecimal or escaped in JSON. A result, a step, a message, a question or a
    /// document with the value in it is refused with `SECRET_EXPOSED`. Values of less than 8 bytes are not looked for.
    ///
    /// # Errors
    /// `SECRET_MISSING` when no value was entered, or the stored one cannot be opened any more; the text tells the user
    /// where to enter it, so `?` is the right answer. `INTERNAL` for a secret that `extension!` does not list.
    /// `UNAVAILABLE` when the ledger cannot be read. [`Error::cancelled`] when the work was cancelled or is over.
    ///
    /// ```
    /// # use imperal::{prelude::*, Secret};
    /// const API_KEY: Secret = Secret::new("api_key", "Key of the weather service: weather.example/keys");
    ///
    /// # async fn look(ctx: Context, city: String) -> Result<String> {
    /// let key = ctx.secret(&API_KEY).await?;
    /// let url = format!("https://weather.example/{city}");
    /// let found = ctx.http().get(url).bearer_auth(key.expose()).send().await?.error_for_status()?.text()?.to_owned();
    /// # Ok(found) }
    /// ```
    pub async fn secret(&self, secret: &Secret) -> Result<SecretValue> {
        self.check_active()?;
        let value = self.services().host.secret(self.origin(), *secret).await?;
        Ok(self.origin().secrets.note(secret.name(), value))
    }

    /// Stores the user's value of a secret that the extension may write: see
    /// [`Secret::written_by`]. Completes when it is on disk.
    ///
    /// In a durable task it belongs into a step: outside of steps it would be set again on each attempt.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for a secret that the extension may not write. `VALIDATION_TYPE_ERROR` for an empty value
    /// and for one over [`Secret::max_bytes`]. `STEP_NEEDED` in a durable task outside of a step. As
    /// [`Context::secret`] otherwise. Nothing was stored then, unless the text says that it may have been.
    ///
    /// ```
    /// # use imperal::{prelude::*, Secret, SecretWriter};
    /// const TOKEN: Secret = Secret::new("token", "Token of the service.").written_by(SecretWriter::Extension);
    ///
    /// # async fn connect(ctx: Context, code: String) -> Result<ActionResult> {
    /// # let token = code;
    /// ctx.set_secret(&TOKEN, token).await?;
    /// Ok(ActionResult::done("Connected."))
    /// # }
    /// ```
    pub async fn set_secret(&self, secret: &Secret, value: impl Into<String>) -> Result<()> {
        let value = Zeroizing::new(value.into());
        self.check_writes(secret)?;
        check_value(secret, &value)?;
        // Also if it cannot be stored: the work has it.
        let noted = self.origin().secrets.note(secret.name(), value.clone());
        self.services().host.write_secret(self.origin(), *secret, Some(value)).await?;
        drop(noted);
        Ok(())
    }

    /// Removes the user's value of a secret that the extension may write. Returns whether there was one.
    ///
    /// # Errors
    /// As [`Context::set_secret`].
    pub async fn remove_secret(&self, secret: &Secret) -> Result<bool> {
        self.check_writes(secret)?;
        self.services().host.write_secret(self.origin(), *secret, None).await
    }

    fn check_writes(&self, secret: &Secret) -> Result<()> {
        self.check_active()?;
        let name = secret.name();
        if secret.scope() == SecretScope::App || !secret.writer().is_extension() {
            let who = if secret.scope() == SecretScope::App { "An operator" } else { "The user alone" };
            return Err(Error::platform(
                codes::PERMISSION_DENIED,
                format!("{who} enters the secret `{name}`: the extension may not write it."),
            ));
        }
        if self.durable_run().is_some() && self.step_in_use().is_none() {
            return Err(Error::platform(
                codes::STEP_NEEDED,
                format!(
                    "The secret `{name}` was written in a durable task outside of a step. The body runs again after a \
                     crash: write it in a step."
                ),
            ));
        }
        Ok(())
    }
}

/// Refuses an empty value and one over the secret's limit.
///
/// # Errors
/// `VALIDATION_TYPE_ERROR` without any part of the value.
pub(crate) fn check_value(secret: &Secret, value: &str) -> Result<()> {
    let (name, most) = (secret.name(), secret.most_bytes());
    let text = match value.len() {
        _ if value.trim().is_empty() => format!("The value of `{name}` is empty."),
        bytes if bytes > most as usize => format!("The value of `{name}` has {bytes} bytes, more than {most}."),
        _ if value.contains('\0') => format!("The value of `{name}` has a NUL in it."),
        _ => return Ok(()),
    };
    Err(Error::user(codes::VALIDATION_TYPE_ERROR, text).with_field("value"))
}
