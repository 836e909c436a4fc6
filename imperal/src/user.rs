//! The user of a call.

use serde::{Deserialize, Serialize};

/// A user of a tenant. The same `id` in another tenant is another user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct User {
    /// The user's id within the tenant, the `sub` of the token.
    pub id: String,
    /// The tenant; `default` on a platform with one tenant.
    pub tenant_id: String,
    /// E-mail address, where the token has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Role, where the token has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Scopes of the token.
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl User {
    /// A user with an id and a tenant, and no scopes.
    pub fn new(id: impl Into<String>, tenant_id: impl Into<String>) -> Self {
        Self { id: id.into(), tenant_id: tenant_id.into(), email: None, role: None, scopes: Vec::new() }
    }

    /// Whether the user has the scope: exactly, by `*`, or by `prefix:*` or `prefix.*`.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| {
            held == "*"
                || held == scope
                || held
                    .strip_suffix('*')
                    .is_some_and(|prefix| prefix.ends_with([':', '.']) && scope.starts_with(prefix))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_covers_its_own_prefix_only() {
        let mut user = User::new("u", "t");
        user.scopes = vec!["audit:*".into(), "a".into()];
        assert!(user.has_scope("audit:read"));
        assert!(user.has_scope("a"));
        assert!(!user.has_scope("auditor:read"));
        assert!(!user.has_scope("ab"));
        user.scopes = vec!["aud*".into()];
        assert!(!user.has_scope("audit:read"));
    }
}
