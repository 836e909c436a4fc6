//! [`SecretValue`]: a value that the author has read.

use std::fmt;

use zeroize::Zeroizing;

use super::in_use::SecretsInUse;

/// The value of a secret, from [`Context::secret`](crate::Context::secret).
///
/// It cannot be serialized and is not shown: `{:?}` prints `[secret NAME]`. [`expose`](Self::expose) gives the text,
/// for the request that needs it. Its memory is overwritten when it is dropped.
///
/// ```compile_fail
/// # async fn read(ctx: imperal::Context, key: &'static imperal::Secret) -> imperal::Result<String> {
/// let key = ctx.secret(key).await?;
/// Ok(serde_json::to_string(&key).unwrap())
/// # }
/// ```
#[derive(Clone)]
pub struct SecretValue {
    name: &'static str,
    value: Zeroizing<String>,
    /// As long as the value lives, the log is without it.
    _in_use: SecretsInUse,
}

impl SecretValue {
    pub(super) fn new(name: &'static str, value: Zeroizing<String>, in_use: SecretsInUse) -> Self {
        Self { name, value, _in_use: in_use }
    }

    /// The text. Give it to the request that needs it, and keep it nowhere.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// The name of the secret.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[secret {}]", self.name)
    }
}
