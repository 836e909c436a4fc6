//! `token`: a user's token for trying `serve`.

use std::time::Duration;

use secrecy::SecretString;

use super::environment::env_text;
use super::exit::{CliError, Exit};
use super::out;
use crate::gateway::{LOCAL_TENANT, LOCAL_USER, Verifier};
use crate::user::User;

/// Prints a token that is signed with `IMPERAL_JWT_SECRET`, as an identity provider would sign it.
pub(super) fn token(user: String, tenant: String, scopes: Vec<String>, hours: u32) -> Result<Exit, CliError> {
    let Some(secret) = env_text("IMPERAL_JWT_SECRET")? else {
        return Err(CliError::new("set IMPERAL_JWT_SECRET to the secret that `serve` uses"));
    };
    if user == LOCAL_USER && tenant == LOCAL_TENANT {
        return Err(CliError::new(format!(
            "`{LOCAL_USER}` in tenant `{LOCAL_TENANT}` is the machine's own user, and `serve` refuses tokens that name it: choose another user or --tenant"
        )));
    }
    let mut user = User::new(user, tenant);
    user.scopes = scopes;
    let lifetime = Duration::from_secs(u64::from(hours) * 3600);
    out::print_line(&Verifier::sign(&SecretString::from(secret), &user, lifetime)?);
    Ok(Exit::Success)
}
