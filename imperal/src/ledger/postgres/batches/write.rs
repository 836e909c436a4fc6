//! A statement with the parameters that it owns.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use tokio_postgres::types::{ToSql, Type};

use crate::ledger::postgres::pool::Param;
use crate::ledger::postgres::stored_text::stored;
use crate::ledger::{Incarnation, Owner};

/// A write of a node's work: one statement of one row, which takes the incarnation's lock before any other.
#[derive(Debug)]
pub(in crate::ledger::postgres) struct Write {
    sql: &'static str,
    params: Vec<(Box<dyn ToSql + Send + Sync>, Type)>,
    bytes: usize,
}

impl Write {
    /// A statement whose first two parameters are the node and the number of its incarnation.
    pub(in crate::ledger::postgres) fn of(incarnation: &Incarnation, sql: &'static str) -> Self {
        let new = Self { sql, params: Vec::with_capacity(20), bytes: 0 };
        new.text(stored(&incarnation.node).into_owned()).int(incarnation.number)
    }

    fn param(mut self, value: impl ToSql + Send + Sync + 'static, of: Type) -> Self {
        self.params.push((Box::new(value), of));
        self
    }

    pub(in crate::ledger::postgres) fn text(mut self, value: impl Into<Option<String>>) -> Self {
        let value = value.into();
        self.bytes += value.as_ref().map_or(0, String::len);
        self.param(value, Type::TEXT)
    }

    pub(in crate::ledger::postgres) fn texts(mut self, value: Option<Vec<Option<Cow<'_, str>>>>) -> Self {
        let value: Option<Vec<Option<String>>> =
            value.map(|texts| texts.into_iter().map(|text| text.map(Cow::into_owned)).collect());
        self.bytes += value.iter().flatten().flatten().map(String::len).sum::<usize>();
        self.param(value, Type::TEXT_ARRAY)
    }

    pub(in crate::ledger::postgres) fn int(self, value: impl Into<Option<i64>>) -> Self {
        self.param(value.into(), Type::INT8)
    }

    pub(in crate::ledger::postgres) fn flag(self, value: bool) -> Self {
        self.param(value, Type::BOOL)
    }

    pub(in crate::ledger::postgres) fn sql(&self) -> &'static str {
        self.sql
    }

    pub(in crate::ledger::postgres) fn params(&self) -> Vec<Param<'_>> {
        self.params.iter().map(|(value, of)| (&**value as &(dyn ToSql + Sync), of.clone())).collect()
    }

    /// The bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The key by which the database finds the owner, and locks several: `owner_key`.
pub(super) fn owner_key(owner: &Owner) -> [u8; 32] {
    let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
    let mut hash = Sha256::new();
    hash.update(format!("{}:", tenant.len()));
    hash.update(tenant.as_bytes());
    hash.update(user.as_bytes());
    hash.finalize().into()
}
