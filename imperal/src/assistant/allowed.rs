//! Functions that a user allowed the assistant in the conversation: functions that write, and no others. One document for
//! each, which holds a digest of the function's schema and ends by itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::context::{CallApproval, Collection, Context, ToolKind};
use crate::result::Result;

/// How long it is allowed, unless the user takes it back before.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 3600);
/// The name of the collection.
pub(crate) const COLLECTION: &str = "allowed";
/// The functions that a user allowed.
pub(crate) const ALLOWED: Collection<Allowed> = Collection::new(COLLECTION);

/// A function that the user allowed, with any parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowed {
    pub(crate) app_id: String,
    pub(crate) function: String,
    /// That of the function and its schema, when it was allowed.
    digest: String,
}

/// The id of a function's document.
pub(crate) fn id_of(app_id: &str, function: &str) -> String {
    format!("{app_id}/{function}")
}

/// Whether the user allowed the function as it is now. A destructive one is never allowed for more than one call.
pub(crate) async fn is_allowed(ctx: &Context, wanted: &CallApproval) -> Result<bool> {
    if wanted.kind != ToolKind::Write {
        return Ok(false);
    }
    let found = ctx.documents(&ALLOWED).get(&id_of(&wanted.app_id, &wanted.function)).await?;
    Ok(found.is_some_and(|found| found.value.fits(wanted)))
}

/// Notes what the user allowed. In a step it is stored with it.
pub(super) async fn allow(ctx: &Context, approval: &CallApproval) -> Result<()> {
    let CallApproval { app_id, function, function_digest: digest, .. } = approval.clone();
    let allowed = Allowed { app_id, function, digest };
    ctx.documents(&ALLOWED).expires_in(KEPT).put(&id_of(&approval.app_id, &approval.function), &allowed).await
}

impl Allowed {
    fn fits(&self, wanted: &CallApproval) -> bool {
        (&*self.app_id, &*self.function, &*self.digest)
            == (&*wanted.app_id, &*wanted.function, &*wanted.function_digest)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_function_and_another_schema_are_not_allowed() {
        let wanted = |function: &str, digest: &str| CallApproval {
            app_id: "app".to_owned(),
            function: function.to_owned(),
            kind: ToolKind::Write,
            params: json!({}),
            digest: "of these parameters".to_owned(),
            function_digest: digest.to_owned(),
        };
        let allowed = Allowed { app_id: "app".to_owned(), function: "send".to_owned(), digest: "1".to_owned() };
        assert!(allowed.fits(&wanted("send", "1")));
        assert!(!allowed.fits(&wanted("send", "2")) && !allowed.fits(&wanted("sent", "1")));
    }
}
